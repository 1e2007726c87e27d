//! "A connection of host H went from state A to state B."

use super::Sought;
use super::tcp::Lab;
use crate::scenario::{Scenario, StateChange};
use crate::timeline::{Connection, KernelEvent, KernelFact, TcpState};

pub(super) struct States<'a> {
    host: &'a str,
    change: StateChange,
    lab: Lab,
}

impl<'a> States<'a> {
    pub(super) fn of(scenario: &Scenario, host: &'a str, change: StateChange) -> Self {
        Self { host, change, lab: Lab::of(scenario, host) }
    }
}

impl Sought for States<'_> {
    fn host<'a>(&'a self, _: &'a Scenario) -> &'a str {
        self.host
    }

    fn kind(&self) -> String {
        let what = if self.change.is_about_listening() { "sockets" } else { "connections" };
        format!("changes of state of {what} of {}", self.host)
    }

    fn is_of_kind(&self, event: &KernelEvent) -> bool {
        let Some((connection, ..)) = state(event) else { return false };
        // A listening socket has no other end.
        let is_connection = connection.remote.port() != 0;
        self.lab.knows(connection) && (is_connection || self.change.is_about_listening())
    }

    fn fits(&self, event: &KernelEvent) -> bool {
        let StateChange { from, to } = self.change;
        state(event).is_some_and(|(_, old, new)| from.is_none_or(|s| s == old) && to.is_none_or(|s| s == new))
    }

    fn nearness(&self, event: &KernelEvent) -> u8 {
        let Some((_, old, new)) = state(event) else { return 0 };
        2 * u8::from(self.change.to == Some(new)) + u8::from(self.change.from == Some(old))
    }
}

fn state(event: &KernelEvent) -> Option<(&Connection, TcpState, TcpState)> {
    match &event.fact {
        KernelFact::State { connection, from, to } => Some((connection, *from, *to)),
        _ => None,
    }
}
