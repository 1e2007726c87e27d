//! The controller as a command: exit codes, what goes to which stream, readers that go away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use assert_cmd::Command;
use predicates::prelude::*;
use std::fs::{self, File};

fn controller(arguments: &str) -> Command {
    let mut command = Command::cargo_bin("controller").unwrap();
    command.args(arguments.split_whitespace()).env_remove("CLICOLOR_FORCE").env("LC_ALL", "C.UTF-8");
    command
}

#[test]
fn help_and_version_are_a_success_on_standard_output() {
    for arguments in ["--help", "-h", "help", "run --help", "help run", "image build -h"] {
        controller(arguments).assert().code(0).stdout(predicate::str::contains("Usage: controller")).stderr("");
    }
    let version = format!("controller {}\n", env!("CARGO_PKG_VERSION"));
    controller("--version").assert().code(0).stdout(version).stderr("");
}

#[test]
fn wrong_usage_ends_with_64_and_says_why_on_standard_error() {
    for (arguments, why) in [
        ("", "Usage: controller"),
        ("rnu crash-reboot", "unrecognized subcommand 'rnu'"),
        ("run", "required arguments"),
        ("run crash-reboot --repeat 0", "invalid value '0'"),
        ("run crash-reboot --seeds 50", "a range is two numbers, the first seed and the last, as in 1..50"),
        ("run crash-reboot --seeds 5..1", "no seed is in it, as 5 is more than 1"),
        ("run crash-reboot --seeds 1..5000", "it holds more than 1000 seeds, the most of one command"),
        ("run crash-reboot --seeds 1..5 --seed 3", "cannot be used with '--seed <N>'"),
        ("run crash-reboot --seeds 1..5 --repeat 3", "cannot be used with '--repeat <N>'"),
        (
            "run crash-reboot --seeds 1..5 --time real",
            "--seeds is for lockstep time, and crash-reboot is to run in real",
        ),
        ("run crash-reboot --all", "cannot be used with"),
        ("run crash-reboot no-such-scenario", "error: there is no scenario \"no-such-scenario\"\n\n"),
        ("run crash-reboot crash-reboot --out /", "the folder for the runs exists already: /"),
        ("run crash-reboot --junit /nowhere/junit.xml", "cannot write /nowhere/junit.xml"),
        ("run crash-reboot --program servr=/bin/sh", "did you mean server?"),
        ("run crash-reboot --program client=/etc/passwd", "/etc/passwd is not executable"),
        ("run crash-reboot --program client=/nowhere/a.out", "cannot read the program /nowhere/a.out"),
        ("run crash-reboot --program client=/", "/ is a folder, not a program"),
        ("run crash-reboot --program /bin/sh", "does not say which program is to be which"),
        (
            "run crash-reboot --program client=/bin/sh --program echo-client=/bin/sh",
            "two programs are to be echo-client",
        ),
        ("run --all --program cleint=/bin/sh", "there is no program \"cleint\" in any of the"),
        ("textbook", "required arguments"),
        ("textbook /", "/ holds no run"),
        ("textbook /nowhere", "cannot read /nowhere"),
        ("timeouts", "required arguments"),
        ("timeouts /", "/ holds no run"),
        ("list --formt json", "a similar argument exists: '--format'"),
        ("show no-such-scenario", "error: there is no scenario \"no-such-scenario\"\n\n"),
        ("show crash-rebot", "did you mean crash-reboot?"),
        ("show /", "/ is a folder"),
    ] {
        controller(arguments).assert().code(64).stdout("").stderr(predicate::str::contains(why));
    }
}

#[test]
fn lists_the_catalogue_for_people_and_for_programs() {
    controller("list").assert().code(0).stdout(predicate::str::contains("crash-reboot  ")).stderr("");
    let output = controller("list --format json").output().unwrap();
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let item = list.as_array().unwrap().iter().find(|item| item["name"] == "crash-reboot").unwrap();
    assert_eq!(item["section"], "5.15");
}

#[test]
fn a_scenario_shown_as_yaml_can_be_checked_and_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let yaml = controller("show --yaml crash-reboot").output().unwrap().stdout;
    fs::write(&file, String::from_utf8(yaml).unwrap().replace("name: crash-reboot", "name: mine")).unwrap();
    let path = file.to_str().unwrap();
    controller(&format!("check {path}")).assert().code(0).stdout(format!("{path}: right\n")).stderr("");
    controller(&format!("show {path}")).assert().code(0).stdout(predicate::str::starts_with("mine: "));
}

#[test]
fn check_tells_of_every_file_and_ends_with_64_if_one_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("mine.yaml"), folder.path().join("bad.yaml"));
    let yaml = String::from_utf8(controller("show --yaml crash-reboot").output().unwrap().stdout).unwrap();
    fs::write(&good, yaml.replace("name: crash-reboot", "name: mine")).unwrap();
    fs::write(&bad, "name: bad\nhots: {}\n").unwrap();
    let missing = folder.path().join("missing.yaml");
    controller("check")
        .args([&bad, &missing, &good])
        .assert()
        .code(64)
        .stdout(format!("{}: right\n", good.display()))
        .stderr(predicate::str::contains("bad.yaml:2:1").and(predicate::str::contains("missing.yaml")));
}

#[test]
fn schemas_are_json_schemas() {
    for arguments in ["schema", "schema scenario", "schema result", "schema batch"] {
        let output = controller(arguments).output().unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(schema["$schema"].as_str().unwrap().contains("://json-schema.org/"), "{arguments}");
    }
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let assert = controller(&format!("completions {shell}")).assert().code(0).stderr("");
        for verb in [
            "run",
            "list",
            "show",
            "check",
            "image",
            "doctor",
            "bench",
            "textbook",
            "timeouts",
            "schema",
            "completions",
            "man",
        ] {
            assert!(String::from_utf8_lossy(&assert.get_output().stdout).contains(verb), "{shell}: {verb}");
        }
    }
}

#[test]
fn man_pages_are_printed_or_written_one_for_each_verb() {
    controller("man").assert().code(0).stdout(predicate::str::contains(".TH controller 1"));
    let folder = tempfile::tempdir().unwrap();
    controller("man --out").arg(folder.path()).assert().code(0).stdout("");
    for page in ["controller.1", "controller-run.1", "controller-image-build.1"] {
        let text = fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
    let nowhere = folder.path().join("nowhere");
    controller("man --out")
        .arg(nowhere)
        .assert()
        .code(2)
        .stderr(predicate::str::contains("cannot write the man pages"));
}

/// Where nothing can be run, `arguments` all the same: exit code, standard output, standard error, and the folder's files.
fn without_qemu(arguments: &str) -> (i32, String, String, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let mut command = controller(arguments);
    command.current_dir(home.path()).env("DEADPEER_QEMU", "/nonexistent/qemu").env("XDG_CACHE_HOME", home.path());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr), home)
}

#[test]
fn several_runs_for_which_nothing_is_there_are_unknown_for_one_reason_that_is_told_once() {
    let (code, stdout, stderr, home) = without_qemu("run crash-reboot crash-reboot --junit junit.xml --jobs 2");
    assert_eq!(code, 2);
    assert_eq!(stderr.matches("error: in crash-reboot-1 and 1 more: ").count(), 1, "{stderr}");
    assert!(stderr.contains("/nonexistent/qemu"), "{stderr}");
    assert!(stdout.contains("? crash-reboot  unknown ×2"), "{stdout}");
    assert!(stdout.contains("UNKNOWN  1 scenario, 2 runs: 2 unknown, in "), "{stdout}");
    let document = fs::read_to_string(home.path().join("junit.xml")).unwrap();
    assert_eq!(document.matches("<error message=").count(), 2, "{document}");
    assert!(!home.path().join("runs").exists(), "what never began left no folder");
}

#[test]
fn several_runs_as_json_are_one_document() {
    let (code, stdout, _, _home) = without_qemu("run --all --repeat 2 --format json");
    assert_eq!(code, 2);
    let batch: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let (scenarios, runs) = (batch["scenarios"].as_array().unwrap(), batch["runs"].as_array().unwrap());
    assert!(!scenarios.is_empty() && runs.len() == 2 * scenarios.len());
    assert_eq!(batch["outcome"], "unknown");
}

#[test]
fn the_junit_document_is_written_of_a_run_that_broke() {
    let (code, _, stderr, home) = without_qemu("run crash-reboot --junit junit.xml --out run");
    assert_eq!(code, 2, "{stderr}");
    let document = fs::read_to_string(home.path().join("junit.xml")).unwrap();
    assert!(document.contains(r#"<testcase name="lab" classname="crash-reboot">"#), "{document}");
    assert!(home.path().join("run/result.json").exists());
}

#[test]
fn doctor_prints_json_alone_and_its_exit_code_says_whether_runs_are_possible() {
    let cache = tempfile::tempdir().unwrap();
    let doctor = || {
        let mut command = controller("doctor --format json");
        command.env("XDG_CACHE_HOME", cache.path());
        command
    };
    let output = doctor().output().unwrap();
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = if diagnosis["ready"].as_bool().unwrap() { 0 } else { 2 };
    assert_eq!(output.status.code(), Some(expected));

    let output = doctor().env("DEADPEER_QEMU", "/nonexistent/qemu").output().unwrap();
    let diagnosis: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &diagnosis["ready"]), (Some(2), &false.into()));
    let qemu = diagnosis["findings"].as_array().unwrap().iter().find(|finding| finding["id"] == "qemu").unwrap();
    assert_eq!(qemu["state"], "missing");
    assert!(qemu["mend"].is_string(), "{qemu}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("controller"))
        .arg("list")
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), [].as_slice()));
}

#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let output = std::process::Command::new(assert_cmd::cargo::cargo_bin("controller"))
        .arg("list")
        .stdout(File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot write to standard output: "));
}
