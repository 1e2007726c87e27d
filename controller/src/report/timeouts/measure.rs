//! Times between the events of a timeline.

use super::{CLIENT, Timed};
use crate::judge::fits;
use crate::scenario::{Flow, SegmentKind};
use crate::timeline::{
    Call, CallResult, Event, Flags, FrameKind, KernelFact, LabTime, ProgramEvent, StepEvent, TcpState, What,
};
use std::time::Duration;

/// What was measured in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Measured {
    /// How long.
    Time(Duration),
    /// How long, and the error that told a program.
    Error(Duration, String),
    /// It was there after the first and gone after the second.
    Between(Duration, Duration),
    /// How often.
    Count(usize),
}

impl Timed {
    /// When the step of this name began.
    pub(super) fn began(&self, step: &str) -> Option<LabTime> {
        self.events.iter().find_map(|event| match &event.what {
            What::Step { name: Some(name), event: StepEvent::Began, .. } if name == step => Some(event.at),
            _ => None,
        })
    }

    /// When frames of this kind left `from` (those of others: for the client), since `since`.
    pub(super) fn frames(&self, from: &str, kind: SegmentKind, since: LabTime) -> Vec<LabTime> {
        let to = (from != CLIENT).then(|| CLIENT.to_owned());
        let flow = Flow { from: Some(from.to_owned()), to, kind: Some(kind), flags: Flags::default() };
        let of = |event: &Event| match &event.what {
            What::Wire(frame) => (event.at >= since && fits(&flow, frame)).then_some(event.at),
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// When the client's kernel sent a segment again, since `since`.
    pub(super) fn retransmissions(&self, since: LabTime) -> Vec<LabTime> {
        let of = |event: &Event| match &event.what {
            What::Kernel(kernel) if kernel.host == CLIENT && event.at >= since => {
                matches!(kernel.fact, KernelFact::Retransmitted { .. }).then_some(event.at)
            }
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    /// The first call of this name by `program` that failed since `since`: when, the call, and its error.
    pub(super) fn failure(&self, program: &str, name: &str, since: LabTime) -> Option<(LabTime, &Call, &str)> {
        self.calls(program, name).find_map(|(at, call)| match &call.result {
            CallResult::Failed(error) if at >= since => Some((at, call, error.as_str())),
            _ => None,
        })
    }

    /// The calls of this name by `program`.
    fn calls(&self, program: &str, name: &str) -> impl Iterator<Item = (LabTime, &Call)> {
        self.events.iter().filter_map(move |event| match &event.what {
            What::Kernel(kernel) if kernel.process.as_ref()?.program.as_deref() == Some(program) => {
                match &kernel.fact {
                    KernelFact::Call(call) if call.call == name => Some((event.at, call)),
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// The first line of `program` that contains `text`, since `since`.
    pub(super) fn line(&self, program: &str, text: &str, since: LabTime) -> Option<(LabTime, &str)> {
        self.events.iter().find_map(|event| match &event.what {
            What::Program { program: its, event: ProgramEvent::Line { text: line }, .. }
                if its == program && event.at >= since && line.contains(text) =>
            {
                Some((event.at, line.as_str()))
            }
            _ => None,
        })
    }

    /// When `program` ended.
    pub(super) fn ended(&self, program: &str) -> Option<LabTime> {
        self.events.iter().find_map(|event| match &event.what {
            What::Program { program: its, event: ProgramEvent::Ended { .. }, .. } if its == program => Some(event.at),
            _ => None,
        })
    }

    /// When a connection of the client last went to this state before `before`.
    pub(super) fn entered(&self, state: TcpState, before: LabTime) -> Option<LabTime> {
        self.events.iter().rev().find_map(|event| match &event.what {
            What::Kernel(kernel) if kernel.host == CLIENT && event.at < before => {
                matches!(kernel.fact, KernelFact::State { to, .. } if to == state).then_some(event.at)
            }
            _ => None,
        })
    }

    /// The last segment to the client, or from it, before `before`.
    pub(super) fn last_segment(&self, before: LabTime) -> Option<LabTime> {
        let segment = |event: &&Event| match &event.what {
            What::Wire(frame) => event.at < before && matches!(frame.kind, FrameKind::Tcp(_)),
            _ => false,
        };
        self.events.iter().rev().find(segment).map(|event| event.at)
    }
}

/// From one to the other; none if the other came first.
pub(super) fn from_to(from: LabTime, to: LabTime) -> Option<Duration> {
    (from <= to).then(|| to.since(from))
}

/// How long a timer has yet to run, as ss(8) says it in a line: "timer:(timewait,780ms,0)", "timer:(persist,1.204ms,3)" (1.204 s),
/// "timer:(keepalive,1min2sec,0)".
pub(super) fn timer(line: &str) -> Option<Duration> {
    let (_, rest) = line.split_once("timer:(")?;
    let mut left = rest.split(',').nth(1)?;
    let mut time = Duration::ZERO;
    if let Some((minutes, rest)) = left.split_once("min") {
        (time, left) = (Duration::from_secs(60 * minutes.parse::<u64>().ok()?), rest);
    }
    if let Some(seconds) = left.strip_suffix("sec") {
        time += Duration::from_secs(seconds.parse().ok()?);
    } else if let Some(fraction) = left.strip_suffix("ms") {
        let (seconds, ms) = fraction.split_once('.').unwrap_or(("0", fraction));
        time += Duration::from_millis(1000 * seconds.parse::<u64>().ok()? + ms.parse::<u64>().ok()?);
    } else if !left.is_empty() {
        return None;
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ss_says_of_a_timer() {
        let line = |left| timer(&format!("0 0 192.0.2.1:5001 192.0.2.2:9877 timer:(timewait,{left},0)"));
        assert_eq!(line("780ms"), Some(Duration::from_millis(780)));
        assert_eq!(line("1.204ms"), Some(Duration::from_millis(1204)));
        assert_eq!(line("59sec"), Some(Duration::from_secs(59)));
        assert_eq!(line("1min2sec"), Some(Duration::from_secs(62)));
        assert_eq!(line("12min"), Some(Duration::from_secs(720)));
        assert_eq!(line("soon"), None);
        assert_eq!(timer("0 0 192.0.2.1:5001 192.0.2.2:9877"), None);
    }
}
