//! Scenarios in code.

use deadpeer::scenario::{
    Action, Answering, Claim, Count, Expectation, Flow, Host, Moment, Pattern, Program, ProgramEnd, Scenario,
    SegmentClaim, SegmentKind, Step, Until,
};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::time::Duration;

use super::flags;

/// Position of a step in [`crash_reboot`].
pub const FIRST_LINE: usize = 2;
pub const CRASH: usize = 3;
pub const REBOOT: usize = 4;
pub const SECOND_LINE: usize = 5;

pub fn host(address: &str) -> Host {
    let addresses = vec![(address.parse().expect("an address"), 24)];
    Host {
        addresses,
        init: None,
        boxed: None,
        memory: 256,
        sysctl: BTreeMap::new(),
        kernel: None,
        gateway: None,
        forward: false,
    }
}

pub fn program(host: &str, command: &str) -> Program {
    Program { host: host.to_owned(), command: command.split(' ').map(str::to_owned).collect(), service: false }
}

pub fn prints(text: &str) -> Option<Until> {
    Some(Until { what: Pattern::Prints(text.to_owned()), within: Duration::from_secs(10) })
}

pub fn step(name: &str, action: Action) -> Step {
    Step { name: (!name.is_empty()).then(|| name.to_owned()), action, line: 1 }
}

pub fn types(line: &str) -> Action {
    let ends = Some(Until { what: Pattern::Ends, within: Duration::from_secs(10) });
    Action::Type { program: "echo-client".to_owned(), line: line.to_owned(), until: ends }
}

pub fn start(name: &str, until: &str) -> Step {
    step("", Action::Start { program: name.to_owned(), until: prints(until) })
}

pub fn expectation(name: &str, line: usize, claim: Claim, held: &str, not_held: &str) -> Expectation {
    Expectation { name: name.to_owned(), claim, held: held.to_owned(), not_held: not_held.to_owned(), line }
}

pub fn flow(from: &str, to: &str, letters: &str) -> Flow {
    let host = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Flow { from: host(from), to: host(to), kind: None, flags: flags(letters) }
}

pub fn after(step: usize) -> Moment {
    Moment { after: Some(step), ..Moment::default() }
}

pub fn within(step: usize, seconds: u64) -> Moment {
    Moment { after: Some(step), within: Some(Duration::from_secs(seconds)), before: None }
}

/// A claim that segments of `flow` are seen (or not) at `when`.
pub fn segments(flow: Flow, seen: bool, when: Moment) -> SegmentClaim {
    let count = if seen { Count::SOME } else { Count::NONE };
    SegmentClaim { flow, count, answering: None, when }
}

/// The RST claim of [`crash_reboot`].
pub fn reset() -> SegmentClaim {
    let data = Flow { kind: Some(SegmentKind::Data), ..flow("client", "", "") };
    SegmentClaim {
        answering: Some(Answering { flow: data, after: Some(SECOND_LINE) }),
        ..segments(flow("server", "client", "R"), true, within(SECOND_LINE, 5))
    }
}

pub fn printed(text: &str) -> Claim {
    Claim::Printed { program: "echo-client".to_owned(), text: text.to_owned(), seen: true, when: after(SECOND_LINE) }
}

pub fn client_ends(how: ProgramEnd) -> Claim {
    Claim::Ended { program: "echo-client".to_owned(), how, when: Moment::default() }
}

/// Two hosts with nothing to do and nothing claimed.
pub fn bare(name: &str, title: &str, section: Option<&str>) -> Scenario {
    Scenario {
        time: None,
        name: name.to_owned(),
        title: title.to_owned(),
        section: section.map(str::to_owned),
        story: String::new(),
        textbook: None,
        hosts: IndexMap::from([("client".to_owned(), host("192.0.2.1")), ("server".to_owned(), host("192.0.2.2"))]),
        programs: IndexMap::from([
            ("echo-server".to_owned(), program("server", "echo-server")),
            ("echo-client".to_owned(), program("client", "echo-client 192.0.2.2")),
        ]),
        steps: Vec::new(),
        expectations: Vec::new(),
        source: format!("name: {name}\n"),
    }
}

/// `scenarios/crash-reboot.yaml`, resolved.
pub fn crash_reboot() -> Scenario {
    let mut scenario = bare("crash-reboot", "The server host crashes and reboots", Some("5.15"));
    scenario.steps = vec![
        start("echo-server", "waiting for connections"),
        start("echo-client", "connected to 192.0.2.2"),
        step(
            "first-line",
            Action::Type {
                program: "echo-client".to_owned(),
                line: "hello, world".to_owned(),
                until: prints("hello, world"),
            },
        ),
        step("crash", Action::PowerOff("server".to_owned())),
        step("reboot", Action::PowerOn("server".to_owned())),
        step("second-line", types("another line")),
    ];
    scenario.expectations = vec![
        expectation(
            "silent death",
            50,
            Claim::Segment(segments(flow("server", "", "F"), false, Moment::default())),
            "The server sent no FIN. A machine that loses power says nothing, so the client's TCP could not know.",
            "The server sent a FIN. It did not die of a power cut then; its kernel had time to close the connection.",
        ),
        expectation(
            "rebooted",
            54,
            Claim::BootIdChanged { host: "server".to_owned(), changed: true },
            "The server's kernel is another one than before: it has forgotten every connection it ever had.",
            "The server still runs the kernel that it began with.",
        ),
        expectation(
            "no carrier loss",
            59,
            Claim::CarrierLost { host: "client".to_owned(), lost: false },
            "The client's link stayed up all the time: behind a switch, the death of a peer cannot be seen.",
            "The client's link went down, so its kernel could know more than behind a real switch.",
        ),
        expectation(
            "reset",
            64,
            Claim::Segment(reset()),
            "The new kernel answered with RST: the only thing TCP lets it say about a connection it does not know.",
            "No RST answered the client's second line.",
        ),
        expectation(
            "error",
            71,
            printed("Connection reset by peer (ECONNRESET)"),
            "The RST reached the client while it was blocked in read, and read returned ECONNRESET.",
            "The client did not get ECONNRESET.",
        ),
        expectation(
            "client ends",
            77,
            client_ends(ProgramEnd::Exit(1)),
            "The client gave up with an error.",
            "The client did not end with an error.",
        ),
    ];
    scenario
}
