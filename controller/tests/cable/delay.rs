use crate::lab::{Lab, arp, frame, mac, rule, segment};
use deadpeer::scenario::RuleVerdict::{Delay, Drop};
use deadpeer::scenario::SegmentKind;
use deadpeer::timeline::Verdict;
use std::time::Duration;

const DELAY: Duration = Duration::from_millis(40);

#[test]
fn a_delayed_frame_comes_later_and_says_so() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(None, None, None, Delay(DELAY))]);
    lab.guest("client").send(&frame("client", mac("server"), 1));
    assert_eq!(lab.guest("server").receive(), frame("client", mac("server"), 1));
    let came = lab.clock.now();
    let (event, seen) = lab.witnessed().remove(0);
    assert_eq!(seen.verdict, Verdict::Delayed(40_000_000));
    assert!(came.since(event.at) >= DELAY, "after {:?}", came.since(event.at));
    assert_eq!(lab.cable.frames().delayed, 1);
}

#[test]
fn frames_delayed_alike_keep_their_order_and_hold_up_nobody_else() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(Some("client"), None, None, Delay(Duration::from_millis(200)))]);
    for n in 0..20 {
        lab.guest("client").send(&frame("client", mac("server"), n));
    }
    lab.guest("router").send(&frame("router", mac("server"), 99));
    let mut got = vec![lab.guest("server").receive()];
    for _ in 0..20 {
        got.push(lab.guest("server").receive());
    }
    // Where the router's frame comes in is a matter of time; that the others keep their order is not.
    assert_eq!(got.iter().filter(|bytes| **bytes == frame("router", mac("server"), 99)).count(), 1);
    got.retain(|bytes| bytes[6..12] == mac("client"));
    assert_eq!(got, (0..20).map(|n| frame("client", mac("server"), n)).collect::<Vec<_>>());
}

#[test]
fn frames_delayed_differently_come_in_the_order_of_their_times() {
    let mut lab = Lab::new();
    let (long, short) = (Duration::from_millis(150), Duration::from_millis(10));
    lab.rules(vec![rule(None, None, Some(SegmentKind::Arp), Delay(long)), rule(None, None, None, Delay(short))]);
    let data = segment("client", "server", b"hello", |_| ());
    lab.guest("client").send(&arp("client"));
    lab.guest("client").send(&data);
    let got = [lab.guest("server").receive(), lab.guest("server").receive()];
    // The stamps say when each was due, on however busy a machine.
    let at: Vec<_> = lab.witnessed().into_iter().map(|(event, _)| event.at).collect();
    let expected = if at[0].after(long) > at[1].after(short) { [data, arp("client")] } else { [arp("client"), data] };
    assert_eq!(got, expected);
}

#[test]
fn later_rules_change_nothing_for_frames_already_held() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(None, None, None, Delay(DELAY))]);
    lab.guest("client").send(&frame("client", mac("server"), 1));
    lab.rules(vec![rule(None, None, None, Drop)]);
    lab.guest("client").send(&frame("client", mac("server"), 2));
    assert_eq!(lab.guest("server").receive(), frame("client", mac("server"), 1));
    assert!(lab.got("server").is_empty());
}

#[test]
fn a_held_frame_comes_by_the_new_cable() {
    let mut lab = Lab::new();
    // If this thread is held up for longer than the frame, nothing is shown: then with more patience.
    for patience in [DELAY, 25 * DELAY, 1000 * DELAY] {
        lab.rules(vec![rule(None, Some("server"), None, Delay(patience))]);
        lab.guest("client").send(&frame("client", mac("server"), 1));
        let (event, _) = lab.witnessed().remove(0);
        let old = lab.plug("server").unwrap();
        if lab.clock.now() < event.at.after(patience) {
            assert_eq!(lab.guest("server").receive(), frame("client", mac("server"), 1));
            assert_eq!(old.waiting(), None);
            return;
        }
    }
    panic!("never quick enough");
}

#[test]
fn held_frames_that_never_arrive_are_counted() {
    let mut lab = Lab::new();
    lab.rules(vec![rule(None, Some("server"), None, Delay(DELAY)), rule(None, None, None, Delay(DELAY))]);
    lab.kill("server");
    lab.guest("client").send(&frame("client", mac("server"), 1));
    lab.guest("client").send(&frame("client", mac("router"), 2));
    assert_eq!(lab.guest("router").receive(), frame("client", mac("router"), 2));
    assert_eq!(lab.cable.frames().late, 1);
    lab.rules(vec![rule(None, None, None, Delay(Duration::from_secs(3600)))]);
    lab.guest("client").send(&frame("client", mac("router"), 3));
    let counts = lab.cable.finish().unwrap().counts;
    assert_eq!((counts.frames, counts.delayed, counts.late), (3, 3, 2));
}
