//! What Wireshark shows of the story: a comment on each frame that decides an expectation, and on the first after each host event.

use super::text::harmless;
use crate::judge::Judged;
use crate::scenario::{Action, Scenario};
use crate::timeline::{Event, MachineEvent, StepEvent, What};
use std::collections::BTreeMap;

/// The comments by frame number. They are a function of what was witnessed: where two runs are the same, these are.
#[must_use]
pub fn comments(scenario: &Scenario, expectations: &[Judged], timeline: &[Event]) -> BTreeMap<u64, Vec<String>> {
    let mut comments: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut before: Vec<String> = Vec::new();
    for event in timeline {
        match &event.what {
            What::Machine { host, event: done } => {
                before.extend(happened(host, done).map(|what| format!("at {} s {what}", event.at)));
            }
            What::Step { index, text, event: StepEvent::Began, .. } => {
                let step = scenario.steps.get(*index);
                if step.is_some_and(|step| matches!(step.action, Action::Cable(_))) {
                    before.push(format!("at {} s the cable was told to: {text}", event.at));
                }
            }
            What::Wire(frame) if !before.is_empty() => {
                let text = format!("first frame since: {}", before.join("; "));
                comments.entry(frame.number).or_default().push(harmless(&text));
                before.clear();
            }
            _ => {}
        }
    }
    for judged in expectations {
        let word = match judged.held {
            Some(true) => "held",
            Some(false) => "did not hold",
            None => "cannot be judged",
        };
        for frame in judged.evidence.iter().filter_map(|evidence| evidence.frame) {
            let text = format!("expectation '{}' {word}: {}", judged.name, judged.claim);
            comments.entry(frame).or_default().push(harmless(&text));
        }
    }
    comments
}

/// A host event, as far as it can change what is on the wire.
fn happened(host: &str, event: &MachineEvent) -> Option<String> {
    let what = match event {
        MachineEvent::PoweredOn { .. } => "was powered on",
        MachineEvent::Booted { .. } => "was up",
        MachineEvent::PoweredOff { .. } => "lost power",
        MachineEvent::Reset { .. } => "was reset",
        MachineEvent::ShutDown { .. } => "had shut down",
        MachineEvent::Died { .. } => "died",
        MachineEvent::Stopped => "was stopped",
        MachineEvent::Panicked { .. } => "panicked",
        MachineEvent::CarrierSet { up: true } => "was plugged in",
        MachineEvent::CarrierSet { up: false } => "was unplugged",
        MachineEvent::BootFailed { .. } | MachineEvent::Carrier { .. } | MachineEvent::ControlLost { .. } => {
            return None;
        }
    };
    Some(format!("{host} {what}"))
}
