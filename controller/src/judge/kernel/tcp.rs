//! "Host H's TCP sent a RST, received one, or sent a segment again."

use super::Sought;
use crate::scenario::{Scenario, TcpDeed};
use crate::timeline::{Connection, KernelEvent, KernelFact};
use std::net::IpAddr;

pub(super) struct Deeds<'a> {
    host: &'a str,
    deed: TcpDeed,
    lab: Lab,
}

impl<'a> Deeds<'a> {
    pub(super) fn of(scenario: &Scenario, host: &'a str, deed: TcpDeed) -> Self {
        Self { host, deed, lab: Lab::of(scenario, host) }
    }
}

impl Sought for Deeds<'_> {
    fn host<'a>(&'a self, _: &'a Scenario) -> &'a str {
        self.host
    }

    fn kind(&self) -> String {
        format!("RSTs and retransmissions of {}", self.host)
    }

    fn is_of_kind(&self, event: &KernelEvent) -> bool {
        deed(event).is_some_and(|(connection, _)| self.lab.knows(connection))
    }

    fn fits(&self, event: &KernelEvent) -> bool {
        deed(event).is_some_and(|(_, deed)| deed == self.deed)
    }
}

fn deed(event: &KernelEvent) -> Option<(&Connection, TcpDeed)> {
    match &event.fact {
        KernelFact::ResetSent { connection } => Some((connection, TcpDeed::ResetSent)),
        KernelFact::ResetReceived { connection } => Some((connection, TcpDeed::ResetReceived)),
        KernelFact::Retransmitted { connection } => Some((connection, TcpDeed::Retransmission)),
        _ => None,
    }
}

/// What belongs to the lab of a host's connections: those over its links. The control channel, which comes in by another
/// NIC, is no part of any scenario.
pub(super) struct Lab {
    addresses: Vec<IpAddr>,
}

impl Lab {
    pub(super) fn of(scenario: &Scenario, host: &str) -> Self {
        let addresses = scenario.hosts.get(host).into_iter().flat_map(|host| &host.addresses);
        Self { addresses: addresses.map(|(address, _)| *address).collect() }
    }

    pub(super) fn knows(&self, connection: &Connection) -> bool {
        // A socket for both families has its IPv4 addresses mapped into IPv6 (RFC 4291, 2.5.5.2).
        let local = connection.local.ip().to_canonical();
        local.is_unspecified() || local.is_loopback() || self.addresses.contains(&local)
    }
}
