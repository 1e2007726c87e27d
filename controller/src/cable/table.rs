//! Which port a frame goes to: the switch's address table.
//!
//! Each link is a network of its own: what comes in by a port of one link goes to ports of that link alone, as if each had a
//! switch to itself. The hosts' own addresses are known from the start and stay where they are. Other source addresses (a
//! bridge in a guest may bring them) are learnt, as any switch does, and forgotten when the port gets a new cable.

use crate::witness::wire::Mac;
use std::collections::HashMap;

/// At most so many addresses are learnt; frames for those beyond go to all ports. A hardware switch holds about as many.
const LEARNT_AT_MOST: usize = 4096;

/// Ports are numbers: positions in the list that the cable was started with.
#[derive(Debug)]
pub(super) struct Table {
    /// The link of each port.
    links: Vec<u8>,
    hosts: HashMap<Mac, usize>,
    learnt: HashMap<Mac, usize>,
}

impl Table {
    /// A table for these ports: the link of each, and the address of the one network card behind it.
    pub(super) fn new(ports: impl IntoIterator<Item = (u8, Mac)>) -> Self {
        let (mut links, mut hosts) = (Vec::new(), HashMap::new());
        for (link, mac) in ports {
            hosts.insert(mac, links.len());
            links.push(link);
        }
        Self { links, hosts, learnt: HashMap::new() }
    }

    /// Takes note that `source` is behind `port`.
    pub(super) fn learn(&mut self, source: Mac, port: usize) {
        let known = self.learnt.contains_key(&source);
        if !self.hosts.contains_key(&source) && !is_group(source) && (known || self.learnt.len() < LEARNT_AT_MOST) {
            self.learnt.insert(source, port);
        }
    }

    /// Forgets what was learnt behind `port`.
    pub(super) fn forget(&mut self, port: usize) {
        self.learnt.retain(|_, at| *at != port);
    }

    /// The ports that a frame for `destination` goes to: one, or all others of its link if it is for a group or for an
    /// address that nobody on that link is known to have. Never the one it came from.
    pub(super) fn destinations(&self, destination: Mac, from: usize) -> Vec<usize> {
        let on_this_link = |port: &usize| self.links.get(*port) == self.links.get(from);
        match self.hosts.get(&destination).or_else(|| self.learnt.get(&destination)).filter(|port| on_this_link(port)) {
            Some(&port) if port == from => Vec::new(),
            Some(&port) => vec![port],
            None => (0..self.links.len()).filter(|port| *port != from && on_this_link(port)).collect(),
        }
    }
}

/// Whether an address is of a group: the lowest bit of its first byte (IEEE 802). Broadcast is one.
pub(super) fn is_group(mac: Mac) -> bool {
    mac[0] & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Mac = [2, 0, 0, 0, 0, 1];
    const FOREIGN: Mac = [2, 0, 0, 0, 0, 0x99];

    fn table() -> Table {
        Table::new([(0, A), (0, [2, 0, 0, 0, 0, 2]), (0, [2, 0, 0, 0, 0, 3])])
    }

    #[test]
    fn nothing_goes_from_one_link_to_another() {
        const B: Mac = [2, 0, 0, 0, 1, 2];
        // Ports 0 and 1 are on one link, 2 and 3 on another; ports 1 and 2 are one router's.
        let mut table = Table::new([(0, A), (0, [2, 0, 0, 0, 0, 2]), (1, B), (1, [2, 0, 0, 0, 1, 3])]);
        assert_eq!(table.destinations([0xff; 6], 0), [1]);
        assert_eq!(table.destinations([0xff; 6], 3), [2]);
        assert_eq!(table.destinations(B, 3), [2]);
        // The other link's address is as unknown here as any.
        assert_eq!(table.destinations(B, 0), [1]);
        table.learn(FOREIGN, 3);
        assert_eq!(table.destinations(FOREIGN, 2), [3]);
        assert_eq!(table.destinations(FOREIGN, 1), [0]);
    }

    #[test]
    fn a_hosts_address_goes_to_its_port_alone_and_never_back() {
        assert_eq!(table().destinations(A, 1), [0]);
        assert!(table().destinations(A, 0).is_empty());
    }

    #[test]
    fn groups_and_unknown_addresses_go_to_all_others() {
        assert_eq!(table().destinations([0xff; 6], 1), [0, 2]);
        assert_eq!(table().destinations([0x33, 0x33, 0, 0, 0, 1], 2), [0, 1]);
        assert_eq!(table().destinations(FOREIGN, 0), [1, 2]);
    }

    #[test]
    fn foreign_addresses_are_learnt_move_and_are_forgotten() {
        let mut table = table();
        table.learn(FOREIGN, 1);
        assert_eq!(table.destinations(FOREIGN, 0), [1]);
        table.learn(FOREIGN, 2);
        assert_eq!(table.destinations(FOREIGN, 0), [2]);
        table.forget(1);
        assert_eq!(table.destinations(FOREIGN, 0), [2]);
        table.forget(2);
        assert_eq!(table.destinations(FOREIGN, 0), [1, 2]);
    }

    #[test]
    fn a_hosts_address_cannot_be_taken_nor_a_group_be_learnt() {
        let mut table = table();
        table.learn(A, 2);
        table.learn([0xff; 6], 2);
        assert_eq!(table.destinations(A, 1), [0]);
        assert_eq!(table.destinations([0xff; 6], 0), [1, 2]);
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_it_without_bound() {
        let mut table = table();
        for n in 0..10_000_u32 {
            let [a, b, c, d] = n.to_be_bytes();
            table.learn([2, 1, a, b, c, d], 1);
        }
        assert_eq!(table.learnt.len(), LEARNT_AT_MOST);
    }
}
