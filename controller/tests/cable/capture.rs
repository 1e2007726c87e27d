//! What is in `wire.pcapng`, as the pcap-file crate and as tshark read it.

use crate::lab::{BROADCAST, Lab, frame, mac, rule, segment};
use deadpeer::scenario::{RuleVerdict, SegmentKind};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Every packet of a capture that must be whole to its end.
pub(crate) fn packets(path: &Path) -> Vec<EnhancedPacketBlock<'static>> {
    let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.unwrap().into_owned() {
            packets.push(packet);
        }
    }
    packets
}

/// What tshark says, a line each. It must find nothing to complain about. (`./lab` installs it: it is needed.)
pub(crate) fn tshark(path: &Path, arguments: &[&str]) -> Vec<String> {
    let ran = Command::new("tshark").arg("-n").arg("-r").arg(path).args(arguments).output();
    let out = ran.expect("tshark, which this test needs: apt-get install tshark");
    let errors = String::from_utf8_lossy(&out.stderr);
    // It always warns about being root.
    let complaints: Vec<_> = errors.lines().filter(|line| !line.contains("as user \"root\"")).collect();
    assert!(out.status.success() && complaints.is_empty(), "{}: {complaints:?}", out.status);
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn fields<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["-T", "fields"];
    names.iter().for_each(|name| arguments.extend(["-e", name]));
    arguments
}

#[test]
fn the_capture_holds_every_frame_byte_for_byte_with_its_time_and_port() {
    let lab = Lab::new();
    let mut sent = Vec::new();
    for n in 0..50_u8 {
        let from = if n % 3 == 0 { "server" } else { "client" };
        let mut bytes = frame(from, if n % 7 == 0 { BROADCAST } else { mac("router") }, n);
        // Every length modulo four, as blocks are padded to that.
        bytes.resize(60 + usize::from(n), n);
        lab.guest(from).send(&bytes);
        lab.settle();
        sent.push((from, bytes));
    }
    let witnessed = lab.witnessed();
    let (path, clock) = (lab.capture(), lab.clock);
    let summary = lab.cable.finish().unwrap();
    assert_eq!((summary.path.as_path(), summary.counts.frames), (path.as_path(), 50));

    let packets = packets(&path);
    assert_eq!(packets.len(), 50);
    for ((packet, (event, seen)), (from, bytes)) in packets.iter().zip(&witnessed).zip(&sent) {
        assert_eq!(packet.data.as_ref(), bytes);
        assert_eq!(packet.original_len as usize, bytes.len());
        assert_eq!(packet.timestamp, clock.wall(event.at), "to the nanosecond");
        assert_eq!(packet.interface_id, u32::from(*from == "server"));
        assert_eq!(seen.from, *from);
        let reception = if bytes[0] == 0xff { 3 } else { 1 };
        assert_eq!(packet.options, [EnhancedPacketOption::Flags(0b01 | reception << 2)]);
    }
    for (number, (_, seen)) in (1..).zip(&witnessed) {
        assert_eq!(seen.number, number);
    }
}

#[test]
fn the_header_names_program_and_hosts() {
    let lab = Lab::new();
    let path = lab.capture();
    lab.cable.finish().unwrap();
    let mut reader = PcapNgReader::new(File::open(&path).unwrap()).unwrap();
    let application = SectionHeaderOption::UserApplication(concat!("deadpeer ", env!("CARGO_PKG_VERSION")).into());
    assert!(reader.section().options.contains(&application));
    while let Some(block) = reader.next_block() {
        block.unwrap();
    }
    let hosts = ["client", "server", "router"];
    assert_eq!(reader.interfaces().len(), hosts.len());
    for (interface, host) in reader.interfaces().iter().zip(hosts) {
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfName(host.into())));
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
        assert!(interface.options.contains(&InterfaceDescriptionOption::IfMacAddr(mac(host).to_vec().into())));
    }
}

#[test]
fn tshark_reads_interfaces_nanoseconds_and_comments() {
    let mut lab = Lab::new();
    lab.rules(vec![
        rule(Some("client"), None, Some(SegmentKind::Data), RuleVerdict::Drop),
        rule(Some("client"), None, Some(SegmentKind::Fin), RuleVerdict::Delay(Duration::from_millis(5))),
    ]);
    lab.kill("router");
    lab.guest("client").send(&segment("client", "server", b"", |header| header.syn = true));
    lab.guest("client").send(&segment("client", "server", b"hello", |header| header.ack = true));
    lab.guest("client").send(&segment("client", "server", b"", |header| (header.ack, header.fin) = (true, true)));
    lab.settle();
    lab.guest("server").send(&segment("server", "router", b"", |header| header.rst = true));
    let witnessed = lab.witnessed();
    let (path, clock) = (lab.capture(), lab.clock);
    lab.cable.finish().unwrap();

    let names = ["frame.number", "frame.interface_name", "tcp.flags", "frame.comment", "frame.packet_flags_direction"];
    let expected = [
        "1\tclient\t0x0002\t\t0x00000001",
        "2\tclient\t0x0010\tdropped by a rule (to server)\t0x00000001",
        "3\tclient\t0x0011\tdelayed by a rule for 5ms (to server)\t0x00000001",
        "4\tserver\t0x0004\tlost: router has no link\t0x00000001",
    ];
    assert_eq!(tshark(&path, &fields(&names)), expected);

    let times: Vec<_> = witnessed
        .iter()
        .map(|(event, _)| clock.wall(event.at))
        .map(|wall| format!("{}.{:09}", wall.as_secs(), wall.subsec_nanos()))
        .collect();
    assert_eq!(tshark(&path, &fields(&["frame.time_epoch"])), times);
}
