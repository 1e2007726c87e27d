//! Which frames are of which [`SegmentKind`]: one reading, for the cable's rules and for the judge alike.

use crate::scenario::SegmentKind;
use crate::timeline::FrameKind;

/// Whether a frame is of this kind.
///
/// ```
/// use deadpeer::{scenario::SegmentKind, timeline::FrameKind, witness::wire::fits};
/// let arp = FrameKind::Arp { text: "who has 192.0.2.2? tell 192.0.2.1".to_owned() };
/// assert!(fits(SegmentKind::Arp, &arp));
/// assert!(!fits(SegmentKind::Tcp, &arp));
/// ```
#[must_use]
pub fn fits(kind: SegmentKind, frame: &FrameKind) -> bool {
    let segment = match frame {
        FrameKind::Tcp(segment) => segment,
        FrameKind::Icmp { .. } => return kind == SegmentKind::Icmp,
        FrameKind::Arp { .. } => return kind == SegmentKind::Arp,
        FrameKind::Other { .. } => return false,
    };
    let flags = segment.flags;
    match kind {
        SegmentKind::Tcp => true,
        SegmentKind::Syn => flags.syn && !flags.ack,
        SegmentKind::SynAck => flags.syn && flags.ack,
        SegmentKind::Data => segment.length > 0,
        SegmentKind::PureAck => flags.ack && segment.length == 0 && !(flags.syn || flags.fin || flags.rst),
        SegmentKind::Fin => flags.fin,
        SegmentKind::Rst => flags.rst,
        SegmentKind::Retransmission => segment.retransmission,
        SegmentKind::Icmp | SegmentKind::Arp => false,
    }
}
