//! What is written for programs: `result.json`, its schema, and `events.jsonl`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Outcome, judge};
use deadpeer::report::{EventWriter, Frames, RunResult, read_events, result_schema, to_json};
use deadpeer::timeline::{Ended, Event, FrameKind, MachineEvent, ProgramEvent, Verdict};
use std::fs;
use std::path::Path;
use support::{Story, results, scenarios, stories};

/// A timeline that holds every kind of event there is.
fn everything() -> Story {
    let mut story = stories::crash_reboot();
    story.events.extend(stories::router().events);
    story.events.extend(stories::fifteen_retransmissions().events);
    let ends = || [Ended::Exit(-1), Ended::Signal("KILL".to_owned()), Ended::Lost("cut".to_owned())];
    for how in ends() {
        story
            .ended("echo-client", how.clone())
            .machine("client", MachineEvent::PoweredOff { how: how.clone(), domain: None });
        story.machine("client", MachineEvent::Died { how, words: "qemu: \"quoted\"\n".to_owned() });
    }
    story.program("echo-client", ProgramEvent::InputEnded);
    for event in [
        MachineEvent::Reset { reason: "host-qmp-system-reset".to_owned() },
        MachineEvent::ShutDown { reason: "guest-shutdown".to_owned() },
        MachineEvent::Stopped,
        MachineEvent::Panicked { line: "Kernel panic - not syncing".to_owned() },
        MachineEvent::CarrierSet { up: false },
        MachineEvent::Carrier { up: true, down_count: u32::MAX },
        MachineEvent::ControlLost { why: "\u{0}\u{1b}".to_owned() },
    ] {
        story.machine("client", event);
    }
    for verdict in [Verdict::Passed, Verdict::Dropped, Verdict::Delayed(u64::MAX), Verdict::Lost] {
        story.tcp("client", "SFRP.U", 0, 1448, u32::MAX - 77_000).verdict(verdict);
    }
    let (source, destination) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    story.frame("client", None, 70, FrameKind::Icmp { source, destination, text: "echo".to_owned() });
    story
}

#[test]
fn every_event_comes_back_as_it_was_written() {
    let story = everything();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let mut writer = EventWriter::create(&path).unwrap();
    story.events.iter().for_each(|event| writer.write(event).unwrap());
    assert_eq!(read_events(&path).unwrap(), story.events);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), story.events.len());
}

#[test]
fn no_key_stands_twice_in_an_event() {
    for event in everything().events {
        let line = serde_json::to_string(&event).unwrap();
        let keys = serde_json::from_str::<serde_json::Value>(&line).unwrap().as_object().unwrap().len();
        let value = serde_json::to_string(&serde_json::from_str::<serde_json::Value>(&line).unwrap()).unwrap();
        assert_eq!(value.len(), line.len(), "a key was lost of {keys}: {line}");
    }
}

#[test]
fn an_event_in_a_file_reads_like_what_happened() {
    let story = stories::crash_reboot();
    let reset = story.events.iter().find(|e| serde_json::to_string(e).unwrap().contains("\"rst\"")).unwrap();
    insta::assert_snapshot!(serde_json::to_string(reset).unwrap());
}

#[test]
fn events_are_not_written_over_those_of_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    EventWriter::create(&path).unwrap();
    assert!(EventWriter::create(&path).is_err());
    assert!(read_events(&folder.path().join("none.jsonl")).unwrap_err().fact.contains("none.jsonl"));
}

#[test]
fn a_result_comes_back_as_it_was_written() {
    let passed = results::result(&stories::crash_reboot());
    let mut failed_story = stories::crash_reboot();
    failed_story.scenario.expectations[4].claim = scenarios::printed("ETIMEDOUT");
    let failed = results::result(&failed_story);
    assert_eq!([passed.exit_code(), failed.exit_code()], [0, 1]);
    for result in [passed, failed] {
        let json = to_json(&result);
        assert!(json.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<RunResult>(&json).unwrap(), result);
    }
}

#[test]
fn a_result_s_keys_keep_their_order() {
    insta::assert_snapshot!(to_json(&results::result(&stories::crash_reboot())));
}

#[test]
fn outcomes_are_written_as_their_names() {
    let outcomes = [Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::Skipped];
    assert_eq!(serde_json::to_string(&outcomes).unwrap(), r#"["pass","fail","unknown","skipped"]"#);
}

#[test]
fn a_judgement_of_a_recorded_timeline_is_that_of_the_run() {
    let story = stories::crash_reboot();
    let lines: Vec<String> = story.events.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
    let read: Vec<Event> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(judge(&story.scenario, &read), judge(&story.scenario, &story.events));
}

#[test]
fn frames_are_counted_once_each() {
    let frames = Frames::of(&everything().events);
    assert_eq!(frames.by_kind.values().sum::<u64>(), frames.total);
    let frames = Frames::of(&stories::crash_reboot().events);
    let counts: Vec<(&str, u64)> = frames.by_kind.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(
        counts,
        [("syn", 1), ("syn-ack", 1), ("data", 3), ("pure-ack", 3), ("rst", 1), ("arp", 7), ("other", 3)]
    );
}

/// `UPDATE_SCHEMA=1 cargo test --test report_json` writes it anew.
#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/result.schema.json");
    let schema = result_schema();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &schema).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == schema, "docs/result.schema.json is not current: run the tests with UPDATE_SCHEMA=1");
}
