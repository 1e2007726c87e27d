//! What may break in a lab, as its witnesses tell it.

use crate::error::Error;
use crate::timeline::{Event, LabTime, MachineEvent, What};
use std::collections::BTreeMap;

/// What broke.
#[derive(Debug)]
pub(super) enum Fault {
    /// The cause, as far as anybody can tell.
    Cause(Error),
    /// Something that has a cause behind it, more often than not: a cut control channel.
    Symptom(Error),
}

/// What a machine's event means while the machine is meant to be alive.
pub(super) fn fault(host: &str, event: &MachineEvent, at: LabTime) -> Option<Fault> {
    let broken = |fact: String| Some(Error::broken(fact));
    let cause = match event {
        MachineEvent::Died { how, words } => {
            broken(format!("the machine of host '{host}' ended by itself at {at} s: it {how}"))
                .map(|e| e.detail(words.clone()))
        }
        MachineEvent::Stopped => {
            broken(format!("the machine of host '{host}' was stopped from outside (SIGSTOP) at {at} s")).map(|e| {
                e.detail("A guest that stands still cannot testify; what its peers saw meanwhile is not its doing.")
            })
        }
        MachineEvent::Panicked { line } => {
            broken(format!("the kernel of host '{host}' panicked at {at} s")).map(|e| e.detail(line.clone()))
        }
        MachineEvent::BootFailed { what } => broken(format!("host '{host}' cannot boot: {what}")),
        MachineEvent::ShutDown { reason } => {
            broken(format!("host '{host}' shut down unasked at {at} s (the hypervisor says: {reason})"))
        }
        MachineEvent::Reset { reason } => {
            broken(format!("host '{host}' was reset unasked at {at} s (the hypervisor says: {reason})"))
        }
        MachineEvent::ControlLost { why } => {
            let error = Error::broken(format!("the control channel to host '{host}' was cut at {at} s: {why}"));
            return Some(Fault::Symptom(error));
        }
        _ => None,
    };
    cause.map(Fault::Cause)
}

/// Who the flood came from, as far as that can be told.
pub(super) fn most_frequent(events: &[Event]) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for event in events {
        let source = match &event.what {
            What::Wire(frame) => format!("frames from {}", frame.from),
            What::Program { program, .. } => format!("lines of {program}"),
            What::Kernel(kernel) => format!("calls and the like on {}", kernel.host),
            What::Machine { host, .. } => format!("the machine of {host}"),
            What::Step { .. } => "steps".to_owned(),
        };
        *counts.entry(source).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(String::new, |(source, count)| format!("most of them, {count}, are {source}"))
}
