//! Every expectation of the catalogue holds on a recorded run, and every one can fail: turned around it does not hold, on the
//! same evidence.
//!
//! The recorded runs are `tests/recorded/NAME/events.jsonl.gz`: the timelines of genuine runs, untouched. To record them anew,
//! run the catalogue (`controller run --all --out FOLDER`) and then this test with `UPDATE_RECORDED=FOLDER`: of the run
//! folders in FOLDER, and of FOLDER itself, the newest that passed is taken for each scenario whose text it ran.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod recorded_runs;
mod scenario;
mod support;

use deadpeer::judge::{judge, turned_around};
use deadpeer::scenario::{Claim, Count, Expectation, Moment, Scenario, parse};
use deadpeer::timeline::{Event, StepEvent, What};
use support::{kernel, scenarios};

#[test]
fn every_expectation_of_the_catalogue_holds_and_can_fail() {
    if let Some(folder) = std::env::var_os("UPDATE_RECORDED") {
        recorded_runs::record(folder.as_ref(), &catalogue());
    }
    let faults: Vec<String> = catalogue().iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{}\nsee the head of this test for how to record runs", faults.join("\n"));
}

/// What is wrong with a scenario, its recorded run, or its expectations.
fn faults(scenario: &Scenario) -> Vec<String> {
    let name = &scenario.name;
    let Some(events) = recorded_runs::read(name) else { return vec![format!("{name}: there is no recorded run")] };
    if let Some(step) = stale(scenario, &events) {
        return vec![format!("{name}: the recorded run is of other steps: {step}")];
    }
    let judged = judge(scenario, &events);
    let holds = judged.iter().filter(|judged| judged.held != Some(true));
    let mut faults: Vec<String> =
        holds.map(|judged| format!("{name}: {} is judged {:?}: {}", judged.name, judged.held, judged.why)).collect();
    for expectation in &scenario.expectations {
        faults.extend(cannot_fail(scenario, expectation, &events));
    }
    faults
}

/// The ways to turn an expectation around that do not make it fail on `events`.
fn cannot_fail(scenario: &Scenario, expectation: &Expectation, events: &[Event]) -> Vec<String> {
    let turned = turned_around(&expectation.claim);
    assert!(!turned.is_empty(), "{}: {} cannot be turned around", scenario.name, expectation.name);
    let mut faults = Vec::new();
    for turned in turned {
        let mut alone = scenario.clone();
        alone.expectations = vec![Expectation { claim: turned.claim, ..expectation.clone() }];
        let judged = judge(&alone, events).remove(0);
        if judged.held != Some(false) {
            let (held, how, claim, why) = (judged.held, turned.how, judged.claim, judged.why);
            let place = format!("{}: {} turned around ({how})", scenario.name, expectation.name);
            faults.push(format!("{place} is judged {held:?}: {claim}: {why}"));
        }
    }
    faults
}

/// A step of the scenario that the recorded run did not carry out as it stands today, or one that it did besides.
fn stale(scenario: &Scenario, events: &[Event]) -> Option<String> {
    let done = events.iter().filter_map(|event| match &event.what {
        What::Step { name, text, event: StepEvent::Done, .. } => Some((name.clone(), text.clone())),
        _ => None,
    });
    let done: Vec<_> = done.collect();
    let wanted: Vec<_> = scenario.steps.iter().map(|step| (step.name.clone(), step.action.to_string())).collect();
    let place = (0..done.len().max(wanted.len())).find(|&place| done.get(place) != wanted.get(place))?;
    Some(format!("step {}: {:?}, which should be {:?}", place + 1, done.get(place), wanted.get(place)))
}

fn catalogue() -> Vec<Scenario> {
    let mut found: Vec<Scenario> = scenario::catalogue()
        .iter()
        .map(|(path, text)| parse(&path.display().to_string(), text).unwrap_or_else(|problems| panic!("{problems}")))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[test]
fn a_claim_that_nothing_can_refute_is_found_out() {
    let mut story = kernel::crash_reboot();
    let always =
        Claim::Zombies { program: "echo-server".to_owned(), count: Count { at_least: 0, at_most: None }, before: None };
    let missing = Claim::Printed {
        program: "echo-client".to_owned(),
        text: "what was never printed".to_owned(),
        seen: true,
        when: Moment::default(),
    };
    for claim in [always, missing] {
        story.scenario.expectations = vec![scenarios::expectation("it", 1, claim, "held", "not held")];
        let it = &story.scenario.expectations[0];
        assert!(!cannot_fail(&story.scenario, it, &story.events).is_empty(), "{:?}", it.claim);
    }
}

#[test]
fn every_claim_of_a_story_fails_when_it_is_turned_around() {
    let story = kernel::crash_reboot();
    for expectation in &story.scenario.expectations {
        assert_eq!(cannot_fail(&story.scenario, expectation, &story.events), Vec::<String>::new());
    }
}

#[test]
fn a_recorded_run_of_other_steps_is_stale() {
    let mut story = kernel::crash_reboot();
    assert_eq!(stale(&story.scenario, &story.events), None);
    story.scenario.steps[scenarios::CRASH].name = Some("death".to_owned());
    assert!(stale(&story.scenario, &story.events).unwrap().starts_with("step 4: "));
    story.scenario = scenarios::crash_reboot();
    story.scenario.steps.pop();
    assert!(stale(&story.scenario, &story.events).unwrap().starts_with("step 6: "));
}
