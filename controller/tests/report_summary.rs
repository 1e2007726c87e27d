//! The summary of whole runs, by golden files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::error::Error;
use deadpeer::judge::Outcome;
use deadpeer::report::{Broken, RunResult, Style, summary};
use support::{results, scenarios, stories};
use unicode_width::UnicodeWidthStr;

const TERMINAL: Style = Style { width: 80, colour: false, unicode: true };

fn failed() -> RunResult {
    let mut story = stories::crash_reboot();
    story.scenario.expectations[4].claim = scenarios::printed("Connection timed out (ETIMEDOUT)");
    results::result(&story)
}

fn broken() -> RunResult {
    let error = Error::broken("host 'server' did not open SSH within 60 s")
        .detail("awaited: an SSH banner on 127.0.0.1:40123\ncame:    nothing; the console's last lines:\n[    1.9] Kernel panic")
        .help("./lab doctor\n./lab run crash-reboot --keep");
    let mut result = results::result(&stories::rebooted());
    result.outcome = Outcome::Unknown;
    result.error = Some(Broken::from(&error));
    result
}

#[test]
fn a_run_that_passed() {
    insta::assert_snapshot!(summary(&results::result(&stories::crash_reboot()), &TERMINAL));
}

#[test]
fn a_run_that_failed_shows_expected_beside_came() {
    insta::assert_snapshot!(summary(&failed(), &TERMINAL));
}

#[test]
fn a_run_that_failed_on_a_narrow_terminal_shows_expected_above_came() {
    insta::assert_snapshot!(summary(&failed(), &Style { width: 60, ..Style::plain() }));
}

#[test]
fn a_run_that_broke_shows_what_was_awaited_and_what_helps() {
    insta::assert_snapshot!(summary(&broken(), &TERMINAL));
}

#[test]
fn the_place_of_a_failure_can_be_found_in_the_scenario_and_in_the_capture() {
    let summary = summary(&failed(), &TERMINAL);
    assert!(summary.contains("✗ error (crash-reboot.yaml:71): "), "{summary}");
    assert!(
        summary.contains("tshark -r /home/student/runs/20260301T123456-crash-reboot/wire.pcapng -Y frame.number==19")
    );
}

#[test]
fn without_a_frame_in_evidence_no_packet_is_pointed_at() {
    let summary = summary(&broken(), &TERMINAL);
    assert!(!summary.contains("tshark"), "{summary}");
}

#[test]
fn no_line_is_wider_than_the_terminal_but_commands_and_paths() {
    for result in [results::result(&stories::crash_reboot()), failed(), broken()] {
        for width in [60, 61, 71, 72, 79, 80, 81, 99, 119, 120, 130] {
            for unicode in [false, true] {
                let text = summary(&result, &Style { width, colour: false, unicode });
                for line in text.lines().filter(|line| !line.contains("wire.pcapng")) {
                    assert!(line.width() <= width.min(120), "{} columns of {width}: {line}", line.width());
                    assert!(unicode || line.is_ascii(), "{line}");
                }
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    for result in [results::result(&stories::crash_reboot()), failed(), broken()] {
        let coloured = summary(&result, &Style { colour: true, ..TERMINAL });
        assert_eq!(console::strip_ansi_codes(&coloured), summary(&result, &TERMINAL));
    }
}

#[test]
fn a_run_without_claims_says_so() {
    let mut result = results::result(&stories::crash_reboot());
    result.expectations.clear();
    assert!(summary(&result, &TERMINAL).starts_with("PASS  Nothing was claimed, so nothing was judged.\n"));
}
