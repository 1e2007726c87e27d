//! Claims about programs: what they printed, and how they ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Judged, judge};
use deadpeer::scenario::{Claim, Moment, ProgramEnd};
use deadpeer::timeline::{Ended, MachineEvent, ProgramEvent};
use support::scenarios::{FIRST_LINE, SECOND_LINE, after};
use support::{Story, scenarios, stories};

fn judged(story: &mut Story, claim: Claim) -> Judged {
    story.scenario.expectations = vec![scenarios::expectation("it", 1, claim, "held", "not held")];
    judge(&story.scenario, &story.events).remove(0)
}

fn prints(program: &str, text: &str, seen: bool, when: Moment) -> Claim {
    Claim::Printed { program: program.to_owned(), text: text.to_owned(), seen, when }
}

fn ends(program: &str, how: ProgramEnd) -> Claim {
    Claim::Ended { program: program.to_owned(), how, when: Moment::default() }
}

#[test]
fn a_line_counts_only_in_its_time_and_a_near_miss_says_when_it_came() {
    let mut story = stories::crash_reboot();
    assert_eq!(judged(&mut story, prints("echo-client", "hello", true, after(FIRST_LINE))).held, Some(true));
    let late = judged(&mut story, prints("echo-client", "hello", true, after(SECOND_LINE)));
    assert_eq!(late.held, Some(false));
    assert!(late.why.ends_with("It printed such a line at 3.502 s, which is not in that time."), "{}", late.why);
}

#[test]
fn the_nearest_line_comes_first_whatever_was_printed_last() {
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE);
    for (n, line) in ["connection timing out soon", "read: Connection reset by peer", "bye", "two", "three", "four"]
        .iter()
        .enumerate()
    {
        story.at(7.1 + n as f64 / 10.0).line("echo-client", line);
    }
    story.at(8.0).ended("echo-client", Ended::Exit(1)).done(SECOND_LINE);
    let judged = judged(&mut story, scenarios::printed("Connection timed out (ETIMEDOUT)"));
    assert_eq!(judged.held, Some(false));
    assert_eq!(judged.came[0], "7.200  read: Connection reset by peer");
    assert_eq!(judged.came.len(), 7, "five lines, the rest, the end: {:?}", judged.came);
    assert_eq!(judged.came[5..], ["... and 1 other line", "8.000  (echo-client exited with status 1)"]);
    let meanings: Vec<&str> = judged.meaning.iter().map(|m| m.split(' ').next().unwrap()).collect();
    assert_eq!(meanings, ["ETIMEDOUT", "ECONNRESET"], "the name and the words of strerror mean the same");
}

#[test]
fn silence_after_its_end_is_certain_although_the_run_broke_off() {
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE).ended("echo-client", Ended::Exit(1));
    let none = prints("echo-client", "ECONNRESET", false, after(SECOND_LINE));
    assert_eq!(judged(&mut story, none).held, Some(true));
    // The same silence of a program that still runs proves nothing.
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE);
    let none = judged(&mut story, prints("echo-client", "ECONNRESET", false, after(SECOND_LINE)));
    assert_eq!(none.held, None);
    assert!(none.why.ends_with("and the run broke off in step 'second-line'."), "{}", none.why);
}

#[test]
fn a_program_that_a_later_step_would_have_started_again_has_not_said_its_last_word() {
    let mut story = stories::rebooted();
    story.scenario.steps.push(scenarios::start("echo-client", "connected"));
    story.at(7.0).began(SECOND_LINE).ended("echo-client", Ended::Exit(1));
    assert_eq!(judged(&mut story, prints("echo-client", "ECONNRESET", false, after(SECOND_LINE))).held, None);
}

#[test]
fn a_forbidden_line_fails_with_its_meaning() {
    let mut story = stories::crash_reboot();
    let judged = judged(&mut story, prints("echo-client", "ECONNRESET", false, Moment::default()));
    assert_eq!(judged.held, Some(false));
    assert_eq!(judged.expected, ["no line with: ECONNRESET"]);
    assert!(judged.meaning[0].starts_with("ECONNRESET means that a RST came"), "{:?}", judged.meaning);
}

#[test]
fn what_a_program_lost_from_sight_said_nobody_knows() {
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE).ended("echo-client", Ended::Lost("session cut".to_owned())).done(SECOND_LINE);
    assert_eq!(judged(&mut story, scenarios::printed("ECONNRESET")).held, None);
    assert_eq!(judged(&mut story, prints("echo-client", "x", false, Moment::default())).held, None);
    assert_eq!(judged(&mut story, ends("echo-client", ProgramEnd::Exit(1))).held, None);
    assert_eq!(judged(&mut story, ends("echo-client", ProgramEnd::Running)).held, None);
    let with_host = judged(&mut story, ends("echo-client", ProgramEnd::WithHost));
    assert_eq!(with_host.held, Some(false), "its host lives: {}", with_host.why);
}

#[test]
fn a_program_dies_with_its_host_only_if_the_host_went_down() {
    let mut story = stories::crash_reboot();
    let with_host = judged(&mut story, ends("echo-server", ProgramEnd::WithHost));
    assert_eq!(with_host.held, Some(true), "{}", with_host.why);
    assert_eq!(
        with_host.why,
        "echo-server died with its host (server lost power (QEMU was ended by SIGKILL) at 3.506 s) at 3.507 s."
    );
    for how in [ProgramEnd::Exit(0), ProgramEnd::Signal("KILL".to_owned()), ProgramEnd::Any, ProgramEnd::Running] {
        let other = judged(&mut story, ends("echo-server", how.clone()));
        assert_eq!(other.held, Some(false), "{how:?}: {}", other.why);
    }
}

#[test]
fn a_session_cut_long_before_its_host_went_down_was_cut_by_something_else() {
    let mut story = Story::of(scenarios::crash_reboot());
    story.at(1.0).started("echo-server", 1).at(2.0).ended("echo-server", Ended::Lost("reset".to_owned()));
    story.at(9.0).power_off("server");
    for step in 0..6 {
        story.began(step).done(step);
    }
    // The step that cut the power began at 9 s as well.
    assert_eq!(judged(&mut story, ends("echo-server", ProgramEnd::WithHost)).held, Some(false));
}

#[test]
fn a_death_noted_late_still_counts_and_one_before_the_start_does_not() {
    let lost = || Ended::Lost("keep-alive timed out".to_owned());
    let mut story = stories::rebooted();
    story.at(9.0).ended("echo-server", lost());
    story.events.retain(|e| !serde_json::to_string(e).unwrap().contains("its host lost power"));
    assert_eq!(judged(&mut story, ends("echo-server", ProgramEnd::WithHost)).held, Some(true));
    story.at(10.0).started("echo-server", 5).at(11.0).ended("echo-server", lost());
    story
        .events
        .retain(|e| !serde_json::to_string(e).unwrap().contains("keep-alive timed out") || e.at.0 > 10_000_000_000);
    story.at(12.0).began(SECOND_LINE).done(SECOND_LINE);
    assert_eq!(judged(&mut story, ends("echo-server", ProgramEnd::WithHost)).held, Some(false));
}

#[test]
fn every_way_down_takes_the_programs_along() {
    let how = || Ended::Signal("SEGV".to_owned());
    for event in [
        MachineEvent::Died { how: how(), words: String::new() },
        MachineEvent::Reset { reason: "guest-reset".to_owned() },
        MachineEvent::ShutDown { reason: "guest-shutdown".to_owned() },
        MachineEvent::Panicked { line: "Kernel panic - not syncing".to_owned() },
    ] {
        let mut story = Story::of(scenarios::crash_reboot());
        story.at(1.0).started("echo-server", 1).at(2.0).ended("echo-server", Ended::Lost("cut".to_owned()));
        story.at(2.5).machine("server", event.clone());
        assert_eq!(judged(&mut story, ends("echo-server", ProgramEnd::WithHost)).held, Some(true), "{event:?}");
    }
}

#[test]
fn ends_are_told_apart_and_a_failure_shows_the_last_words() {
    let mut story = stories::crash_reboot();
    assert_eq!(judged(&mut story, ends("echo-client", ProgramEnd::Exit(1))).held, Some(true));
    assert_eq!(judged(&mut story, ends("echo-client", ProgramEnd::Any)).held, Some(true));
    let wrong = judged(&mut story, ends("echo-client", ProgramEnd::Signal("PIPE".to_owned())));
    assert_eq!(wrong.held, Some(false));
    assert_eq!(wrong.expected, ["echo-client is ended by SIGPIPE"]);
    assert_eq!(
        wrong.came,
        [
            "3.502  hello, world",
            "6.439  str_cli: read error: Connection reset by peer (ECONNRESET)",
            "6.441  (echo-client exited with status 1)"
        ]
    );
}

#[test]
fn still_running_is_judged_at_the_end_of_its_time() {
    let mut story = stories::crash_reboot();
    let running = |when| Claim::Ended { program: "echo-client".to_owned(), how: ProgramEnd::Running, when };
    assert_eq!(judged(&mut story, running(Moment::default())).held, Some(false));
    let before = Moment { before: Some(SECOND_LINE), ..Moment::default() };
    assert_eq!(judged(&mut story, running(before)).held, Some(true), "it ended only after that");
    let mut story = stories::rebooted();
    assert_eq!(judged(&mut story, running(Moment::default())).held, None, "it may end in the step still to come");
}

#[test]
fn a_program_still_running_or_never_started_did_not_end() {
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE).done(SECOND_LINE);
    let judged_end = judged(&mut story, ends("echo-client", ProgramEnd::Any));
    assert_eq!(judged_end.why, "echo-client was still running when the run ended at 7.000 s.");
    story.scenario.programs.insert("other".to_owned(), scenarios::program("client", "other"));
    let never = judged(&mut story, ends("other", ProgramEnd::Any));
    assert_eq!((never.held, never.why.as_str()), (Some(false), "other was never started."));
    let never = judged(&mut story, prints("other", "x", true, Moment::default()));
    assert_eq!((never.held, never.why.as_str()), (Some(false), "other was never started."));
}

#[test]
fn of_a_program_that_was_muted_only_what_was_kept_is_certain() {
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE).line("echo-client", "kept").program("echo-client", ProgramEvent::Muted);
    story.at(8.0).ended("echo-client", Ended::Exit(0)).done(SECOND_LINE);
    let later = || after(SECOND_LINE);
    assert_eq!(judged(&mut story, prints("echo-client", "kept", true, later())).held, Some(true));
    assert_eq!(judged(&mut story, prints("echo-client", "kept", false, later())).held, Some(false));
    for seen in [true, false] {
        let unseen = judged(&mut story, prints("echo-client", "ECONNRESET", seen, later()));
        assert_eq!(unseen.held, None);
        assert!(unseen.why.contains("from 7.000 s on its lines were not kept"), "{}", unseen.why);
        // Before it was muted, and of another program, all was kept.
        let before = Moment { before: Some(SECOND_LINE), ..Moment::default() };
        assert_eq!(judged(&mut story, prints("echo-client", "ECONNRESET", seen, before)).held, Some(!seen));
        assert_eq!(judged(&mut story, prints("echo-server", "ECONNRESET", seen, later())).held, Some(!seen));
    }
}
