//! ICMP (RFC 792) and ICMPv6 (RFC 4443) in words, with whose traffic a message is about.
//!
//! Messages about somebody's traffic are [`FrameKind::Icmp`]; neighbour solicitations and advertisements are
//! [`FrameKind::Arp`]; what routers and multicast listeners say among themselves is [`FrameKind::Other`].

use super::{end, neighbour};
use crate::timeline::FrameKind;
use etherparse::{Icmpv4Slice, Icmpv6Slice, IpNumber, LaxIpSlice};
use std::borrow::Cow;
use std::net::IpAddr;

/// An ICMP message. Types and codes are those of IANA's "ICMP Parameters".
pub(super) fn v4(source: IpAddr, destination: IpAddr, message: &Icmpv4Slice) -> FrameKind {
    let (code, word) = (message.code_u8(), message.bytes5to8());
    let about = || about(message.payload());
    let text = match message.type_u8() {
        0 => echo("reply", word),
        3 if code == 4 => {
            format!("destination unreachable (fragmentation needed, MTU {}){}", low_half(word), about())
        }
        3 => format!("destination unreachable ({}){}", unreachable_v4(code), about()),
        4 => format!("source quench{}", about()),
        5 => format!("redirect to {}{}", std::net::Ipv4Addr::from(word), about()),
        8 => echo("request", word),
        11 => format!("time exceeded ({}){}", time_exceeded(code), about()),
        12 => format!("parameter problem{}", about()),
        13 => "timestamp request".to_owned(),
        14 => "timestamp reply".to_owned(),
        9 => return other("ICMP router advertisement"),
        10 => return other("ICMP router solicitation"),
        number => return other(format!("ICMP type {number} code {code}")),
    };
    FrameKind::Icmp { source, destination, text }
}

/// An ICMPv6 message. Types and codes are those of IANA's "ICMPv6 Parameters".
pub(super) fn v6(source: IpAddr, destination: IpAddr, message: &Icmpv6Slice) -> FrameKind {
    let (code, word) = (message.code_u8(), message.bytes5to8());
    let about = || about(message.payload());
    let text = match message.type_u8() {
        1 => format!("destination unreachable ({}){}", unreachable_v6(code), about()),
        2 => format!("packet too big (MTU {}){}", u32::from_be_bytes(word), about()),
        3 => format!("time exceeded ({}){}", time_exceeded(code), about()),
        4 => format!("parameter problem{}", about()),
        128 => echo("request", word),
        129 => echo("reply", word),
        137 => "redirect".to_owned(),
        135 => return neighbour::solicitation(source, message.payload()),
        136 => return neighbour::advertisement(message.payload()),
        130 => return other("ICMPv6 multicast listener query"),
        131 | 143 => return other("ICMPv6 multicast listener report"),
        132 => return other("ICMPv6 multicast listener done"),
        133 => return other("ICMPv6 router solicitation"),
        134 => return other("ICMPv6 router advertisement"),
        number => return other(format!("ICMPv6 type {number} code {code}")),
    };
    FrameKind::Icmp { source, destination, text }
}

fn other(text: impl Into<String>) -> FrameKind {
    FrameKind::Other { text: text.into() }
}

/// Both ICMPs lay out an echo alike: identifier, then sequence number.
fn echo(which: &str, word: [u8; 4]) -> String {
    format!("echo {which} {}", low_half(word))
}

fn low_half(word: [u8; 4]) -> u16 {
    u16::from_be_bytes([word[2], word[3]])
}

/// Codes of "destination unreachable": RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
fn unreachable_v4(code: u8) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        0 => "network unreachable",
        1 => "host unreachable",
        2 => "protocol unreachable",
        3 => "port unreachable",
        5 => "source route failed",
        6 => "destination network unknown",
        7 => "destination host unknown",
        8 => "source host isolated",
        9 => "network administratively prohibited",
        10 => "host administratively prohibited",
        11 => "network unreachable for type of service",
        12 => "host unreachable for type of service",
        13 => "communication administratively prohibited",
        14 => "host precedence violation",
        15 => "precedence cutoff in effect",
        _ => return Cow::Owned(format!("code {code}")),
    })
}

/// Codes of ICMPv6 "destination unreachable": RFC 4443 section 3.1.
fn unreachable_v6(code: u8) -> Cow<'static, str> {
    Cow::Borrowed(match code {
        0 => "no route to destination",
        1 => "communication administratively prohibited",
        2 => "beyond scope of source address",
        3 => "address unreachable",
        4 => "port unreachable",
        5 => "source address failed policy",
        6 => "reject route to destination",
        _ => return Cow::Owned(format!("code {code}")),
    })
}

/// Codes of "time exceeded", the same in both ICMPs but for the names of the field.
fn time_exceeded(code: u8) -> Cow<'static, str> {
    match code {
        0 => Cow::Borrowed("hop limit exceeded in transit"),
        1 => Cow::Borrowed("fragment reassembly time exceeded"),
        _ => Cow::Owned(format!("code {code}")),
    }
}

/// Whose packet a message is about, from the start of it that an error message carries: `, about TCP
/// 192.0.2.1:40000 > 192.0.2.2:9877`. Eight bytes of it are certain (RFC 792); TCP and UDP have their ports in the first four.
fn about(embedded: &[u8]) -> String {
    let Ok((ip, _)) = LaxIpSlice::from_slice(embedded) else { return String::new() };
    let (source, destination) = (ip.source_addr(), ip.destination_addr());
    let payload = ip.payload();
    let name = match payload.ip_number {
        IpNumber::TCP => "TCP",
        IpNumber::UDP => "UDP",
        number => {
            let name = number.keyword_str().unwrap_or("IP");
            return format!(", about {name} {source} > {destination}");
        }
    };
    match payload.payload.first_chunk() {
        Some(&[s1, s0, d1, d0]) if !payload.fragmented => {
            let (from, to) = (u16::from_be_bytes([s1, s0]), u16::from_be_bytes([d1, d0]));
            format!(", about {name} {} > {}", end(source, from), end(destination, to))
        }
        _ => format!(", about {name} {source} > {destination}"),
    }
}
