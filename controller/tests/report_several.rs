//! Several runs together: the table, the JSON and the JUnit document, by golden files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::error::Error;
use deadpeer::judge::Outcome;
use deadpeer::report::{Batch, Broken, RunResult, Style, batch_schema, batch_to_json, ended, junit, overview};
use std::fs;
use std::path::Path;
use support::{results, scenarios, stories};

const TERMINAL: Style = Style { width: 90, colour: false, unicode: true };

/// A run of the scenario `name`, its folder beside those of the others.
fn named(name: &str, mut result: RunResult) -> RunResult {
    name.clone_into(&mut result.scenario.name);
    result.scenario.sha256 = format!("{name:0<64}");
    result.folder = Path::new("/home/student/runs").join(name);
    result
}

fn passed(name: &str) -> RunResult {
    named(name, results::result(&stories::crash_reboot()))
}

fn failed(name: &str) -> RunResult {
    let mut story = stories::crash_reboot();
    story.scenario.expectations[4].claim = scenarios::printed("Connection timed out (ETIMEDOUT)");
    named(name, results::result(&story))
}

fn broken(name: &str) -> RunResult {
    let error = Error::broken("host 'server' did not open SSH within 60 s")
        .detail("awaited: an SSH banner\ncame:    \u{1b}[31mnothing\u{1b}[0m")
        .help("./lab doctor");
    let mut result = named(name, results::result(&stories::rebooted()));
    (result.outcome, result.error) = (Outcome::Unknown, Some(Broken::from(&error)));
    result
}

fn skipped(name: &str) -> RunResult {
    let mut result = passed(name);
    (result.outcome, result.error) = (Outcome::Skipped, Some(Broken::from(&Error::interrupted())));
    result.expectations.clear();
    result.time.wall_seconds = 0.0;
    result.folder = "".into();
    result
}

/// A run that measured `value` in its fourth expectation.
fn measured(name: &str, value: &str, seconds: f64) -> RunResult {
    let mut result = passed(name);
    result.expectations[3].value = Some(value.to_owned());
    result.time.wall_seconds = seconds;
    result
}

fn one_of_each() -> Batch {
    Batch::new(vec![passed("normal-exit"), failed("server-killed"), broken("black-hole"), skipped("sigpipe")], 21.4, 3)
}

fn repeated() -> Batch {
    let values = ["2", "1", "10", "1", "ECONNRESET", "2", "1"];
    let mut runs: Vec<RunResult> =
        (0..).zip(values).map(|(n, value)| measured("five-clients-wait", value, 6.0 + f64::from(n) / 10.0)).collect();
    runs.insert(3, failed("five-clients-wait"));
    runs.extend([passed("normal-exit"), passed("normal-exit")]);
    Batch::new(runs, 71.0, 2)
}

/// A race with eight seeds: one came to what its scenario does not allow, and one broke.
fn swept() -> Batch {
    let values = ["2", "1", "2", "2", "1", "2"];
    let mut runs: Vec<RunResult> = values.iter().map(|value| measured("five-clients-wait", value, 6.0)).collect();
    runs.push(failed("five-clients-wait"));
    runs.push(broken("five-clients-wait"));
    for (seed, run) in (1..).zip(&mut runs) {
        run.seed = Some(seed);
    }
    let mut batch = Batch::new(runs, 52.0, 2);
    batch.sort_out(&|index, run, seed| format!("controller run {} --seed {seed} # {index}", run.scenario.name));
    batch
}

#[test]
fn a_table_of_swept_seeds_tells_which_came_to_what_and_how_to_see_it_again() {
    insta::assert_snapshot!(overview(&swept(), Path::new("/elsewhere"), &TERMINAL));
}

#[test]
fn seeds_that_came_to_the_same_are_together_and_those_that_broke_last() {
    let batch = swept();
    let cases = &batch.scenarios[0].cases;
    let seeds: Vec<&[u64]> = cases.iter().map(|case| &*case.seeds).collect();
    assert_eq!(seeds, [&[1, 3, 4, 6][..], &[2, 5], &[7], &[8]]);
    let name = &batch.runs[0].expectations[3].name;
    assert_eq!((cases[0].told[name].as_str(), cases[1].told[name].as_str()), ("2", "1"));
    assert_eq!(cases[1].again, "controller run five-clients-wait --seed 2 # 1");
    assert!(cases[3].told["lab"].contains("did not open SSH"), "{:?}", cases[3].told);
    assert!(repeated().scenarios.iter().all(|tally| tally.cases.is_empty()), "no seeds, no cases");
    assert_eq!(serde_json::from_str::<Batch>(&batch_to_json(&batch)).unwrap(), batch);
}

#[test]
fn one_case_needs_no_telling_apart() {
    let mut run = passed("normal-exit");
    run.seed = Some(u64::MAX);
    let mut batch = Batch::new(vec![run], 9.0, 1);
    batch.sort_out(&|_, _, seed| format!("--seed {seed}"));
    let [case] = &batch.scenarios[0].cases[..] else { panic!("{:?}", batch.scenarios[0].cases) };
    assert!(case.told.is_empty() && case.seeds == [u64::MAX] && case.again == format!("--seed {}", u64::MAX));
}

#[test]
fn junit_tells_seeds_apart_by_their_numbers() {
    let document = junit(&swept().runs).unwrap();
    let suites: Vec<&str> = document.lines().filter(|line| line.contains("<testsuite ")).collect();
    assert!(suites[6].contains(r#"name="five-clients-wait seed 7""#), "{}", suites[6]);
    assert!(document.contains(r#"<property name="seed" value="8""#), "{document}");
}

#[test]
fn a_table_with_the_reasons_of_what_did_not_pass() {
    insta::assert_snapshot!(overview(&one_of_each(), Path::new("/home/student"), &TERMINAL));
}

#[test]
fn a_table_of_repeated_runs_counts_outcomes_and_what_was_measured() {
    insta::assert_snapshot!(overview(&repeated(), Path::new("/elsewhere"), &TERMINAL));
}

#[test]
fn a_table_in_ascii_holds_nothing_else() {
    for batch in [one_of_each(), repeated(), swept()] {
        let table = overview(&batch, Path::new("/"), &Style::plain());
        assert!(table.is_ascii() && !table.contains(" ? pass"), "{table}");
    }
}

#[test]
fn a_line_as_each_run_ends() {
    let lines: Vec<String> = one_of_each().runs.iter().map(|run| ended(run, &TERMINAL)).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_worst_outcome_is_that_of_all() {
    let outcome = |runs: Vec<RunResult>| Batch::new(runs, 1.0, 1).outcome;
    assert_eq!(outcome(vec![]), Outcome::Skipped);
    assert_eq!(outcome(vec![skipped("a"), passed("b")]), Outcome::Pass);
    assert_eq!(outcome(vec![failed("a"), passed("b")]), Outcome::Fail);
    assert_eq!(outcome(vec![broken("a"), failed("b"), skipped("c")]), Outcome::Unknown);
}

#[test]
fn scenarios_of_one_name_and_different_files_are_counted_apart() {
    let mut other = passed("mine");
    other.scenario.sha256 = "f".repeat(64);
    let batch = Batch::new(vec![passed("mine"), other], 1.0, 1);
    assert_eq!(batch.scenarios.iter().map(|tally| tally.runs).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn what_was_measured_is_counted_numbers_by_size_first() {
    let tally = &repeated().scenarios[0];
    let values: Vec<(&str, usize)> = tally.expectations[3].values.iter().map(|(v, n)| (v.as_str(), *n)).collect();
    assert_eq!(values, [("1", 3), ("2", 2), ("10", 1), ("ECONNRESET", 1)]);
    let outcomes: Vec<(Outcome, usize)> = tally.outcomes.iter().map(|(outcome, n)| (*outcome, *n)).collect();
    assert_eq!(outcomes, [(Outcome::Pass, 7), (Outcome::Fail, 1)]);
}

#[test]
fn json_of_several_runs_comes_back_as_it_was_written() {
    for batch in [one_of_each(), repeated()] {
        assert_eq!(serde_json::from_str::<Batch>(&batch_to_json(&batch)).unwrap(), batch);
    }
}

#[test]
fn junit_has_a_suite_for_each_run_and_a_case_for_each_expectation() {
    insta::assert_snapshot!(junit(&one_of_each().runs).unwrap());
}

#[test]
fn junit_tells_repeated_runs_apart_and_counts_them() {
    let document = junit(&repeated().runs).unwrap();
    let suites: Vec<&str> = document.lines().filter(|line| line.contains("<testsuite ")).collect();
    assert_eq!(suites.len(), 10);
    assert!(
        suites[3].contains(r#"name="five-clients-wait 4""#) && suites[3].contains(r#"failures="1""#),
        "{}",
        suites[3]
    );
    assert!(suites[9].contains(r#"name="normal-exit 2""#) && suites[9].contains(r#"failures="0""#), "{}", suites[9]);
}

/// `UPDATE_SCHEMA=1 cargo test --test report_several` writes it anew.
#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/batch.schema.json");
    let schema = batch_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "docs/batch.schema.json is not current: run the tests with UPDATE_SCHEMA=1");
}
