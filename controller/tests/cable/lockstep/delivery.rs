//! Who gets a frame, and when.

use super::{AT_END, AT_SWITCH, LATENCY, Lab};
use crate::lab::{BROADCAST, NOBODY, arp, frame, mac, raw, rule};
use deadpeer::cable::Counts;
use deadpeer::scenario::RuleVerdict::{Delay, Drop, Pass};
use deadpeer::scenario::SegmentKind;
use deadpeer::time::lockstep::chance::{Chance, SWAY};
use deadpeer::timeline::Verdict;
use std::time::Duration;

#[test]
fn a_frame_is_at_the_switch_after_half_the_latency_and_at_its_end_after_all_of_it() {
    let mut lab = Lab::new();
    let (client, server) = (lab.nic("client"), lab.nic("server"));
    assert_eq!(lab.carry(client, 7_000, &frame("client", mac("server"), 1)), [(server, 7_000 + AT_END, 1)]);
    let (at, seen) = lab.witnessed().remove(0);
    assert_eq!((at, seen.number, seen.verdict), (7_000 + AT_SWITCH, 1, Verdict::Passed));
    assert_eq!((seen.from.as_str(), seen.to.as_deref()), ("client", Some("server")));
    assert_eq!(u128::from(AT_END), LATENCY.as_nanos());
}

#[test]
fn groups_and_unknown_addresses_go_to_all_others_and_what_is_learnt_to_one() {
    let mut lab = Lab::new();
    let [client, server, router] = ["client", "server", "router"].map(|host| lab.nic(host));
    assert_eq!(lab.carry(server, 0, &frame("server", BROADCAST, 1)), [(client, AT_END, 1), (router, AT_END, 1)]);
    assert_eq!(lab.carry(client, 0, &frame("client", NOBODY, 2)), [(server, AT_END, 2), (router, AT_END, 2)]);
    assert_eq!(lab.carry(router, 0, &raw(NOBODY, mac("client"), 3)), [(client, AT_END, 3)]);
    assert_eq!(lab.carry(client, 0, &frame("client", NOBODY, 4)), [(router, AT_END, 4)]);
    // Another machine is another wire.
    let router = lab.switch_on("router");
    assert_eq!(lab.carry(client, 0, &frame("client", NOBODY, 5)), [(server, AT_END, 5), (router, AT_END, 5)]);
}

#[test]
fn a_frame_too_short_or_for_its_own_sender_goes_nowhere() {
    let mut lab = Lab::new();
    let client = lab.nic("client");
    assert_eq!(lab.carry(client, 0, &frame("client", mac("client"), 1)), []);
    assert_eq!(lab.carry(client, 0, &[1; 13]), []);
    assert_eq!(lab.verdicts(), [Verdict::Lost; 2]);
}

#[test]
fn rules_drop_and_delay_to_the_nanosecond() {
    let mut lab = Lab::new();
    let [client, server, router] = ["client", "server", "router"].map(|host| lab.nic(host));
    let by = Duration::from_nanos(40_000);
    let rules = [
        rule(None, None, Some(SegmentKind::Arp), Pass),
        rule(Some("client"), Some("server"), None, Delay(by)),
        rule(Some("router"), None, None, Drop),
    ];
    lab.cable.set_rules(rules.to_vec()).unwrap();
    assert_eq!(lab.carry(client, 100, &frame("client", mac("server"), 1)), [(server, 40_100 + AT_END, 1)]);
    assert_eq!(lab.carry(router, 200, &frame("router", mac("server"), 2)), []);
    // For each destination alone.
    let both = [(server, 40_300 + AT_END, 3), (router, 300 + AT_END, 3)];
    assert_eq!(lab.carry(client, 300, &frame("client", BROADCAST, 3)), both);
    assert_eq!(lab.carry(client, 400, &arp("client")).len(), 2);
    lab.cable.set_rules(Vec::new()).unwrap();
    assert_eq!(lab.carry(client, 500, &frame("client", mac("server"), 5)), [(server, 500 + AT_END, 5)]);

    let seen: Vec<_> = lab.witnessed().into_iter().map(|(at, frame)| (at - AT_SWITCH, frame.verdict)).collect();
    let delayed = Verdict::Delayed(40_000);
    let expected = [delayed, Verdict::Dropped, delayed, Verdict::Passed, Verdict::Passed];
    assert_eq!(seen, [100, 200, 300, 400, 500].into_iter().zip(expected).collect::<Vec<_>>());
    let counts = Counts { frames: 5, passed: 2, dropped: 1, delayed: 2, lost: 0, late: 0 };
    assert_eq!(lab.cable.frames(), counts);
}

#[test]
fn a_latency_sways_by_the_seed_but_only_behind_the_switch_and_no_frame_overtakes() {
    let sent = |seed: u64| {
        let mut lab = Lab::new();
        lab.cable = lab.cable.swaying(Chance::new(seed));
        let (client, server) = (lab.nic("client"), lab.nic("server"));
        let mut arrived = Vec::new();
        for n in 0..200_u8 {
            let at = u64::from(n) * 7_001;
            arrived.extend(lab.carry(client, at, &frame("client", mac("server"), n)).into_iter().map(|(to, at, n)| {
                assert_eq!(to, server);
                (at, n)
            }));
        }
        let seen = lab.witnessed().into_iter().map(|(at, _)| at);
        assert!(seen.eq((0..200).map(|n| n * 7_001 + AT_SWITCH)), "at the switch to the nanosecond");
        assert!(arrived.is_sorted() && arrived.len() == 200);
        let sways: Vec<u64> = arrived.iter().map(|(at, n)| at - u64::from(*n) * 7_001 - AT_END).collect();
        assert!(sways.iter().all(|sway| u128::from(*sway) <= SWAY.as_nanos()));
        sways
    };
    let (first, again, other) = (sent(1), sent(1), sent(2));
    assert!(first == again && first != other);
    assert!(first.iter().max() > first.iter().min());
}

#[test]
fn frames_of_one_time_keep_their_order() {
    let mut lab = Lab::new();
    let [client, server, router] = ["client", "server", "router"].map(|host| lab.nic(host));
    let senders = [(client, "client"), (router, "router"), (client, "client")];
    let order: Vec<_> =
        (1..).zip(senders).flat_map(|(n, (nic, host))| lab.carry(nic, 5, &frame(host, mac("server"), n))).collect();
    assert_eq!(order, [1, 2, 3].map(|n| (server, 5 + AT_END, n)));
    let seen: Vec<_> = lab.witnessed().into_iter().map(|(at, frame)| (at, frame.number, frame.from)).collect();
    assert_eq!(
        seen,
        [(505, 1, "client"), (505, 2, "router"), (505, 3, "client")].map(|(at, n, h)| (at, n, h.to_owned()))
    );
}

#[test]
fn hosts_that_are_not_there_and_machines_that_nobody_plugged_in_are_told() {
    let mut lab = Lab::new();
    let (stranger, client) = (lab.machines.another(0), lab.nic("client"));
    let sent = frame("client", mac("server"), 1);
    let error = super::carry(&mut lab.cable, stranger, 9, &sent).unwrap_err();
    assert_eq!(error.fact, "a frame that was sent at 0.000 is from a network card at no port of the cable");
    let cable = &mut lab.cable;
    for error in [
        cable.set_rules(vec![rule(Some("moon"), None, None, Drop)]),
        cable.set_link("moon", true),
        cable.sleep("moon"),
        cable.machine_gone("moon"),
        cable.plug("client", 1, stranger),
        cable.plug("server", 0, client),
    ] {
        let error = error.unwrap_err();
        assert!(error.fact.contains("moon") || error.fact.contains("on link"), "{error}");
    }
    assert_eq!(lab.carry(client, 9, &sent).len(), 1, "and nothing has changed");
}
