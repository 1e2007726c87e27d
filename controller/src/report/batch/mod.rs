//! What several runs came to together: of several scenarios, of one scenario several times, or both.
//!
//! A race has several honest outcomes. So what a claim *measured* ([`Judged::value`]) is counted over the runs of a
//! scenario, beside how often the claim held.
//!
//! [`Judged::value`]: crate::judge::Judged::value

mod cases;
mod text;

pub use cases::Case;
pub use text::{ended, overview};

use super::result::RunResult;
use crate::judge::Outcome;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Version of the shape of [`Batch`]. Raised when a reader of an older one could misread a newer one.
const SCHEMA_VERSION: u32 = 1;

/// What several runs came to. What `--format json` prints for several runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Batch {
    /// Version of this shape.
    pub schema: u32,
    /// That of the worst run: unknown, then fail, then pass; skipped only if nothing was run.
    pub outcome: Outcome,
    /// From the first run's beginning to the last one's end, in seconds of real time.
    pub wall_seconds: f64,
    /// How many labs ran side by side at most.
    pub at_once: usize,
    /// The scenarios, in the order asked for, with what their runs came to.
    pub scenarios: Vec<Tally>,
    /// All runs, in the order asked for; each is what its `result.json` holds.
    pub runs: Vec<RunResult>,
}

/// What the runs of one scenario came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tally {
    /// The scenario's name.
    pub scenario: String,
    /// SHA-256 of its file: two files may have scenarios of one name.
    pub sha256: String,
    /// How many runs.
    pub runs: usize,
    /// How often each outcome came; those that did not come are left out.
    pub outcomes: IndexMap<Outcome, usize>,
    /// Its expectations, in the scenario's order.
    pub expectations: Vec<Counted>,
    /// Where it ran with several seeds: what these came to, seeds that came to the same together. The best outcome first, then what came
    /// most often.
    #[serde(default)]
    pub cases: Vec<Case>,
}

/// How one expectation did over the runs of its scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counted {
    /// Its name.
    pub name: String,
    /// In how many runs it held.
    pub held: usize,
    /// In how many it did not.
    pub not_held: usize,
    /// In how many it could not be judged.
    pub unknown: usize,
    /// What it measured, and in how many runs; smallest first.
    pub values: IndexMap<String, usize>,
}

impl Batch {
    /// What these runs came to, that took `wall_seconds` with up to `at_once` labs side by side.
    #[must_use]
    pub fn new(runs: Vec<RunResult>, wall_seconds: f64, at_once: usize) -> Self {
        let mut scenarios: Vec<Tally> = Vec::new();
        for run in &runs {
            if !scenarios.iter().any(|tally| tally.is_of(run)) {
                scenarios.push(Tally::of(run, &runs));
            }
        }
        let outcome = runs.iter().map(|run| run.outcome).max_by_key(|it| severity(*it)).unwrap_or(Outcome::Skipped);
        Self { schema: SCHEMA_VERSION, outcome, wall_seconds, at_once, scenarios, runs }
    }
}

impl Tally {
    /// Of all in `runs` that are of the same scenario as `one`.
    fn of(one: &RunResult, runs: &[RunResult]) -> Self {
        let (scenario, sha256) = (one.scenario.name.clone(), one.scenario.sha256.clone());
        let mut tally =
            Self { scenario, sha256, runs: 0, outcomes: IndexMap::new(), expectations: Vec::new(), cases: Vec::new() };
        for run in runs.iter().filter(|run| run.scenario.sha256 == one.scenario.sha256) {
            tally.runs += 1;
            *tally.outcomes.entry(run.outcome).or_default() += 1;
            for judged in &run.expectations {
                let known = tally.expectations.iter().position(|counted| counted.name == judged.name);
                let at = known.unwrap_or_else(|| {
                    tally.expectations.push(Counted { name: judged.name.clone(), ..Counted::default() });
                    tally.expectations.len() - 1
                });
                let counted = &mut tally.expectations[at];
                *match judged.held {
                    Some(true) => &mut counted.held,
                    Some(false) => &mut counted.not_held,
                    None => &mut counted.unknown,
                } += 1;
                if let Some(value) = &judged.value {
                    *counted.values.entry(value.clone()).or_default() += 1;
                }
            }
        }
        tally.outcomes.sort_by(|a, _, b, _| severity(*a).cmp(&severity(*b)));
        for counted in &mut tally.expectations {
            counted.values.sort_by(|a, _, b, _| magnitude(a).cmp(&magnitude(b)));
        }
        tally
    }

    fn is_of(&self, run: &RunResult) -> bool {
        self.sha256 == run.scenario.sha256
    }
}

/// What weighs most when several outcomes become one.
fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Skipped => 0,
        Outcome::Pass => 1,
        Outcome::Fail => 2,
        Outcome::Unknown => 3,
    }
}

/// Numbers by size and before words.
fn magnitude(value: &str) -> (u64, &str) {
    (value.parse().unwrap_or(u64::MAX), value)
}

/// `batch` as `--format json` prints it, with a newline at the end.
#[must_use]
pub fn batch_to_json(batch: &Batch) -> String {
    // As for a single result: nothing in these types can fail to be written.
    let mut json = serde_json::to_string_pretty(batch).unwrap_or_default();
    json.push('\n');
    json
}

/// The JSON Schema of what is printed for several runs, as committed at `docs/batch.schema.json`.
#[must_use]
pub fn batch_schema() -> String {
    let mut schema = schemars::schema_for!(Batch);
    schema.insert("title".to_owned(), "What Deadpeer prints of several runs".into());
    let mut json = serde_json::to_string_pretty(&schema).unwrap_or_default();
    json.push('\n');
    json
}
