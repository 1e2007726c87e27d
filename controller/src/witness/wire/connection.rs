//! What is remembered of each TCP connection: where each side began, and how far it has sent.
//!
//! All arithmetic on sequence numbers is modulo 2^32 (RFC 9293, section 3.4).
//!
//! # What is called a retransmission
//! A segment that occupies sequence space (data, SYN or FIN) of which at least the first number was sent before
//! by this side of this connection. So a pure acknowledgement never is one, and a RST never is one, whatever
//! its number. This is how Wireshark decides (`tcp_analyze_sequence_number` in packet-tcp.c), with three
//! differences, all because a switch sees what a host *sends*, in the order in which it sends it:
//! - Wireshark sorts old segments by timing into retransmissions, fast retransmissions, spurious ones and
//!   segments out of order. Here they are retransmissions all.
//! - A *keep-alive* probe (no data, or one byte, just before the next number) is not a retransmission, to
//!   Wireshark and here. But Wireshark calls every one-byte segment there a keep-alive, even when it is
//!   the last byte sent once more because nobody acknowledged it. Here a probe of one byte is a keep-alive only
//!   if the other side has acknowledged that byte; until then it is a retransmission.
//! - Wireshark lets a segment that begins one byte back and brings new data pass as new. Here it is a
//!   retransmission, as that byte was sent before.

use crate::timeline::Segment;
use std::collections::HashMap;
use std::net::IpAddr;

type End = (IpAddr, u16);

/// Every connection seen so far, by its two ends in order.
#[derive(Debug, Default)]
pub(super) struct Connections(HashMap<(End, End), [Side; 2]>);

/// One side of a connection, as the frames tell it.
#[derive(Debug, Default)]
struct Side {
    /// Initial sequence number, if its SYN was seen.
    first: Option<u32>,
    /// The number after the highest one sent, by the host whose cable it came in by. A guest that
    /// forwards segments shows the same ones again: that is no retransmission.
    next: Vec<(String, u32)>,
    /// The highest acknowledgement by the other side.
    acknowledged: Option<u32>,
}

impl Connections {
    /// Fills in what depends on the segments before this one: relative numbers, and whether it was sent
    /// before. `from` is the host whose cable it came in by.
    pub(super) fn place(&mut self, from: &str, segment: &mut Segment) {
        let source = (segment.source, segment.source_port);
        let destination = (segment.destination, segment.destination_port);
        let sides = self.0.entry((source.min(destination), source.max(destination))).or_default();
        let me = usize::from(source > destination);
        let peer = 1 - me;

        if segment.flags.syn && sides[me].first != Some(segment.seq) {
            begin(sides, me, segment);
        }
        if segment.flags.ack {
            let acknowledged = &mut sides[peer].acknowledged;
            if acknowledged.is_none_or(|known| before(known, segment.ack)) {
                *acknowledged = Some(segment.ack);
            }
            segment.relative_ack = segment.ack.wrapping_sub(sides[peer].first.unwrap_or(0));
        }
        segment.relative_seq = segment.seq.wrapping_sub(sides[me].first.unwrap_or(0));
        if !segment.flags.rst {
            segment.retransmission = sides[me].send(from, segment);
        }
    }
}

/// A SYN with a number that this side did not begin with. Without ACK it opens a new connection between the same ends,
/// unless this side was silent so far (a simultaneous open, RFC 9293 section 3.5). With ACK it answers a SYN: only this
/// side begins anew, as a host does that lost its memory between two copies of the SYN.
fn begin(sides: &mut [Side; 2], me: usize, syn: &Segment) {
    let silent = sides[me].first.is_none() && sides[me].next.is_empty();
    if !syn.flags.ack && !silent {
        *sides = Default::default();
    }
    sides[me] = Side { first: Some(syn.seq), ..Side::default() };
}

impl Side {
    /// Takes note of a segment of this side; true if it was sent before.
    fn send(&mut self, from: &str, segment: &Segment) -> bool {
        let length = u32::try_from(segment.length).unwrap_or(u32::MAX);
        let occupies = length.wrapping_add(u32::from(segment.flags.syn)).wrapping_add(u32::from(segment.flags.fin));
        let end = segment.seq.wrapping_add(occupies);
        let Some((_, next)) = self.next.iter_mut().find(|(host, _)| host == from) else {
            self.next.push((from.to_owned(), end));
            return false;
        };
        let reached = *next;
        if before(reached, end) {
            *next = end;
        }
        let probe = segment.length == 1
            && occupies == 1
            && end == reached
            && self.acknowledged.is_some_and(|known| !before(known, reached));
        occupies > 0 && before(segment.seq, reached) && !probe
    }
}

/// Whether sequence number `a` comes before `b`, modulo 2^32.
fn before(a: u32, b: u32) -> bool {
    b.wrapping_sub(a).wrapping_sub(1) < (1 << 31)
}
