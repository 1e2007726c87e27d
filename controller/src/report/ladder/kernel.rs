//! What a host's kernel told, as far as the ladder shows it: what an application was told, and what became of a connection. The
//! wire shows the rest better.

use super::super::style::Paint;
use super::rows::Said;
use crate::timeline::{
    Call, CallResult, DescriptorKind, Disposition, Ended, KernelEvent, KernelFact, Process, SignalOutcome, TcpState,
};

/// What leads to a result, and to a state.
const ARROW: (&str, &str) = ("→", "->");

/// The event in a few words, if it is worth a row.
pub(super) fn said(event: &KernelEvent) -> Option<(Said, Paint)> {
    let (text, paint) = words(event)?;
    let ascii = text.replace(ARROW.0, ARROW.1);
    Some((Said { unicode: text, ascii }, paint))
}

fn words(event: &KernelEvent) -> Option<(String, Paint)> {
    let process = event.process.as_ref();
    let warned = |text: String| Some((text, Paint::Warn));
    match &event.fact {
        KernelFact::Call(call) => warned(format!("{}: {}", who(process?), called(call)?)),
        KernelFact::State { connection, from, to } if connection.remote.port() != 0 && is_news(*from, *to) => {
            Some((format!("kernel: {from} {} {to}", ARROW.0), Paint::Dim))
        }
        KernelFact::SignalDelivered { signal, disposition, restart } => {
            let how = match disposition {
                Disposition::Default => "default action",
                Disposition::Ignored => "ignored",
                Disposition::Handled if *restart => "its handler runs, SA_RESTART",
                Disposition::Handled => "its handler runs",
            };
            warned(format!("{}: SIG{signal} ({how})", who(process?)))
        }
        KernelFact::SignalSent { signal, target, outcome: SignalOutcome::Merged } => {
            warned(format!("{}: SIG{signal} merges into one that waits", who(target)))
        }
        KernelFact::SignalSent { signal, target, outcome: SignalOutcome::Ignored } if process.is_some() => {
            warned(format!("{}: SIG{signal} is ignored", who(target)))
        }
        // How the program itself ends is told by who started it.
        KernelFact::Exited { how } if process?.child => {
            let paint = if *how == Ended::Exit(0) { Paint::Dim } else { Paint::Warn };
            Some((format!("{} {how}", who(process?)), paint))
        }
        KernelFact::Reboot { how } => Some((format!("{} has the kernel end: {how}", who(process?)), Paint::Bad)),
        // What was not read when the machine ended: the summary tells of it.
        KernelFact::Lost { events: 0, .. } => None,
        KernelFact::Lost { events, place, .. } => {
            Some((format!("the kernel's word is lost here: {events} events, in {place}"), Paint::Bad))
        }
        KernelFact::Untold { what, why, .. } => {
            Some((format!("its kernel could not be brought to tell of {what}: {why}"), Paint::Warn))
        }
        _ => None,
    }
}

/// A connection that is made or unmade; how it is being made is seen on the wire.
fn is_news(from: TcpState, to: TcpState) -> bool {
    !matches!(to, TcpState::SynSent | TcpState::SynReceived) && from != TcpState::Listen
}

/// A call that did not go well, or that met the end of a file.
fn called(call: &Call) -> Option<String> {
    let on = call.on.as_ref().map(|on| &on.kind);
    let met_end = matches!(call.call.as_str(), "read" | "readv" | "recvfrom" | "recvmsg")
        && matches!(on, Some(DescriptorKind::Connection(_)));
    let result = match &call.result {
        CallResult::Failed(error) => error.clone(),
        CallResult::Restarted => "interrupted, begins anew".to_owned(),
        CallResult::Returned(0) if met_end => "0 (end of file)".to_owned(),
        CallResult::Returned(_) | CallResult::Unfinished => return None,
    };
    Some(format!("{} {} {result}", call.call, ARROW.0))
}

fn who(process: &Process) -> String {
    match &process.program {
        Some(program) if process.child => format!("{program}'s child {}", process.pid),
        Some(program) => program.clone(),
        None => format!("{} (pid {})", process.command, process.pid),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::timeline::{Connection, Descriptor, LabTime};

    fn shown(fact: KernelFact) -> Option<String> {
        let program = Some("client".to_owned());
        let process = Some(Process { pid: 7, command: "client".to_owned(), program, child: false });
        said(&KernelEvent { host: "client".to_owned(), guest_time: 0, process, fact }).map(|(said, _)| said.ascii)
    }

    fn connection() -> Connection {
        Connection { local: "192.0.2.1:4000".parse().unwrap(), remote: "192.0.2.2:9877".parse().unwrap() }
    }

    fn read(result: CallResult) -> KernelFact {
        let on = Some(Descriptor { number: 3, kind: DescriptorKind::Connection(connection()) });
        KernelFact::Call(Call { call: "read".to_owned(), began: LabTime(0), on, arguments: String::new(), result })
    }

    #[test]
    fn what_the_application_was_told_is_shown_if_it_is_news() {
        let reset = read(CallResult::Failed("ECONNRESET".to_owned()));
        assert_eq!(shown(reset).as_deref(), Some("client: read -> ECONNRESET"));
        assert_eq!(shown(read(CallResult::Returned(0))).as_deref(), Some("client: read -> 0 (end of file)"));
        assert_eq!(shown(read(CallResult::Returned(5))), None);
        assert_eq!(shown(read(CallResult::Unfinished)), None);
    }

    #[test]
    fn a_connection_is_shown_from_its_making_to_its_end() {
        let state = |from, to| shown(KernelFact::State { connection: connection(), from, to });
        assert_eq!(state(TcpState::Closed, TcpState::SynSent), None);
        let established = state(TcpState::SynSent, TcpState::Established);
        assert_eq!(established.as_deref(), Some("kernel: SYN-SENT -> ESTABLISHED"));
    }
}
