#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::timeline::What;
use crate::timeline::{Clock, Event};
use serde_json::json;
use std::io::Write;
use std::sync::mpsc::channel;
use tempfile::TempDir;

/// A watch, its timeline, and the run's folder.
fn watch() -> (Watch, Receiver<Event>, TempDir) {
    let (sink, events) = channel();
    let folder = tempfile::tempdir().unwrap();
    let mut stderr = tempfile::tempfile().unwrap();
    stderr.write_all(b"last words\n").unwrap();
    let pid_file = folder.path().join("server.pid");
    (Watch::new("server", Recorder::new(Clock::start(), sink), pid_file, stderr), events, folder)
}

fn qmp(name: &str, reason: &str) -> qmp::Event {
    qmp::Event { name: name.into(), data: json!({ "reason": reason }) }
}

fn told(events: &Receiver<Event>) -> Vec<MachineEvent> {
    let event = |what| if let What::Machine { event, .. } = what { event } else { panic!("{what:?}") };
    events.try_iter().map(|e| event(e.what)).collect()
}

#[test]
fn an_end_that_nobody_asked_for_is_a_death() {
    let (watch, events, _folder) = watch();
    watch.on_change(Change::Ended(Ended::Exit(1)), &[]);
    assert_eq!(told(&events), [MachineEvent::Died { how: Ended::Exit(1), words: "last words".into() }]);
    assert!(!watch.cut_power(), "there is nothing left to cut");
}

#[test]
fn an_end_after_a_power_cut_is_told_with_its_proof_whatever_that_is() {
    for how in [Ended::Signal("KILL".into()), Ended::Exit(0)] {
        let (watch, events, _folder) = watch();
        assert!(watch.cut_power());
        watch.on_change(Change::Ended(how.clone()), &[]);
        assert_eq!(told(&events), [MachineEvent::PoweredOff { how, domain: None }]);
    }
}

#[test]
fn an_end_after_the_guest_s_shutdown_is_no_death_unless_it_is_a_crash() {
    let shut_down = MachineEvent::ShutDown { reason: "guest-shutdown".into() };
    let (crash, words) = (Ended::Signal("SEGV".into()), "last words".to_owned());
    for (how, then) in [(Ended::Exit(0), None), (crash.clone(), Some(MachineEvent::Died { how: crash, words }))] {
        let (watch, events, _folder) = watch();
        watch.on_qmp(&qmp("SHUTDOWN", "guest-shutdown"));
        watch.on_change(Change::Ended(how), &[]);
        assert_eq!(told(&events), [shut_down.clone()].into_iter().chain(then).collect::<Vec<_>>());
    }
}

#[test]
fn a_machine_given_up_after_its_guest_s_shutdown_was_not_powered_off() {
    for how in [Ended::Exit(0), Ended::Signal("KILL".into())] {
        let (watch, events, _folder) = watch();
        watch.on_qmp(&qmp("SHUTDOWN", "guest-shutdown"));
        watch.cut_power();
        watch.on_change(Change::Ended(how), &[]);
        assert_eq!(told(&events), [MachineEvent::ShutDown { reason: "guest-shutdown".into() }]);
    }
}

#[test]
fn a_shutdown_that_is_not_the_guest_s_is_none() {
    for reason in ["host-signal", "host-qmp-quit", "host-ui", "host-error"] {
        let (watch, events, _folder) = watch();
        watch.on_qmp(&qmp("SHUTDOWN", reason));
        assert_eq!(told(&events), []);
        assert_eq!(watch.shut_down(), None);
        assert!(watch.evidence(7).contains(reason));
    }
}

#[test]
fn the_end_waits_until_the_last_words_are_heard() {
    let (watch, _events, _folder) = watch();
    let (speaking, heard) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(|| watch.on_change(Change::Ended(Ended::Exit(0)), &[heard]));
        // Ended is seen at once, so that nobody takes it for running; told is not.
        while watch.ended().is_none() {
            std::thread::yield_now();
        }
        assert_eq!(watch.wait(Duration::ZERO), None);
        drop(speaking);
        assert_eq!(watch.wait(Duration::from_secs(20)), Some(Ended::Exit(0)));
    });
}

#[test]
fn evidence_says_whether_the_process_runs_and_what_it_said() {
    let (watch, _events, _folder) = watch();
    assert_eq!(watch.evidence(7), "QEMU (process 7) is running\nQEMU's last words:\nlast words");
    watch.on_change(Change::Stopped, &[]);
    assert!(watch.evidence(7).starts_with("QEMU (process 7) is stopped (SIGSTOP)"));
    watch.on_change(Change::Continued, &[]);
    watch.on_qmp(&qmp("BLOCK_IO_ERROR", "No space left on device"));
    assert!(watch.evidence(7).starts_with("QEMU (process 7) is running\ndisk error: No space left on device\n"));
    watch.on_change(Change::Ended(Ended::Exit(1)), &[]);
    assert!(watch.evidence(7).starts_with("QEMU (process 7) exited with status 1\n"));
}

#[test]
fn the_pid_is_in_the_folder_while_the_process_lives() {
    let (watch, events, folder) = watch();
    watch.started(4711).unwrap();
    assert_eq!(told(&events), [MachineEvent::PoweredOn { pid: Some(4711) }]);
    let file = folder.path().join("server.pid");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "4711\n");
    watch.on_change(Change::Ended(Ended::Exit(0)), &[]);
    assert!(!file.exists());
}
