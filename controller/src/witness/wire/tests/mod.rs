//! Frames made by hand, and what the decoder says of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod malformed;
mod messages;
mod retransmission;
mod segments;

use super::*;
use crate::scenario::SegmentKind;
use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader};

pub(super) const CLIENT: Mac = [2, 0xde, 0xad, 0, 0, 1];
pub(super) const SERVER: Mac = [2, 0xde, 0xad, 0, 0, 2];
pub(super) const PORTS: (u16, u16) = (40000, 9877);

/// A client and a server on one cable, and the decoder that watches it.
pub(super) struct Cable {
    decoder: Decoder,
    number: u64,
}

/// A segment to be sent: what is not said is zero, off or empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent<'a> {
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) data: &'a [u8],
}

pub(super) fn syn(seq: u32) -> Sent<'static> {
    Sent { seq, syn: true, ..Sent::default() }
}

pub(super) fn ack(seq: u32, ack: u32) -> Sent<'static> {
    Sent { seq, ack: Some(ack), ..Sent::default() }
}

pub(super) fn data(seq: u32, ack: u32, data: &[u8]) -> Sent<'_> {
    Sent { seq, ack: Some(ack), data, ..Sent::default() }
}

impl Cable {
    pub(super) fn new() -> Self {
        Self { decoder: Decoder::new([("client".to_owned(), CLIENT), ("server".to_owned(), SERVER)]), number: 0 }
    }

    /// A cable on which a connection is set up: the client began at 1000, the server at 5000.
    pub(super) fn connected() -> Self {
        let mut cable = Self::new();
        cable.client(syn(1000));
        cable.server(Sent { ack: Some(1001), ..syn(5000) });
        cable.client(ack(1001, 5001));
        cable
    }

    pub(super) fn frame(&mut self, from: &str, bytes: &[u8]) -> Frame {
        self.number += 1;
        self.decoder.decode(self.number, from, bytes)
    }

    pub(super) fn segment(&mut self, from: &str, bytes: &[u8]) -> Segment {
        match self.frame(from, bytes).kind {
            FrameKind::Tcp(segment) => segment,
            other => panic!("not a segment: {other:?}"),
        }
    }

    pub(super) fn client(&mut self, sent: Sent) -> Segment {
        self.segment("client", &from_client(sent))
    }

    pub(super) fn server(&mut self, sent: Sent) -> Segment {
        let bytes = tcp(ethernet(SERVER, CLIENT).ipv4([192, 0, 2, 2], [192, 0, 2, 1], 64), (PORTS.1, PORTS.0), sent);
        self.segment("server", &bytes)
    }
}

pub(super) fn ethernet(from: Mac, to: Mac) -> PacketBuilderStep<etherparse::Ethernet2Header> {
    PacketBuilder::ethernet2(from, to)
}

pub(super) fn from_client(sent: Sent) -> Vec<u8> {
    tcp(ethernet(CLIENT, SERVER).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64), PORTS, sent)
}

pub(super) fn tcp(ip: PacketBuilderStep<etherparse::IpHeaders>, ports: (u16, u16), sent: Sent) -> Vec<u8> {
    let mut header = TcpHeader::new(ports.0, ports.1, sent.seq, 64240);
    (header.syn, header.fin, header.rst) = (sent.syn, sent.fin, sent.rst);
    (header.ack, header.acknowledgment_number) = (sent.ack.is_some(), sent.ack.unwrap_or(0));
    header.psh = !sent.data.is_empty();
    let builder = ip.tcp_header(header);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, sent.data).unwrap();
    bytes
}

/// Every kind that a frame is of.
pub(super) fn kinds(kind: &FrameKind) -> Vec<SegmentKind> {
    use SegmentKind::{Arp, Data, Fin, Icmp, PureAck, Retransmission, Rst, Syn, SynAck, Tcp};
    [Tcp, Syn, SynAck, Data, PureAck, Fin, Rst, Retransmission, Icmp, Arp]
        .into_iter()
        .filter(|k| fits(*k, kind))
        .collect()
}
