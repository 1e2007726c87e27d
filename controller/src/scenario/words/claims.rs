//! Claims in words.

use super::kernel::{noun, zombies};
use crate::scenario::model::{Answering, Claim, Flow, KernelClaim, Moment, ProgramEnd, Scenario};
use crate::scenario::units::show_time;
use std::fmt::Write;

/// A claim in words: "echo-client exited with status 1".
#[must_use]
pub fn claim(scenario: &Scenario, claim: &Claim) -> String {
    let step = |index: usize| step(scenario, index);
    match claim {
        Claim::Printed { program, text, seen, when } => {
            let verb = if *seen { "printed" } else { "never printed" };
            format!("{program} {verb} {text:?}{}", moment(when, &step))
        }
        Claim::Ended { program, how, when } => format!("{program} {}{}", end(how), moment(when, &step)),
        Claim::Segment(segment) => {
            let answering = segment.answering.as_ref().map(|a| answering(a, &step)).unwrap_or_default();
            let flow = flow(&segment.flow, segment.count.is_plural());
            format!("{} {flow}{answering}{}", segment.count, moment(&segment.when, &step))
        }
        Claim::BootIdChanged { host, changed } => {
            format!("{host}'s boot id {}", if *changed { "changed" } else { "stayed the same" })
        }
        Claim::CarrierLost { host, lost } => {
            format!("{host} {} its carrier", if *lost { "lost" } else { "never lost" })
        }
        Claim::Kernel(KernelClaim { what, count, when }) => {
            format!("{count} {}{}", noun(what, count.is_plural()), moment(when, &step))
        }
        Claim::Zombies { program, count, before } => {
            let when =
                before.map_or_else(|| " at the end".to_owned(), |before| format!(" just before {}", step(before)));
            format!("{count} {}{when}", zombies(program, count.is_plural()))
        }
    }
}

fn end(how: &ProgramEnd) -> String {
    match how {
        ProgramEnd::Exit(status) => format!("exited with status {status}"),
        ProgramEnd::Signal(name) => format!("was ended by SIG{name}"),
        ProgramEnd::Any => "ended".to_owned(),
        ProgramEnd::Running => "was still running at the end".to_owned(),
        ProgramEnd::WithHost => "died with its host".to_owned(),
    }
}

fn flow(flow: &Flow, several: bool) -> String {
    let words = flow.to_string();
    if !several {
        return words;
    }
    // The noun is the first of these words that is there.
    let nouns = ["segment", "message"].into_iter().filter(|noun| words.contains(noun)).collect::<Vec<_>>();
    nouns.first().map_or(words.clone(), |noun| words.replacen(noun, &format!("{noun}s"), 1))
}

fn answering(answering: &Answering, step: &dyn Fn(usize) -> String) -> String {
    let after = answering.after.map(|index| format!(" sent after {}", step(index))).unwrap_or_default();
    format!(" that answers a {}{after}", flow(&answering.flow, false))
}

fn moment(when: &Moment, step: &dyn Fn(usize) -> String) -> String {
    let mut out = String::new();
    match (when.within, when.after) {
        (Some(time), Some(after)) => {
            let _ = write!(out, ", within {} after {}", show_time(time), step(after));
        }
        (Some(time), None) => {
            let _ = write!(out, ", within {} from the start", show_time(time));
        }
        (None, Some(after)) => {
            let _ = write!(out, ", after {}", step(after));
        }
        (None, None) => {}
    }
    if let Some(before) = when.before {
        let _ = write!(out, ", before {}", step(before));
    }
    out
}

/// A step's name, or its number where it has none.
pub(super) fn step(scenario: &Scenario, index: usize) -> String {
    let name = scenario.steps.get(index).and_then(|step| step.name.clone());
    name.unwrap_or_else(|| format!("step {}", index + 1))
}
