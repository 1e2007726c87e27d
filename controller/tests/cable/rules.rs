use crate::lab::{Lab, arp, frame, mac, rule, segment};
use deadpeer::scenario::RuleVerdict::{Drop, Pass};
use deadpeer::scenario::SegmentKind;
use deadpeer::timeline::Verdict;

#[test]
fn a_rule_drops_one_direction_in_silence() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(Some("client"), Some("server"), None, Drop)]);
    lab.guest("client").send(&frame("client", mac("server"), 1));
    lab.guest("client").send(&frame("client", mac("router"), 2));
    lab.guest("server").send(&frame("server", mac("client"), 3));
    assert!(lab.got("server").is_empty());
    assert_eq!(lab.got("router").len(), 1);
    assert_eq!(lab.got("client").len(), 1);
    assert_eq!(lab.verdicts()[0], Verdict::Dropped);
}

#[test]
fn a_rule_picks_a_kind_of_segment_and_the_first_that_fits_decides() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(None, None, Some(SegmentKind::Fin), Pass), rule(None, None, Some(SegmentKind::Data), Drop)]);
    let data = segment("client", "server", b"hello", |header| header.ack = true);
    let last = segment("client", "server", b"hello", |header| (header.ack, header.fin) = (true, true));
    let bare = segment("client", "server", b"", |header| header.ack = true);
    for sent in [&data, &last, &bare] {
        lab.guest("client").send(sent);
    }
    assert_eq!(lab.got("server"), [last, bare]);
}

#[test]
fn a_dropped_segment_that_is_sent_again_is_a_retransmission() {
    let mut lab = Lab::new();
    let data = segment("client", "server", b"hello", |header| header.ack = true);
    lab.rules(vec![rule(None, None, Some(SegmentKind::Retransmission), Drop)]);
    for _ in 0..3 {
        lab.guest("client").send(&data);
    }
    assert_eq!(lab.got("server"), [data]);
    assert_eq!(lab.verdicts(), [Verdict::Passed, Verdict::Dropped, Verdict::Dropped]);
}

#[test]
fn a_broadcast_is_judged_for_each_destination_alone() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(None, Some("server"), Some(SegmentKind::Arp), Drop)]);
    lab.guest("client").send(&arp("client"));
    assert_eq!(lab.got("router"), [arp("client")]);
    assert!(lab.got("server").is_empty());
    assert_eq!(lab.verdicts(), [Verdict::Dropped]);
}

#[test]
fn new_rules_replace_the_old_and_leave_earlier_frames_alone() {
    let mut lab = Lab::new();
    for round in 0..100 {
        lab.guest("client").send(&frame("client", mac("server"), round));
        lab.rules(vec![rule(None, None, None, Drop)]);
        lab.guest("client").send(&frame("client", mac("server"), 255));
        lab.rules(Vec::new());
        assert_eq!(lab.got("server"), [frame("client", mac("server"), round)]);
    }
}
