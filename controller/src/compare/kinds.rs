//! What kind of event something is, in a few words without anything that changes from run to run.

use crate::timeline::{
    Call, CallResult, DescriptorKind, Disposition, Ended, KernelFact, MachineEvent, Process, ProgramEvent, Segment,
    SignalOutcome, Verdict,
};

/// A segment; none for a bare acknowledgement: whether one travels alone or with data is a matter of milliseconds.
pub(super) fn segment(segment: &Segment, verdict: Verdict) -> Option<String> {
    let flags = segment.flags;
    let what = match () {
        () if flags.rst => "RST",
        () if flags.syn && flags.ack => "SYN, ACK",
        () if flags.syn => "SYN",
        () if flags.fin && segment.length > 0 => "data and FIN",
        () if flags.fin => "FIN",
        () if segment.length > 0 => "data",
        () => return None,
    };
    let what = match segment.retransmission {
        // It bears the number of what it answers, and is no copy.
        true if flags.rst => what.to_owned(),
        true if flags.syn => format!("{what} again"),
        // How it is cut by then is a matter of time (`tcp_retrans_try_collapse`).
        true => "sent again".to_owned(),
        false => what.to_owned(),
    };
    Some(format!("{what}{}", fate(verdict)))
}

/// What the cable did, where it did not simply hand it on.
pub(super) fn fate(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "",
        Verdict::Dropped => " (dropped)",
        Verdict::Delayed(_) => " (held back)",
        Verdict::Lost => " (nobody there)",
    }
}

/// A call on a connection.
pub(super) fn call(call: &Call) -> String {
    let result = match &call.result {
        CallResult::Failed(error) => error.clone(),
        CallResult::Restarted => "restarted".to_owned(),
        CallResult::Unfinished => "did not return".to_owned(),
        CallResult::Returned(count) => match call.call.as_str() {
            "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" if *count == 0 => "end of file".to_owned(),
            "read" | "readv" | "recvfrom" | "recvmsg" | "recvmmsg" => "data".to_owned(),
            _ => "done".to_owned(),
        },
    };
    format!("{}: {result}", call.call)
}

/// Whether a call says something of the connection that it is on.
pub(super) fn is_on_connection(call: &Call) -> bool {
    matches!(call.on.as_ref().map(|on| &on.kind), Some(DescriptorKind::Connection(_)))
}

/// Whose process it is.
pub(super) fn who(process: &Process) -> String {
    match (&process.program, process.child) {
        (Some(program), false) => program.clone(),
        (Some(program), true) => format!("{program}'s child"),
        (None, _) => process.command.clone(),
    }
}

/// What a program's process did or met, other than calls; none for what is told elsewhere.
pub(super) fn process(fact: &KernelFact) -> Option<String> {
    Some(match fact {
        KernelFact::Forked { .. } => "forked".to_owned(),
        KernelFact::Exited { how } => ended(how),
        KernelFact::SignalDelivered { signal, disposition, restart } => {
            let how = match disposition {
                Disposition::Default => "default action",
                Disposition::Ignored => "ignored",
                Disposition::Handled if *restart => "handled, SA_RESTART",
                Disposition::Handled => "handled",
            };
            format!("SIG{signal} delivered ({how})")
        }
        _ => return None,
    })
}

/// A signal that was sent; none for one that is ignored, as it changes nothing. Whether another of its kind was still waiting is a matter of
/// milliseconds.
pub(super) fn signal(signal: &str, outcome: SignalOutcome) -> Option<String> {
    match outcome {
        SignalOutcome::Queued | SignalOutcome::Merged => Some(format!("SIG{signal} sent")),
        SignalOutcome::Lost => Some(format!("SIG{signal} lost")),
        SignalOutcome::Ignored => None,
    }
}

fn ended(how: &Ended) -> String {
    match how {
        Ended::Exit(status) => format!("exited with status {status}"),
        Ended::Signal(signal) => format!("was ended by SIG{signal}"),
        // The reason is the controller's, in words that hold times and ids.
        Ended::Lost(_) => "was lost from sight".to_owned(),
    }
}

/// What a program was seen to do over the control channel. What it was told is the scenario's doing, and runs beside it.
pub(super) fn program(event: &ProgramEvent) -> Option<String> {
    Some(match event {
        ProgramEvent::Started { .. } => "started".to_owned(),
        ProgramEvent::Line { .. } => "printed".to_owned(),
        ProgramEvent::Ended { how } => ended(how),
        ProgramEvent::Input { .. } | ProgramEvent::InputEnded | ProgramEvent::Muted | ProgramEvent::NotKept { .. } => {
            return None;
        }
    })
}

/// What became of a machine; none for what it was merely asked.
pub(super) fn machine(event: &MachineEvent) -> Option<String> {
    Some(match event {
        MachineEvent::PoweredOn { .. } => "power on".to_owned(),
        MachineEvent::Booted { .. } => "booted".to_owned(),
        MachineEvent::PoweredOff { .. } => "power off".to_owned(),
        MachineEvent::Reset { reason } => format!("reset ({reason})"),
        MachineEvent::ShutDown { reason } => format!("shut down ({reason})"),
        MachineEvent::Died { .. } => "its hypervisor died".to_owned(),
        MachineEvent::Stopped => "its hypervisor was stopped".to_owned(),
        MachineEvent::Panicked { .. } => "kernel panic".to_owned(),
        MachineEvent::BootFailed { .. } => "could not boot".to_owned(),
        MachineEvent::CarrierSet { up: true } => "cable plugged in".to_owned(),
        MachineEvent::CarrierSet { up: false } => "cable unplugged".to_owned(),
        MachineEvent::Carrier { .. } => return None,
        MachineEvent::ControlLost { .. } => "control channel lost".to_owned(),
    })
}
