//! Who has which address: ARP (RFC 826, RFC 5227) and IPv6 neighbour discovery (RFC 4861), in the same words.

use super::mac;
use crate::timeline::FrameKind;
use etherparse::{ArpOperation, ArpPacketSlice, EtherType};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Option of a neighbour advertisement that holds the answer (RFC 4861 section 4.6.1).
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

/// An ARP packet in words.
pub(super) fn arp(packet: &ArpPacketSlice) -> FrameKind {
    let addresses = (ipv4(packet.sender_protocol_addr()), ipv4(packet.target_protocol_addr()));
    let text = match addresses {
        (Some(sender), Some(target)) if packet.proto_addr_type() == EtherType::IPV4 => {
            let at = mac(packet.sender_hw_addr());
            match packet.operation() {
                ArpOperation::REQUEST if sender.is_unspecified() => format!("has anybody {target}?"),
                ArpOperation::REQUEST | ArpOperation::REPLY if sender == target => {
                    format!("{sender} is at {at} (told to all)")
                }
                ArpOperation::REQUEST => format!("who has {target}? tell {sender}"),
                ArpOperation::REPLY => format!("{sender} is at {at}"),
                ArpOperation(number) => format!("ARP operation {number}"),
            }
        }
        _ => format!("ARP for protocol 0x{:04x}", packet.proto_addr_type().0),
    };
    FrameKind::Arp { text }
}

fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

/// A neighbour solicitation (RFC 4861 section 4.3): `body` is what follows the first eight bytes.
pub(super) fn solicitation(source: IpAddr, body: &[u8]) -> FrameKind {
    let text = match target(body) {
        Some(target) if source.is_unspecified() => format!("has anybody {target}?"),
        Some(target) => format!("who has {target}? tell {source}"),
        None => "malformed neighbour solicitation".to_owned(),
    };
    FrameKind::Arp { text }
}

/// A neighbour advertisement (RFC 4861 section 4.4): `body` is what follows the first eight bytes. The option with
/// the address may be left out in an answer to one that knows it already.
pub(super) fn advertisement(body: &[u8]) -> FrameKind {
    let text = match (target(body), link_layer_address(body)) {
        (Some(target), Some(at)) => format!("{target} is at {at}"),
        (Some(target), None) => format!("{target} is there"),
        (None, _) => "malformed neighbour advertisement".to_owned(),
    };
    FrameKind::Arp { text }
}

fn target(body: &[u8]) -> Option<Ipv6Addr> {
    body.first_chunk::<16>().copied().map(Ipv6Addr::from)
}

/// Walks the options: type, length in units of eight bytes (zero is malformed), value.
fn link_layer_address(body: &[u8]) -> Option<String> {
    let mut options = body.get(16..)?;
    loop {
        let (&kind, &units) = (options.first()?, options.get(1)?);
        let length = usize::from(units) * 8;
        let option = options.get(..length).filter(|option| !option.is_empty())?;
        if kind == TARGET_LINK_LAYER_ADDRESS {
            return option.get(2..8).map(mac);
        }
        options = &options[length..];
    }
}
