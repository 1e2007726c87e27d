//! A frame as the switch saw it, decoded as far as TCP's story needs it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A frame on the cable. Its number is its packet number in `wire.pcapng`, from 1, as Wireshark counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Frame {
    /// Packet number in `wire.pcapng`, from 1.
    pub number: u64,
    /// The host whose cable it came in by.
    pub from: String,
    /// The link it was on. What a router forwards is two frames: one on each link, each with its own `from` and `to`.
    #[serde(default, skip_serializing_if = "is_first")]
    pub link: u8,
    /// The host it is addressed to, by its Ethernet address: on the way to another link, the router. None for broadcast,
    /// multicast and addresses nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The host that its IP destination address belongs to, where that is not `to`: it is on its way there, by way of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_for: Option<String>,
    /// Length of the frame in bytes. (`frame_length` in JSON: the segment's own `length` stands beside it there.)
    #[serde(rename = "frame_length")]
    pub length: usize,
    /// What the switch did with it.
    pub verdict: Verdict,
    /// What it is.
    #[serde(flatten)]
    pub kind: FrameKind,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form.
fn is_first(link: &u8) -> bool {
    *link == 0
}

impl Frame {
    /// The host that it is meant for in the end: that of its IP destination address, or else that of its Ethernet address.
    #[must_use]
    pub fn destination(&self) -> Option<&str> {
        self.bound_for.as_deref().or(self.to.as_deref())
    }
}

/// What the switch did with a frame. For a frame with several destinations: dropped if a rule dropped it for any of
/// them, else delayed (by the longest time) if a rule delayed it for any, else passed if anybody got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Handed on at once.
    #[default]
    Passed,
    /// Dropped by a rule.
    Dropped,
    /// Held back by a rule, for this many nanoseconds.
    Delayed(u64),
    /// Handed to nobody: no such port, or its machine is off, or its queue is full.
    Lost,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FrameKind {
    /// A TCP segment.
    Tcp(Segment),
    /// An ICMP or ICMPv6 message that is about somebody's traffic (unreachable, time exceeded, echo ...).
    Icmp {
        /// Source address.
        source: IpAddr,
        /// Destination address.
        destination: IpAddr,
        /// In words: "destination unreachable (host unreachable)".
        text: String,
    },
    /// ARP (RFC 826), or IPv6 neighbour discovery (RFC 4861), which does the same work.
    Arp {
        /// In words: "who has 192.0.2.2? tell 192.0.2.1".
        text: String,
    },
    /// Anything else: background of a living host (MLD, router solicitation ...).
    Other {
        /// In words: "ICMPv6 multicast listener report".
        text: String,
    },
}

/// A TCP segment (RFC 9293).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Segment {
    /// Source address.
    pub source: IpAddr,
    /// Source port.
    pub source_port: u16,
    /// Destination address.
    pub destination: IpAddr,
    /// Destination port.
    pub destination_port: u16,
    /// Control bits.
    pub flags: Flags,
    /// Sequence number, absolute.
    pub seq: u32,
    /// Acknowledgement number, absolute; meaningful only with ACK.
    pub ack: u32,
    /// Sequence number relative to the connection's initial one, as Wireshark shows it; absolute where the SYN was not seen.
    pub relative_seq: u32,
    /// Acknowledgement number relative to the other side's initial sequence number.
    pub relative_ack: u32,
    /// Receive window as in the header, not scaled.
    pub window: u16,
    /// Bytes of data.
    pub length: usize,
    /// Data, SYN or FIN that this side of this connection had sent before. A keep-alive probe is not one, nor is a bare
    /// acknowledgement or a RST.
    pub retransmission: bool,
}

/// TCP control bits (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs, clippy::struct_excessive_bools)] // The field's names say it; they are bits.
pub struct Flags {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub syn: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ack: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fin: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rst: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub psh: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urg: bool,
}

impl fmt::Display for Flags {
    /// As tcpdump users say it: `SYN, ACK`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (self.syn, "SYN"),
            (self.fin, "FIN"),
            (self.rst, "RST"),
            (self.psh, "PSH"),
            (self.ack, "ACK"),
            (self.urg, "URG"),
        ];
        let set: Vec<&str> = names.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        f.pad(&set.join(", "))
    }
}
