//! Connections by names that are the same in each run: ports of clients differ, their order does not.

use crate::timeline::{Connection, Frame, FrameKind, Segment};
use std::net::SocketAddr;

/// The connections of a run, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Connections(Vec<Known>);

#[derive(Debug)]
struct Known {
    ends: [SocketAddr; 2],
    name: String,
}

impl Connections {
    /// The name of the connection that a segment belongs to: `connection 1, from client to server:9877`. Who was seen first to send
    /// (a SYN, as a rule) is the one that it is from.
    pub(super) fn of_segment(&mut self, frame: &Frame, segment: &Segment) -> String {
        let ends = [
            SocketAddr::new(segment.source, segment.source_port),
            SocketAddr::new(segment.destination, segment.destination_port),
        ];
        self.name(ends, || {
            let to = frame.destination().map_or_else(|| segment.destination.to_string(), str::to_owned);
            // Port of a server; a RST or SYN-ACK that comes first goes to a port that says nothing.
            format!("from {} to {to}:{}", frame.from, segment.destination_port)
        })
    }

    /// The name of a connection that a kernel tells of; none for a listening socket.
    pub(super) fn of_kernel(&mut self, host: &str, connection: &Connection) -> Option<String> {
        (connection.remote.port() != 0 && connection.local.port() != 0).then(|| {
            self.name([connection.local, connection.remote], || format!("of {host} with {}", connection.remote))
        })
    }

    fn name(&mut self, ends: [SocketAddr; 2], words: impl FnOnce() -> String) -> String {
        let is = |known: &&Known| known.ends == ends || known.ends == [ends[1], ends[0]];
        if let Some(known) = self.0.iter().find(is) {
            return known.name.clone();
        }
        let name = format!("connection {}, {}", self.0.len() + 1, words());
        self.0.push(Known { ends, name: name.clone() });
        name
    }

    /// Makes known what `frame` shows, so that kernels are named after the wire.
    pub(super) fn see(&mut self, frame: &Frame) {
        if let FrameKind::Tcp(segment) = &frame.kind {
            self.of_segment(frame, segment);
        }
    }
}
