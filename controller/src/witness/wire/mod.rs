//! The wire witness: frames in, [`Frame`]s out.
//!
//! A [`Decoder`] is given every frame of one cable, in the order in which the switch got them. It reads
//! Ethernet (VLAN tags included), ARP, IPv4, IPv6 with its extension headers, TCP, ICMP and ICMPv6, and keeps
//! what it needs of every TCP connection to tell relative sequence numbers and retransmissions.
//!
//! Nothing a guest sends makes it fail: what cannot be read is [`FrameKind::Other`], with the reason in words.
//! A fragment of an IP packet is `Other` too, as its ports and sequence numbers may be elsewhere.
//!
//! ```
//! use deadpeer::witness::wire::Decoder;
//! let mut decoder = Decoder::new([("client".to_owned(), [2, 0, 0, 0, 0, 1]), ("server".to_owned(), [2, 0, 0, 0, 0, 2])]);
//! let frame = decoder.decode(1, "client", &[0xff; 5]);
//! assert_eq!(frame.length, 5);
//! ```

mod connection;
mod icmp;
mod kind;
mod neighbour;
#[cfg(test)]
mod tests;

pub use kind::fits;

use crate::timeline::{Flags, Frame, FrameKind, Segment, Verdict};
use connection::Connections;
use etherparse::{LinkSlice, NetSlice, SlicedPacket, TcpSlice, TransportSlice};
use std::collections::HashMap;
use std::net::IpAddr;

/// An Ethernet address.
pub type Mac = [u8; 6];

/// Reads the frames of one cable. It remembers connections, so every frame must be shown to it, in order.
#[derive(Debug)]
pub struct Decoder {
    hosts: HashMap<Mac, String>,
    owners: HashMap<IpAddr, String>,
    connections: Connections,
}

impl Decoder {
    /// A decoder for a cable with these hosts: name and Ethernet address of each.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = (String, Mac)>) -> Self {
        let hosts = hosts.into_iter().map(|(name, mac)| (mac, name)).collect();
        Self { hosts, owners: HashMap::new(), connections: Connections::default() }
    }

    /// Tells whose the IP addresses are, so that of a packet on its way through a router it is known where it is bound.
    #[must_use]
    pub fn with_addresses(mut self, addresses: impl IntoIterator<Item = (String, IpAddr)>) -> Self {
        self.owners = addresses.into_iter().map(|(name, address)| (address, name)).collect();
        self
    }

    /// Reads a frame: packet `number` in the capture, that came in from host `from`. The link is left at 0 and the verdict at
    /// [`Verdict::Passed`], for the switch to set.
    pub fn decode(&mut self, number: u64, from: &str, bytes: &[u8]) -> Frame {
        let to = bytes.first_chunk().and_then(|mac: &Mac| self.hosts.get(mac)).cloned();
        let kind = self.kind(from, bytes);
        let destination = match &kind {
            FrameKind::Tcp(segment) => Some(segment.destination),
            FrameKind::Icmp { destination, .. } => Some(*destination),
            FrameKind::Arp { .. } | FrameKind::Other { .. } => None,
        };
        let owner = destination.and_then(|address| self.owners.get(&address));
        let bound_for = owner.filter(|owner| to.as_ref() != Some(owner)).cloned();
        Frame {
            number,
            from: from.to_owned(),
            link: 0,
            to,
            bound_for,
            length: bytes.len(),
            verdict: Verdict::Passed,
            kind,
        }
    }

    fn kind(&mut self, from: &str, bytes: &[u8]) -> FrameKind {
        let packet = match SlicedPacket::from_ethernet(bytes) {
            Ok(packet) => packet,
            Err(error) => return FrameKind::Other { text: format!("malformed frame: {error}") },
        };
        let (source, destination): (IpAddr, IpAddr) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
            Some(NetSlice::Arp(arp)) => return neighbour::arp(arp),
            None => return FrameKind::Other { text: ether_type(&packet) },
        };
        match &packet.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                let mut segment = segment(source, destination, tcp);
                self.connections.place(from, &mut segment);
                FrameKind::Tcp(segment)
            }
            Some(TransportSlice::Icmpv4(message)) => icmp::v4(source, destination, message),
            Some(TransportSlice::Icmpv6(message)) => icmp::v6(source, destination, message),
            Some(TransportSlice::Udp(udp)) => {
                let (from, to) = (end(source, udp.source_port()), end(destination, udp.destination_port()));
                FrameKind::Other { text: format!("UDP {from} > {to}, {} bytes", udp.payload().len()) }
            }
            Some(TransportSlice::Igmp(_)) => FrameKind::Other { text: format!("IGMP {source} > {destination}") },
            None => FrameKind::Other { text: bare_ip(&packet, source, destination) },
        }
    }
}

/// The segment as its header says it; its place in the connection is found by [`Connections::place`]. The length
/// of the data is what the IP header leaves for it: the padding of a short Ethernet frame is none.
fn segment(source: IpAddr, destination: IpAddr, tcp: &TcpSlice) -> Segment {
    Segment {
        source,
        source_port: tcp.source_port(),
        destination,
        destination_port: tcp.destination_port(),
        flags: Flags { syn: tcp.syn(), ack: tcp.ack(), fin: tcp.fin(), rst: tcp.rst(), psh: tcp.psh(), urg: tcp.urg() },
        seq: tcp.sequence_number(),
        ack: tcp.acknowledgment_number(),
        relative_seq: 0,
        relative_ack: 0,
        window: tcp.window_size(),
        length: tcp.payload().len(),
        retransmission: false,
    }
}

/// `192.0.2.1:9877`, or `[2001:db8::1]:9877`.
fn end(address: IpAddr, port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address, port)
}

/// `02:de:ad:00:00:01`. Some protocols have addresses of other lengths.
fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// An IP packet whose payload was not read: a fragment, or another protocol.
fn bare_ip(packet: &SlicedPacket, source: IpAddr, destination: IpAddr) -> String {
    let Some(payload) = packet.net.as_ref().and_then(NetSlice::ip_payload_ref) else {
        return format!("IP {source} > {destination}");
    };
    let protocol = match payload.ip_number.keyword_str() {
        Some(name) => name.to_owned(),
        None => format!("protocol {}", payload.ip_number.0),
    };
    let version = if source.is_ipv4() { "IPv4" } else { "IPv6" };
    let part = if payload.fragmented { " fragment" } else { "" };
    format!("{version}{part} {source} > {destination}, {protocol}, {} bytes", payload.payload.len())
}

/// A frame that is neither IP nor ARP. Below 0x600 the field is a length (IEEE 802.3): spanning tree and the like.
fn ether_type(packet: &SlicedPacket) -> String {
    let tagged = packet.ether_payload().map(|payload| payload.ether_type.0);
    let outer = packet.link.as_ref().and_then(|link| match link {
        LinkSlice::Ethernet2(ethernet) => Some(ethernet.ether_type().0),
        _ => None,
    });
    match tagged.or(outer) {
        Some(length) if length < 0x600 => "IEEE 802.3 LLC frame".to_owned(),
        Some(number) => format!("EtherType 0x{number:04x}"),
        None => "unknown".to_owned(),
    }
}
