//! "Signal S was sent, or delivered, to program P."

use super::Sought;
use crate::scenario::Scenario;
use crate::timeline::{Disposition, KernelEvent, KernelFact, SignalOutcome};

pub(super) struct Signals<'a> {
    /// The program that the target is of.
    pub(super) program: &'a str,
    pub(super) signal: &'a str,
    pub(super) wanted: Wanted,
}

/// What is to have become of the signal.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// It was delivered, with this disposition if one is given.
    Delivered(Option<Disposition>),
    /// It was sent, with this outcome if one is given.
    Sent(Option<SignalOutcome>),
}

impl Sought for Signals<'_> {
    fn host<'a>(&'a self, scenario: &'a Scenario) -> &'a str {
        super::host_of(scenario, self.program)
    }

    fn program(&self) -> Option<&str> {
        Some(self.program)
    }

    fn kind(&self) -> String {
        format!("signals to {}", self.program)
    }

    /// A signal that was sent and ignored is what somebody should see who looks for its delivery.
    fn is_of_kind(&self, event: &KernelEvent) -> bool {
        let sought = matches!(self.wanted, Wanted::Delivered(_)) || is_sent(event);
        sought && is_signal_to(event, self.program)
    }

    fn fits(&self, event: &KernelEvent) -> bool {
        let as_wanted = match (&event.fact, self.wanted) {
            (KernelFact::SignalDelivered { disposition, .. }, Wanted::Delivered(wanted)) => {
                wanted.is_none_or(|it| it == *disposition)
            }
            (KernelFact::SignalSent { outcome, .. }, Wanted::Sent(wanted)) => wanted.is_none_or(|it| it == *outcome),
            _ => false,
        };
        as_wanted && signal(event) == Some(self.signal)
    }

    fn nearness(&self, event: &KernelEvent) -> u8 {
        2 * u8::from(signal(event) == Some(self.signal)) + u8::from(!is_sent(event))
    }
}

fn is_sent(event: &KernelEvent) -> bool {
    matches!(event.fact, KernelFact::SignalSent { .. })
}

fn is_signal_to(event: &KernelEvent, program: &str) -> bool {
    match &event.fact {
        KernelFact::SignalDelivered { .. } => super::is_of(event.process.as_ref(), program),
        KernelFact::SignalSent { target, .. } => super::is_of(Some(target), program),
        _ => false,
    }
}

fn signal(event: &KernelEvent) -> Option<&str> {
    match &event.fact {
        KernelFact::SignalDelivered { signal, .. } | KernelFact::SignalSent { signal, .. } => Some(signal),
        _ => None,
    }
}
