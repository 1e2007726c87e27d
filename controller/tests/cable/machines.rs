//! Machines that die, come back, or stop.

use crate::lab::{BROADCAST, Lab, frame, mac};
use deadpeer::timeline::Verdict;

#[test]
fn a_dead_machine_is_silence_to_the_others() {
    let mut lab = Lab::new();
    lab.kill("server");
    for n in 0..5 {
        lab.guest("client").send(&frame("client", mac("server"), n));
    }
    lab.guest("client").send(&frame("client", BROADCAST, 9));
    assert_eq!(lab.got("router"), [frame("client", BROADCAST, 9)]);
    assert!(lab.got("client").is_empty());
    let mut expected = vec![Verdict::Lost; 5];
    expected.push(Verdict::Passed);
    assert_eq!(lab.verdicts(), expected);
}

#[test]
fn a_host_that_was_never_switched_on_is_the_same() {
    let mut lab = Lab::dark();
    lab.plug("client");
    lab.guest("client").send(&frame("client", mac("server"), 1));
    lab.guest("client").send(&frame("client", BROADCAST, 1));
    assert_eq!(lab.verdicts(), [Verdict::Lost; 2]);
}

#[test]
fn a_machine_that_is_switched_on_again_gets_a_new_cable() {
    let mut lab = Lab::new();
    lab.guest("server").send(&frame("server", mac("client"), 1));
    lab.kill("server");
    lab.guest("client").send(&frame("client", mac("server"), 2));
    lab.plug("server");
    lab.guest("client").send(&frame("client", mac("server"), 3));
    assert_eq!(lab.got("server"), [frame("client", mac("server"), 3)]);
    lab.guest("server").send(&frame("server", mac("client"), 4));
    assert_eq!(lab.got("client"), [frame("server", mac("client"), 1), frame("server", mac("client"), 4)]);
}

#[test]
fn a_new_cable_replaces_one_that_is_still_held() {
    let mut lab = Lab::new();
    let old = lab.plug("server").unwrap();
    lab.guest("client").send(&frame("client", mac("server"), 1));
    assert_eq!(lab.got("server"), [frame("client", mac("server"), 1)]);
    assert_eq!(old.waiting(), None);
}

#[test]
fn a_cable_pulled_out_carries_nothing_either_way_until_it_is_put_in_again() {
    let mut lab = Lab::new();
    lab.guest("client").send(&frame("client", mac("server"), 1));
    lab.cable.set_link("server", false).unwrap();
    lab.guest("client").send(&frame("client", mac("server"), 2));
    lab.guest("server").send(&frame("server", mac("client"), 3));
    assert!(lab.got("client").is_empty());
    lab.cable.set_link("server", true).unwrap();
    lab.guest("client").send(&frame("client", mac("server"), 4));
    assert_eq!(lab.got("server"), [1, 4].map(|n| frame("client", mac("server"), n)));
    assert_eq!(lab.verdicts(), [Verdict::Passed, Verdict::Lost, Verdict::Lost, Verdict::Passed]);

    lab.cable.set_link("server", false).unwrap();
    lab.plug("server");
    lab.guest("client").send(&frame("client", mac("server"), 5));
    assert_eq!(lab.got("server"), [frame("client", mac("server"), 5)]);
}

/// The kernel discards what a dead peer had sent, as soon as it is sent something: see `cable/jack.rs`.
#[test]
fn the_last_words_of_a_dying_machine_are_heard_although_others_talk_to_it() {
    let mut lab = Lab::new();
    for _ in 0..200 {
        let words = [1, 2, 3, 4].map(|n| frame("server", mac("client"), n));
        lab.guest("client").send(&frame("client", mac("server"), 0));
        words.iter().for_each(|word| lab.guest("server").send(word));
        lab.kill("server");
        assert_eq!(lab.got("client"), words);
        lab.plug("server");
    }
}

#[test]
fn a_machine_that_takes_nothing_loses_frames_and_holds_up_nobody() {
    let lab = Lab::new();
    // The queue holds some hundred frames of this length; each is witnessed before the next is sent, lest the client's own queue fill.
    let mut sent = 0_u32;
    loop {
        lab.guest("client").send(&[frame("client", mac("server"), 1), vec![0; 1400]].concat());
        sent += 1;
        if lab.verdicts() == [Verdict::Lost] {
            break;
        }
        assert!(sent < 10_000, "a queue without end");
    }
    assert!(sent > 100, "only {sent} frames fit");
    lab.guest("client").send(&frame("client", mac("router"), 2));
    assert_eq!(lab.got("router"), [frame("client", mac("router"), 2)]);
    lab.guest("server").send(&frame("server", mac("client"), 3));
    assert_eq!(lab.got("client"), [frame("server", mac("client"), 3)]);
    // It wakes up, takes what is there, and goes on.
    assert_eq!(lab.got("server").len(), sent as usize - 1);
    lab.guest("client").send(&frame("client", mac("server"), 4));
    assert_eq!(lab.got("server"), [frame("client", mac("server"), 4)]);
}
