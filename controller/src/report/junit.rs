//! JUnit XML of one run or several, as continuous integration reads it: a suite for each run, a case for each expectation. Runs of one
//! scenario are told by their seeds, or numbered.
//!
//! A claim that did not hold is a *failure*, one that nobody could judge an *error*. A lab that broke, which is no
//! expectation's doing, is a case of its own, named `lab`: an error too. What was not run is *skipped*.

use super::result::RunResult;
use crate::error::{Context, Result};
use crate::judge::{Judged, Outcome};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::HashMap;
use std::time::Duration;

/// The case that stands for the lab itself.
const LAB: &str = "lab";

/// These runs as a JUnit document.
///
/// # Errors
/// The document cannot be written as XML.
pub fn junit(runs: &[RunResult]) -> Result<String> {
    let mut report = Report::new("deadpeer");
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for run in runs {
        let number = seen.entry(&run.scenario.name).or_default();
        *number += 1;
        let of_the_name = || runs.iter().filter(|other| other.scenario.name == run.scenario.name);
        let name = match run.seed.filter(|seed| of_the_name().filter(|other| other.seed == Some(*seed)).count() == 1) {
            _ if of_the_name().count() == 1 => run.scenario.name.clone(),
            Some(seed) => format!("{} seed {seed}", run.scenario.name),
            None => format!("{} {number}", run.scenario.name),
        };
        report.add_test_suite(suite(run, &name));
    }
    report.to_string().broken(|| "cannot write JUnit XML".to_owned())
}

fn suite(run: &RunResult, name: &str) -> TestSuite {
    let mut suite = TestSuite::new(name);
    suite.set_time(Duration::try_from_secs_f64(run.time.wall_seconds).unwrap_or_default());
    suite.add_property(("title", run.scenario.title.as_str()));
    suite.add_property(("outcome", run.outcome.to_string().as_str()));
    suite.add_property(("folder", run.folder.display().to_string().as_str()));
    if let Some(seed) = run.seed {
        suite.add_property(("seed", seed.to_string().as_str()));
    }
    for (host, kernel) in &run.versions.guest_kernels {
        suite.add_property((format!("kernel of {host}").as_str(), kernel.as_str()));
    }
    if let Some(case) = lab(run) {
        suite.add_test_case(case);
    }
    suite.add_test_cases(run.expectations.iter().map(|judged| case(run, judged)));
    suite
}

/// Why the run is not what it should have been, beside its expectations.
fn lab(run: &RunResult) -> Option<TestCase> {
    let error = run.error.as_ref()?;
    let mut status = if run.outcome == Outcome::Skipped {
        TestCaseStatus::skipped()
    } else {
        TestCaseStatus::non_success(NonSuccessKind::Error)
    };
    status.set_message(error.fact.as_str());
    let told: Vec<&str> = [&error.detail, &error.help].into_iter().flatten().map(String::as_str).collect();
    if !told.is_empty() {
        status.set_description(told.join("\n\n"));
    }
    Some(named(run, LAB, status))
}

fn case(run: &RunResult, judged: &Judged) -> TestCase {
    let kind = match judged.held {
        Some(true) => return named(run, &judged.name, TestCaseStatus::success()),
        Some(false) => NonSuccessKind::Failure,
        None => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(judged.claim.as_str()).set_type(if judged.held.is_none() { "unknown" } else { "not held" });
    status.set_description(explanation(&run.scenario.name, judged));
    named(run, &judged.name, status)
}

fn named(run: &RunResult, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(run.scenario.name.as_str());
    case
}

/// What a reader needs to understand it: where it stands, what was seen, what was expected and what came, and the lesson.
fn explanation(scenario: &str, judged: &Judged) -> String {
    let block = |head: &str, lines: &[String]| match lines {
        [] => None,
        lines => Some(format!("{head}\n  {}", lines.join("\n  "))),
    };
    let parts = [
        Some(format!("{scenario}.yaml:{}\n{}", judged.line, judged.why)),
        block("expected:", &judged.expected),
        block("came:", &judged.came),
        (!judged.meaning.is_empty()).then(|| judged.meaning.join("\n")),
        (!judged.lesson.is_empty()).then(|| judged.lesson.clone()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}
