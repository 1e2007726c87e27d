//! Frames as both ladders need them: what was sent before, and whom it is for.

use crate::scenario::Scenario;
use crate::timeline::{FrameKind, LabTime, Segment};
use std::collections::HashMap;
use std::net::IpAddr;

/// How often the same sequence numbers were sent: on a connection's side, from a port of a host.
#[derive(Default)]
pub(super) struct Sent(HashMap<Number, (usize, LabTime)>);

/// The sender's host, both ends, and the sequence number.
type Number = (String, IpAddr, u16, IpAddr, u16, u32);

impl Sent {
    /// Counts that `segment` was sent; how often it had been before, and when last.
    pub(super) fn count(&mut self, at: LabTime, from: &str, segment: &Segment) -> Option<(usize, LabTime)> {
        let Segment { source, source_port, destination, destination_port, seq, .. } = segment;
        if segment.length == 0 && !segment.flags.syn && !segment.flags.fin {
            return None;
        }
        let key = (from.to_owned(), *source, *source_port, *destination, *destination_port, *seq);
        let before = self.0.get(&key).copied();
        self.0.insert(key, (before.map_or(1, |(times, _)| times + 1), at));
        before
    }
}

/// The number of the host that a frame's destination address belongs to.
pub(super) fn owner(scenario: &Scenario, kind: &FrameKind) -> Option<usize> {
    let wanted = match kind {
        FrameKind::Tcp(segment) => segment.destination,
        FrameKind::Icmp { destination, .. } => *destination,
        FrameKind::Arp { .. } | FrameKind::Other { .. } => return None,
    };
    scenario.hosts.values().position(|host| host.addresses.iter().any(|(address, _)| *address == wanted))
}
