//! `controller report`, on the folder of a run.

use crate::support::results;
use crate::{catalogue, recorded};
use assert_cmd::Command;
use deadpeer::report::to_json;
use predicates::prelude::predicate;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The folder that a recorded run of crash-reboot would have left.
pub(crate) fn folder() -> TempDir {
    let scenario = catalogue().into_iter().find(|scenario| scenario.name == "crash-reboot").unwrap();
    let story = recorded(scenario);
    let folder = tempfile::tempdir().unwrap();
    let lines: String = story.events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect();
    fs::write(folder.path().join("events.jsonl"), lines).unwrap();
    fs::write(folder.path().join("scenario.yaml"), &story.scenario.source).unwrap();
    fs::write(folder.path().join("result.json"), to_json(&results::result(&story))).unwrap();
    folder
}

fn report(folder: &Path, options: &[&str]) -> assert_cmd::assert::Assert {
    Command::cargo_bin("controller").unwrap().arg("report").arg(folder).args(options).assert()
}

#[test]
fn a_run_s_folder_is_all_that_a_report_needs() {
    let folder = folder();
    let file = folder.path().join("report.html");
    fs::write(&file, "an older one").unwrap();
    report(folder.path(), &[]).success().stdout(format!("{}\n", file.display()));
    let page = fs::read_to_string(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "nothing else is left there");
}

#[test]
fn each_form_goes_to_standard_output_and_touches_nothing() {
    let folder = folder();
    report(folder.path(), &["--json"]).success().stdout(predicate::str::starts_with("{\n  \"schema\""));
    report(folder.path(), &["--junit"]).success().stdout(predicate::str::contains("<testsuite name=\"crash-reboot\""));
    report(folder.path(), &["--markdown"]).success().stdout(predicate::str::starts_with("## crash-reboot"));
    report(folder.path(), &["--trace"]).success().stdout(predicate::str::starts_with("{\"displayTimeUnit\""));
    assert!(!folder.path().join("report.html").exists());
    report(folder.path(), &["--json", "--trace"]).code(64);
    report(folder.path(), &["--open", "--trace"]).code(64);
}

#[test]
fn what_is_no_run_is_refused_and_named() {
    let empty = tempfile::tempdir().unwrap();
    let refused = report(empty.path(), &[]).code(64).stderr(predicate::str::contains("is no run's folder"));
    refused.stderr(predicate::str::contains("controller report runs/latest"));
    let folder = folder();
    fs::write(folder.path().join("events.jsonl"), "{\"at\":1}\n").unwrap();
    report(folder.path(), &[]).code(64).stderr(predicate::str::contains("line 1 is no event"));
    fs::write(folder.path().join("result.json"), "{}").unwrap();
    report(folder.path(), &[]).code(64).stderr(predicate::str::contains("result.json is no result"));
}

#[test]
fn a_report_is_opened_by_what_the_desktop_has_and_where_it_has_nothing_its_place_is_named() {
    let folder = folder();
    let opener = tempfile::tempdir().unwrap();
    let script = opener.path().join("xdg-open");
    fs::write(&script, format!("#!/bin/sh\necho \"$1\" > {}\n", opener.path().join("opened").display())).unwrap();
    let mut mode = fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    fs::set_permissions(&script, mode).unwrap();
    let run = |path: &str| {
        let mut command = Command::cargo_bin("controller").unwrap();
        command.arg("report").arg(folder.path()).arg("--open").env("PATH", path);
        command.assert()
    };
    run(&format!("{}:/usr/bin:/bin", opener.path().display())).success();
    let opened = fs::read_to_string(opener.path().join("opened")).unwrap();
    assert_eq!(opened.trim(), folder.path().join("report.html").display().to_string());
    run("/nonexistent").code(2).stderr(predicate::str::contains("Open it in a browser yourself"));
}
