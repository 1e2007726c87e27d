//! Which segment another one answers, by the numbers that TCP itself goes by.
//!
//! * A RST without ACK answers the segment whose acknowledgement number it took for its sequence number, and a RST
//!   with ACK the one whose end it acknowledges (RFC 9293, 3.10.7.1).
//! * Any other segment answers those whose end it acknowledges, and was the first to: exactly, or together with
//!   earlier ones (delayed acknowledgement, RFC 9293, 3.8.6.3).
//!
//! The answered segment went the other way on the same connection and had arrived before: what the switch dropped
//! or held back longer cannot have been answered.

use crate::timeline::{Frame, FrameKind, LabTime, Segment, Verdict};

/// The frames that `answer`, seen at `at`, may answer, in order of time; `frames` are all frames in order of time.
pub(super) fn answered<'a>(frames: &[(LabTime, &'a Frame)], at: LabTime, answer: &Frame) -> Vec<(LabTime, &'a Frame)> {
    let FrameKind::Tcp(reply) = &answer.kind else { return Vec::new() };
    let earlier = || frames.iter().filter(|(sent, frame)| *sent <= at && frame.number < answer.number);
    // What this side had acknowledged before: the highest of its acknowledgement numbers so far.
    let acknowledged = earlier()
        .filter_map(|(_, frame)| tcp(frame))
        .filter(|s| is_same_way(s, reply) && s.flags.ack)
        .map(|s| s.ack)
        .reduce(|high, ack| if is_after(ack, high) { ack } else { high });
    earlier()
        .filter(|(sent, frame)| arrival(*sent, frame.verdict).is_some_and(|arrived| arrived <= at))
        .filter(|(_, frame)| tcp(frame).is_some_and(|s| is_other_way(s, reply) && answers(reply, s, acknowledged)))
        .copied()
        .collect()
}

fn answers(reply: &Segment, segment: &Segment, acknowledged: Option<u32>) -> bool {
    match (reply.flags.rst, reply.flags.ack) {
        (true, false) => segment.flags.ack && reply.seq == segment.ack,
        (true, true) => reply.ack == end(segment),
        (false, false) => false,
        (false, true) => {
            let end = end(segment);
            let is_new = acknowledged.is_none_or(|before| is_after(end, before));
            let repeats = acknowledged == Some(reply.ack);
            reply.ack == end || (repeats && is_probe_of(segment, reply.ack)) || (is_new && is_after(reply.ack, end))
        }
    }
}

/// The sequence number after the segment's last: SYN and FIN take one each (RFC 9293, 3.4).
fn end(segment: &Segment) -> u32 {
    let flags = u32::from(segment.flags.syn) + u32::from(segment.flags.fin);
    // A segment's length is that of one IP packet, well within 32 bits.
    segment.seq.wrapping_add(u32::try_from(segment.length).unwrap_or(u32::MAX)).wrapping_add(flags)
}

/// A keep-alive probe stands one below the next number to be sent (RFC 9293, 3.8.4), and the answer acknowledges that
/// one. (A probe that carries a byte ends there by itself.)
fn is_probe_of(segment: &Segment, next: u32) -> bool {
    segment.length == 0 && segment.seq.wrapping_add(1) == next
}

/// Whether `a` comes after `b` in sequence space (RFC 9293, 3.4: modulo 2^32).
fn is_after(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

/// When a frame sent at `sent` was handed on; none if it never was.
fn arrival(sent: LabTime, verdict: Verdict) -> Option<LabTime> {
    match verdict {
        Verdict::Passed => Some(sent),
        Verdict::Delayed(nanos) => Some(LabTime(sent.0.saturating_add(nanos))),
        Verdict::Dropped | Verdict::Lost => None,
    }
}

fn tcp(frame: &Frame) -> Option<&Segment> {
    match &frame.kind {
        FrameKind::Tcp(segment) => Some(segment),
        _ => None,
    }
}

fn is_same_way(a: &Segment, b: &Segment) -> bool {
    (a.source, a.source_port, a.destination, a.destination_port)
        == (b.source, b.source_port, b.destination, b.destination_port)
}

fn is_other_way(a: &Segment, b: &Segment) -> bool {
    (a.source, a.source_port, a.destination, a.destination_port)
        == (b.destination, b.destination_port, b.source, b.source_port)
}
