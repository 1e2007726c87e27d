//! Words for what a host's kernel tells: calls, results, signals, TCP's states.

use super::choice::Choice;
use super::{Kind, Wrong};
use crate::scenario::model::{CallFamily, DescriptorClass, Returns, TcpDeed};
use crate::scenario::names;
use crate::timeline::{Disposition, SignalOutcome, TcpState};
use nix::errno::Errno;
use schemars::{Schema, json_schema};

impl Choice for CallFamily {
    const WHAT: &'static str = "a system call that can be asked for";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("connect", CallFamily::Connect),
        ("accept", CallFamily::Accept),
        ("read", CallFamily::Read),
        ("write", CallFamily::Write),
        ("close", CallFamily::Close),
        ("shutdown", CallFamily::Shutdown),
        ("poll", CallFamily::Poll),
        ("setsockopt", CallFamily::Setsockopt),
        ("listen", CallFamily::Listen),
        ("wait", CallFamily::Wait),
        ("fork", CallFamily::Fork),
        ("exec", CallFamily::Exec),
    ];
}

impl Choice for DescriptorClass {
    const WHAT: &'static str = "a kind of descriptor";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("connection", DescriptorClass::Connection),
        ("listening", DescriptorClass::Listening),
        ("input", DescriptorClass::Input),
        ("output", DescriptorClass::Output),
    ];
}

impl Choice for Disposition {
    const WHAT: &'static str = "a disposition of a signal";
    const WORDS: &'static [(&'static str, Self)] =
        &[("default", Disposition::Default), ("ignored", Disposition::Ignored), ("handled", Disposition::Handled)];
}

impl Choice for SignalOutcome {
    const WHAT: &'static str = "what becomes of a signal that is sent";
    const WORDS: &'static [(&'static str, Self)] =
        &[("queued", SignalOutcome::Queued), ("ignored", SignalOutcome::Ignored), ("merged", SignalOutcome::Merged)];
}

impl Choice for TcpState {
    const WHAT: &'static str = "a state of TCP";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("CLOSED", TcpState::Closed),
        ("LISTEN", TcpState::Listen),
        ("SYN-SENT", TcpState::SynSent),
        ("SYN-RECEIVED", TcpState::SynReceived),
        ("ESTABLISHED", TcpState::Established),
        ("FIN-WAIT-1", TcpState::FinWait1),
        ("FIN-WAIT-2", TcpState::FinWait2),
        ("CLOSE-WAIT", TcpState::CloseWait),
        ("CLOSING", TcpState::Closing),
        ("LAST-ACK", TcpState::LastAck),
        ("TIME-WAIT", TcpState::TimeWait),
    ];
}

impl Choice for TcpDeed {
    const WHAT: &'static str = "something that TCP does";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("reset-sent", TcpDeed::ResetSent),
        ("reset-received", TcpDeed::ResetReceived),
        ("retransmission", TcpDeed::Retransmission),
    ];
}

/// Results of calls that have a word of their own.
const RESULTS: [(&str, Returns); 4] = [
    ("data", Returns::Data),
    ("success", Returns::Success),
    ("restarted", Returns::Restarted),
    ("nothing", Returns::Nothing),
];

/// What a call came to: an error's name, a number, or a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CallOutcome;

impl Kind for CallOutcome {
    type Value = Returns;
    const WHAT: &'static str = "what the call returns";

    fn schema() -> Schema {
        let mut words: Vec<String> = RESULTS.iter().map(|(word, _)| (*word).to_owned()).collect();
        words.extend(errors());
        json_schema!({ "oneOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "enum": words }] })
    }

    fn read(text: &str) -> Result<Returns, Wrong> {
        if let Some((_, returns)) = RESULTS.iter().find(|(word, _)| *word == text) {
            return Ok(returns.clone());
        }
        if let Ok(number) = text.parse::<i64>() {
            if number >= 0 {
                return Ok(Returns::Number(number));
            }
            let wrong = Wrong::new(format!("no call is shown to return {number}"), "a call that fails has an error");
            return Err(wrong.help("name the error, as in `ECONNRESET`"));
        }
        let errors: Vec<String> = errors().collect();
        if errors.iter().any(|error| error == text) {
            return Ok(Returns::Error(text.to_owned()));
        }
        let known = RESULTS.iter().map(|(word, _)| *word).chain(errors.iter().map(String::as_str));
        let help = match (text, names::nearest(text, known)) {
            // The same number has two names; the kernel's own word is one.
            ("EWOULDBLOCK", _) => "on Linux that is `EAGAIN`".to_owned(),
            ("ENOTSUP", _) => "on Linux that is `EOPNOTSUPP`".to_owned(),
            (_, Some(name)) => format!("did you mean `{name}`?"),
            (_, None) => "a number, an error's name (errno(3)), `data`, `success`, `restarted` or `nothing`".to_owned(),
        };
        Err(Wrong::new(format!("{text:?} is nothing that a call returns"), "unknown").help(help))
    }
}

/// The last error number that Linux has (`asm-generic/errno.h`: EHWPOISON).
const LAST_ERROR: i32 = 133;

/// The names of Linux's errors.
fn errors() -> impl Iterator<Item = String> {
    (1..=LAST_ERROR)
        .map(Errno::from_raw)
        .filter(|errno| *errno != Errno::UnknownErrno)
        .map(|errno| format!("{errno:?}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn states_are_written_as_reports_show_them() {
        for (word, state) in TcpState::WORDS {
            assert_eq!(state.to_string(), *word);
        }
    }

    #[test]
    fn a_result_is_an_error_a_number_or_a_word() {
        assert_eq!(CallOutcome::read("ECONNRESET").unwrap(), Returns::Error("ECONNRESET".to_owned()));
        assert_eq!(CallOutcome::read("0").unwrap(), Returns::Number(0));
        assert_eq!(CallOutcome::read("nothing").unwrap(), Returns::Nothing);
        for bad in ["", "-1", "econnreset", "ERESTARTSYS", "EWOULDBLOCK", "EOF", "1.5"] {
            assert!(CallOutcome::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_error_is_known_by_name() {
        let errors: Vec<String> = errors().collect();
        assert!(errors.len() > 120 && !errors.iter().any(|error| error.contains("Unknown")), "{errors:?}");
        for name in ["EINTR", "EPIPE", "ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "EHWPOISON"] {
            assert!(errors.iter().any(|error| error == name), "{name}");
        }
    }
}
