//! The timeline as a trace for the Perfetto viewer, in the Trace Event Format: a process for each host, a track for each process of
//! its programs, each connection, its kernel and its machine; one for the wire and one for the steps.
//!
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>: `X` is a slice, `i` an instant, `s` and `f` the two
//! ends of a flow (a frame on its way), `M` names a track. Times are in microseconds.

use crate::judge;
use crate::scenario::Scenario;
use crate::timeline::{
    Connection, Event, Frame, KernelEvent, KernelFact, LabTime, Process, StepEvent, TcpState, Verdict, What,
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// The track of the steps, and that of the wire: processes of their own.
const STEPS: usize = 1;
const WIRE: usize = 2;
/// The first host's process; the others follow.
const HOSTS: usize = 10;
/// Tracks of a host: its machine, its kernel, and then its programs. Connections and forked processes come after those.
const MACHINE: usize = 1;
const KERNEL: usize = 2;
const PROGRAMS: usize = 10;
const CONNECTIONS: usize = 1_000;
const CHILDREN: usize = 100_000;

/// How long a frame's slices are, in nanoseconds: as little as can be seen.
const MOMENT: u64 = 1_000;

/// The timeline as a JSON document that Perfetto (ui.perfetto.dev) and `chrome://tracing` open.
#[must_use]
pub fn trace(scenario: &Scenario, timeline: &[Event]) -> String {
    let mut trace =
        Trace { scenario, events: Vec::new(), steps: HashMap::new(), states: Vec::new(), children: HashSet::new() };
    trace.name(STEPS, None, "steps");
    trace.name(WIRE, None, "wire");
    for (index, host) in scenario.hosts.keys().enumerate() {
        trace.name(HOSTS + index, None, host);
        trace.name(HOSTS + index, Some(MACHINE), "machine");
        trace.name(HOSTS + index, Some(KERNEL), "kernel");
    }
    for (index, (name, program)) in scenario.programs.iter().enumerate() {
        if let Some(host) = scenario.hosts.get_index_of(&program.host) {
            trace.name(HOSTS + host, Some(PROGRAMS + index), name);
        }
    }
    let end = timeline.last().map_or(LabTime(0), |event| event.at);
    for event in timeline {
        trace.event(event);
    }
    for (at, name) in std::mem::take(&mut trace.steps).into_values() {
        trace.slice(STEPS, 1, &name, (at, end), Value::Null);
    }
    for open in std::mem::take(&mut trace.states) {
        trace.slice(open.process, open.track, &open.state.to_string(), (open.since, end), Value::Null);
    }
    let mut text = json!({ "displayTimeUnit": "ms", "traceEvents": trace.events }).to_string();
    text.push('\n');
    text
}

struct Trace<'a> {
    scenario: &'a Scenario,
    events: Vec<Value>,
    /// Steps that have begun.
    steps: HashMap<usize, (LabTime, String)>,
    states: Vec<State>,
    /// Forked processes that have a track: by the host's process and their id.
    children: HashSet<(usize, u32)>,
}

/// A state that a connection is in.
struct State {
    process: usize,
    track: usize,
    ends: Connection,
    state: TcpState,
    since: LabTime,
}

fn micros(at: LabTime) -> f64 {
    at.0 as f64 / 1e3
}

impl Trace<'_> {
    fn name(&mut self, process: usize, track: Option<usize>, name: &str) {
        let args = json!({ "name": name });
        if let Some(track) = track {
            self.events.push(json!({ "ph": "M", "name": "thread_name", "pid": process, "tid": track, "args": args }));
        } else {
            self.events.push(json!({ "ph": "M", "name": "process_name", "pid": process, "args": args }));
            let order = json!({ "sort_index": process });
            self.events.push(json!({ "ph": "M", "name": "process_sort_index", "pid": process, "args": order }));
        }
    }

    fn slice(&mut self, process: usize, track: usize, name: &str, (from, until): (LabTime, LabTime), args: Value) {
        let duration = until.0.saturating_sub(from.0) as f64 / 1e3;
        self.events.push(json!({
            "ph": "X", "name": name, "pid": process, "tid": track, "ts": micros(from), "dur": duration, "args": args
        }));
    }

    fn instant(&mut self, process: usize, track: usize, name: &str, at: LabTime) {
        self.events.push(json!({ "ph": "i", "s": "t", "name": name, "pid": process, "tid": track, "ts": micros(at) }));
    }

    fn host(&self, name: &str) -> usize {
        HOSTS + self.scenario.hosts.get_index_of(name).unwrap_or(self.scenario.hosts.len())
    }

    /// The track of a program; that of the kernel for what is no program of the scenario.
    fn program(&self, name: Option<&str>) -> usize {
        name.and_then(|name| self.scenario.programs.get_index_of(name)).map_or(KERNEL, |index| PROGRAMS + index)
    }

    fn event(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::Step { index, name, text, event: StepEvent::Began } => {
                let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                self.steps.insert(*index, (at, format!("{}. {name}{text}", index + 1)));
            }
            What::Step { index, event: StepEvent::Done, .. } => {
                if let Some((began, name)) = self.steps.remove(index) {
                    self.slice(STEPS, 1, &name, (began, at), Value::Null);
                }
            }
            What::Program { host, program, event } => {
                let (text, _) = super::words::program(program, event, |(sign, _)| sign.to_owned());
                self.instant(self.host(host), self.program(Some(program)), &text, at);
            }
            What::Machine { host, event } => {
                self.instant(self.host(host), MACHINE, &super::words::machine(event, None).0, at);
            }
            What::Wire(frame) => self.frame(at, frame),
            What::Kernel(told) => self.kernel(at, told),
        }
    }

    /// A frame on the wire; and its way from the kernel that sent it to the one that it was handed to.
    fn frame(&mut self, at: LabTime, frame: &Frame) {
        let moment = |at: LabTime| (at, LabTime(at.0.saturating_add(MOMENT)));
        let number = frame.number;
        let args = json!({ "frame": number });
        let sender = self.host(&frame.from);
        self.slice(WIRE, 1, &format!("#{number} {}", judge::frame(frame)), moment(at), args.clone());
        self.slice(sender, KERNEL, &format!("sends #{number}"), moment(at), args.clone());
        let arrives = match frame.verdict {
            Verdict::Passed => at,
            Verdict::Delayed(nanos) => LabTime(at.0.saturating_add(nanos)),
            Verdict::Dropped | Verdict::Lost => return,
        };
        let Some(to) = frame.to.as_deref() else { return };
        let receiver = self.host(to);
        self.slice(receiver, KERNEL, &format!("gets #{number}"), moment(arrives), args);
        let end = |ph: &str, process: usize, at: LabTime| json!({ "ph": ph, "bp": "e", "cat": "frame", "name": "frame", "id": number, "pid": process, "tid": KERNEL, "ts": micros(at) });
        self.events.extend([end("s", sender, at), end("f", receiver, arrives)]);
    }

    fn kernel(&mut self, at: LabTime, told: &KernelEvent) {
        let host = self.host(&told.host);
        let what = judge::kernel_event(told);
        match &told.fact {
            KernelFact::State { connection, to, .. } if connection.remote.port() != 0 => {
                self.state(host, at, connection, *to);
            }
            KernelFact::Call(call) => {
                let track = self.process(host, told.process.as_ref());
                self.slice(host, track, &call.call, (call.began, at), json!({ "what": what }));
            }
            _ => {
                let track = self.process(host, told.process.as_ref());
                self.instant(host, track, &what, at);
            }
        }
    }

    /// The track of a process: calls of several at a time would not fit into one.
    fn process(&mut self, host: usize, process: Option<&Process>) -> usize {
        let Some((process, program)) = process.and_then(|it| Some((it, it.program.as_ref()?))) else { return KERNEL };
        if !process.child {
            return self.program(Some(program));
        }
        let track = CHILDREN + process.pid as usize;
        if self.children.insert((host, process.pid)) {
            self.name(host, Some(track), &format!("{program}, child {}", process.pid));
        }
        track
    }

    fn state(&mut self, process: usize, at: LabTime, ends: &Connection, to: TcpState) {
        let known = self.states.iter().position(|open| open.process == process && open.ends == *ends);
        let track = match known {
            Some(index) => {
                let open = self.states.swap_remove(index);
                self.slice(process, open.track, &open.state.to_string(), (open.since, at), Value::Null);
                open.track
            }
            None => {
                let track = CONNECTIONS + usize::from(ends.local.port().max(ends.remote.port()));
                self.name(process, Some(track), &format!("{} ↔ {}", ends.local, ends.remote));
                track
            }
        };
        if to != TcpState::Closed {
            self.states.push(State { process, track, ends: *ends, state: to, since: at });
        }
    }
}
