//! What the resolved form holds, on whole scenarios.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use std::net::IpAddr;
use std::time::Duration;

const CRASH_REBOOT: &str = include_str!("../../../scenarios/crash-reboot.yaml");

fn read(text: &str) -> Scenario {
    parse("test.yaml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A scenario with these hosts, programs and steps (YAML), and an expectation that asks for nothing of them.
fn with(hosts: &str, steps: &str) -> Scenario {
    let text = "name: x\ntitle: x\nstory: x\nexpectations: [{name: x, host: server, carrier: kept, held: x, not-held: x}]\n\
                programs: {p: {host: server, run: \"p 'a b'\"}}\n";
    read(&format!("{text}hosts: {hosts}\nsteps:\n{steps}"))
}

#[test]
fn the_first_scenario_is_what_it_reads_like() {
    let scenario = read(CRASH_REBOOT);
    assert_eq!(scenario.section.as_deref(), Some("5.15"));
    assert_eq!(scenario.hosts.keys().collect::<Vec<_>>(), ["client", "server"]);
    assert_eq!(scenario.programs["echo-client"].command, ["echo-client", "192.0.2.2"]);
    let second_line = scenario.step_named("second-line").unwrap();
    let step = &scenario.steps[second_line];
    let until = Some(Until { what: Pattern::Ends, within: Duration::from_secs(10) });
    let wanted = Action::Type { program: "echo-client".to_owned(), line: "another line".to_owned(), until };
    assert_eq!(step.action, wanted);
    assert_eq!(CRASH_REBOOT.lines().nth(step.line - 1), Some("  - name: second-line"));
    let reset = scenario.expectations.iter().find(|e| e.name == "reset").unwrap();
    let Claim::Segment(segment) = &reset.claim else { panic!("{:?}", reset.claim) };
    assert!(segment.count == Count::SOME && segment.flow.flags.rst && !segment.flow.flags.ack);
    assert_eq!(segment.answering.as_ref().unwrap().after, Some(second_line));
    assert_eq!(segment.when, Moment { after: Some(second_line), before: None, within: Some(Duration::from_secs(5)) });
    assert_eq!(CRASH_REBOOT.lines().nth(reset.line - 1), Some("  - name: reset"));
}

#[test]
fn what_is_left_out_has_its_usual_value() {
    let scenario = with("{server: }", "- start: p\n  until: {prints: x}\n- {run: ls, host: server}\n");
    let server = &scenario.hosts["server"];
    assert_eq!((server.init(), server.memory, server.sysctl.len()), (Init::Sysvinit, 256, 0));
    let ten = Duration::from_secs(10);
    assert!(matches!(&scenario.steps[0].action, Action::Start { until: Some(until), .. } if until.within == ten));
    assert!(matches!(&scenario.steps[1].action, Action::Run { within, .. } if *within == ten));
    assert_eq!(scenario.programs["p"].command, ["p", "a b"]);
}

#[test]
fn hosts_without_addresses_get_their_own_or_the_next_that_are_free() {
    let hosts =
        "{a: , router: , client: , server: , b: {addresses: [192.0.2.3]}, c: {addresses: ['2001:db8::4']}, d: }";
    let scenario = with(hosts, "- pause: 1 s\n");
    let of = |name: &str| scenario.hosts[name].addresses.clone();
    let pair = |v4: &str, v6: &str| -> Vec<(IpAddr, u8)> { vec![(v4.parse().unwrap(), 24), (v6.parse().unwrap(), 64)] };
    assert_eq!(of("client"), pair("192.0.2.1", "2001:db8::1"));
    assert_eq!(of("server"), pair("192.0.2.2", "2001:db8::2"));
    assert_eq!(of("router"), pair("192.0.2.254", "2001:db8::fe"));
    // .3 and ::4 are taken.
    assert_eq!(of("a"), pair("192.0.2.5", "2001:db8::5"));
    assert_eq!(of("d"), pair("192.0.2.6", "2001:db8::6"));
}

#[test]
fn a_host_that_is_named_later_still_gets_its_own_address() {
    let scenario = with("{a: {addresses: [192.0.2.1]}, client: , server: }", "- pause: 1 s\n");
    assert_eq!(scenario.hosts["client"].addresses[0].0.to_string(), "192.0.2.3");
    assert_eq!(scenario.hosts["server"].addresses[0].0.to_string(), "192.0.2.2");
}

#[test]
fn a_host_can_live_several_lives_and_its_programs_with_it() {
    let steps = "- start: p\n- reboot: server\n- start: p\n- power-off: server\n- power-on: server\n- start: p\n\
                 - {signal: KILL, to: p}\n- {wait-for: p, until: ends}\n- start: p\n- unplug: server\n- plug: server\n\
                 - shutdown: server\n- power-on: server\n- reset: server\n";
    assert_eq!(with("{server: }", steps).steps.len(), 14);
}

#[test]
fn texts_stand_as_they_were_written() {
    let scenario =
        with("{server: {sysctl: {net.x: 010}}}", "- start: p\n- {type: 'no', into: p}\n- {type: 1.50, into: p}\n");
    let typed = |n: usize| match &scenario.steps[n].action {
        Action::Type { line, .. } => line.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((typed(1).as_str(), typed(2).as_str()), ("no", "1.50"));
    assert_eq!(scenario.hosts["server"].sysctl["net.x"], "010");
}

#[test]
fn rules_keep_their_order_and_their_parts() {
    let steps =
        "- cable: [{pass: arp}, {delay: data, by: 50 ms, from: server}, {drop: all, to: server}]\n- cable: []\n";
    let scenario = with("{server: }", steps);
    let server = Some("server".to_owned());
    let rule = |kind, from, to, verdict| Rule { from, to, kind, verdict };
    let wanted = vec![
        rule(Some(SegmentKind::Arp), None, None, RuleVerdict::Pass),
        rule(Some(SegmentKind::Data), server.clone(), None, RuleVerdict::Delay(Duration::from_millis(50))),
        rule(None, None, server, RuleVerdict::Drop),
    ];
    assert_eq!(scenario.steps[0].action, Action::Cable(wanted));
    assert_eq!(scenario.steps[1].action, Action::Cable(Vec::new()));
    let page = describe(&scenario);
    assert!(page.contains("set the cable to pass arp; delay data from server by 50 ms; drop all to server"), "{page}");
}

#[test]
fn one_slip_is_one_problem() {
    let text = CRASH_REBOOT.replace("- start: echo-client", "- start: echo-clinet");
    assert_eq!(parse("x", &text).unwrap_err().list().len(), 1);
    let text = CRASH_REBOOT.replace("name: first-line\n", "name: frist-line\n");
    assert_eq!(parse("x", &text).unwrap_err().list().len(), 1);
    let text = CRASH_REBOOT.replace("  server:\n", "  sever:\n");
    // The host is referred to in several places, and all of them are told.
    assert!(parse("x", &text).unwrap_err().list().iter().all(|p| p.message() == "there is no host `server`"));
}

#[test]
fn a_page_tells_the_scenario() {
    insta::assert_snapshot!(describe(&read(CRASH_REBOOT)));
    assert_eq!(summary(&read(CRASH_REBOOT), 14), "crash-reboot    The server host crashes and reboots (UNP 5.15)");
}
