//! Two links, and a router with a card on each: client - router - server.

use crate::capture::tshark;
use crate::lab::{BROADCAST, Guest, raw, rule};
use deadpeer::cable::{Cable, Port};
use deadpeer::scenario::RuleVerdict;
use deadpeer::timeline::{Clock, Event, Frame, FrameKind, Recorder, Verdict, What};
use etherparse::PacketBuilder;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};

const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ROUTER: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 1, 2]];
const SERVER: [u8; 6] = [2, 0, 0, 0, 1, 3];

struct Lab {
    cable: Cable,
    events: Receiver<Event>,
    folder: tempfile::TempDir,
    client: Guest,
    router: [Guest; 2],
    server: Guest,
}

impl Lab {
    fn new() -> Self {
        let (sink, events) = channel();
        let folder = tempfile::tempdir().unwrap();
        let port = |host: &str, link, mac, address: [u8; 4]| Port {
            host: host.to_owned(),
            link,
            mac,
            addresses: vec![address.into()],
        };
        let ports = [
            port("client", 0, CLIENT, [192, 0, 2, 1]),
            port("router", 0, ROUTER[0], [192, 0, 2, 254]),
            port("router", 1, ROUTER[1], [198, 51, 100, 254]),
            port("server", 1, SERVER, [198, 51, 100, 2]),
        ];
        let capture = folder.path().join("wire.pcapng");
        let cable = Cable::start(Recorder::new(Clock::start(), sink), &capture, &ports).unwrap();
        let plug = |host, link| Guest(cable.plug(host, link).unwrap());
        let (client, server) = (plug("client", 0), plug("server", 1));
        let router = [plug("router", 0), plug("router", 1)];
        Self { cable, events, folder, client, router, server }
    }

    fn settle(&self) {
        self.cable.set_rules(Vec::new()).unwrap();
    }

    fn got(&self, guest: &Guest) -> usize {
        self.settle();
        std::iter::from_fn(|| guest.waiting()).count()
    }

    fn witnessed(&self) -> Vec<Frame> {
        self.settle();
        let frames = self.events.try_iter().map(|event| match event.what {
            What::Wire(frame) => *frame,
            other => panic!("not a frame: {other:?}"),
        });
        frames.collect()
    }

    fn capture(&self) -> PathBuf {
        self.folder.path().join("wire.pcapng")
    }
}

/// The same segment of client to server, on its way from one card to another.
fn segment(from: [u8; 6], to: [u8; 6]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(from, to).ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64);
    let mut bytes = Vec::new();
    builder.tcp(40_000, 9877, 1000, 64_240).ack(1).write(&mut bytes, b"hello").unwrap();
    bytes
}

#[test]
fn each_link_is_a_network_of_its_own() {
    let lab = Lab::new();
    lab.client.send(&raw(CLIENT, BROADCAST, 1));
    // By its address on the other link the server cannot be reached from here.
    lab.client.send(&raw(CLIENT, SERVER, 2));
    assert_eq!([lab.got(&lab.router[0]), lab.got(&lab.router[1]), lab.got(&lab.server)], [2, 0, 0]);
    lab.server.send(&raw(SERVER, BROADCAST, 3));
    assert_eq!([lab.got(&lab.router[0]), lab.got(&lab.router[1]), lab.got(&lab.client)], [0, 1, 0]);
    let links: Vec<_> = lab.witnessed().into_iter().map(|frame| (frame.from, frame.link)).collect();
    assert_eq!(links, [("client".to_owned(), 0), ("client".to_owned(), 0), ("server".to_owned(), 1)]);
}

#[test]
fn a_forwarded_segment_is_two_frames_and_no_retransmission() {
    let lab = Lab::new();
    for _ in 0..2 {
        lab.client.send(&segment(CLIENT, ROUTER[0]));
        lab.settle();
        lab.router[1].send(&segment(ROUTER[1], SERVER));
        lab.settle();
    }
    let frames = lab.witnessed();
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| {
            let FrameKind::Tcp(segment) = &frame.kind else { panic!("{frame:?}") };
            assert_eq!(frame.destination(), Some("server"));
            (frame.from.as_str(), frame.to.as_deref().unwrap(), frame.link, segment.retransmission)
        })
        .collect();
    let expected = [
        ("client", "router", 0, false),
        ("router", "server", 1, false),
        ("client", "router", 0, true),
        ("router", "server", 1, true),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_host_is_unplugged_and_ruled_on_all_its_links() {
    let lab = Lab::new();
    lab.cable.set_link("router", false).unwrap();
    lab.client.send(&segment(CLIENT, ROUTER[0]));
    lab.server.send(&raw(SERVER, ROUTER[1], 1));
    lab.router[1].send(&segment(ROUTER[1], SERVER));
    assert_eq!([lab.got(&lab.router[0]), lab.got(&lab.router[1]), lab.got(&lab.server)], [0, 0, 0]);
    lab.cable.set_link("router", true).unwrap();
    lab.cable.set_rules(vec![rule(None, Some("router"), None, RuleVerdict::Drop)]).unwrap();
    lab.client.send(&segment(CLIENT, ROUTER[0]));
    lab.server.send(&raw(SERVER, ROUTER[1], 1));
    let verdicts: Vec<_> = lab.witnessed().iter().map(|frame| frame.verdict).collect();
    assert_eq!(verdicts, [Verdict::Lost, Verdict::Lost, Verdict::Lost, Verdict::Dropped, Verdict::Dropped]);
}

#[test]
fn the_capture_has_an_interface_for_each_card() {
    let lab = Lab::new();
    lab.client.send(&segment(CLIENT, ROUTER[0]));
    lab.settle();
    lab.router[1].send(&segment(ROUTER[1], SERVER));
    lab.settle();
    lab.server.send(&raw(SERVER, ROUTER[1], 1));
    let path = lab.capture();
    lab.cable.finish().unwrap();
    let names = tshark(&path, &["-T", "fields", "-e", "frame.interface_name"]);
    assert_eq!(names, ["client", "router-eth1", "server"]);
}
