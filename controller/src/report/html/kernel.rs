//! What a host's kernel told, in the few words that fit on a lane.
//!
//! All of it is in the table. The ladder leaves out what is said there better by somebody else (the wire, a program's own output)
//! and what is only housekeeping.

use super::super::style::Paint;
use super::super::text::span;
use super::mark::Kind;
use crate::timeline::{
    Call, CallResult, Connection, DescriptorKind, Disposition, Ended, KernelEvent, KernelFact, LabTime, Process,
    SignalOutcome, TcpState,
};

/// A call that took so long is one that waited: the ladder says how long, in nanoseconds.
const WAITED: u64 = 500_000_000;

/// What a mark says of it.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    /// The scenario's program that it is about; none for the kernel itself.
    pub(super) program: Option<String>,
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) paint: Paint,
}

/// The event in a few words, if it is worth a mark. `several`: there are several connections, so that each needs its name.
pub(super) fn told(at: LabTime, event: &KernelEvent, several: bool) -> Option<Told> {
    let process = event.process.as_ref();
    let of = |process: Option<&Process>, text: String, kind, paint| {
        let child = process.filter(|process| process.child).map(|process| format!("child {}: ", process.pid));
        let program = process.and_then(|process| process.program.clone());
        Some(Told { program, text: format!("{}{text}", child.unwrap_or_default()), kind, paint })
    };
    let own = |text: String, kind, paint| Some(Told { program: None, text, kind, paint });
    match &event.fact {
        KernelFact::Call(call) => {
            let (text, paint) = called(at, call)?;
            process.and_then(|process| process.program.as_ref())?;
            of(process, text, Kind::Call, paint)
        }
        KernelFact::Forked { child_pid } => {
            of(process, format!("forks child {child_pid}"), Kind::Process, Paint::Plain)
        }
        // How the program itself ends is told by who started it.
        KernelFact::Exited { how } if process?.child => {
            let paint = if *how == Ended::Exit(0) { Paint::Plain } else { Paint::Warn };
            of(process, how.to_string(), Kind::Process, paint)
        }
        KernelFact::Reaped { child_pid } if process?.program.is_some() => {
            of(process, format!("waits for child {child_pid}: no zombie is left of it"), Kind::Process, Paint::Plain)
        }
        KernelFact::SignalSent { signal, target, outcome } if target.program.is_some() => {
            let from = process.map_or_else(|| "the kernel".to_owned(), sender);
            let (became, paint) = match outcome {
                SignalOutcome::Queued => ("", Paint::Plain),
                SignalOutcome::Ignored => (", which is ignored", Paint::Warn),
                SignalOutcome::Merged => (", which merges into one that waits already", Paint::Warn),
                SignalOutcome::Lost => (", which is lost for want of memory", Paint::Bad),
            };
            of(Some(target), format!("gets SIG{signal} from {from}{became}"), Kind::Process, paint)
        }
        KernelFact::SignalDelivered { signal, disposition, restart } => {
            let how = match disposition {
                Disposition::Default => "its default action",
                Disposition::Ignored => "ignored",
                Disposition::Handled if *restart => "the handler runs (SA_RESTART)",
                Disposition::Handled => "the handler runs",
            };
            of(process, format!("SIG{signal} is delivered: {how}"), Kind::Process, Paint::Warn)
        }
        KernelFact::State { connection, from, to } => {
            let paint = match to {
                TcpState::Established | TcpState::Listen => Paint::Good,
                TcpState::Closed => Paint::Bad,
                _ => Paint::Plain,
            };
            own(format!("{}{from} → {to}", which(connection, several)), Kind::State, paint)
        }
        KernelFact::ResetSent { connection } => {
            own(format!("{}sends a RST", which(connection, several)), Kind::State, Paint::Bad)
        }
        KernelFact::ResetReceived { connection } => {
            own(format!("{}gets a RST, and believes it", which(connection, several)), Kind::State, Paint::Bad)
        }
        KernelFact::Retransmitted { connection } => own(
            format!("{}sends a segment again, but no frame of it is on the wire", which(connection, several)),
            Kind::State,
            Paint::Warn,
        ),
        KernelFact::Reboot { how } => own(
            format!("{} has the kernel end: {how}", process.map_or_else(|| "it".to_owned(), sender)),
            Kind::Process,
            Paint::Bad,
        ),
        // What a machine still held when it ended: what its kernel's word is worth is told at the end.
        KernelFact::Lost { events: 0, .. } => None,
        KernelFact::Lost { events, place, .. } => {
            own(format!("{events} trace events are lost here, in {place}"), Kind::State, Paint::Bad)
        }
        KernelFact::Untold { what, why, .. } => {
            own(format!("cannot be brought to tell of {what}: {why}"), Kind::State, Paint::Warn)
        }
        _ => None,
    }
}

/// Who sent a signal.
fn sender(process: &Process) -> String {
    match (&process.program, process.child) {
        (Some(_), true) => format!("child {}", process.pid),
        (Some(program), false) => program.clone(),
        (None, _) => format!("{} (pid {})", process.command, process.pid),
    }
}

/// The name of a connection or socket before what happened to it, where it needs one.
fn which(connection: &Connection, several: bool) -> String {
    match connection.remote.port() {
        0 => format!("port {}: ", connection.local.port()),
        _ if several => format!("port {}: ", port(connection)),
        _ => String::new(),
    }
}

/// The port that tells one connection from another: the client's, which its kernel chose from the upper ones.
pub(super) fn port(connection: &Connection) -> u16 {
    connection.local.port().max(connection.remote.port())
}

/// A call, in strace's manner, if it says something of a connection or did not go well.
fn called(at: LabTime, call: &Call) -> Option<(String, Paint)> {
    let on = call.on.as_ref().map(|on| &on.kind);
    let waited = at.since(call.began).as_nanos() as u64;
    let reads = matches!(call.call.as_str(), "read" | "readv" | "recvfrom" | "recvmsg");
    let writes = matches!(call.call.as_str(), "write" | "writev" | "sendto" | "sendmsg");
    let (result, paint) = match &call.result {
        CallResult::Failed(error) => (error.clone(), Paint::Bad),
        CallResult::Restarted => ("interrupted, and begins anew by itself".to_owned(), Paint::Warn),
        CallResult::Unfinished => ("never returned".to_owned(), Paint::Dim),
        CallResult::Returned(value) => {
            match on {
                // What it waited for was its user; what it got is told as typed in.
                Some(DescriptorKind::Input) if waited >= WAITED => {}
                Some(DescriptorKind::Input | DescriptorKind::Output | DescriptorKind::Other) => return None,
                Some(DescriptorKind::Several) if *value == 0 && at.since(call.began).as_millis() == 0 => return None,
                None if matches!(call.call.as_str(), "execve" | "clone" | "fork" | "vfork" | "clone3") => return None,
                _ => {}
            }
            match value {
                0 if reads => ("0: end of file".to_owned(), Paint::Warn),
                1 if reads || writes => ("1 byte".to_owned(), Paint::Plain),
                n if reads || writes => (format!("{n} bytes"), Paint::Plain),
                n => (n.to_string(), Paint::Plain),
            }
        }
    };
    let arguments = match (&call.arguments, on) {
        (text, _) if !text.is_empty() => format!("({text})"),
        (_, Some(DescriptorKind::Input)) => "(standard input)".to_owned(),
        _ => String::new(),
    };
    let waited = match &call.result {
        _ if waited < WAITED => String::new(),
        CallResult::Unfinished => format!(" (it had waited for {})", span(waited)),
        _ => format!(", after {}", span(waited)),
    };
    Some((format!("{}{arguments} → {result}{waited}", call.call), paint))
}
