//! A connection over time: the state that each kernel held it in, and how long TCP waited before it sent something again.

use crate::timeline::{Connection, Event, FrameKind, KernelFact, LabTime, MachineEvent, Segment, TcpState, What};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What a kernel says it sent is on the wire within this time of its saying so, or not at all.
pub(super) const ON_THE_WIRE: Duration = Duration::from_millis(10);

/// A connection, as everybody saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Course {
    /// Its two ends, the lower address first: that of the client, as scenarios have it.
    pub(super) ends: (SocketAddr, SocketAddr),
    pub(super) from: LabTime,
    pub(super) until: LabTime,
    /// What each host's kernel held it for, in the order in which they first spoke of it.
    pub(super) sides: Vec<Side>,
    /// The segments on the wire: when, and from which of the two ends (true: the first).
    pub(super) segments: Vec<(LabTime, bool)>,
    /// When a kernel said that it sends again; from which end, and whose kernel.
    again: Vec<(LabTime, bool, String)>,
    pub(super) waits: Vec<Wait>,
}

/// What one kernel held a connection for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) host: String,
    pub(super) spans: Vec<Span>,
    /// How it ended for this kernel.
    pub(super) end: End,
}

/// A state, from when to when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) state: TcpState,
    pub(super) from: LabTime,
    pub(super) until: LabTime,
}

/// How a connection ended for a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was there to the end of the run.
    Open,
    /// It went to CLOSED.
    Closed,
    /// The kernel itself ended.
    Died,
}

/// Something that was sent again, after a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) at: LabTime,
    pub(super) host: String,
    /// Nanoseconds since the same was sent before; for a probe, since anything was.
    pub(super) nanos: u64,
    pub(super) kind: Again,
}

/// Why something was sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It was not acknowledged.
    Retransmission,
    /// The kernel tried to send it again, and no frame came out: it does not know whom to send it to (ARP), or has no link.
    Unsent,
    /// Keep-alive asks whether the other side is there.
    Probe,
}

/// The connections of a timeline in the order in which they began.
pub(super) fn courses(timeline: &[Event]) -> Vec<Course> {
    let end = timeline.last().map_or(LabTime(0), |event| event.at);
    let mut all = Courses::default();
    for event in timeline {
        match &event.what {
            What::Kernel(told) => match &told.fact {
                KernelFact::State { connection, to, .. } => all.state(event.at, &told.host, connection, *to),
                KernelFact::Retransmitted { connection } => {
                    let course = all.course(event.at, connection.local, connection.remote);
                    let from_first = course.ends.0 == connection.local;
                    course.again.push((event.at, from_first, told.host.clone()));
                }
                _ => {}
            },
            What::Wire(frame) => {
                if let FrameKind::Tcp(segment) = &frame.kind {
                    all.segment(event.at, &frame.from, segment);
                }
            }
            What::Machine { host, event: done } => {
                let ended = matches!(
                    done,
                    MachineEvent::PoweredOff { .. }
                        | MachineEvent::Died { .. }
                        | MachineEvent::ShutDown { .. }
                        | MachineEvent::Reset { .. }
                );
                if ended {
                    all.died(event.at, host);
                }
            }
            _ => {}
        }
    }
    for side in all.list.iter_mut().flat_map(|course| &mut course.sides) {
        if let (End::Open, Some(span)) = (side.end, side.spans.last_mut()) {
            span.until = end;
        }
    }
    for course in &mut all.list {
        course.unsent();
        let spans = course.sides.iter().flat_map(|side| side.spans.iter().map(|span| span.until));
        course.until = spans.chain([course.until]).max().unwrap_or(course.until);
    }
    all.list
}

impl Course {
    /// Adds the waits before what a kernel sent again, and the wire never saw.
    fn unsent(&mut self) {
        let mut last: Option<(LabTime, bool)> = None;
        for (at, from_first, host) in std::mem::take(&mut self.again) {
            let own = || self.segments.iter().filter(|(_, first)| *first == from_first).map(|(at, _)| *at);
            if own().any(|segment| segment.since(at).max(at.since(segment)) <= ON_THE_WIRE) {
                continue;
            }
            let tried = last.filter(|(_, first)| *first == from_first).map(|(at, _)| at);
            let before = own().filter(|segment| *segment < at).max().max(tried);
            last = Some((at, from_first));
            let nanos = before.map(|before| at.since(before).as_nanos() as u64);
            self.waits.extend(nanos.map(|nanos| Wait { at, host, nanos, kind: Again::Unsent }));
        }
        self.waits.sort_by_key(|wait| wait.at);
    }
}

#[derive(Default)]
struct Courses {
    list: Vec<Course>,
    /// When the same sequence numbers were sent last, and by whom: by port and number.
    sent: HashMap<(SocketAddr, SocketAddr, u32), LabTime>,
    /// The number after the last that an end has sent.
    next: HashMap<(SocketAddr, SocketAddr), u32>,
    /// The host that sends from an address. What another sends from it, a router, is a segment that was seen already.
    owners: HashMap<IpAddr, String>,
}

impl Courses {
    fn course(&mut self, at: LabTime, one: SocketAddr, other: SocketAddr) -> &mut Course {
        // The port of a client is the higher one, whatever its address.
        let ends = if one.port() >= other.port() { (one, other) } else { (other, one) };
        let known = self.list.iter().position(|course| course.ends == ends);
        let index = known.unwrap_or_else(|| {
            let (sides, segments, again, waits) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            self.list.push(Course { ends, from: at, until: at, sides, segments, again, waits });
            self.list.len() - 1
        });
        let course = &mut self.list[index];
        course.until = course.until.max(at);
        course
    }

    fn state(&mut self, at: LabTime, host: &str, connection: &Connection, to: TcpState) {
        if connection.remote.port() == 0 {
            return;
        }
        let course = self.course(at, connection.local, connection.remote);
        let known = course.sides.iter().position(|side| side.host == host && side.end == End::Open);
        let index = known.unwrap_or_else(|| {
            course.sides.push(Side { host: host.to_owned(), spans: Vec::new(), end: End::Open });
            course.sides.len() - 1
        });
        let side = &mut course.sides[index];
        if let Some(span) = side.spans.last_mut() {
            span.until = at;
        }
        if to == TcpState::Closed {
            side.end = End::Closed;
        } else {
            side.spans.push(Span { state: to, from: at, until: at });
        }
    }

    /// A kernel ended, and all its connections with it.
    fn died(&mut self, at: LabTime, host: &str) {
        for side in self.list.iter_mut().flat_map(|course| &mut course.sides) {
            if side.host == host && side.end == End::Open {
                side.end = End::Died;
                if let Some(span) = side.spans.last_mut() {
                    span.until = at;
                }
            }
        }
    }

    fn segment(&mut self, at: LabTime, host: &str, segment: &Segment) {
        if self.owners.entry(segment.source).or_insert_with(|| host.to_owned()) != host {
            return;
        }
        let source = SocketAddr::new(segment.source, segment.source_port);
        let destination = SocketAddr::new(segment.destination, segment.destination_port);
        let way = (source, destination);
        let carries = segment.length > 0 || segment.flags.syn || segment.flags.fin;
        let wait =
            |last: LabTime, kind| Wait { at, host: host.to_owned(), nanos: at.since(last).as_nanos() as u64, kind };
        let mut waits = Vec::new();
        // A probe repeats the last number that was acknowledged (RFC 9293, 3.8.4).
        let is_probe = segment.length <= 1
            && !(segment.flags.syn || segment.flags.fin || segment.flags.rst)
            && self.next.get(&way).is_some_and(|next| segment.seq == next.wrapping_sub(1));
        if is_probe {
            // It is asked for when nothing came for so long.
            let last = self.course(at, source, destination).segments.last().map(|(last, _)| *last);
            waits.extend(last.map(|last| wait(last, Again::Probe)));
        } else if carries {
            let last = self.sent.insert((source, destination, segment.seq), at);
            waits.extend(last.filter(|_| segment.retransmission).map(|last| wait(last, Again::Retransmission)));
            let length = u32::try_from(segment.length).unwrap_or_default();
            let flags = u32::from(segment.flags.syn) + u32::from(segment.flags.fin);
            self.next.insert(way, segment.seq.wrapping_add(length).wrapping_add(flags));
        }
        let course = self.course(at, source, destination);
        let from_first = course.ends.0 == source;
        course.segments.push((at, from_first));
        course.waits.extend(waits);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
