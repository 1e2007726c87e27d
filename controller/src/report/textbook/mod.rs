//! `docs/textbook-and-kernel.md`: what the textbook says, what the kernels did, and by what that was seen.
//!
//! Made from the folders of runs and never by hand. The text says nothing that changes from run to run by itself (times,
//! frame numbers, process ids), so that a document made anew differs from the old one only where the kernels, the scenarios
//! or this program do.

mod page;
mod steady;

pub use page::textbook;

use super::result::RunResult;
use crate::judge::Outcome;
use crate::scenario::Scenario;
use std::collections::BTreeSet;

/// A run as its folder tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// What was run.
    pub scenario: Scenario,
    /// What it came to.
    pub result: RunResult,
}

/// What one kernel's runs of a scenario showed of one expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    verdict: Verdict,
    /// What was measured, smallest first.
    values: Vec<String>,
    lesson: String,
    evidence: Vec<String>,
}

/// Whether a claim held, over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Held,
    NotHeld,
    /// In some runs it held, in some it did not.
    Both,
    /// No run could judge it.
    Unknown,
}

/// A kernel as a reader names it: "Linux 6.12"; several, if the hosts of a run had different ones.
fn kernel(result: &RunResult) -> String {
    let kernels: BTreeSet<(Vec<u32>, String)> =
        result.versions.guest_kernels.values().map(|release| numbered(short(release))).collect();
    let names: Vec<String> = kernels.into_iter().map(|(_, name)| name).collect();
    format!("Linux {}", names.join(" with "))
}

/// A kernel's release without what changes with every update: "6.12".
pub(super) fn short(release: &str) -> String {
    release.split(['.', '-']).take(2).collect::<Vec<_>>().join(".")
}

/// A version or section with the numbers that it is sorted by.
pub(super) fn numbered(version: String) -> (Vec<u32>, String) {
    let numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    (numbers, version)
}

/// What `runs`, all of one scenario and one kernel, showed of the expectation `name`.
fn find(runs: &[&Told], name: &str) -> Finding {
    // A lab that broke may have seen something, but this is about what kernels do when nothing else happens.
    let whole = runs.iter().filter(|told| matches!(told.result.outcome, Outcome::Pass | Outcome::Fail));
    let judged: Vec<_> =
        whole.flat_map(|told| &told.result.expectations).filter(|judged| judged.name == name).collect();
    let (held, not_held) =
        (judged.iter().find(|j| j.held == Some(true)), judged.iter().find(|j| j.held == Some(false)));
    let verdict = match (held, not_held) {
        (Some(_), None) => Verdict::Held,
        (None, Some(_)) => Verdict::NotHeld,
        (Some(_), Some(_)) => Verdict::Both,
        (None, None) => Verdict::Unknown,
    };
    let values: BTreeSet<(Vec<u32>, String)> =
        judged.iter().filter_map(|judged| judged.value.clone()).map(numbered).collect();
    let telling = not_held.or(held);
    Finding {
        verdict,
        values: values.into_iter().map(|(_, value)| value).collect(),
        lesson: telling.map(|judged| judged.lesson.clone()).unwrap_or_default(),
        evidence: telling.map(|judged| steady::evidence(judged)).unwrap_or_default(),
    }
}
