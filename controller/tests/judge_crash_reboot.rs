//! The judge on whole runs of crash-reboot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Judged, Outcome, judge, outcome};
use deadpeer::scenario::ProgramEnd;
use support::{scenarios, stories};

fn one<'a>(judged: &'a [Judged], name: &str) -> &'a Judged {
    judged.iter().find(|j| j.name == name).expect("the expectation")
}

#[test]
fn every_claim_of_a_genuine_run_holds() {
    let story = stories::crash_reboot();
    let judged = judge(&story.scenario, &story.events);
    for claim in &judged {}
    assert!(judged.iter().all(|j| j.held == Some(true)), "{judged:#?}");
    assert_eq!(outcome(&judged), Outcome::Pass);
}

#[test]
fn the_wrong_errno_fails_with_both_meanings() {
    let mut story = stories::crash_reboot();
    story.scenario.expectations[4].claim = scenarios::printed("Connection timed out (ETIMEDOUT)");
    let judged = judge(&story.scenario, &story.events);
    assert_eq!(outcome(&judged), Outcome::Fail);
    let error = one(&judged, "error");
    story.scenario.expectations[4].claim = scenarios::client_ends(ProgramEnd::Exit(0));
}
