//! Causality: what a kernel says to have happened because of a frame cannot have happened before the frame.
//!
//! A clock that fits the frames, and a trace that is read rightly, can never contradict the wire by more than the clock's error.
//! If they do, nothing that this witness says can be vouched for.

use super::place::{PlacedEvent, came};
use crate::error::Error;
use crate::timeline::{
    Call, CallResult, Connection, Descriptor, DescriptorKind, Event, Frame, FrameKind, KernelFact, LabTime, Segment,
    TcpState, What,
};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

/// An error shows so many contradictions.
const SHOWN: usize = 5;

/// The segments of every connection, by the host that sent or got them: it, its end, the other end.
#[derive(Debug, Default)]
struct Wire<'a> {
    sent: HashMap<(&'a str, Connection), Vec<(LabTime, &'a Segment)>>,
    got: HashMap<(&'a str, Connection), Vec<(LabTime, &'a Segment)>>,
}

/// Compares what the kernels said with the wire.
///
/// # Errors
/// The contradictions.
pub(super) fn check(events: &[PlacedEvent], timeline: &[Event]) -> Result<(), Error> {
    let wire = Wire::read(timeline);
    let mut read: HashMap<(&str, Connection), u64> = HashMap::new();
    let mut begun: HashSet<(&str, Connection)> = HashSet::new();
    let mut wrong = Vec::new();
    for placed in events {
        let host = placed.event.host.as_str();
        let said = match &placed.event.fact {
            // One that is made again from the same port may end before its SYN leaves: the last SYN is that of the one before.
            KernelFact::State { connection, to: TcpState::SynSent, .. } if !begun.insert((host, *connection)) => None,
            KernelFact::State { connection, from, to } => wire.state(placed, *connection, *from, *to),
            KernelFact::ResetReceived { connection } => {
                wire.came(placed, *connection, "was reset", "RST", |it| it.flags.rst)
            }
            KernelFact::Call(call) => taken(call).and_then(|(connection, bytes)| {
                let sum = read.entry((host, connection)).or_default();
                *sum += bytes;
                wire.data(placed, connection, *sum)
            }),
            _ => None,
        };
        wrong.extend(said);
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(SHOWN);
    wrong.truncate(SHOWN);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Err(Error::broken("what the hosts' kernels say contradicts the wire").detail(wrong.join("\n")))
}

/// The connection and the bytes that a call took from it; none for a call that left them there, or that counts something else.
fn taken(call: &Call) -> Option<(Connection, u64)> {
    let Some(Descriptor { kind: DescriptorKind::Connection(connection), .. }) = call.on else { return None };
    let CallResult::Returned(bytes) = call.result else { return None };
    let takes = matches!(call.call.as_str(), "read" | "readv" | "recvfrom" | "recvmsg");
    let leaves = call.arguments.contains("MSG_PEEK") || call.arguments.contains("MSG_ERRQUEUE");
    (takes && !leaves).then(|| Some((connection, u64::try_from(bytes).ok()?))).flatten()
}

impl<'a> Wire<'a> {
    fn read(timeline: &'a [Event]) -> Self {
        let mut wire = Self::default();
        for event in timeline {
            let What::Wire(frame) = &event.what else { continue };
            let Frame { kind: FrameKind::Tcp(segment), from, to, verdict, .. } = &**frame else { continue };
            let source = SocketAddr::new(segment.source, segment.source_port);
            let destination = SocketAddr::new(segment.destination, segment.destination_port);
            let own = Connection { local: source, remote: destination };
            wire.sent.entry((from, own)).or_default().push((event.at, segment));
            if let (Some(to), Some(at)) = (to, came(event.at, *verdict)) {
                let others = Connection { local: destination, remote: source };
                wire.got.entry((to, others)).or_default().push((at, segment));
            }
        }
        wire
    }

    /// What is wrong with a change of state.
    fn state(&self, placed: &PlacedEvent, connection: Connection, from: TcpState, to: TcpState) -> Option<String> {
        match (from, to) {
            (TcpState::SynSent, TcpState::Established) => {
                self.came(placed, connection, "was established", "SYN", |it| it.flags.syn)
            }
            (TcpState::SynReceived, TcpState::Established) => {
                self.came(placed, connection, "was established", "ACK", |it| it.flags.ack && !it.flags.syn)
            }
            (_, TcpState::CloseWait) => self.came(placed, connection, "was in CLOSE-WAIT", "FIN", |it| it.flags.fin),
            (_, TcpState::SynSent) => {
                let sent = self.sent.get(&(placed.event.host.as_str(), connection))?;
                let last = sent.iter().filter(|(_, it)| it.flags.syn).map(|(at, _)| *at).max()?;
                (last.0 < placed.at.0.saturating_sub(placed.error))
                    .then(|| said(placed, connection, &format!("was in SYN-SENT after its SYN, of {last} s")))
            }
            _ => None,
        }
    }

    /// What is wrong if a connection was `what` before any segment of that kind came. A connection that the switch never
    /// saw is one that a host has with itself.
    fn came(
        &self,
        placed: &PlacedEvent,
        connection: Connection,
        what: &str,
        kind: &str,
        is_it: impl Fn(&Segment) -> bool,
    ) -> Option<String> {
        let key = (placed.event.host.as_str(), connection);
        let got = self.got.get(&key);
        if got.is_none() && !self.sent.contains_key(&key) {
            return None;
        }
        let mut of_kind = got.into_iter().flatten().filter(|(_, it)| is_it(it)).map(|(at, _)| *at);
        let latest = placed.at.0.saturating_add(placed.error);
        let Some(first) = of_kind.next() else {
            return Some(said(placed, connection, &format!("{what}, and no {kind} ever came")));
        };
        (first.0 > latest).then(|| said(placed, connection, &format!("{what} before a {kind} came, at {first} s")))
    }

    /// What is wrong if a program had `sum` bytes from a connection by now.
    fn data(&self, placed: &PlacedEvent, connection: Connection, sum: u64) -> Option<String> {
        let key = (placed.event.host.as_str(), connection);
        let got = self.got.get(&key)?;
        let latest = placed.at.0.saturating_add(placed.error);
        let come: u64 = got.iter().filter(|(at, _)| at.0 <= latest).map(|(_, it)| it.length as u64).sum();
        (come < sum).then(|| said(placed, connection, &format!("gave {sum} bytes, and only {come} had come")))
    }
}

fn said(placed: &PlacedEvent, connection: Connection, what: &str) -> String {
    let Connection { local, remote } = connection;
    let (at, host, error) = (placed.at, &placed.event.host, placed.error / 1_000);
    format!("{at} s (± {error} µs): on host '{host}', the connection {local} to {remote} {what}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::timeline::{Flags, KernelEvent, Verdict};

    const OURS: &str = "192.0.2.1:5001";
    const THEIRS: &str = "192.0.2.2:9877";

    fn connection() -> Connection {
        Connection { local: OURS.parse().unwrap(), remote: THEIRS.parse().unwrap() }
    }

    fn syn_sent(at: u64) -> PlacedEvent {
        let fact = KernelFact::State { connection: connection(), from: TcpState::Closed, to: TcpState::SynSent };
        let event = KernelEvent { host: "client".into(), guest_time: at, process: None, fact };
        PlacedEvent { at: LabTime(at), error: 10, event }
    }

    fn syn(at: u64) -> Event {
        let Connection { local, remote } = connection();
        let segment = Segment {
            source: local.ip(),
            source_port: local.port(),
            destination: remote.ip(),
            destination_port: remote.port(),
            flags: Flags { syn: true, ..Flags::default() },
            seq: 0,
            ack: 0,
            relative_seq: 0,
            relative_ack: 0,
            window: 0,
            length: 0,
            retransmission: false,
        };
        let kind = FrameKind::Tcp(segment);
        let (from, to) = ("client".to_owned(), Some("server".to_owned()));
        let frame = Frame { number: 1, from, link: 0, to, bound_for: None, length: 54, verdict: Verdict::Passed, kind };
        Event { at: LabTime(at), what: What::Wire(Box::new(frame)) }
    }

    #[test]
    fn a_syn_leaves_after_its_connection_was_begun() {
        assert!(check(&[syn_sent(1_000)], &[syn(1_005)]).is_ok());
        assert!(check(&[syn_sent(1_012)], &[syn(1_005)]).is_ok(), "within the clock's error");
        let error = check(&[syn_sent(2_000)], &[syn(1_005)]).unwrap_err();
        assert!(error.detail.unwrap().contains("was in SYN-SENT after its SYN"));
    }

    #[test]
    fn a_connection_that_is_made_again_may_end_before_its_syn() {
        assert!(check(&[syn_sent(1_000), syn_sent(5_000)], &[syn(1_005)]).is_ok());
    }
}
