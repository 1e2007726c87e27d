//! "Signal S was sent, or delivered, to program P."

use super::Sought;
use crate::scenario::Scenario;
use crate::timeline::{Disposition, KernelEvent, KernelFact, SignalOutcome};

pub(super) struct Delivered<'a> {
    pub(super) program: &'a str,
    pub(super) signal: &'a str,
    pub(super) disposition: Option<Disposition>,
}

impl Sought for Delivered<'_> {
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
        is_signal_to(event, self.program)
    }

    fn fits(&self, event: &KernelEvent) -> bool {
        match &event.fact {
            KernelFact::SignalDelivered { signal, disposition, .. } => {
                signal == self.signal && self.disposition.is_none_or(|wanted| wanted == *disposition)
            }
            _ => false,
        }
    }

    fn nearness(&self, event: &KernelEvent) -> u8 {
        let delivered = matches!(event.fact, KernelFact::SignalDelivered { .. });
        2 * u8::from(signal(event) == Some(self.signal)) + u8::from(delivered)
    }
}

pub(super) struct Sent<'a> {
    /// The program that the target is of.
    pub(super) program: &'a str,
    pub(super) signal: &'a str,
    pub(super) outcome: Option<SignalOutcome>,
}

impl Sought for Sent<'_> {
    fn host<'a>(&'a self, scenario: &'a Scenario) -> &'a str {
        super::host_of(scenario, self.program)
    }

    fn program(&self) -> Option<&str> {
        Some(self.program)
    }

    fn kind(&self) -> String {
        format!("signals to {}", self.program)
    }

    fn is_of_kind(&self, event: &KernelEvent) -> bool {
        is_signal_to(event, self.program) && matches!(event.fact, KernelFact::SignalSent { .. })
    }

    fn fits(&self, event: &KernelEvent) -> bool {
        match &event.fact {
            KernelFact::SignalSent { signal, outcome, .. } => {
                signal == self.signal && self.outcome.is_none_or(|wanted| wanted == *outcome)
            }
            _ => false,
        }
    }

    fn nearness(&self, event: &KernelEvent) -> u8 {
        u8::from(signal(event) == Some(self.signal))
    }
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
