//! What is in the capture, and that nothing else is.

use super::{AT_SWITCH, LATENCY, Lab, Machines, carry, ports, unheard};
use crate::capture::{packets, tshark};
use crate::lab::{BROADCAST, frame, mac, rule, segment};
use deadpeer::cable::LockstepCable;
use deadpeer::scenario::RuleVerdict::{Delay, Drop};
use deadpeer::scenario::SegmentKind;
use deadpeer::timeline::{Clock, LabTime, Recorder};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pcap_file::pcapng::PcapNgReader;
use pcap_file::pcapng::blocks::section_header::SectionHeaderOption;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Something of everything.
fn play(recorder: &Recorder, path: &Path) {
    let mut cable = LockstepCable::new(recorder.clone(), path, &ports(), LATENCY).unwrap();
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
}

#[test]
fn equal_inputs_give_equal_bytes_and_they_say_nothing_of_this_computer() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, (sink, events)) = (Clock::start(), channel());
    let recorder = Recorder::new(clock, sink);
    let paths = ["one", "two"].map(|name| folder.path().join(name));
    paths.iter().for_each(|path| play(&recorder, path));
    let [one, two] = paths.each_ref().map(|path| std::fs::read(path).unwrap());
    assert!(one == two);
    let events: Vec<_> = events.try_iter().collect();
    assert_eq!(events[..4], events[4..]);

    let program = SectionHeaderOption::UserApplication(concat!("deadpeer ", env!("CARGO_PKG_VERSION")).into());
    let reader = PcapNgReader::new(File::open(&paths[0]).unwrap()).unwrap();
    assert_eq!(reader.section().options, [program]);
}

#[test]
fn it_has_every_frame_at_its_time_and_in_the_words_of_real_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcapng");
    let clock = Clock::start();
    play(&Recorder::new(clock, channel().0), &path);
    let times: Vec<_> = packets(&path).into_iter().map(|packet| packet.timestamp).collect();
    assert_eq!(times, [0, 1, 2, 2].map(|sent| clock.wall(LabTime(sent + AT_SWITCH))));
    let expected = [
        "1\tclient\t",
        "2\tclient\tdropped by a rule (to server)",
        "3\tclient\tdelayed by a rule for 5ms (to server)",
        "4\tserver\tlost: router has no link",
    ];
    let fields = ["-T", "fields", "-e", "frame.number", "-e", "frame.interface_name", "-e", "frame.comment"];
    assert_eq!(tshark(&path, &fields), expected);
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
    drop(reader);
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
