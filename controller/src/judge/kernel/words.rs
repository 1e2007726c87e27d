//! What a kernel told, in words.

use crate::timeline::{
    Call, CallResult, Connection, DescriptorKind, Disposition, KernelEvent, KernelFact, Process, SignalOutcome,
};

/// The event in a clause: "echo-client's recvfrom on its connection to 192.0.2.2:9877 failed with ECONNRESET".
pub fn event(event: &KernelEvent) -> String {
    let who = event.process.as_ref().map_or_else(|| format!("{}'s kernel", event.host), who);
    match &event.fact {
        KernelFact::Began { kernel } => format!("{who} (Linux {kernel}) began to be heard"),
        KernelFact::Call(call) => format!("{} {}", called(&who, call), result(call)),
        KernelFact::Forked { child_pid } => format!("{who} forked process {child_pid}"),
        KernelFact::Executed { file } => format!("{who} became {file}"),
        KernelFact::Exited { how } => format!("{who} {how}"),
        KernelFact::Reaped { child_pid } => format!("{who} waited for process {child_pid}"),
        KernelFact::SignalSent { signal, target, outcome } => {
            format!("{who} sent SIG{signal} to {}, {}", self::who(target), became(*outcome))
        }
        KernelFact::SignalDelivered { signal, disposition, restart } => {
            let restart = if *restart { " (SA_RESTART)" } else { "" };
            format!("SIG{signal} was delivered to {who}, {}{restart}", disposed(*disposition))
        }
        KernelFact::State { connection, from, to } => {
            format!("{} of {} went from {from} to {to}", ends(connection), event.host)
        }
        KernelFact::Retransmitted { connection } => {
            format!("{} sent a segment again, {}", event.host, ends(connection))
        }
        KernelFact::ResetSent { connection } => format!("{} sent a RST, {}", event.host, ends(connection)),
        KernelFact::ResetReceived { connection } => format!("{} received a RST, {}", event.host, ends(connection)),
        KernelFact::Reboot { how } => format!("{who} had the kernel reboot ({how})"),
        KernelFact::Lost { events, place, .. } => format!("{} were lost in {place}", lost(*events)),
        KernelFact::Untold { what, why, .. } => format!("the kernel could not be brought to tell ({what}: {why})"),
    }
}

/// "echo-server", "echo-server's child 315", "sshd (process 200)".
fn who(process: &Process) -> String {
    match &process.program {
        Some(program) if process.child => format!("{program}'s child {}", process.pid),
        Some(program) => program.clone(),
        None => format!("{} (process {})", process.command, process.pid),
    }
}

fn called(who: &str, call: &Call) -> String {
    let on = call.on.as_ref().map(|descriptor| {
        let what = match &descriptor.kind {
            DescriptorKind::Input => "standard input".to_owned(),
            DescriptorKind::Output => "standard output".to_owned(),
            DescriptorKind::Listening { port } => format!("the socket that listens on port {port}"),
            DescriptorKind::Connection(connection) => format!("its connection to {}", connection.remote),
            DescriptorKind::Socket => format!("socket {}", descriptor.number),
            DescriptorKind::Several => "several descriptors".to_owned(),
            DescriptorKind::Other => format!("descriptor {}", descriptor.number),
        };
        format!(" on {what}")
    });
    let arguments = if call.arguments.is_empty() { String::new() } else { format!(" ({})", call.arguments) };
    format!("{who}'s {}{}{arguments}", call.call, on.unwrap_or_default())
}

fn result(call: &Call) -> String {
    match &call.result {
        CallResult::Returned(value) => format!("returned {value}"),
        CallResult::Failed(error) => format!("failed with {error}"),
        CallResult::Restarted => "was interrupted and began anew by itself".to_owned(),
        CallResult::Unfinished => format!("did not return; it began at {} s", call.began),
    }
}

fn became(outcome: SignalOutcome) -> &'static str {
    match outcome {
        SignalOutcome::Queued => "and it was queued",
        SignalOutcome::Ignored => "which ignores it",
        SignalOutcome::Merged => "and it merged into one that waited",
        SignalOutcome::Lost => "and it was lost for want of memory",
    }
}

fn disposed(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Default => "with its default action",
        Disposition::Ignored => "which ignores it",
        Disposition::Handled => "which handles it",
    }
}

/// "192.0.2.1:41612 to 192.0.2.2:9877", or a listening socket's port.
fn ends(connection: &Connection) -> String {
    match connection.remote.port() {
        0 => format!("port {}", connection.local.port()),
        _ => format!("{} to {}", connection.local, connection.remote),
    }
}

/// So many trace events that were lost; nobody knows how many if 0.
pub(super) fn lost(events: u64) -> String {
    match events {
        0 => "an unknown number of trace events".to_owned(),
        1 => "1 trace event".to_owned(),
        n => format!("{n} trace events"),
    }
}
