#![allow(clippy::unwrap_used)]
//! The story of short traces, as no recording shows them on demand.

use super::decode::{Socket, Traced, What};
use super::descriptors::NOWHERE;
use super::recording::Recording;
use super::story::Story;
use crate::timeline::{Call, CallResult, DescriptorKind, Ended, KernelEvent, KernelFact, LabTime, SignalOutcome};
use deadpeer_guest::recorder::{Found, Instance, Record};
use proptest::prelude::*;
use std::net::SocketAddr;

const SA_RESTART: u64 = 0x1000_0000;

/// A trace that is being made up.
struct Trace {
    story: Story,
    at: u64,
}

impl Trace {
    /// The program `server` runs as process 10.
    fn of_server() -> Self {
        let mut trace = Self { story: Story::new("host"), at: 0 };
        trace.on(10, What::Marker("deadpeer: program server pid 10".to_owned()));
        trace.on(10, What::Executed { file: "/bin/server".to_owned() });
        trace
    }

    fn traced(&mut self, thread: u32, interrupt: bool, what: What) -> &mut Self {
        self.at += 10;
        self.story.take(&Traced { at: self.at, thread, interrupt, what });
        self
    }

    fn on(&mut self, thread: u32, what: What) -> &mut Self {
        self.traced(thread, false, what)
    }

    fn enter(&mut self, thread: u32, call: &str, arguments: &[u64]) -> &mut Self {
        let mut six = [0; 6];
        six[..arguments.len()].copy_from_slice(arguments);
        self.on(thread, What::Enter { call: call.into(), arguments: six })
    }

    fn exit(&mut self, thread: u32, call: &str, returned: i64) -> &mut Self {
        self.on(thread, What::Exit { call: call.into(), returned })
    }

    fn call(&mut self, thread: u32, call: &str, arguments: &[u64], returned: i64) -> &mut Self {
        self.enter(thread, call, arguments).exit(thread, call, returned)
    }

    fn delivered(&mut self, thread: u32, signal: i32, handler: u64, flags: u64) -> &mut Self {
        self.on(thread, What::SignalDelivered { signal, handler, flags })
    }

    fn sent(&mut self, by: u32, signal: i32, code: i32, target: u32, result: i64) -> &mut Self {
        self.on(by, What::SignalSent { signal, code, target, command: "server".to_owned(), result })
    }

    /// The listening socket 3 of the server, at address 0xa.
    fn listening(&mut self) -> &mut Self {
        self.call(10, "socket", &[2, 1, 0], 3).enter(10, "listen", &[3, 5]);
        let local = end("0.0.0.0:9877");
        self.on(10, What::State { socket: Socket { address: 0xa, local, remote: NOWHERE }, from: 7, to: 10 });
        self.exit(10, "listen", 0)
    }

    /// A connection comes, and its socket is at `address`.
    fn comes(&mut self, address: u64, port: u16) -> &mut Self {
        let (local, remote) = (end("192.0.2.2:9877"), SocketAddr::new(end("192.0.2.1:0").ip(), port));
        let unknown = Socket { address, local, remote: NOWHERE };
        self.traced(1, true, What::State { socket: unknown, from: 10, to: 3 });
        self.traced(1, true, What::State { socket: Socket { remote, ..unknown }, from: 3, to: 1 })
    }

    fn events(mut self) -> Vec<KernelEvent> {
        self.story.end(self.at + 10);
        self.story.told.into_events()
    }

    fn calls(self, name: &str) -> Vec<Call> {
        let call = |event: KernelEvent| match event.fact {
            KernelFact::Call(call) if call.call == name => Some(call),
            _ => None,
        };
        self.events().into_iter().filter_map(call).collect()
    }

    fn results(self, name: &str) -> Vec<CallResult> {
        self.calls(name).into_iter().map(|call| call.result).collect()
    }
}

fn end(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn eintr() -> CallResult {
    CallResult::Failed("EINTR".to_owned())
}

/// What `accept` comes to that a SIGCHLD interrupts, with these flags of its handler.
fn interrupted_accept(flags: u64) -> Vec<CallResult> {
    let mut trace = Trace::of_server();
    trace.listening().enter(10, "accept", &[3]).exit(10, "accept", -512).delivered(10, 17, 0x40_0000, flags);
    trace.call(10, "wait4", &[u64::MAX, 0, 1], 0).enter(10, "rt_sigreturn", &[]).enter(10, "accept", &[3]);
    trace.results("accept")
}

#[test]
fn the_handlers_flags_decide_whether_a_call_begins_anew() {
    assert_eq!(interrupted_accept(0), [eintr(), CallResult::Unfinished]);
    assert_eq!(interrupted_accept(SA_RESTART), [CallResult::Restarted, CallResult::Unfinished]);
}

#[test]
fn without_a_handler_it_begins_anew_and_a_sleep_goes_on() {
    let mut trace = Trace::of_server();
    trace.enter(10, "poll", &[0, 1, 5000]).exit(10, "poll", -516).delivered(10, 17, 0, 0);
    trace.enter(10, "restart_syscall", &[]).exit(10, "restart_syscall", 0);
    trace.enter(10, "poll", &[0, 1, 5000]).exit(10, "poll", -514).enter(10, "poll", &[0, 1, 5000]);
    assert_eq!(trace.results("poll"), [CallResult::Returned(0), CallResult::Restarted, CallResult::Unfinished]);
}

#[test]
fn accept_returns_the_socket_that_the_probe_tells_or_else_the_oldest() {
    let mut trace = Trace::of_server();
    trace.listening().comes(0xb, 4001).comes(0xc, 4002).comes(0xd, 4003);
    trace.enter(10, "accept", &[3]).on(10, What::Accepted { socket: 0xc }).exit(10, "accept", 4);
    trace.call(10, "accept4", &[3], 5).call(10, "accept4", &[3], 6);
    for descriptor in 4..7 {
        trace.call(10, "read", &[descriptor], 7);
    }
    let ports = trace.calls("read").into_iter().map(|call| match call.on.map(|on| on.kind) {
        Some(DescriptorKind::Connection(ends)) => ends.remote.port(),
        other => unreachable!("{other:?}"),
    });
    assert_eq!(ports.collect::<Vec<_>>(), [4002, 4001, 4003]);
}

#[test]
fn a_connections_ports_are_filled_in_when_they_are_known() {
    let mut trace = Trace::of_server();
    let socket = Socket { address: 0xe, local: end("192.0.2.2:0"), remote: end("192.0.2.1:80") };
    trace.call(10, "socket", &[2, 1, 0], 4).enter(10, "connect", &[4]);
    trace.on(10, What::State { socket, from: 7, to: 2 });
    trace.traced(10, true, What::State { socket: Socket { local: end("192.0.2.2:5000"), ..socket }, from: 2, to: 1 });
    trace.exit(10, "connect", 0);
    let local = |event: KernelEvent| match event.fact {
        KernelFact::State { connection, .. } => Some(connection.local),
        KernelFact::Call(Call { on: Some(on), call, .. }) if call == "connect" => match on.kind {
            DescriptorKind::Connection(connection) => Some(connection.local),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(trace.events().into_iter().filter_map(local).collect::<Vec<_>>(), [end("192.0.2.2:5000"); 3]);
}

#[test]
fn a_broken_pipe_is_the_kernels_signal_and_ends_who_does_not_handle_it() {
    let mut trace = Trace::of_server();
    trace.listening().comes(0xb, 4001).call(10, "accept", &[3], 4);
    // The kernel turns it into a SIGKILL, as nobody handles it.
    trace.enter(10, "write", &[4]).sent(10, 13, 0, 10, 0).exit(10, "write", -32).delivered(10, 9, 0, 0);
    trace.on(10, What::Exited { command: "server".to_owned() });
    let events = trace.events();
    let sent = events.iter().find(|event| matches!(event.fact, KernelFact::SignalSent { .. })).unwrap();
    assert_eq!(sent.process, None);
    let facts: Vec<&KernelFact> = events.iter().map(|event| &event.fact).collect();
    assert!(facts.iter().any(|fact| matches!(fact, KernelFact::SignalDelivered { signal, .. } if signal == "PIPE")));
    assert!(facts.contains(&&KernelFact::Exited { how: Ended::Signal("PIPE".to_owned()) }));
}

#[test]
fn a_signal_has_its_sender_and_its_fate() {
    let mut trace = Trace::of_server();
    trace.sent(1, 15, 0, 10, 0).sent(1, 17, 1, 10, 2).traced(
        1,
        true,
        What::SignalSent { signal: 14, code: 0x80, target: 10, command: "server".to_owned(), result: 0 },
    );
    let told = trace.events().into_iter().filter_map(|event| match event.fact {
        KernelFact::SignalSent { signal, outcome, .. } => Some((event.process.map(|by| by.pid), signal, outcome)),
        _ => None,
    });
    let expected = [
        (Some(1), "TERM".to_owned(), SignalOutcome::Queued),
        (Some(1), "CHLD".to_owned(), SignalOutcome::Merged),
        (None, "ALRM".to_owned(), SignalOutcome::Queued),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn a_child_is_a_zombie_until_somebody_waits_for_it() {
    let mut trace = Trace::of_server();
    for child in [11, 12, 13] {
        trace.on(10, What::Forked { parent: 10, child, command: "server".to_owned() });
        trace.enter(child, "exit_group", &[7]).on(child, What::Exited { command: "server".to_owned() });
    }
    trace.call(10, "wait4", &[u64::MAX, 0, 1], 12).on(0, What::Freed { thread: 12 }).on(0, What::Freed { thread: 13 });
    let told = trace.events().into_iter().filter_map(|event| match event.fact {
        KernelFact::Exited { how } => Some(format!("{how}")),
        KernelFact::Reaped { child_pid } => Some(format!("{child_pid} by {:?}", event.process.map(|by| by.pid))),
        _ => None,
    });
    let exited = "exited with status 7";
    assert_eq!(told.collect::<Vec<_>>(), [exited, exited, exited, "12 by Some(10)", "13 by None"]);
}

#[test]
fn a_connection_that_waits_in_time_wait_has_not_closed() {
    let mut trace = Trace::of_server();
    trace.comes(0xb, 4001);
    let socket = Socket { address: 0xb, local: end("192.0.2.2:9877"), remote: end("192.0.2.1:4001") };
    for (from, to) in [(1, 4), (4, 5)] {
        trace.traced(1, true, What::State { socket, from, to });
    }
    trace.traced(1, true, What::TimeWait { socket: 0xb, state: 6 });
    trace.traced(1, true, What::State { socket, from: 5, to: 7 });
    let states = trace.events().into_iter().filter_map(|event| match event.fact {
        KernelFact::State { to, .. } => Some(to.to_string()),
        _ => None,
    });
    let expected = ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"];
    assert_eq!(states.collect::<Vec<_>>(), expected);
}

#[test]
fn a_socket_that_waits_for_the_fin_is_in_time_wait_when_that_has_come() {
    let states = |anew: &[bool]| {
        let mut trace = Trace::of_server();
        trace.comes(0xb, 4001);
        let socket = Socket { address: 0xb, local: end("192.0.2.2:9877"), remote: end("192.0.2.1:4001") };
        for (from, to) in [(1, 4), (4, 5)] {
            trace.traced(1, true, What::State { socket, from, to });
        }
        trace.traced(1, true, What::TimeWait { socket: 0xb, state: 5 });
        trace.traced(1, true, What::TimeWaitMade { small: 0xe });
        for &anew in anew {
            trace.traced(1, true, What::TimeWaitTimer { small: 0xe, anew });
        }
        trace.traced(1, true, What::State { socket, from: 5, to: 7 });
        let last = trace.events().into_iter().filter_map(|event| match event.fact {
            KernelFact::State { from, to, connection } => Some((from.to_string(), to.to_string(), connection.remote)),
            _ => None,
        });
        last.skip(4).collect::<Vec<_>>()
    };
    assert_eq!(states(&[false]), [], "the FIN has not come");
    let time_wait = ("FIN-WAIT-2".to_owned(), "TIME-WAIT".to_owned(), end("192.0.2.1:4001"));
    assert_eq!(states(&[false, true, true]), [time_wait], "the FIN, and the FIN again");
}

#[test]
fn what_others_do_and_files_that_are_read_are_no_part_of_it() {
    let mut trace = Trace::of_server();
    let before = trace.story.told.fresh().len();
    trace.call(99, "read", &[0], 5).call(10, "read", &[7], 100).call(10, "dup", &[7], 8).sent(98, 15, 0, 99, 0);
    let socket = Socket { address: 0xf, local: end("10.0.2.15:22"), remote: end("10.0.2.2:40000") };
    trace.on(99, What::State { socket, from: 3, to: 1 });
    assert_eq!(trace.events().len(), before);
}

#[test]
fn a_program_that_prints_without_end_is_held_within_bounds() {
    let mut trace = Trace::of_server();
    for _ in 0..1000 {
        trace.call(10, "write", &[1], 80);
    }
    trace.call(10, "write", &[1], -32);
    let results = trace.results("write");
    assert!(results.len() < 200, "{}", results.len());
    assert_eq!(results.last(), Some(&CallResult::Failed("EPIPE".to_owned())));
}

fn boot() -> Found {
    let (boot_id, release) = ("5c9e".to_owned(), "6.12".to_owned());
    Found::Record(Record::Boot { boot_id, release, witness: "1".to_owned(), page_size: 4096, cpus: 1 })
}

#[test]
fn a_gap_in_the_recorder_is_told_when_it_goes_on() {
    let mut recording = Recording::new("host");
    let layout = "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";
    let format = Record::Format { name: "header_page".to_owned(), text: layout.to_owned() };
    let page = |at: u64| {
        let bytes = [&at.to_le_bytes()[..], &8_u64.to_le_bytes(), &1_u32.to_le_bytes(), b"\xff\xff\0\0"].concat();
        Found::Record(Record::Page { instance: Instance::Host, cpu: 0, bytes })
    };
    let gap = Found::Overwritten { bytes: 800, records: 9 };
    for found in [boot(), Found::Record(format), page(100), gap, page(500)] {
        recording.take(found, LabTime(0));
    }
    let (boots, damage) = recording.end();
    let lost = boots[0].events.iter().filter_map(|event| match event.fact {
        KernelFact::Lost { events, since, .. } => Some((events, since, event.guest_time)),
        _ => None,
    });
    assert_eq!(lost.collect::<Vec<_>>(), [(9, LabTime(100), 500)]);
    assert_eq!((boots[0].lost, damage.len()), (9, 0));
}

proptest! {
    /// Whatever a guest records, reading it comes to an end.
    #[test]
    fn no_record_makes_it_fail(texts in prop::collection::vec(".{0,80}", 0..4), pages: Vec<Vec<u8>>, stats: String) {
        let mut recording = Recording::new("host");
        recording.take(boot(), LabTime(0));
        for text in texts {
            let name = if text.len() % 2 == 0 { "header_page" } else { "a/b" }.to_owned();
            recording.take(Found::Record(Record::Format { name, text }), LabTime(1));
        }
        for bytes in pages {
            recording.take(Found::Record(Record::Page { instance: Instance::Host, cpu: 0, bytes }), LabTime(2));
        }
        recording.take(Found::Record(Record::Loss { instance: Instance::Host, cpu: 0, stats }), LabTime(2));
        recording.take(Found::Damaged { at: 8, bytes: 8 }, LabTime(3));
        let (boots, damage) = recording.end();
        prop_assert_eq!((boots.len(), damage.len()), (1, 1));
    }
}
