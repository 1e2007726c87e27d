//! Claims about segments: which were seen, when, and what they answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Judged, judge};
use deadpeer::scenario::{Answering, Claim, Count, Flow, Moment, SegmentClaim, SegmentKind};
use deadpeer::timeline::{FrameKind, Verdict};
use std::time::Duration;
use support::scenarios::{SECOND_LINE, after, flow, reset, segments, within};
use support::{Story, scenarios, stories};

fn judged(story: &mut Story, claim: SegmentClaim) -> Judged {
    story.scenario.expectations = vec![scenarios::expectation("it", 1, Claim::Segment(claim), "held", "not held")];
    judge(&story.scenario, &story.events).remove(0)
}

fn kind(kind: SegmentKind, from: &str) -> Flow {
    Flow { kind: Some(kind), ..flow(from, "", "") }
}

fn answering(flow: Flow, to: Flow) -> SegmentClaim {
    SegmentClaim { answering: Some(Answering { flow: to, after: None }), ..segments(flow, true, Moment::default()) }
}

/// A server that is up again, with the second line typed at 7 s.
fn second_line() -> Story {
    let mut story = stories::rebooted();
    story.at(7.0).began(SECOND_LINE);
    story
}

#[test]
fn a_reset_is_traced_to_the_segment_whose_numbers_it_took() {
    let judged = judged(&mut stories::crash_reboot(), reset());
    assert_eq!(judged.held, Some(true));
    assert_eq!(judged.evidence.iter().map(|e| e.frame.unwrap()).collect::<Vec<_>>(), [19, 16]);
    assert!(judged.why.contains("frame 19 at 6.435 s") && judged.why.contains("answers frame 16"), "{}", judged.why);
}

#[test]
fn a_reset_that_answers_an_older_segment_is_a_near_miss() {
    let mut story = stories::rebooted();
    story.at(6.9).tcp("client", "P.", 14, 13, 14);
    story.at(7.0).began(SECOND_LINE);
    story.at(7.1).tcp("server", "R", 14, 0, 0).done(SECOND_LINE).at(20.0).carrier("client", true, 0);
    let judged = judged(&mut story, reset());
    assert_eq!(judged.held, Some(false));
    assert_eq!(
        judged.why,
        "A RST came, frame 17 at 7.100 s, but it answers frame 16 at 6.900 s (PSH, ACK from client to server, seq 14, \
         13 bytes, ack 14), which was sent before step 'second-line'."
    );
    assert_eq!(judged.came, ["7.100  frame 17: RST from server to client, seq 14"]);
}

#[test]
fn a_reset_with_strange_numbers_answers_nothing() {
    let mut story = second_line();
    story.tcp("client", "P.", 14, 13, 14);
    story.at(7.1).tcp("server", "R", 4000, 0, 0).done(SECOND_LINE).at(20.0).carrier("client", true, 0);
    let judged = judged(&mut story, reset());
    assert_eq!(judged.held, Some(false));
    assert!(judged.why.contains("by its numbers it answers no segment"), "{}", judged.why);
}

#[test]
fn what_never_arrived_was_not_answered() {
    for (verdict, held) in [
        (Verdict::Passed, true),
        (Verdict::Dropped, false),
        (Verdict::Lost, false),
        (Verdict::Delayed(50_000_000), true),
        (Verdict::Delayed(200_000_000), false),
    ] {
        let mut story = second_line();
        story.tcp("client", "P.", 14, 13, 14).verdict(verdict);
        story.at(7.1).tcp("server", "R", 14, 0, 0).done(SECOND_LINE).at(20.0).carrier("client", true, 0);
        let judged = judged(&mut story, reset());
        assert_eq!(judged.held, Some(held), "{verdict:?}: {}", judged.why);
    }
}

#[test]
fn a_reset_too_late_or_the_wrong_way_says_so() {
    let mut story = second_line();
    story.tcp("client", "P.", 14, 13, 14).at(12.5).tcp("server", "R", 14, 0, 0).done(SECOND_LINE);
    let late = judged(&mut story, reset());
    assert_eq!(late.held, Some(false));
    assert_eq!(late.why, "A RST came, frame 17 at 12.500 s, but that is not within 5 s after step 'second-line'.");

    let mut story = second_line();
    story.at(7.1).tcp("client", "R", 14, 0, 0).done(SECOND_LINE).at(20.0).carrier("client", true, 0);
    let wrong = judged(&mut story, reset());
    assert_eq!(wrong.held, Some(false));
    assert!(wrong.why.contains("went another way: RST from client to server"), "{}", wrong.why);
}

#[test]
fn silence_is_told_as_what_came_instead() {
    let mut story = second_line();
    story.tcp("client", "P.", 14, 13, 14).verdict(Verdict::Lost).done(SECOND_LINE).at(20.0).carrier("client", true, 0);
    let judged = judged(&mut story, reset());
    assert_eq!(judged.held, Some(false));
    assert_eq!(judged.why, "No TCP segment at all from server to client was seen within 5 s after step 'second-line'.");
    assert_eq!(judged.expected.len(), 3, "{:?}", judged.expected);
    assert_eq!(judged.came, [""; 0]);
}

#[test]
fn one_fin_disproves_a_silent_death_even_in_a_run_that_broke_off() {
    let mut story = stories::rebooted();
    story.tcp("server", "F.", 14, 0, 14);
    let judged = judged(&mut story, segments(flow("server", "", "F"), false, Moment::default()));
    assert_eq!(judged.held, Some(false));
    assert_eq!(judged.expected, ["no FIN from server"]);
    assert_eq!(judged.came, ["6.431  frame 16: FIN, ACK from server to client, seq 14, ack 14"]);
}

#[test]
fn the_instant_of_the_step_belongs_to_after_and_not_to_before() {
    let mut story = second_line();
    story.tcp("client", "P.", 14, 13, 14).done(SECOND_LINE);
    let data = || kind(SegmentKind::Data, "client");
    assert_eq!(judged(&mut story, segments(data(), true, after(SECOND_LINE))).held, Some(true));
    let before = Moment { before: Some(SECOND_LINE), after: Some(scenarios::CRASH), within: None };
    assert_eq!(judged(&mut story, segments(data(), true, before)).held, Some(false));
}

#[test]
fn a_deadline_is_met_by_what_comes_at_its_last_instant() {
    let mut story = second_line();
    story.at(12.0).tcp("client", "P.", 14, 13, 14).done(SECOND_LINE);
    let data = segments(kind(SegmentKind::Data, "client"), true, within(SECOND_LINE, 5));
    assert_eq!(judged(&mut story, data).held, Some(true));
}

#[test]
fn counts_are_exact_and_too_many_is_known_at_once() {
    let retransmissions = |count| SegmentClaim {
        count: Count::exactly(count),
        ..segments(kind(SegmentKind::Retransmission, "client"), true, Moment::default())
    };
    let mut story = stories::fifteen_retransmissions();
    assert_eq!(judged(&mut story, retransmissions(15)).held, Some(true));
    assert_eq!(judged(&mut story, retransmissions(14)).held, Some(false));
    let few = judged(&mut story, retransmissions(16));
    assert_eq!(few.held, Some(false));
    assert!(few.why.starts_with("15 retransmissions came; the first is frame 15"), "{}", few.why);
    assert_eq!(few.came.len(), 5, "{:?}", few.came);

    // Without its end, the run may hold more of them, but never fewer.
    story.events.truncate(story.events.len() - 3);
    assert_eq!(judged(&mut story, retransmissions(14)).held, Some(false));
    assert_eq!(judged(&mut story, retransmissions(15)).held, None);
}

#[test]
fn a_refused_connection_is_a_reset_that_acknowledges_the_syn() {
    let mut story = second_line();
    story.tcp("client", "S", 100, 0, 0).at(7.1).tcp("server", "R.", 0, 0, 101).done(SECOND_LINE);
    let refused = answering(flow("server", "", "R"), kind(SegmentKind::Syn, "client"));
    assert_eq!(judged(&mut story, refused.clone()).held, Some(true));

    let mut story = second_line();
    story.tcp("client", "S", 100, 0, 0).at(7.1).tcp("server", "R.", 0, 0, 100).done(SECOND_LINE);
    assert_eq!(judged(&mut story, refused).held, Some(false));
}

#[test]
fn an_acknowledgement_answers_what_it_is_the_first_to_cover() {
    let claim = || {
        let mut claim = answering(kind(SegmentKind::PureAck, "server"), kind(SegmentKind::Data, "client"));
        claim.when = after(SECOND_LINE);
        claim.answering = Some(Answering { after: Some(SECOND_LINE), ..claim.answering.unwrap() });
        claim
    };
    // Exactly its end; together with the one after it; not yet all of it.
    for (ack, held) in [(27, true), (30, true), (26, false)] {
        let mut story = second_line();
        story.at(7.1).tcp("client", "P.", 14, 13, 14).at(7.2).tcp("server", ".", 14, 0, ack).done(SECOND_LINE);
        let judged = judged(&mut story, claim());
        assert_eq!(judged.held, Some(held), "ack {ack}: {}", judged.why);
    }
    // A later one that acknowledges more does not answer what was acknowledged before.
    let mut story = second_line();
    story.at(7.1).tcp("client", "P.", 14, 13, 14).at(7.2).tcp("server", ".", 14, 0, 27);
    story.at(7.3).tcp("server", ".", 14, 0, 30).done(SECOND_LINE);
    let twice = SegmentClaim { count: Count::exactly(1), ..claim() };
    assert_eq!(judged(&mut story, twice).held, Some(true));
}

#[test]
fn a_keep_alive_probe_is_answered_by_the_number_it_asks_for() {
    let mut story = second_line();
    story.at(7.1).tcp("client", ".", 13, 0, 14);
    story.at(7.2).tcp("server", ".", 14, 0, 14).done(SECOND_LINE);
    let mut claim = answering(kind(SegmentKind::PureAck, "server"), kind(SegmentKind::PureAck, "client"));
    claim.when = after(SECOND_LINE);
    let judged = judged(&mut story, claim);
    assert_eq!(judged.held, Some(true), "{}", judged.why);
    assert_eq!(judged.evidence[1].frame, Some(16));
}

#[test]
fn another_connection_is_never_answered() {
    let mut story = second_line();
    let mut other = story.segment("client", "server", "P.", 14, 13, 14);
    other.source_port += 1;
    story.at(7.1).frame("client", Some("server"), 79, FrameKind::Tcp(other));
    story.at(7.2).tcp("server", "R", 14, 0, 0).done(SECOND_LINE).at(20.0).carrier("client", true, 0);
    let judged = judged(&mut story, reset());
    assert_eq!(judged.held, Some(false));
    assert!(judged.why.contains("it answers frame 13"), "the first connection's last: {}", judged.why);
}

#[test]
fn arp_is_no_segment_unless_it_is_asked_for() {
    let mut story = stories::fifteen_retransmissions();
    let asked = |flow| segments(flow, true, after(4));
    assert_eq!(judged(&mut story, asked(kind(SegmentKind::Arp, "client"))).held, Some(true));
    let none = segments(flow("server", "", ""), false, after(4));
    assert_eq!(judged(&mut story, none).held, Some(true));
}

#[test]
fn what_did_not_come_is_called_by_its_name() {
    let mut story = stories::fifteen_retransmissions();
    let arp = judged(&mut story, segments(kind(SegmentKind::Arp, "server"), false, after(4)));
    assert_eq!(arp.why, "No ARP message at all from server was seen after step 'second-line'.");
    let icmp = judged(&mut story, segments(kind(SegmentKind::Icmp, "server"), true, after(4)));
    assert!(icmp.why.starts_with("No ICMP message at all from server was seen"), "{}", icmp.why);
    assert_eq!(icmp.came, [""; 0], "segments are nothing like it");
}

#[test]
fn what_an_icmp_message_answers_cannot_be_told_by_numbers() {
    let mut story = stories::router();
    let claim = answering(kind(SegmentKind::Icmp, "router"), kind(SegmentKind::Data, "client"));
    assert_eq!(judged(&mut story, claim).held, None);
    let seen = segments(kind(SegmentKind::Icmp, "router"), true, Moment::default());
    assert_eq!(judged(&mut story, seen).held, Some(true));
}

#[test]
fn a_claim_about_a_step_that_never_began_cannot_be_judged() {
    let mut story = stories::rebooted();
    let judged = judged(&mut story, reset());
    assert_eq!(judged.held, None);
    assert!(judged.why.contains("step 'second-line' never began"), "{}", judged.why);
    assert_eq!(judged.lesson, "");
}

#[test]
fn the_claim_is_told_in_words() {
    let mut story = stories::crash_reboot();
    let mut claim = |claim| judged(&mut story, claim).claim;
    assert_eq!(
        claim(reset()),
        "a RST from server to client, answering a data segment from client sent after step 'second-line', within 5 s \
         after step 'second-line'"
    );
    let moment = Moment { after: None, before: Some(0), within: Some(Duration::from_millis(1500)) };
    assert_eq!(
        claim(segments(kind(SegmentKind::Icmp, "client"), true, moment)),
        "an ICMP message from client within 1500 ms after the lab's start before step 1 (start echo-server)"
    );
    let count = SegmentClaim { count: Count::exactly(2), ..segments(flow("", "", "SF."), true, Moment::default()) };
    assert_eq!(claim(count), "exactly 2 SYN-FIN-ACKs");
}
