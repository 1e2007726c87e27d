//! What is in the capture, and that nothing else is.

use super::{AT_SWITCH, DATE, LATENCY, Lab, Machines, carry, ports, unheard};
use crate::capture::packets;
use crate::lab::{BROADCAST, frame, mac, rule, segment};
use crate::waiting::eventually;
use deadpeer::cable::LockstepCable;
use deadpeer::scenario::RuleVerdict::{Delay, Drop};
use deadpeer::scenario::SegmentKind;
use deadpeer::timeline::{Clock, Event, Recorder};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Something of everything; what the timeline has of it.
fn play(path: &Path) -> Vec<Event> {
    let (sink, events) = channel();
    let recorder = Recorder::new(Clock::lockstep(DATE).0, sink);
    let mut cable = LockstepCable::new(recorder, path, &ports(), LATENCY).unwrap();
    let mut machines = Machines::new();
    let [client, server] = ["client", "server"].map(|host| {
        let nic = machines.another(0);
        cable.plug(host, 0, nic).unwrap();
        nic
    });
    let rules = [
        rule(Some("client"), None, Some(SegmentKind::Data), Drop),
        rule(Some("client"), None, Some(SegmentKind::Fin), Delay(Duration::from_millis(5))),
    ];
    cable.set_rules(rules.to_vec()).unwrap();
    let segment = |data: &[u8], with: fn(&mut etherparse::TcpHeader)| segment("client", "server", data, with);
    carry(&mut cable, client, 0, &segment(b"", |header| header.syn = true)).unwrap();
    carry(&mut cable, client, 1, &segment(b"hello", |header| header.ack = true)).unwrap();
    carry(&mut cable, client, 2, &segment(b"", |header| (header.ack, header.fin) = (true, true))).unwrap();
    carry(&mut cable, server, 2, &frame("server", BROADCAST, 1)).unwrap();
    assert_eq!(cable.finish().unwrap().counts.frames, 4);
    events.try_iter().collect()
}

#[test]
fn equal_inputs_give_equal_bytes_and_they_say_nothing_of_this_computer() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["one", "two"].map(|name| folder.path().join(name));
    let [first, second] = paths.each_ref().map(|path| play(path));
    assert_eq!(first, second);
    let [one, two] = paths.each_ref().map(|path| std::fs::read(path).unwrap());
    assert!(one == two);

    let program = SectionHeaderOption::UserApplication(concat!("deadpeer ", env!("CARGO_PKG_VERSION")).into());
    let reader = PcapNgReader::new(File::open(&paths[0]).unwrap()).unwrap();
    assert_eq!(reader.section().options, [program]);
}

#[test]
fn it_has_every_frame_at_its_time_and_in_the_words_of_real_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcapng");
    play(&path);
    let comment = |packet: &EnhancedPacketBlock<'_>| {
        packet.options.iter().find_map(|option| match option {
            EnhancedPacketOption::Comment(text) => Some(text.to_string()),
            _ => None,
        })
    };
    let written: Vec<_> = packets(&path)
        .iter()
        .map(|packet| (packet.timestamp - DATE, packet.interface_id, comment(packet).unwrap_or_default()))
        .collect();
    let expected = [
        (0, 0, ""),
        (1, 0, "dropped by a rule (to server)"),
        (2, 0, "delayed by a rule for 5ms (to server)"),
        (2, 1, "lost: router has no link"),
    ];
    let at_switch = |sent| Duration::from_nanos(sent + AT_SWITCH);
    assert_eq!(written, expected.map(|(sent, port, words)| (at_switch(sent), port, words.to_owned())));
}

#[test]
fn a_capture_that_fails_ends_the_carrying() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcapng");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    let mut cable = unheard(&path, &ports()).unwrap();
    let client = Machines::new().another(0);
    cable.plug("client", 0, client).unwrap();
    let writer = OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    drop(reader);
    // A process that another test is just starting has a copy of the reader until it executes its program.
    eventually("an end of all readers", || {
        let mut end = [PollFd::new(writer.as_fd(), PollFlags::empty())];
        poll(&mut end, PollTimeout::ZERO).unwrap();
        end[0].revents().is_some_and(|it| it.contains(PollFlags::POLLERR))
    });
    for _ in 0..2 {
        let error = carry(&mut cable, client, 0, &frame("client", mac("server"), 1)).unwrap_err();
        assert!(error.fact.contains("wire.pcapng stopped: Broken pipe"), "{error}");
    }
    assert_eq!(cable.frames().frames, 1);
    assert!(cable.fault().is_some() && cable.finish().is_err());
}

#[test]
fn ports_and_captures_that_cannot_be_are_errors_at_the_start() {
    assert!(unheard(Path::new("/dev/full"), &[]).err().unwrap().fact.contains("/dev/full: No space left on device"));
    let path = Lab::new().capture();
    let twice = [ports(), ports()].concat();
    assert!(unheard(&path, &twice).err().unwrap().fact.contains("on link 0 twice"));
}
