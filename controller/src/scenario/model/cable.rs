//! What goes over the cable: which segments are meant, and what rules do with them.

use crate::timeline::Flags;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// A rule of the cable. The first that fits a frame decides; a frame that fits none passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Frames that come in from this host; from any host if none.
    pub from: Option<String>,
    /// Frames for this host (broadcasts too: for it alone); for any host if none.
    pub to: Option<String>,
    /// Frames of this kind; any if none.
    pub kind: Option<SegmentKind>,
    /// What becomes of them.
    pub verdict: RuleVerdict,
}

/// A kind of segment, as rules and expectations name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Any TCP segment.
    Tcp,
    /// With SYN, without ACK.
    Syn,
    /// With SYN and ACK.
    SynAck,
    /// With at least one byte of data.
    Data,
    /// With ACK, no data, none of SYN, FIN and RST.
    PureAck,
    /// With FIN.
    Fin,
    /// With RST.
    Rst,
    /// Sent again.
    Retransmission,
    /// An ICMP or ICMPv6 message about traffic.
    Icmp,
    /// ARP or IPv6 neighbour discovery.
    Arp,
}

/// What a rule does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerdict {
    /// Hand it on.
    Pass,
    /// Swallow it: a silent black hole.
    Drop,
    /// Hand it on later.
    Delay(Duration),
}

/// Which segments: all given parts must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// Sent by this host.
    pub from: Option<String>,
    /// Addressed to this host.
    pub to: Option<String>,
    /// Of this kind.
    pub kind: Option<SegmentKind>,
    /// With at least these control bits set.
    pub flags: Flags,
}

impl SegmentKind {
    /// The word by which scenarios name it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Syn => "syn",
            Self::SynAck => "syn-ack",
            Self::Data => "data",
            Self::PureAck => "pure-ack",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Retransmission => "retransmission",
            Self::Icmp => "icmp",
            Self::Arp => "arp",
        }
    }
}

impl fmt::Display for Flow {
    /// In words: "fin segment with ACK from server to client".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(SegmentKind::Icmp) => write!(f, "ICMP message")?,
            Some(SegmentKind::Arp) => write!(f, "ARP message")?,
            Some(SegmentKind::Tcp) => write!(f, "TCP segment")?,
            Some(kind) => write!(f, "{} segment", kind.word())?,
            None => write!(f, "segment")?,
        }
        if self.flags != Flags::default() {
            write!(f, " with {}", self.flags)?;
        }
        for (word, host) in [("from", &self.from), ("to", &self.to)] {
            if let Some(host) = host {
                write!(f, " {word} {host}")?;
            }
        }
        Ok(())
    }
}
