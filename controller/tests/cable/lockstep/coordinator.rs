//! The cable as the coordinator of lockstep time uses it, with plugins that are made up.

use super::{AT_END, AT_SWITCH, DATE, LATENCY, Nic, join, ports};
use crate::lab::{frame, mac};
use deadpeer::cable::LockstepCable;
use deadpeer::time::lockstep::{Lockstep, protocol};
use deadpeer::timeline::{Clock, LabTime, Recorder};
use std::io::{Read, Write};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A report of a machine that would sleep for ever, with a frame that it sent, or none.
fn report(now: u64, sent: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let item = |(at, bytes): &(u64, Vec<u8>)| {
        [&at.to_le_bytes()[..], &[0; 4], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
    };
    let items: Vec<u8> = sent.iter().flat_map(item).collect();
    let numbers = [sent.len() as u32, items.len() as u32, 0, 0, 0, 0].map(u32::to_le_bytes).concat();
    [&now.to_le_bytes()[..], &i64::MAX.to_le_bytes(), &numbers, &items].concat()
}

#[test]
fn a_frame_gets_from_one_machine_to_another_at_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (sink, events) = channel();
    let recorder = Recorder::new(Clock::lockstep(DATE).0, sink);
    let mut cable = LockstepCable::new(recorder, &folder.path().join("wire.pcapng"), &ports(), LATENCY).unwrap();
    let mut lockstep = Lockstep::new(LATENCY, Duration::from_secs(10)).unwrap();
    let [mut client, mut server] = ["client", "server"].map(|host| {
        let (machine, plugin) = join(&mut lockstep);
        cable.plug(host, 0, Nic { machine, nic: 0 }).unwrap();
        plugin
    });
    let sent = frame("client", mac("server"), 1);
    client.write_all(&report(0, &[(0, sent.clone())])).unwrap();
    server.write_all(&report(0, &[])).unwrap();
    // Nobody has anything to do until the frame comes; at its time the server is granted it, and reports.
    server.write_all(&report(AT_END, &[])).unwrap();
    lockstep.advance(LabTime(AT_END), &mut cable).unwrap();
    assert_eq!(events.try_iter().map(|event| event.at.0).collect::<Vec<_>>(), [AT_SWITCH]);
    lockstep.advance(LabTime(AT_END), &mut cable).unwrap();

    let mut grant = vec![0; protocol::GRANT + 16 + sent.len()];
    server.read_exact(&mut grant).unwrap();
    let item = &grant[protocol::GRANT..];
    assert_eq!((&item[..8], &item[16..]), (&AT_END.to_le_bytes()[..], &sent[..]));
}
