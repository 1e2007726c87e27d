//! Machines that die, come back, boot or lose their cable.

use super::{AT_END, Lab, Machines, unheard};
use crate::lab::{BROADCAST, frame, mac, raw, rule};
use deadpeer::cable::Port;
use deadpeer::scenario::RuleVerdict::Delay;
use deadpeer::timeline::{LabTime, Verdict};
use std::time::Duration;

#[test]
fn a_dead_machine_is_silence_to_the_others_and_a_new_one_takes_its_place() {
    let mut lab = Lab::new();
    let [client, old, router] = ["client", "server", "router"].map(|host| lab.nic(host));
    lab.cable.machine_gone("server").unwrap();
    assert_eq!(lab.carry(client, 1, &frame("client", mac("server"), 1)), []);
    assert_eq!(lab.carry(client, 2, &frame("client", BROADCAST, 2)), [(router, 2 + AT_END, 2)]);
    let new = lab.switch_on("server");
    assert_ne!(new, old);
    assert_eq!(lab.carry(client, 3, &frame("client", mac("server"), 3)), [(new, 3 + AT_END, 3)]);
    assert_eq!(lab.carry(new, 4, &frame("server", mac("client"), 4)), [(client, 4 + AT_END, 4)]);
    assert_eq!(lab.verdicts(), [Verdict::Lost, Verdict::Passed, Verdict::Passed, Verdict::Passed]);
}

#[test]
fn the_last_words_of_a_machine_arrive_and_do_not_wake_the_one_after_it() {
    let mut lab = Lab::new();
    let (client, old) = (lab.nic("client"), lab.nic("server"));
    lab.cable.machine_gone("server").unwrap();
    assert_eq!(lab.carry(old, 1, &frame("server", mac("client"), 1)), [(client, 1 + AT_END, 1)]);
    let new = lab.switch_on("server");
    lab.cable.sleep("server").unwrap();
    assert_eq!(lab.carry(old, 2, &frame("server", mac("client"), 2)), [(client, 2 + AT_END, 2)]);
    assert_eq!(lab.carry(client, 3, &frame("client", mac("server"), 3)), []);
    assert_eq!(lab.carry(new, 4, &frame("server", mac("client"), 4)), [(client, 4 + AT_END, 4)]);
    assert_eq!(lab.carry(client, 5, &frame("client", mac("server"), 5)), [(new, 5 + AT_END, 5)]);
    assert_eq!(lab.verdicts()[2], Verdict::Lost);
}

#[test]
fn a_cable_pulled_out_carries_nothing_either_way_until_it_is_put_in_again() {
    let mut lab = Lab::new();
    let (client, server) = (lab.nic("client"), lab.nic("server"));
    lab.cable.set_link("server", false).unwrap();
    assert_eq!(lab.carry(client, 1, &frame("client", mac("server"), 1)), []);
    assert_eq!(lab.carry(server, 2, &frame("server", mac("client"), 2)), []);
    lab.cable.set_link("server", true).unwrap();
    assert_eq!(lab.carry(client, 3, &frame("client", mac("server"), 3)).len(), 1);
    lab.cable.set_link("server", false).unwrap();
    let new = lab.switch_on("server");
    assert_eq!(lab.carry(client, 4, &frame("client", mac("server"), 4)), [(new, 4 + AT_END, 4)]);
    assert_eq!(lab.verdicts(), [Verdict::Lost, Verdict::Lost, Verdict::Passed, Verdict::Passed]);
}

#[test]
fn each_link_is_a_network_of_its_own_and_each_card_wakes_up_alone() {
    let folder = tempfile::tempdir().unwrap();
    let port =
        |host: &str, link, n| Port { host: host.to_owned(), link, mac: [2, 0, 0, 0, link, n], addresses: Vec::new() };
    let ports = [port("client", 0, 1), port("router", 0, 2), port("router", 1, 2), port("server", 1, 3)];
    let mut cable = unheard(&folder.path().join("wire.pcapng"), &ports).unwrap();
    let mut machines = Machines::new();
    let (client, server, first) = (machines.another(0), machines.another(0), machines.another(0));
    let second = super::Nic { nic: 1, ..first };
    for (host, link, nic) in [("client", 0, client), ("router", 0, first), ("router", 1, second), ("server", 1, server)]
    {
        cable.plug(host, link, nic).unwrap();
    }
    let carry = |cable: &mut _, nic, from: usize, to, last| {
        super::carry(cable, nic, 0, &raw(ports[from].mac, to, last)).unwrap()
    };
    assert_eq!(carry(&mut cable, client, 0, BROADCAST, 1), [(first, AT_END, 1)]);
    assert_eq!(carry(&mut cable, client, 0, ports[3].mac, 2), [(first, AT_END, 2)], "unknown on this link");
    assert_eq!(carry(&mut cable, server, 3, BROADCAST, 3), [(second, AT_END, 3)]);
    cable.sleep("router").unwrap();
    assert_eq!(carry(&mut cable, second, 2, ports[3].mac, 4), [(server, AT_END, 4)]);
    assert_eq!(carry(&mut cable, server, 3, ports[2].mac, 5), [(second, AT_END, 5)]);
    assert_eq!(carry(&mut cable, client, 0, ports[1].mac, 6), []);
    cable.set_link("router", false).unwrap();
    assert_eq!(carry(&mut cable, server, 3, ports[2].mac, 7), []);
}

#[test]
fn delayed_frames_that_never_arrive_are_counted() {
    let mut lab = Lab::new();
    let (client, server) = (lab.nic("client"), lab.nic("server"));
    let set = |lab: &mut Lab, by| lab.cable.set_rules(vec![rule(None, None, None, Delay(by))]).unwrap();
    set(&mut lab, Duration::from_nanos(1));
    let delivered = lab.carry(client, 0, &frame("client", mac("server"), 1));
    assert_eq!(delivered, [(server, AT_END + 1, 1)]);
    lab.hand.set(LabTime(AT_END + 1)); // so that it has arrived
    set(&mut lab, Duration::from_secs(3600));
    lab.carry(client, 0, &frame("client", mac("server"), 2));
    lab.carry(client, 0, &frame("client", mac("router"), 3));
    lab.cable.machine_gone("server").unwrap();
    assert_eq!(lab.cable.frames().late, 1);
    assert_eq!(lab.carry(client, 0, &frame("client", mac("server"), 4)), [], "there is nobody whom it could be for");
    assert_eq!(lab.cable.frames().late, 2);
    let counts = lab.cable.finish().unwrap().counts;
    assert_eq!((counts.frames, counts.delayed, counts.late), (4, 4, 3));
}
