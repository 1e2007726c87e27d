//! A machine with several NICs.

use crate::lab::{LATENCY, Lab, guest, seconds};
use crate::machine_support::Bench;
use deadpeer::error::Result;
use deadpeer::time::lockstep::{Delivery, Port, Sent, Wire};
use std::collections::BTreeSet;

/// Brings what NIC 0 sends to NIC 2 of the same machine, and nothing else. Which NIC sent with which address?
#[derive(Default)]
struct Loop(BTreeSet<(u8, Vec<u8>)>);

impl Wire for Loop {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        self.0.insert((frame.from.nic, frame.bytes[6..12].to_vec()));
        let to = Port { nic: 2, ..frame.from };
        let delivery = Delivery { to, at: frame.at.after(LATENCY), bytes: frame.bytes.clone() };
        Ok(if frame.from.nic == 0 { vec![delivery] } else { vec![] })
    }
}

#[test]
fn each_nic_of_a_machine_is_a_line_of_its_own() {
    let bench = Bench::new();
    // IPv6 speaks by itself when a link is up.
    let guest = guest(
        &bench,
        "for n in 0 1 2; do $B ifconfig eth$n promisc up; done; up; $B sleep 4
         for n in 0 1 2; do read -r count </sys/class/net/eth$n/statistics/rx_packets; [ $count = 0 ] || echo eth$n heard; done
         echo done",
    );
    let mut lab = Lab::new(&bench, "nics");
    let macs = [1, 2, 3].map(|nic| [0x02, 0xde, 0xad, 0, nic, 1]);
    let mut board = lab.board("router", &guest);
    board.links = macs.to_vec();
    lab.start(board, None);
    let mut wire = Loop::default();
    while lab.lockstep.now() < seconds(12) {
        assert_eq!(lab.lockstep.advance(seconds(12), &mut wire).unwrap(), []);
    }
    let senders = macs.iter().enumerate().map(|(nic, mac)| (nic as u8, mac.to_vec()));
    assert_eq!(wire.0, senders.collect());
    let console = lab.console("router").replace('\r', "");
    assert!(console.contains("\ndone\n"), "{console}");
    let heard: Vec<&str> = console.lines().filter(|line| line.ends_with(" heard")).collect();
    assert_eq!(heard, ["eth2 heard"]);
}
