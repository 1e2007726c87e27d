//! Which seed came to what: so that each case that chance can bring can be run again.

use super::{Batch, severity};
use crate::judge::{Judged, Outcome};
use crate::report::RunResult;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The name under which it is told what broke.
const LAB: &str = "lab";

/// Seeds that came to the same: the same outcome, and the same of every expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Case {
    /// The outcome.
    pub outcome: Outcome,
    /// What came of the expectations that not all seeds agree on: what was measured, or whether it held; `lab`: what broke.
    pub told: IndexMap<String, String>,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// The command that runs the first of them again.
    pub again: String,
}

impl Batch {
    /// Sorts out which seeds came to what. `again` is the command for a run: its number, the run, and its seed.
    pub fn sort_out(&mut self, again: &dyn Fn(usize, &RunResult, u64) -> String) {
        for tally in &mut self.scenarios {
            let runs = self.runs.iter().enumerate().filter(|(_, run)| tally.sha256 == run.scenario.sha256);
            let seeded: Vec<(usize, &RunResult, u64)> =
                runs.filter_map(|(index, run)| Some((index, run, run.seed?))).collect();
            tally.cases = cases(&seeded, again);
        }
    }
}

fn cases(runs: &[(usize, &RunResult, u64)], again: &dyn Fn(usize, &RunResult, u64) -> String) -> Vec<Case> {
    let mut cases: IndexMap<(Outcome, Vec<(String, String)>), Case> = IndexMap::new();
    for &(index, run, seed) in runs {
        let told = told(run);
        let case = cases.entry((run.outcome, told.clone())).or_insert_with(|| Case {
            outcome: run.outcome,
            told: told.into_iter().collect(),
            seeds: Vec::new(),
            again: again(index, run, seed),
        });
        case.seeds.push(seed);
    }
    let mut cases: Vec<Case> = cases.into_values().collect();
    let all = cases.clone();
    for case in &mut cases {
        // Of a lab that broke nothing is told but that.
        let differs = |name: &str, what: &String| all.iter().filter_map(|it| it.told.get(name)).any(|it| it != what);
        case.told.retain(|name, what| name == LAB || differs(name, what));
    }
    cases.sort_by_key(|case| (severity(case.outcome), std::cmp::Reverse(case.seeds.len())));
    cases
}

/// What came of a run: by expectation, or why it broke.
fn told(run: &RunResult) -> Vec<(String, String)> {
    match &run.error {
        Some(error) => vec![(LAB.to_owned(), error.fact.clone())],
        None => run.expectations.iter().map(|judged| (judged.name.clone(), of(judged))).collect(),
    }
}

fn of(judged: &Judged) -> String {
    let verdict = match judged.held {
        Some(true) => "held",
        Some(false) => "did not hold",
        None => "cannot be judged",
    };
    match &judged.value {
        Some(value) if judged.held == Some(true) => value.clone(),
        Some(value) => format!("{value} ({verdict})"),
        None => verdict.to_owned(),
    }
}
