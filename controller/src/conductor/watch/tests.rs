#![allow(clippy::unwrap_used)]

use super::*;
use crate::timeline::{Clock, Ended, Recorder};
use std::sync::mpsc::channel;

fn watch() -> (Recorder, Watch, Interrupt) {
    let (sink, source) = channel();
    let interrupt = Interrupt::default();
    let clock = Clock::start();
    (Recorder::new(clock.clone(), sink), Watch::new(source, clock, interrupt.clone()), interrupt)
}

fn soon(watch: &Watch, within: Duration) -> LabTime {
    watch.clock.now().after(within)
}

fn machine(event: MachineEvent) -> What {
    What::Machine { host: "server".into(), event }
}

fn died() -> What {
    machine(MachineEvent::Died { how: Ended::Signal("SEGV".into()), words: "last words".into() })
}

#[test]
fn finds_an_event_after_the_mark_and_none_before_it() {
    let (recorder, mut watch, _) = watch();
    recorder.note(machine(MachineEvent::PoweredOn { pid: Some(1) }));
    let mark = watch.mark();
    recorder.note(machine(MachineEvent::PoweredOn { pid: Some(2) }));
    let pid = watch
        .event(mark, Duration::from_secs(5), "power", |e| match &e.what {
            What::Machine { event: MachineEvent::PoweredOn { pid }, .. } => *pid,
            _ => None,
        })
        .unwrap();
    assert_eq!(pid, 2);
}

#[test]
fn what_is_heard_of_before_its_time_is_waited_for() {
    let (recorder, mut watch, _) = watch();
    let mark = watch.mark();
    let at = soon(&watch, Duration::from_millis(30));
    recorder.note_at(at, machine(MachineEvent::Stopped));
    watch.event(mark, Duration::from_secs(5), "a stop", |_| Some(())).unwrap();
    assert!(watch.clock.now() >= at);
}

#[test]
fn the_deadline_says_what_was_awaited() {
    let (_recorder, mut watch, _) = watch();
    let mark = watch.mark();
    let error = watch.event(mark, Duration::from_millis(30), "host 'server' to boot", |_| None::<()>).unwrap_err();
    assert_eq!(error.fact, "waited 30ms for host 'server' to boot, and it did not come");
}

#[test]
fn the_end_of_a_guarded_machine_is_a_fault_and_of_another_is_not() {
    let (recorder, mut watch, _) = watch();
    recorder.note(died());
    assert!(watch.pass_time(soon(&watch, Duration::from_millis(50)), |_| false).is_ok());
    watch.guard("server");
    recorder.note(died());
    let error = watch.pass_time(soon(&watch, Duration::from_secs(5)), |_| false).unwrap_err();
    assert!(error.fact.contains("ended by itself"), "{error}");
    assert_eq!(error.detail.as_deref(), Some("last words"));
}

#[test]
fn a_reset_after_a_reset_is_no_fault_until_the_host_is_up() {
    let (recorder, mut watch, _) = watch();
    let reset = || machine(MachineEvent::Reset { reason: "guest-reset".into() });
    watch.guard_restart("server");
    recorder.note(reset());
    recorder.note(machine(MachineEvent::Booted { boot_id: "b".into(), kernel: "k".into() }));
    assert!(watch.pass_time(soon(&watch, Duration::from_millis(50)), |_| false).is_ok());
    recorder.note(reset());
    let error = watch.pass_time(soon(&watch, Duration::from_secs(5)), |_| false).unwrap_err();
    assert!(error.fact.contains("reset unasked"), "{error}");
}

#[test]
fn the_interrupt_ends_a_wait_and_blocking_work() {
    let (_recorder, mut watch, interrupt) = watch();
    interrupt.raise();
    assert_eq!(watch.pass_time(soon(&watch, Duration::from_secs(5)), |_| false).unwrap_err().fact, "interrupted");
    let (_never, gate) = channel::<()>();
    let work =
        watch.perform(move || gate.recv_timeout(Duration::from_secs(5)).map_err(|e| Error::broken(e.to_string())));
    assert_eq!(work.unwrap_err().fact, "interrupted");
}

#[test]
fn a_channel_lost_with_its_machine_is_explained_by_the_machine_and_one_lost_alone_is_told() {
    let lost = || machine(MachineEvent::ControlLost { why: "closed".into() });
    let (recorder, mut watch, _) = watch();
    watch.guard("server");
    recorder.note(lost());
    recorder.note(died());
    let error = watch.pass_time(soon(&watch, Duration::from_secs(5)), |_| false).unwrap_err();
    assert!(error.fact.contains("ended by itself"), "{error}");
    recorder.note(lost());
    let error = watch.pass_time(soon(&watch, Duration::from_secs(5)), |_| false).unwrap_err();
    assert!(error.fact.contains("control channel to host 'server' was cut"), "{error}");
}

#[test]
fn a_cut_channel_is_explained_by_the_machine_that_died() {
    let (recorder, mut watch, _) = watch();
    watch.guard("server");
    let late = recorder.clone();
    let error = watch
        .perform(move || {
            std::thread::spawn(move || late.note(died()));
            Err::<(), _>(Error::broken("the connection was cut"))
        })
        .unwrap_err();
    assert!(error.fact.contains("ended by itself"), "{error}");
    assert!(error.detail.unwrap().contains("and so: the connection was cut"));
}
