//! The ports of a switch, by host and link.

use crate::error::{Error, Result};
use crate::scenario::Rule;
use crate::witness::wire::Mac;
use std::collections::HashSet;
use std::net::IpAddr;

/// A port of the switch: where one network card of one host is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The host it is for.
    pub host: String,
    /// The link it is on. A host has one port on a link at most.
    pub link: u8,
    /// The Ethernet address of that network card.
    pub mac: Mac,
    /// Its IP addresses: they tell where a packet is bound that goes by a router.
    pub addresses: Vec<IpAddr>,
}

impl Port {
    /// What the port is called in the capture: the host's name, or `router-eth1` where the host has several.
    pub(super) fn name(&self, all: &[Port]) -> String {
        if all.iter().filter(|port| port.host == self.host).count() > 1 {
            format!("{}-eth{}", self.host, self.link)
        } else {
            self.host.clone()
        }
    }
}

/// All ports of a switch. Each is known by its number: its position in the list.
#[derive(Debug)]
pub(super) struct Ports(Vec<Port>);

impl Ports {
    /// # Errors
    /// A host is on a link twice, or an address is.
    pub(super) fn new(ports: &[Port]) -> Result<Self> {
        let (mut places, mut addresses) = (HashSet::new(), HashSet::new());
        for port in ports {
            if !places.insert((&port.host, port.link)) || !addresses.insert(port.mac) {
                let Port { host, link, .. } = port;
                return Err(Error::broken(format!("host {host} is on link {link} twice, by its name or its address")));
            }
        }
        Ok(Self(ports.to_vec()))
    }

    /// The port of a host on a link.
    ///
    /// # Errors
    /// There is no such host on that link.
    pub(super) fn on_link(&self, host: &str, link: u8) -> Result<usize> {
        let port = self.0.iter().position(|port| port.host == host && port.link == link);
        port.ok_or_else(|| self.unknown(&format!("{host} on link {link}")))
    }

    /// The ports of a host.
    ///
    /// # Errors
    /// There is no such host.
    pub(super) fn of(&self, host: &str) -> Result<Vec<usize>> {
        let ports: Vec<usize> =
            self.0.iter().enumerate().filter(|(_, port)| port.host == host).map(|(number, _)| number).collect();
        if ports.is_empty() { Err(self.unknown(host)) } else { Ok(ports) }
    }

    /// # Errors
    /// A rule names a host that is not there.
    pub(super) fn know(&self, rules: &[Rule]) -> Result<()> {
        rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)).try_for_each(|host| self.of(host).map(drop))
    }

    fn unknown(&self, host: &str) -> Error {
        let names: Vec<String> = self.0.iter().map(|port| port.name(&self.0)).collect();
        Error::broken(format!("the cable has no host {host}")).detail(format!("there are {}", names.join(", ")))
    }
}
