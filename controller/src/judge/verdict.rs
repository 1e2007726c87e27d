//! What comes out of judging.

use super::words;
use crate::scenario::{Count, Expectation, Scenario};
use crate::timeline::LabTime;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a run came to. Decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every expectation held. Exit code 0.
    Pass,
    /// The lab worked, and an expectation did not hold. Exit code 1.
    Fail,
    /// The lab broke, or did not see enough to judge. Exit code 2.
    Unknown,
    /// Not run, for a reason that the result gives. Exit code 0: nothing was claimed.
    Skipped,
}

impl Outcome {
    /// The process exit code of a run that came to this.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Pass | Outcome::Skipped => 0,
            Outcome::Fail => 1,
            Outcome::Unknown => 2,
        }
    }
}

impl fmt::Display for Outcome {
    /// In a word, as `result.json` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Unknown => "unknown",
            Outcome::Skipped => "skipped",
        })
    }
}

/// What a run came to whose lab did not break: one claim that did not hold decides, then one that nobody can judge.
#[must_use]
pub fn outcome(judged: &[Judged]) -> Outcome {
    if judged.iter().any(|j| j.held == Some(false)) {
        Outcome::Fail
    } else if judged.iter().any(|j| j.held.is_none()) {
        Outcome::Unknown
    } else {
        Outcome::Pass
    }
}

/// One expectation, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Judged {
    /// The expectation's name.
    pub name: String,
    /// Its line in the scenario's file, from 1.
    pub line: usize,
    /// The claim in words: "no segment with FIN from server".
    pub claim: String,
    /// Whether it held; null if it cannot be judged.
    pub held: Option<bool>,
    /// What this run measured, where the claim leaves several outcomes open: "3", "ECONNRESET". Runs that are repeated differ in
    /// it without failing; null where there is nothing to measure, or nobody can tell.
    pub value: Option<String>,
    /// What was seen, with times and frame numbers, in a sentence or two.
    pub why: String,
    /// What a student learns from it: the scenario's own sentence for held or not held; empty if it cannot be judged.
    pub lesson: String,
    /// For a claim that did not hold: what was expected, line by line, to be set beside `came`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// For a claim that did not hold: what came instead, line by line, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub came: Vec<String>,
    /// What the words in `expected` and `came` mean, where they are names of errors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meaning: Vec<String>,
    /// The events that decide it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// One event that decides an expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Evidence {
    /// When: nanoseconds since the lab began.
    pub at: LabTime,
    /// What, in words.
    pub text: String,
    /// Packet number in `wire.pcapng`, if it is a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
}

/// What one claim's own file finds out; [`Finding::judged`] adds what is the same for all claims.
#[derive(Debug, Default)]
pub(super) struct Finding {
    pub(super) held: Option<bool>,
    pub(super) why: String,
    pub(super) value: Option<String>,
    pub(super) expected: Vec<String>,
    pub(super) came: Vec<String>,
    pub(super) meaning: Vec<String>,
    pub(super) evidence: Vec<Evidence>,
    /// Watching until then could still decide it.
    pub(super) open_until: Option<LabTime>,
}

impl Finding {
    /// The claim held.
    pub(super) fn held(why: impl Into<String>) -> Self {
        Self { held: Some(true), why: why.into(), ..Self::default() }
    }

    /// The claim did not hold.
    pub(super) fn not_held(why: impl Into<String>) -> Self {
        Self { held: Some(false), why: why.into(), ..Self::default() }
    }

    /// Nobody can tell, and more watching could help until `open_until`, if given.
    pub(super) fn unknown(why: impl Into<String>, open_until: Option<LabTime>) -> Self {
        Self { held: None, why: why.into(), open_until, ..Self::default() }
    }

    pub(super) fn evidence(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// What was measured, where the claim leaves several outcomes open.
    pub(super) fn value(mut self, value: Option<String>) -> Self {
        self.value = value;
        self
    }

    /// As [`Self::value`], of a number.
    pub(super) fn counted(self, wanted: Count, count: usize) -> Self {
        self.value(wanted.is_range().then(|| count.to_string()))
    }

    pub(super) fn versus(mut self, expected: Vec<String>, came: Vec<String>) -> Self {
        self.expected = expected;
        self.came = came;
        self
    }

    pub(super) fn meaning(mut self, meaning: Vec<String>) -> Self {
        self.meaning = meaning;
        self
    }

    pub(super) fn judged(self, expectation: &Expectation, scenario: &Scenario) -> Judged {
        let failed = self.held == Some(false);
        Judged {
            name: expectation.name.clone(),
            line: expectation.line,
            claim: words::claim(scenario, &expectation.claim),
            held: self.held,
            value: self.value.filter(|_| self.held.is_some()),
            why: self.why,
            lesson: match self.held {
                Some(true) => expectation.held.trim().to_owned(),
                Some(false) => expectation.not_held.trim().to_owned(),
                None => String::new(),
            },
            expected: if failed { self.expected } else { Vec::new() },
            came: if failed { self.came } else { Vec::new() },
            meaning: if failed { self.meaning } else { Vec::new() },
            evidence: self.evidence,
        }
    }
}
