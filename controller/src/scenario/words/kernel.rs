//! What a host's kernel tells, in words: nouns that a number can stand before.

use crate::scenario::model::{CallFamily, DescriptorClass, KernelPattern, Returns, TcpDeed};
use crate::scenario::source::Choice;
use crate::timeline::{Disposition, SignalOutcome};

/// "read call by echo-client on a connection, failing with ECONNRESET".
pub(crate) fn noun(what: &KernelPattern, plural: bool) -> String {
    let s = if plural { "s" } else { "" };
    match what {
        KernelPattern::Call { program, family, descriptor, returns } => {
            let on = descriptor.map(|class| format!(" on {}", descriptor_word(class))).unwrap_or_default();
            let results: Vec<String> = returns.iter().map(result).collect();
            let results = if results.is_empty() { String::new() } else { format!(", {}", results.join(" or ")) };
            format!("{} call{s} by {program}{on}{results}", call_word(*family))
        }
        KernelPattern::Delivered { program, signal, disposition } => {
            let how = match disposition {
                None => "",
                Some(Disposition::Default) => " with its default action",
                Some(Disposition::Ignored) => " and ignored",
                Some(Disposition::Handled) => " and handled",
            };
            format!("SIG{signal} delivered to {program}{how}")
        }
        KernelPattern::Sent { program, signal, outcome } => {
            let became = match outcome {
                None => "",
                Some(SignalOutcome::Queued) => " and queued",
                Some(SignalOutcome::Ignored) => " and ignored",
                Some(SignalOutcome::Merged) => " and merged into one that waited",
                Some(SignalOutcome::Lost) => " and lost",
            };
            format!("SIG{signal} sent to {program}{became}")
        }
        KernelPattern::State { host, change } => {
            let what = if change.is_about_listening() { "socket" } else { "connection" };
            format!("{what}{s} of {host} going{change}")
        }
        KernelPattern::Tcp { host, deed } => match deed {
            TcpDeed::ResetSent => format!("RST{s} sent by {host}"),
            TcpDeed::ResetReceived => format!("RST{s} received by {host}"),
            TcpDeed::Retransmission => format!("retransmission{s} by {host}"),
        },
    }
}

/// "zombies of echo-server".
pub(crate) fn zombies(program: &str, plural: bool) -> String {
    format!("zombie{} of {program}", if plural { "s" } else { "" })
}

/// The word by which scenarios name the calls.
pub(crate) fn call_word(family: CallFamily) -> &'static str {
    CallFamily::WORDS.iter().find(|(_, known)| *known == family).map_or("", |(word, _)| word)
}

fn descriptor_word(class: DescriptorClass) -> &'static str {
    match class {
        DescriptorClass::Connection => "a connection",
        DescriptorClass::Listening => "a listening socket",
        DescriptorClass::Input => "standard input",
        DescriptorClass::Output => "standard output",
    }
}

/// What a call does in the end, as a participle.
fn result(returns: &Returns) -> String {
    match returns {
        Returns::Error(name) => format!("failing with {name}"),
        Returns::Number(number) => format!("returning {number}"),
        Returns::Data => "returning more than 0".to_owned(),
        Returns::Success => "returning 0 or more".to_owned(),
        Returns::Restarted => "restarted after a signal".to_owned(),
        Returns::Nothing => "never returning".to_owned(),
    }
}
