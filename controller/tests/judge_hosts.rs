//! Claims about hosts: their boots and their carrier.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Judged, judge};
use deadpeer::scenario::Claim;
use deadpeer::timeline::MachineEvent;
use support::{Story, scenarios, stories};

fn judged(story: &mut Story, claim: Claim) -> Judged {
    story.scenario.expectations = vec![scenarios::expectation("it", 1, claim, "held", "not held")];
    judge(&story.scenario, &story.events).remove(0)
}

fn boot_id(host: &str, changed: bool) -> Claim {
    Claim::BootIdChanged { host: host.to_owned(), changed }
}

fn carrier(lost: bool) -> Claim {
    Claim::CarrierLost { host: "client".to_owned(), lost }
}

/// A run without steps, in which the client booted at 1 s.
fn booted() -> Story {
    let mut scenario = scenarios::crash_reboot();
    scenario.steps.clear();
    let mut story = Story::of(scenario);
    story.at(1.0).booted("client", "aaaaaaaa-1");
    story
}

#[test]
fn a_reboot_shows_in_the_boot_id_and_nowhere_else() {
    let mut story = stories::crash_reboot();
    assert_eq!(judged(&mut story, boot_id("server", true)).held, Some(true));
    assert_eq!(judged(&mut story, boot_id("client", false)).held, Some(true));
    let same = judged(&mut story, boot_id("client", true));
    assert_eq!((same.held, same.why.as_str()), (Some(false), "client booted once, at 2.871 s, with boot id 80c4a3e1."));
    let changed = judged(&mut story, boot_id("server", false));
    assert_eq!(changed.held, Some(false));
    assert_eq!(changed.came.len(), 2);
}

#[test]
fn a_machine_that_started_over_unseen_may_have_any_boot_id() {
    for event in [MachineEvent::Reset { reason: "guest-reset".to_owned() }, MachineEvent::PoweredOn { pid: Some(9) }] {
        let mut story = booted();
        story.at(2.0).machine("client", event);
        assert_eq!(judged(&mut story, boot_id("client", false)).held, None);
        story.at(3.0).booted("client", "bbbbbbbb-2");
        assert_eq!(judged(&mut story, boot_id("client", false)).held, Some(false));
    }
}

#[test]
fn a_host_that_never_came_up_proves_nothing() {
    let mut story = booted();
    assert_eq!(judged(&mut story, boot_id("server", true)).held, None);
    assert_eq!(judged(&mut story, Claim::CarrierLost { host: "server".to_owned(), lost: false }).held, None);
}

#[test]
fn the_kernel_s_count_of_carrier_losses_decides() {
    let mut story = booted();
    assert_eq!(judged(&mut story, carrier(false)).held, None, "nobody asked it");
    story.at(2.0).carrier("client", true, 0);
    assert_eq!(judged(&mut story, carrier(false)).held, Some(true));
    assert_eq!(judged(&mut story, carrier(true)).held, Some(false));
    story.at(3.0).carrier("client", true, 1);
    let lost = judged(&mut story, carrier(false));
    assert_eq!(lost.held, Some(false));
    assert_eq!(lost.why, "At 3.000 s, client's kernel said: carrier lost 1 time.");
    assert_eq!(judged(&mut story, carrier(true)).held, Some(true));
}

#[test]
fn what_was_counted_while_the_link_came_up_is_no_loss() {
    let mut story = booted();
    story.at(1.1).carrier("client", true, 1).at(2.0).carrier("client", true, 1);
    assert_eq!(judged(&mut story, carrier(false)).held, Some(true));
    story.at(3.0).carrier("client", true, 2);
    assert_eq!(judged(&mut story, carrier(false)).held, Some(false));
}

#[test]
fn one_loss_counted_by_a_kernel_that_was_asked_but_once_may_be_the_driver_s_own() {
    let mut story = booted();
    story.at(1.1).carrier("client", true, 1);
    assert_eq!(judged(&mut story, carrier(false)).held, None);
    assert_eq!(judged(&mut story, carrier(true)).held, None);
    story.at(2.0).carrier("client", true, 2);
    assert_eq!(judged(&mut story, carrier(true)).held, Some(true));
}

#[test]
fn a_link_that_is_down_at_the_end_lost_its_carrier() {
    let mut story = booted();
    story.at(2.0).carrier("client", false, 0);
    assert_eq!(judged(&mut story, carrier(true)).held, Some(true));
}

#[test]
fn every_boot_has_to_be_asked_for_itself() {
    let mut story = booted();
    story.at(1.1).carrier("client", true, 0).at(2.0).carrier("client", true, 1);
    story.at(3.0).booted("client", "bbbbbbbb-2").at(4.0).carrier("client", true, 0);
    assert_eq!(judged(&mut story, carrier(false)).held, Some(false), "a reboot does not wipe out a loss");
    let mut story = booted();
    story.at(3.0).booted("client", "bbbbbbbb-2").at(4.0).carrier("client", true, 0);
    let unasked = judged(&mut story, carrier(false));
    assert_eq!(unasked.held, None);
    assert!(unasked.why.contains("in boot 1 of 2"), "{}", unasked.why);
}

#[test]
fn a_run_that_broke_off_proves_no_carrier_kept_but_does_prove_one_lost() {
    let mut story = stories::rebooted();
    story.at(6.5).carrier("client", true, 0);
    assert_eq!(judged(&mut story, carrier(false)).held, None);
    story.at(6.6).carrier("client", true, 1);
    assert_eq!(judged(&mut story, carrier(false)).held, Some(false));
}
