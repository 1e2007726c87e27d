//! The judge on whole runs of crash-reboot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Judged, Outcome, judge, judge_at, outcome, undecided_until};
use deadpeer::timeline::LabTime;
use support::{Story, scenarios, stories};

fn one(story: &Story, name: &str) -> Judged {
    judge(&story.scenario, &story.events).into_iter().find(|j| j.name == name).expect("the expectation")
}

#[test]
fn every_claim_of_a_genuine_run_holds() {
    let story = stories::crash_reboot();
    let judged = judge(&story.scenario, &story.events);
    assert!(judged.iter().all(|j| j.held == Some(true)), "{judged:#?}");
    assert_eq!(outcome(&judged), Outcome::Pass);
    insta::assert_snapshot!(serde_json::to_string_pretty(&judged).unwrap());
}

#[test]
fn the_wrong_errno_is_set_against_what_came_with_both_meanings() {
    let mut story = stories::crash_reboot();
    story.scenario.expectations[4].claim = scenarios::printed("Connection timed out (ETIMEDOUT)");
    assert_eq!(outcome(&judge(&story.scenario, &story.events)), Outcome::Fail);
    insta::assert_snapshot!(serde_json::to_string_pretty(&one(&story, "error")).unwrap());
}

#[test]
fn events_in_the_order_of_collection_are_judged_in_the_order_of_time() {
    let mut story = stories::crash_reboot();
    let in_order = judge(&story.scenario, &story.events);
    story.events.reverse();
    assert_eq!(judge(&story.scenario, &story.events), in_order);
}

/// Cut a run short at every point: what had been seen by then stays seen, and no absence is proven before the end.
#[test]
fn a_run_that_broke_off_never_contradicts_the_whole_one() {
    let whole = stories::crash_reboot();
    let last_step_done = whole.events.len() - 3;
    for cut in 0..last_step_done {
        let judged = judge(&whole.scenario, &whole.events[..cut]);
        assert!(judged.iter().all(|j| j.held != Some(false)), "cut at {cut}: {judged:#?}");
        assert_eq!(judged[0].held, None, "no FIN so far proves nothing, cut at {cut}");
        assert_ne!(outcome(&judged), Outcome::Pass, "cut at {cut}");
    }
}

#[test]
fn what_was_seen_holds_although_the_run_broke_off_later() {
    let whole = stories::crash_reboot();
    let reset = whole.events.iter().position(|e| serde_json::to_string(e).unwrap().contains("\"rst\":true")).unwrap();
    let judged = judge(&whole.scenario, &whole.events[..=reset]);
    assert_eq!(judged[3].held, Some(true), "{:#?}", judged[3]);
    assert!(judged[0].why.contains("the run broke off in step 'second-line'"), "{:#?}", judged[0]);
}

#[test]
fn only_an_open_deadline_asks_for_more_watching() {
    let mut story = stories::rebooted();
    assert_eq!(undecided_until(&story.scenario, &story.events, LabTime(0)), None);
    story.at(7.0).began(5).done(5);
    let open = undecided_until(&story.scenario, &story.events, LabTime(0)).expect("the RST may still come");
    assert_eq!(open.to_string(), "12.000");
    assert_eq!(judge(&story.scenario, &story.events)[3].held, None);
    assert_eq!(undecided_until(&story.scenario, &story.events, open), None);
    assert_eq!(judge_at(&story.scenario, &story.events, open)[3].held, Some(false));
}

#[test]
fn exit_codes_are_those_of_the_outcomes() {
    let codes = [Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::Skipped].map(Outcome::exit_code);
    assert_eq!(codes, [0, 1, 2, 0]);
}
