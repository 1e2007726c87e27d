#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::timeline::{
    Ended, Flags, Frame, FrameKind, KernelEvent, KernelFact, LabTime, Process, Segment, SignalOutcome, Verdict, What,
};

fn segment(at: u64, from: &str, port: u16, flags: &str, length: usize, retransmission: bool) -> Event {
    let client = from == "client";
    let (to, ports) = if client { ("server", (port, 9877)) } else { ("client", (9877, port)) };
    let address = |host: &str| (if host == "client" { "192.0.2.1" } else { "192.0.2.2" }).parse().unwrap();
    let has = |letter: char| flags.contains(letter);
    let flags = Flags { syn: has('S'), ack: has('A'), fin: has('F'), rst: has('R'), ..Flags::default() };
    let kind = FrameKind::Tcp(Segment {
        source: address(from),
        source_port: ports.0,
        destination: address(to),
        destination_port: ports.1,
        flags,
        seq: u32::from(port) + u32::from(length > 0),
        ack: 0,
        relative_seq: 0,
        relative_ack: 0,
        window: 0,
        length,
        retransmission,
    });
    let frame = Frame {
        number: at,
        from: from.into(),
        link: 0,
        to: Some(to.into()),
        bound_for: None,
        length: 60,
        verdict: Verdict::Passed,
        kind,
    };
    Event { at: LabTime(at), what: What::Wire(Box::new(frame)) }
}

/// A connection from `port` that says a line and is reset or ends well.
fn connection(port: u16, later: u64, resends: usize, end: &str) -> Vec<Event> {
    // Its first line is lost.
    let mut line = segment(later + 4, "client", port, "A", 9, false);
    let What::Wire(frame) = &mut line.what else { unreachable!() };
    frame.verdict = Verdict::Dropped;
    let mut events = vec![
        segment(later + 1, "client", port, "S", 0, false),
        segment(later + 2, "server", port, "SA", 0, false),
        segment(later + 3, "client", port, "A", 0, false),
        line,
    ];
    events.extend((0..resends as u64).map(|n| segment(later + 5 + n, "client", port, "A", 9, true)));
    events.push(segment(later + 50, "server", port, end, 0, false));
    events
}

fn compare(one: &[Event], other: &[Event]) -> Comparison {
    let side = |timeline| Side { outcome: Outcome::Pass, judged: &[], timeline };
    Comparison::new(&side(one), &side(other))
}

#[test]
fn ports_times_counts_and_bare_acknowledgements_are_not_compared() {
    let (one, other) = (connection(40_000, 0, 2, "FA"), connection(50_001, 777, 5, "FA"));
    let compared = compare(&one, &other);
    assert_eq!(compared.again(), Again::Reproduced);
    let names: Vec<&str> = compared.strands.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "connection 1, from client to server:9877: on the wire, sent by client",
            "connection 1, from client to server:9877: on the wire, sent by server",
        ]
    );
    let [left, right] = compared.strands[0].rows.last().unwrap().clone().map(Option::unwrap);
    assert_eq!(
        (left.kind.as_str(), left.count, right.count),
        ("sent again", 1, 1),
        "what was delivered is not sent again"
    );
}

#[test]
fn a_parting_is_found_where_it_is() {
    let compared = compare(&connection(40_000, 0, 0, "FA"), &connection(40_000, 0, 0, "R"));
    assert_eq!(compared.again(), Again::NotReproduced);
    let [client, server] = &compared.strands[..] else { panic!("{compared:?}") };
    assert!(client.is_same() && !server.is_same());
    let kinds: Vec<[Option<&str>; 2]> =
        server.rows.iter().map(|row| row.each_ref().map(|it| it.as_ref().map(|it| it.kind.as_str()))).collect();
    assert_eq!(kinds, [[Some("SYN, ACK"); 2], [Some("FIN"), None], [None, Some("RST")]]);
}

#[test]
fn a_connection_that_only_one_has_is_told() {
    let one = connection(40_000, 0, 0, "FA");
    let both = [one.clone(), connection(40_001, 100, 0, "FA")].concat();
    assert_eq!(compare(&one, &both).strands.iter().filter(|it| !it.is_same()).count(), 2);
    assert_eq!(compare(&both, &one).strands.len(), 4);
}

#[test]
fn a_lab_that_broke_says_nothing() {
    let side = |outcome| Side { outcome, judged: &[], timeline: &[] };
    assert_eq!(Comparison::new(&side(Outcome::Pass), &side(Outcome::Unknown)).again(), Again::Unknown);
    assert_eq!(Comparison::new(&side(Outcome::Pass), &side(Outcome::Fail)).again(), Again::NotReproduced);
    assert_eq!(Comparison::new(&side(Outcome::Fail), &side(Outcome::Fail)).again(), Again::Reproduced);
}

/// The server's kernel tells something, of a process of its own or of none.
fn kernel(at: u64, process: Option<Process>, fact: KernelFact) -> Event {
    let told = KernelEvent { host: "server".into(), guest_time: at, process, fact };
    Event { at: LabTime(at), what: What::Kernel(Box::new(told)) }
}

fn process(pid: u32, child: bool) -> Process {
    Process { pid, command: "echo-server".into(), program: Some("echo-server".into()), child }
}

fn sent(at: u64, pid: u32, child: bool, signal: &str, outcome: SignalOutcome) -> Event {
    let target = process(pid, child);
    kernel(at, None, KernelFact::SignalSent { signal: signal.into(), target, outcome })
}

#[test]
fn what_runs_side_by_side_has_no_order() {
    let ended =
        |at, pid| kernel(at, Some(process(pid, true)), KernelFact::Exited { how: Ended::Signal("KILL".into()) });
    let kill = |at, pid| sent(at, pid, true, "KILL", SignalOutcome::Queued);
    // Two children, and their parent's SIGCHLDs, of which one found another waiting; and one that is ignored.
    let one = [
        kill(1, 71),
        ended(2, 71),
        kill(3, 72),
        ended(4, 72),
        sent(5, 70, false, "CHLD", SignalOutcome::Queued),
        sent(6, 70, false, "CHLD", SignalOutcome::Merged),
    ];
    let other = [
        kill(1, 81),
        kill(2, 82),
        ended(3, 81),
        ended(4, 82),
        sent(5, 80, false, "CHLD", SignalOutcome::Queued),
        sent(6, 80, false, "CONT", SignalOutcome::Ignored),
    ];
    let compared = compare(&one, &other);
    let names: Vec<&str> = compared.strands.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "signals to child 1 of echo-server on server",
            "child 1 of echo-server, as the kernel of server saw it",
            "signals to child 2 of echo-server on server",
            "child 2 of echo-server, as the kernel of server saw it",
            "signals to echo-server on server",
        ]
    );
    assert_eq!(compared.again(), Again::Reproduced, "{compared:?}");
    let lost = [&other[..4], &[sent(5, 80, false, "TERM", SignalOutcome::Queued)]].concat();
    assert_eq!(compare(&one, &lost).again(), Again::NotReproduced);
}
