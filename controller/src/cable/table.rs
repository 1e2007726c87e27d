//! Which port a frame goes to: the switch's address table.
//!
//! The hosts' own addresses are known from the start and stay where they are. Other source addresses (a bridge
//! in a guest may bring them) are learnt, as any switch does, and forgotten when the port gets a new cable.

use crate::witness::wire::Mac;
use std::collections::HashMap;

/// At most so many addresses are learnt; frames for those beyond go to all ports. A hardware switch holds about as many.
const LEARNT_AT_MOST: usize = 4096;

/// Ports are numbers: positions in the list that the cable was started with.
#[derive(Debug)]
pub(super) struct Table {
    ports: usize,
    hosts: HashMap<Mac, usize>,
    learnt: HashMap<Mac, usize>,
}

impl Table {
    /// A table for as many ports as there are addresses, one host behind each.
    pub(super) fn new(hosts: impl IntoIterator<Item = Mac>) -> Self {
        let hosts: HashMap<Mac, usize> = hosts.into_iter().enumerate().map(|(port, mac)| (mac, port)).collect();
        Self { ports: hosts.len(), hosts, learnt: HashMap::new() }
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

    /// The ports that a frame for `destination` goes to: one, or all others if it is for a group or for an address nobody is
    /// known to have. Never the one it came from.
    pub(super) fn destinations(&self, destination: Mac, from: usize) -> Vec<usize> {
        match self.hosts.get(&destination).or_else(|| self.learnt.get(&destination)) {
            Some(&port) if port == from => Vec::new(),
            Some(&port) => vec![port],
            None => (0..self.ports).filter(|port| *port != from).collect(),
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
        Table::new([A, [2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 3]])
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
