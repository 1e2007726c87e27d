//! The decoder and tshark read the same capture of two real machines, and must say the same.
//!
//! `recorded.pcapng` was captured by this cable between two QEMU guests (Debian's cloud kernel 6.12 with a busybox): neighbour
//! discovery and pings; a TCP connection whose server lost power, so that the client sent its line again and again until the
//! rebooted server answered with RST; a connection refused; an ICMP port unreachable; fragments; then a connection over IPv6 on which a rule dropped the
//! server's data for a while, and delayed it after that.

use crate::capture::{packets, tshark};
use crate::lab::mac;
use deadpeer::timeline::{FrameKind, Segment};
use deadpeer::witness::wire::Decoder;
use std::path::Path;

const FIELDS: [&str; 14] = [
    "frame.number",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.seq",
    "tcp.ack",
    "tcp.window_size_value",
    "tcp.len",
    "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order",
];

/// Frame 61 is the RST of a server that never sent a SYN on that connection: number 0. Wireshark then takes the number before the first
/// one seen for the initial one; here it stays absolute.
const WITHOUT_SYN: u64 = 61;

fn recorded() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cable/recorded.pcapng"))
}

fn decoded() -> Vec<FrameKind> {
    let hosts = ["client", "server"];
    let mut decoder = Decoder::new(hosts.map(|host| (host.to_owned(), mac(host))));
    let read = (1..)
        .zip(packets(recorded()))
        .map(|(number, packet)| decoder.decode(number, hosts[packet.interface_id as usize], &packet.data).kind);
    read.collect()
}

/// A segment in the columns of [`FIELDS`], the last four joined to one.
fn columns(number: u64, segment: &Segment) -> String {
    let flags = segment.flags;
    let bits = [flags.fin, flags.syn, flags.rst, flags.psh, flags.ack, flags.urg];
    let bits: u16 = (0..).zip(bits).map(|(bit, set)| u16::from(set) << bit).sum();
    let relative_seq = segment.relative_seq + u32::from(number == WITHOUT_SYN);
    format!(
        "{number} {} {} 0x{bits:04x} {} {} {relative_seq} {} {} {} {}",
        segment.source_port,
        segment.destination_port,
        segment.seq,
        segment.ack,
        segment.relative_ack,
        segment.window,
        segment.length,
        if segment.retransmission { "again" } else { "new" },
    )
}

#[test]
fn every_segment_is_read_as_tshark_reads_it() {
    let ours: Vec<_> = (1..)
        .zip(decoded())
        .filter_map(|(number, kind)| match kind {
            FrameKind::Tcp(segment) => Some(columns(number, &segment)),
            _ => None,
        })
        .collect();

    let mut arguments = vec!["-Y", "tcp and not icmp", "-T", "fields"];
    FIELDS.iter().for_each(|field| arguments.extend(["-e", field]));
    let theirs: Vec<_> = tshark(recorded(), &arguments)
        .iter()
        .map(|line| {
            let values: Vec<_> = line.split('\t').collect();
            let again = values[10..].iter().any(|value| !value.is_empty());
            format!("{} {}", values[..10].join(" "), if again { "again" } else { "new" })
        })
        .collect();

    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 47);
    assert_eq!(ours.iter().filter(|line| line.ends_with("again")).count(), 10);
}

#[test]
fn every_other_frame_is_of_the_protocol_that_tshark_says() {
    let theirs = tshark(
        recorded(),
        &["-T", "fields", "-e", "_ws.col.Protocol", "-e", "icmpv6.type", "-e", "ip.flags.mf", "-e", "ip.frag_offset"],
    );
    let read = decoded();
    assert_eq!(read.len(), theirs.len());
    for ((number, kind), line) in (1..).zip(read).zip(theirs) {
        let values: Vec<_> = line.split('\t').collect();
        let expected = match values[..] {
            // tshark puts fragments together; whoever decides frame by frame cannot.
            [_, _, "1", _] => "other",
            [_, _, _, offset] if offset.parse().is_ok_and(|offset: u16| offset > 0) => "other",
            ["TCP", ..] => "tcp",
            ["ARP", ..] | ["ICMPv6", "135" | "136", ..] => "arp",
            ["ICMPv6", "128" | "129", ..] | ["ICMP", ..] => "icmp",
            ["ICMPv6" | "UDP", ..] => "other",
            _ => panic!("frame {number}: {line}"),
        };
        let ours = match &kind {
            FrameKind::Tcp(_) => "tcp",
            FrameKind::Arp { .. } => "arp",
            FrameKind::Icmp { .. } => "icmp",
            FrameKind::Other { text } => {
                assert!(!text.contains("malformed"), "frame {number}: {text}");
                "other"
            }
        };
        assert_eq!(ours, expected, "frame {number}: {kind:?}, tshark: {line}");
    }
}
