use crate::lab::{BROADCAST, Lab, NOBODY, frame, mac, raw, rule};
use deadpeer::cable::{Cable, Counts, Port};
use deadpeer::error::Kind;
use deadpeer::scenario::RuleVerdict;
use deadpeer::timeline::{Clock, Recorder, Verdict};

#[test]
fn a_frame_goes_to_its_host_alone() {
    let lab = Lab::new();
    let sent = frame("client", mac("server"), 1);
    lab.guest("client").send(&sent);
    assert_eq!(lab.got("server"), [sent]);
    assert!(lab.got("router").is_empty());
    assert!(lab.got("client").is_empty());
    let (_, seen) = lab.witnessed().remove(0);
    assert_eq!((seen.number, seen.from.as_str(), seen.to.as_deref()), (1, "client", Some("server")));
    assert_eq!((seen.length, seen.verdict), (60, Verdict::Passed));
}

#[test]
fn groups_and_unknown_addresses_go_to_all_others_and_never_back() {
    let lab = Lab::new();
    let sent = [BROADCAST, [0x33, 0x33, 0, 0, 0, 1], NOBODY].map(|to| frame("server", to, 1));
    sent.iter().for_each(|frame| lab.guest("server").send(frame));
    assert_eq!(lab.got("client"), sent);
    assert_eq!(lab.got("router"), sent);
    assert!(lab.got("server").is_empty());
    assert_eq!(lab.verdicts(), [Verdict::Passed; 3]);
}

#[test]
fn a_foreign_source_passes_and_is_learnt_until_its_port_gets_a_new_cable() {
    let mut lab = Lab::new();
    lab.guest("router").send(&raw(NOBODY, mac("client"), 1));
    assert_eq!(lab.got("client"), [raw(NOBODY, mac("client"), 1)]);
    let answer = frame("client", NOBODY, 2);
    lab.guest("client").send(&answer);
    assert_eq!(lab.got("router"), std::slice::from_ref(&answer));
    assert!(lab.got("server").is_empty());
    lab.plug("router");
    lab.guest("client").send(&answer);
    assert_eq!(lab.got("server"), [answer]);
}

#[test]
fn a_frame_for_its_own_sender_goes_nowhere() {
    let lab = Lab::new();
    lab.guest("client").send(&frame("client", mac("client"), 1));
    for host in ["client", "server", "router"] {
        assert!(lab.got(host).is_empty());
    }
    assert_eq!(lab.verdicts(), [Verdict::Lost]);
}

#[test]
fn frames_too_short_to_say_where_they_go_are_witnessed_and_lost() {
    let lab = Lab::new();
    for length in [0, 1, 13] {
        lab.guest("client").send(&vec![0xff; length]);
    }
    lab.guest("client").send(&frame("client", mac("server"), 1));
    assert_eq!(lab.got("server").len(), 1);
    let witnessed = lab.witnessed();
    let lengths: Vec<_> = witnessed.iter().map(|(_, frame)| (frame.length, frame.verdict)).collect();
    assert_eq!(lengths, [(0, Verdict::Lost), (1, Verdict::Lost), (13, Verdict::Lost), (60, Verdict::Passed)]);
}

#[test]
fn two_hosts_that_talk_at_once_lose_nothing_and_keep_their_order() {
    let lab = Lab::new();
    let (client, server) = (lab.guest("client"), lab.guest("server"));
    std::thread::scope(|scope| {
        for (host, from, to) in [(client, "client", "server"), (server, "server", "client")] {
            scope.spawn(move || {
                for n in 0..=255 {
                    host.send(&frame(from, mac(to), n));
                }
                for n in 0..=255 {
                    assert_eq!(host.receive(), frame(to, mac(from), n));
                }
            });
        }
    });
    let witnessed = lab.witnessed();
    let numbers: Vec<_> = witnessed.iter().map(|(_, frame)| frame.number).collect();
    assert_eq!(numbers, (1..=512).collect::<Vec<_>>());
    assert!(witnessed.is_sorted_by_key(|(event, _)| event.at), "time goes on");
    let counts = Counts { frames: 512, passed: 512, ..Counts::default() };
    assert_eq!(lab.cable.frames(), counts);
    assert_eq!(lab.cable.finish().unwrap().counts, counts);
}

#[test]
fn a_frame_of_the_longest_length_passes_whole_and_a_longer_one_makes_the_run_unknown() {
    let lab = Lab::new();
    let mut long = frame("client", mac("server"), 1);
    long.resize(deadpeer::cable::LONGEST_FRAME, 7);
    lab.guest("client").send(&long);
    assert_eq!(lab.got("server"), [long.clone()]);
    assert!(lab.cable.fault().is_none());
    long.push(7);
    lab.guest("client").send(&long);
    lab.guest("client").send(&frame("client", mac("server"), 2));
    assert_eq!(lab.got("server"), [frame("client", mac("server"), 2)]);
    let fault = lab.cable.finish().unwrap_err();
    assert_eq!(fault.kind, Kind::Broken);
    assert!(fault.fact.contains("client sent a frame of 65551 bytes"), "{fault}");
}

#[test]
fn a_cable_that_is_dropped_ends_its_thread() {
    let Lab { cable, events, .. } = Lab::new();
    drop(cable);
    // The thread held the only sender.
    let end = events.recv_timeout(std::time::Duration::from_secs(30)).unwrap_err();
    assert_eq!(end, std::sync::mpsc::RecvTimeoutError::Disconnected);
}

#[test]
fn what_cannot_be_is_refused() {
    let lab = Lab::new();
    let unknown = lab.cable.plug("nobody", 0).unwrap_err();
    assert!(unknown.to_string().contains("there are client, server, router"), "{unknown}");
    assert!(lab.cable.set_rules(vec![rule(None, Some("nobody"), None, RuleVerdict::Drop)]).is_err());

    let other_link = lab.cable.plug("client", 1).unwrap_err();
    assert!(other_link.fact.contains("no host client on link 1"), "{other_link}");

    let port =
        |host: &str, last| Port { host: host.to_owned(), link: 0, mac: [2, 0, 0, 0, 0, last], addresses: Vec::new() };
    let recorder = || Recorder::new(Clock::start(), std::sync::mpsc::channel().0);
    let path = lab.folder.path().join("other.pcapng");
    for twice in [[port("a", 1), port("a", 2)], [port("a", 1), port("b", 1)]] {
        assert!(Cable::start(recorder(), &path, &twice).unwrap_err().fact.contains("twice"));
    }
    let nowhere = Cable::start(recorder(), &lab.folder.path().join("no/such"), &[port("a", 1)]).unwrap_err();
    assert!(nowhere.fact.contains("no/such: No such file"), "{nowhere}");
}
