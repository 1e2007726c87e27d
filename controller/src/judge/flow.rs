//! Which frames a scenario means by a flow, and what such frames are called.

use crate::scenario::{Count, Flow, SegmentKind};
use crate::timeline::{Flags, Frame, FrameKind};
use crate::witness::wire;

/// Whether `frame` is one of `flow`. A flow that names no kind means TCP segments: a claim about segments is
/// never about ARP, unless it says so.
///
/// `from` is the host whose network card sent the frame, `to` the one that it is meant for in the end. So of a segment that a
/// router forwards, "from client to server" is the frame that the client sent, and "from router to server" the one
/// that the router sent: each counts once.
pub fn fits(flow: &Flow, frame: &Frame) -> bool {
    is_between(flow, frame)
        && wire::fits(flow.kind.unwrap_or(SegmentKind::Tcp), &frame.kind)
        && has_flags(flow.flags, frame)
}

/// Whether `frame` went from and to the flow's hosts, whatever it is.
pub(super) fn is_between(flow: &Flow, frame: &Frame) -> bool {
    flow.from.as_ref().is_none_or(|from| *from == frame.from)
        && flow.to.as_deref().is_none_or(|to| frame.destination() == Some(to))
}

/// Whether `frame` is what the flow asks for, whoever sent it.
pub(super) fn is_alike(flow: &Flow, frame: &Frame) -> bool {
    wire::fits(flow.kind.unwrap_or(SegmentKind::Tcp), &frame.kind) && has_flags(flow.flags, frame)
}

/// All that goes the flow's way and could be mistaken for it: TCP segments, or else messages of its own kind.
pub(super) fn family(flow: &Flow) -> Flow {
    let kind = flow.kind.filter(|kind| matches!(kind, SegmentKind::Icmp | SegmentKind::Arp));
    Flow { kind, flags: Flags::default(), ..flow.clone() }
}

fn has_flags(wanted: Flags, frame: &Frame) -> bool {
    let set = match &frame.kind {
        FrameKind::Tcp(segment) => segment.flags,
        _ => Flags::default(),
    };
    pairs(wanted, set).into_iter().all(|(wanted, set)| set || !wanted)
}

fn pairs(a: Flags, b: Flags) -> [(bool, bool); 6] {
    [(a.syn, b.syn), (a.ack, b.ack), (a.fin, b.fin), (a.rst, b.rst), (a.psh, b.psh), (a.urg, b.urg)]
}

/// What such segments are called: `segment with FIN`, `retransmissions`.
pub(super) fn noun(flow: &Flow, plural: bool) -> String {
    let s = if plural { "s" } else { "" };
    let kind = match flow.kind {
        Some(SegmentKind::Tcp) => "TCP segment",
        Some(SegmentKind::Syn) => "SYN",
        Some(SegmentKind::SynAck) => "SYN-ACK",
        Some(SegmentKind::Data) => "data segment",
        Some(SegmentKind::PureAck) => "pure ACK",
        Some(SegmentKind::Fin) => "FIN",
        Some(SegmentKind::Rst) => "RST",
        Some(SegmentKind::Retransmission) => "retransmission",
        Some(SegmentKind::Icmp) => "ICMP message",
        Some(SegmentKind::Arp) => "ARP message",
        None if flow.flags == Flags::default() => "TCP segment",
        None => return format!("{}{s}", flow.flags.to_string().replace(", ", "-")),
    };
    if flow.flags == Flags::default() { format!("{kind}{s}") } else { format!("{kind}{s} with {}", flow.flags) }
}

/// One such segment: `a RST`, `an ICMP message`. (Read aloud as words, as the field does: "a rist", "a fin".)
pub(super) fn one(flow: &Flow) -> String {
    let noun = noun(flow, false);
    let article = if noun.starts_with(['A', 'I']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// As many of them as are claimed: `a RST`, `no RST`, `exactly 3 RSTs`.
pub(super) fn numbered(flow: &Flow, count: Count) -> String {
    match count {
        Count::SOME => one(flow),
        count => format!("{count} {}", noun(flow, count.is_plural())),
    }
}

/// So many of them: `1 RST`, `3 retransmissions`.
pub(super) fn counted(flow: &Flow, count: usize) -> String {
    format!("{count} {}", noun(flow, count != 1))
}

/// Between whom, with a blank before it: ` from server to client`.
pub(super) fn way(flow: &Flow) -> String {
    let from = flow.from.as_ref().map(|h| format!(" from {h}")).unwrap_or_default();
    let to = flow.to.as_ref().map(|h| format!(" to {h}")).unwrap_or_default();
    from + &to
}
