//! Claims on the word of a host's kernel: calls, signals, states, RSTs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::undecided_until;
use deadpeer::scenario::{CallFamily, Count, DescriptorClass, KernelPattern, Moment, Returns, TcpDeed, claim};
use deadpeer::timeline::{
    CallResult, Connection, DescriptorKind, Disposition, KernelFact, LabTime, SignalOutcome, TcpState,
};
use std::time::Duration;
use support::Story;
use support::claims::{accepts, calls, claimed, deed, delivered, error, judged, reads, state, zombies};
use support::kernel::{self, connection, failed, process};
use support::scenarios::{CRASH, SECOND_LINE, after, within};

#[test]
fn a_call_is_found_by_its_family_its_descriptor_and_its_result() {
    let mut story = kernel::crash_reboot();
    let when = within(SECOND_LINE, 5);
    let held = judged(&mut story, calls(CallFamily::Read, &[error("ECONNRESET")], Count::SOME, when.clone()));
    assert_eq!(held.held, Some(true));
    assert_eq!(
        held.why,
        "At 6.436 s, echo-client's recvfrom on its connection to 192.0.2.2:9877 failed with ECONNRESET."
    );
    assert_eq!(held.evidence.len(), 1);
    assert_eq!(held.evidence[0].at, LabTime(6_436_000_000));
    // The read of its standard input is none of its connection.
    assert_eq!(judged(&mut story, reads(&[Returns::Data], Count::exactly(1))).held, Some(true));
    let input = KernelPattern::Call {
        program: "echo-client".to_owned(),
        family: CallFamily::Read,
        descriptor: Some(DescriptorClass::Input),
        returns: vec![Returns::Number(13)],
    };
    assert_eq!(judged(&mut story, claimed(input, Count::exactly(1), Moment::default())).held, Some(true));
    // What a child of the server did, the server did.
    let child_reads = KernelPattern::Call {
        program: "echo-server".to_owned(),
        family: CallFamily::Read,
        descriptor: None,
        returns: vec![Returns::Success],
    };
    let held = judged(&mut story, claimed(child_reads, Count::SOME, Moment::default()));
    assert!(held.why.contains("echo-server's child 315's recvfrom"), "{}", held.why);
}

#[test]
fn the_wrong_errno_is_set_against_what_came_nearest_first() {
    let mut story = kernel::crash_reboot();
    let judged = judged(&mut story, reads(&[error("ETIMEDOUT")], Count::SOME));
    assert_eq!(judged.held, Some(false));
    assert_eq!(
        judged.why,
        "None of 3 read calls by echo-client fits. The nearest: at 6.436 s, echo-client's recvfrom on its connection to \
         192.0.2.2:9877 failed with ECONNRESET."
    );
    assert_eq!(judged.expected, ["at least one read call by echo-client on a connection, failing with ETIMEDOUT"]);
    assert!(judged.came[0].contains("failed with ECONNRESET"), "{:?}", judged.came);
    assert!(judged.came[2].contains("standard input"), "{:?}", judged.came);
    assert_eq!(judged.came.last().unwrap(), "6.441  (echo-client exited with status 1)");
    let meant: Vec<&str> = judged.meaning.iter().map(|m| m.split(' ').next().unwrap()).collect();
    assert_eq!(meant, ["ETIMEDOUT", "ECONNRESET"]);
}

#[test]
fn a_call_out_of_its_time_is_told_of() {
    let mut story = kernel::crash_reboot();
    let early = Moment { before: Some(CRASH), ..Moment::default() };
    let judged = judged(&mut story, calls(CallFamily::Read, &[error("ECONNRESET")], Count::SOME, early));
    assert_eq!(judged.held, Some(false));
    assert!(judged.why.ends_with("One was told of at 6.436 s, which is not before step 'crash'."), "{}", judged.why);
}

#[test]
fn of_several_results_the_one_that_came_is_measured() {
    let mut story = kernel::crash_reboot();
    let either = [error("ETIMEDOUT"), error("ECONNRESET")];
    assert_eq!(judged(&mut story, reads(&either, Count::SOME)).value.as_deref(), Some("ECONNRESET"));
    assert_eq!(judged(&mut story, reads(&either[1..], Count::SOME)).value, None);
    let range = Count { at_least: 1, at_most: Some(4) };
    let held = judged(&mut story, reads(&[Returns::Data, error("ECONNRESET")], range));
    assert_eq!((held.held, held.value.as_deref()), (Some(true), Some("2")));
    let few = Count { at_least: 0, at_most: Some(1) };
    let failed = judged(&mut story, reads(&[Returns::Data, error("ECONNRESET")], few));
    assert_eq!((failed.held, failed.value.as_deref()), (Some(false), Some("2")));
}

#[test]
fn a_call_that_began_anew_did_not_return() {
    let mut story = kernel::crash_reboot();
    let on = || Some(DescriptorKind::Listening { port: 9877 });
    story.at(3.4950).call(process("echo-server"), "accept4", on(), 3.4920, CallResult::Restarted);
    assert_eq!(judged(&mut story, accepts(&[Returns::Restarted], Count::exactly(1))).held, Some(true));
    assert_eq!(judged(&mut story, accepts(&[error("EINTR")], Count::NONE)).held, Some(true));
    assert_eq!(judged(&mut story, accepts(&[], Count::exactly(1))).held, Some(true));
    story.at(3.4950).call(process("echo-server"), "accept4", on(), 3.4920, failed("EINTR"));
    let failed = judged(&mut story, accepts(&[error("EINTR")], Count::NONE));
    assert_eq!(failed.held, Some(false));
    assert!(failed.meaning[0].starts_with("EINTR means that a signal"), "{:?}", failed.meaning);
}

#[test]
fn a_call_that_never_returned_is_as_uncertain_as_an_absence() {
    let blocked = |story: &mut Story| {
        let on = Some(DescriptorKind::Connection(connection("client")));
        story.at(6.5).call(process("echo-client"), "recvfrom", on, 3.1, CallResult::Unfinished);
    };
    let mut story = kernel::quiet();
    blocked(&mut story);
    let nothing = || reads(&[Returns::Nothing], Count::SOME);
    let held = judged(&mut story, nothing());
    assert_eq!(held.held, Some(true));
    assert!(held.why.ends_with("did not return; it began at 3.100 s."), "{}", held.why);
    // It returned nothing whatever, and so nothing else either.
    assert_eq!(judged(&mut story, reads(&[Returns::Success], Count::NONE)).held, Some(true));
    // Its return may have been lost.
    story.at(5.0).lost("client", 4.0);
    assert_eq!(judged(&mut story, nothing()).held, None);
    // A run that broke off proves nothing.
    let mut story = kernel::crash_reboot();
    blocked(&mut story);
    story.events.retain(|event| event.at < LabTime(6_432_000_000));
    let unknown = judged(&mut story, nothing());
    assert_eq!(unknown.held, None);
    assert!(unknown.why.contains("the run broke off in step 'second-line'"), "{}", unknown.why);
}

#[test]
fn a_signal_is_sent_and_then_delivered_or_ignored() {
    let mut story = kernel::quiet();
    story.at(4.0).sent("echo-server", "TERM", SignalOutcome::Ignored);
    story.at(5.0).sent("echo-server", "CHLD", SignalOutcome::Queued);
    story.at(5.1).delivered("echo-server", "CHLD", Disposition::Handled);
    story.at(5.2).sent("echo-server", "CHLD", SignalOutcome::Merged);
    let sent = |signal: &str, outcome, count| {
        let (program, signal) = ("echo-server".to_owned(), signal.to_owned());
        claimed(KernelPattern::Sent { program, signal, outcome }, count, Moment::default())
    };
    assert_eq!(judged(&mut story, sent("CHLD", None, Count::exactly(2))).held, Some(true));
    assert_eq!(judged(&mut story, sent("CHLD", Some(SignalOutcome::Merged), Count::exactly(1))).held, Some(true));
    assert_eq!(judged(&mut story, sent("KILL", None, Count::NONE)).held, Some(true));
    assert_eq!(judged(&mut story, delivered("CHLD", Some(Disposition::Handled), Count::SOME)).held, Some(true));
    assert_eq!(judged(&mut story, delivered("CHLD", Some(Disposition::Default), Count::SOME)).held, Some(false));
    // Who looks for the delivery sees the sending.
    let failed = judged(&mut story, delivered("TERM", None, Count::SOME));
    assert_eq!(failed.held, Some(false));
    assert_eq!(
        failed.why,
        "None of 4 signals to echo-server fits. The nearest: at 4.000 s, init (process 1) sent SIGTERM to echo-server, \
         which ignores it."
    );
}

#[test]
fn connections_change_their_states_and_listening_sockets_are_none() {
    use TcpState::{Closed, Established, Listen, SynSent};
    let mut story = kernel::crash_reboot();
    assert_eq!(
        judged(&mut story, state("client", Some(SynSent), Some(Established), Count::exactly(1))).held,
        Some(true)
    );
    assert_eq!(judged(&mut story, state("client", None, Some(Established), Count::exactly(1))).held, Some(true));
    assert_eq!(judged(&mut story, state("server", Some(Closed), None, Count::NONE)).held, Some(true));
    assert_eq!(judged(&mut story, state("server", None, Some(Listen), Count::exactly(1))).held, Some(true));
    let failed = judged(&mut story, state("client", Some(Established), Some(TcpState::CloseWait), Count::SOME));
    assert_eq!(
        failed.why,
        "None of 3 changes of state of connections of client fits. The nearest: at 6.435 s, 192.0.2.1:41612 to \
         192.0.2.2:9877 of client went from ESTABLISHED to CLOSED."
    );
}

#[test]
fn the_control_channel_is_no_part_of_the_story_and_mapped_addresses_are() {
    let mut story = kernel::quiet();
    let other = |local: &str, remote: &str| KernelFact::State {
        connection: Connection { local: local.parse().unwrap(), remote: remote.parse().unwrap() },
        from: TcpState::Established,
        to: TcpState::CloseWait,
    };
    story.at(4.0).told("server", None, other("10.0.2.15:22", "10.0.2.2:40000"));
    story.at(4.1).told("server", None, other("[::ffff:192.0.2.2]:9877", "[::ffff:192.0.2.1]:41612"));
    let closed = |count| state("server", None, Some(TcpState::CloseWait), count);
    assert_eq!(judged(&mut story, closed(Count::exactly(1))).held, Some(true));
}

#[test]
fn resets_and_retransmissions_are_counted() {
    let mut story = kernel::crash_reboot();
    assert_eq!(judged(&mut story, deed("client", TcpDeed::ResetReceived, Count::exactly(1))).held, Some(true));
    let held = judged(&mut story, deed("server", TcpDeed::ResetSent, Count::SOME));
    assert_eq!(held.why, "At 6.435 s, server sent a RST, 192.0.2.2:9877 to 192.0.2.1:41612.");
    let failed = judged(&mut story, deed("client", TcpDeed::Retransmission, Count { at_least: 3, at_most: None }));
    assert_eq!(failed.expected, ["at least 3 retransmissions by client"]);
    assert_eq!(failed.value.as_deref(), Some("0"));
}

#[test]
fn a_claim_with_a_deadline_asks_to_be_watched_until_then() {
    let mut story = kernel::quiet();
    story.at(4.0).state("client", TcpState::Established, TcpState::CloseWait);
    story.at(4.0).state("server", TcpState::Established, TcpState::FinWait1);
    let when = Moment { within: Some(Duration::from_secs(9)), ..Moment::default() };
    let resets = |count| {
        claimed(KernelPattern::Tcp { host: "client".to_owned(), deed: TcpDeed::ResetReceived }, count, when.clone())
    };
    for count in [Count::NONE, Count::SOME, Count::exactly(1)] {
        assert_eq!(judged(&mut story, resets(count)).held, None);
        assert_eq!(undecided_until(&story.scenario, &story.events, LabTime(0)), Some(LabTime(9_000_000_000)));
        assert_eq!(undecided_until(&story.scenario, &story.events, LabTime(9_000_000_000)), None);
    }
    story.at(5.0).told("client", None, KernelFact::ResetReceived { connection: connection("client") });
    assert_eq!(judged(&mut story, resets(Count::SOME)).held, Some(true));
    assert_eq!(undecided_until(&story.scenario, &story.events, LabTime(0)), None);
}

#[test]
fn a_program_that_was_never_started_made_no_call() {
    let mut story = kernel::quiet();
    story.events.retain(|event| event.at < LabTime(3_100_000_000));
    story.at(4.0).state("client", TcpState::Closed, TcpState::SynSent);
    let failed = judged(&mut story, reads(&[], Count::SOME));
    assert_eq!((failed.held, failed.why.as_str()), (Some(false), "echo-client was never started."));
}

#[test]
fn claims_in_words_are_the_same_in_a_page_and_in_a_judgement_but_for_the_moment() {
    let mut story = kernel::crash_reboot();
    let cases = [
        (
            calls(CallFamily::Read, &[error("EINTR"), Returns::Restarted], Count::NONE, after(SECOND_LINE)),
            "no read call by echo-client on a connection, failing with EINTR or restarted after a signal",
        ),
        (
            accepts(&[Returns::Success], Count::exactly(3)),
            "exactly 3 accept calls by echo-server on a listening socket, returning 0 or more",
        ),
        (
            delivered("PIPE", Some(Disposition::Default), Count::SOME),
            "at least one SIGPIPE delivered to echo-server with its default action",
        ),
        (
            state("client", None, Some(TcpState::CloseWait), Count { at_least: 2, at_most: Some(5) }),
            "2 to 5 connections of client going to CLOSE-WAIT",
        ),
        (
            deed("client", TcpDeed::ResetReceived, Count { at_least: 0, at_most: Some(1) }),
            "at most 1 RST received by client",
        ),
        (zombies(Count::exactly(1), Some(CRASH)), "exactly 1 zombie of echo-server"),
    ];
    for (it, words) in cases {
        assert!(claim(&story.scenario, &it).starts_with(words), "{}", claim(&story.scenario, &it));
        let judged = judged(&mut story, it);
        assert!(judged.claim.starts_with(words), "{}", judged.claim);
    }
}
