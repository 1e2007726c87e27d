//! A cable with guests that are played by the tests.

use deadpeer::cable::{Cable, Port};
use deadpeer::scenario::{Rule, RuleVerdict, SegmentKind};
use deadpeer::timeline::{Clock, Event, Frame, Recorder, Verdict, What};
use etherparse::{PacketBuilder, TcpHeader};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use tempfile::TempDir;

/// Nothing here takes that long, however busy the machine.
const DEADLINE_MS: u16 = 30_000;

pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];
pub(crate) const NOBODY: [u8; 6] = [2, 0, 0, 0, 0, 0x77];

/// The Ethernet address of a host.
pub(crate) fn mac(host: &str) -> [u8; 6] {
    let number = match host {
        "client" => 1,
        "server" => 2,
        "router" => 3,
        _ => panic!("who is {host}?"),
    };
    [2, 0xde, 0xad, 0, 0, number]
}

/// Three hosts on a cable.
pub(crate) struct Lab {
    pub(crate) cable: Cable,
    pub(crate) events: Receiver<Event>,
    pub(crate) clock: Clock,
    pub(crate) folder: TempDir,
    guests: HashMap<&'static str, Guest>,
    rules: Vec<Rule>,
}

/// A machine's end of a cable.
pub(crate) struct Guest(pub(crate) OwnedFd);

impl Guest {
    pub(crate) fn send(&self, frame: &[u8]) {
        assert_eq!(send(self.0.as_raw_fd(), frame, MsgFlags::empty()), Ok(frame.len()));
    }

    /// The next frame, waiting for it.
    pub(crate) fn receive(&self) -> Vec<u8> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(DEADLINE_MS)), Ok(1), "awaited a frame, none came in time");
        self.waiting().expect("a frame")
    }

    /// A frame that is there already.
    pub(crate) fn waiting(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 70_000];
        match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => Some(buffer[..length].to_vec()),
            Err(Errno::EAGAIN) => None,
            Err(errno) => panic!("{errno}"),
        }
    }
}

impl Lab {
    /// All hosts have their cable in.
    pub(crate) fn new() -> Self {
        let mut lab = Self::dark();
        lab.plug_all();
        lab
    }

    fn plug_all(&mut self) {
        for host in ["client", "server", "router"] {
            self.plug(host);
        }
    }

    /// No host has a cable in.
    pub(crate) fn dark() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let capture = folder.path().join("wire.pcapng");
        Self::at(folder, &capture)
    }

    /// All hosts have their cable in; the capture goes elsewhere, and whatever else there is goes beside it.
    pub(crate) fn with_capture(capture: &Path) -> Self {
        let mut lab = Self::at(tempfile::tempdir_in(capture.parent().unwrap()).unwrap(), capture);
        lab.plug_all();
        lab
    }

    fn at(folder: TempDir, capture: &Path) -> Self {
        let (sink, events) = channel();
        let clock = Clock::start();
        let ports = ["client", "server", "router"].map(|name| Port {
            host: name.to_owned(),
            link: 0,
            mac: mac(name),
            addresses: Vec::new(),
        });
        let cable = Cable::start(Recorder::new(clock.clone(), sink), capture, &ports).unwrap();
        Self { cable, events, clock, folder, guests: HashMap::new(), rules: Vec::new() }
    }

    pub(crate) fn capture(&self) -> PathBuf {
        self.folder.path().join("wire.pcapng")
    }

    /// Plugs a host in; its old end, if it had one.
    pub(crate) fn plug(&mut self, host: &'static str) -> Option<Guest> {
        let guest = Guest(self.cable.plug(host, 0).unwrap());
        self.guests.insert(host, guest)
    }

    /// The machine dies: nobody holds its end any more.
    pub(crate) fn kill(&mut self, host: &str) {
        self.guests.remove(host).unwrap();
    }

    pub(crate) fn guest(&self, host: &str) -> &Guest {
        &self.guests[host]
    }

    pub(crate) fn rules(&mut self, rules: Vec<Rule>) {
        self.rules = rules.clone();
        self.cable.set_rules(rules).unwrap();
    }

    /// Returns when all that was sent until now is forwarded: that is what setting rules, even the same, waits for.
    pub(crate) fn settle(&self) {
        self.cable.set_rules(self.rules.clone()).unwrap();
    }

    /// The frames that a host has got by now, once all sent until now are forwarded.
    pub(crate) fn got(&self, host: &str) -> Vec<Vec<u8>> {
        self.settle();
        std::iter::from_fn(|| self.guest(host).waiting()).collect()
    }

    /// The frames on the timeline so far, once all sent until now are forwarded.
    pub(crate) fn witnessed(&self) -> Vec<(Event, Frame)> {
        self.settle();
        let frames = self.events.try_iter().map(|event| match &event.what {
            What::Wire(frame) => (event.clone(), (**frame).clone()),
            other => panic!("not a frame: {other:?}"),
        });
        frames.collect()
    }

    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        self.witnessed().into_iter().map(|(_, frame)| frame.verdict).collect()
    }
}

/// A frame of a protocol that nobody knows, told apart by its last byte.
pub(crate) fn frame(from: &str, to: [u8; 6], last: u8) -> Vec<u8> {
    raw(mac(from), to, last)
}

pub(crate) fn raw(from: [u8; 6], to: [u8; 6], last: u8) -> Vec<u8> {
    [&to[..], &from, &[0x88, 0xb5], &[0; 45], &[last]].concat()
}

/// An ARP request.
pub(crate) fn arp(from: &str) -> Vec<u8> {
    let [.., number] = mac(from);
    let mut bytes =
        [&BROADCAST[..], &mac(from), &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &mac(from), &[192, 0, 2, number]].concat();
    bytes.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, 99]);
    bytes
}

/// A segment from one host to another. `with` changes the header.
pub(crate) fn segment(from: &str, to: &str, data: &[u8], with: impl FnOnce(&mut TcpHeader)) -> Vec<u8> {
    let ([.., a], [.., b]) = (mac(from), mac(to));
    let mut header = TcpHeader::new(40_000, 40_000, 1000, 64_240);
    with(&mut header);
    let builder =
        PacketBuilder::ethernet2(mac(from), mac(to)).ipv4([192, 0, 2, a], [192, 0, 2, b], 64).tcp_header(header);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, data).unwrap();
    bytes
}

pub(crate) fn rule(from: Option<&str>, to: Option<&str>, kind: Option<SegmentKind>, verdict: RuleVerdict) -> Rule {
    Rule { from: from.map(str::to_owned), to: to.map(str::to_owned), kind, verdict }
}
