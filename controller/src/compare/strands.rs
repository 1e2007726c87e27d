//! Timelines to strands.

use super::connections::Connections;
use super::kinds;
use crate::timeline::{
    DescriptorKind, Event, Frame, FrameKind, KernelEvent, KernelFact, LabTime, Process, TcpState, Verdict, What,
};
use indexmap::IndexMap;
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Events whose order is no accident, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strand {
    /// Whose they are: `connection 1, from client to server:9877: on the wire, sent by client`.
    pub name: String,
    /// In order.
    pub items: Vec<Item>,
}

/// Events of one kind in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: usize,
    /// When the first was.
    pub at: LabTime,
}

/// The strands of a timeline: hosts, then connections, then programs.
#[must_use]
pub fn strands(timeline: &[Event]) -> Vec<Strand> {
    let mut events: Vec<&Event> = timeline.iter().collect();
    events.sort_by_key(|event| event.at);
    let mut connections = Connections::default();
    for event in &events {
        if let What::Wire(frame) = &event.what {
            connections.see(frame);
        }
    }
    let mut delivered = Delivered::default();
    let mut children = Children::default();
    let mut rooms: [IndexMap<String, Vec<Item>>; 3] = Default::default();
    for event in events {
        if let What::Wire(frame) = &event.what
            && delivered.before(frame)
        {
            continue;
        }
        let Some((room, strand, kind)) = told(&event.what, &mut connections, &mut children) else { continue };
        let items = rooms[room].entry(strand).or_default();
        match items.last_mut() {
            Some(last) if last.kind == kind => last.count += 1,
            _ => items.push(Item { kind, count: 1, at: event.at }),
        }
    }
    let [hosts, mut wires, programs] = rooms;
    wires.sort_by(|one, _, other, _| number(one).cmp(&number(other)));
    hosts.into_iter().chain(wires).chain(programs).map(|(name, items)| Strand { name, items }).collect()
}

/// Which segments the cable has delivered: sender, link, ends and sequence number.
#[derive(Default)]
struct Delivered(BTreeSet<(String, u8, SocketAddr, SocketAddr, u32)>);

impl Delivered {
    /// Whether this is a segment that was delivered before: its sender was only impatient.
    fn before(&mut self, frame: &Frame) -> bool {
        let FrameKind::Tcp(segment) = &frame.kind else { return false };
        let source = SocketAddr::new(segment.source, segment.source_port);
        let destination = SocketAddr::new(segment.destination, segment.destination_port);
        let key = (frame.from.clone(), frame.link, source, destination, segment.seq);
        if segment.retransmission && self.0.contains(&key) {
            return true;
        }
        // A bare acknowledgement bears the number of the data that comes next.
        let bears = segment.length > 0 || segment.flags.syn || segment.flags.fin;
        if bears && frame.verdict == Verdict::Passed {
            self.0.insert(key);
        }
        false
    }
}

/// The children of each program, on each host, in the order in which they were first seen.
#[derive(Default)]
struct Children(Vec<(String, String, Vec<u32>)>);

impl Children {
    /// A process by a name that is the same in each run: `echo-server`, or `child 2 of echo-server`. None, if it is no scenario's.
    fn name(&mut self, host: &str, process: &Process) -> Option<String> {
        let program = process.program.as_ref()?;
        if !process.child {
            return Some(program.clone());
        }
        let index = self.0.iter().position(|(of, parent, _)| of == host && parent == program).unwrap_or_else(|| {
            self.0.push((host.to_owned(), program.clone(), Vec::new()));
            self.0.len() - 1
        });
        let pids = &mut self.0[index].2;
        let number = pids.iter().position(|pid| *pid == process.pid).unwrap_or_else(|| {
            pids.push(process.pid);
            pids.len() - 1
        });
        Some(format!("child {} of {program}", number + 1))
    }
}

const HOSTS: usize = 0;
const CONNECTIONS: usize = 1;
const PROGRAMS: usize = 2;

/// Where an event belongs, and of what kind it is; none if it is not compared.
fn told(what: &What, connections: &mut Connections, children: &mut Children) -> Option<(usize, String, String)> {
    match what {
        What::Step { .. } => None,
        What::Machine { host, event } => Some((HOSTS, format!("host {host}"), kinds::machine(event)?)),
        What::Program { program, event, .. } => {
            Some((PROGRAMS, format!("program {program}, as its user sees it"), kinds::program(event)?))
        }
        What::Wire(frame) => wire(frame, connections),
        What::Kernel(told) => kernel(told, connections, children),
    }
}

fn wire(frame: &Frame, connections: &mut Connections) -> Option<(usize, String, String)> {
    match &frame.kind {
        FrameKind::Tcp(segment) => {
            let kind = kinds::segment(segment, frame.verdict)?;
            let connection = connections.of_segment(frame, segment);
            let link = if frame.link == 0 { String::new() } else { format!(" (link {})", frame.link) };
            Some((CONNECTIONS, format!("{connection}: on the wire, sent by {}{link}", frame.from), kind))
        }
        FrameKind::Icmp { text, .. } => {
            // "destination unreachable (host unreachable), about TCP ...": behind the comma are ports.
            let what = text.split_once(", about ").map_or(text.as_str(), |(what, _)| what);
            Some((HOSTS, format!("ICMP sent by {}", frame.from), format!("{what}{}", kinds::fate(frame.verdict))))
        }
        FrameKind::Arp { .. } | FrameKind::Other { .. } => None,
    }
}

fn kernel(
    told: &KernelEvent,
    connections: &mut Connections,
    children: &mut Children,
) -> Option<(usize, String, String)> {
    let host = &told.host;
    let (connection, kind) = match &told.fact {
        // A socket that nobody holds any more is handed over, after a while, to one that is not traced: whether its end is seen is a matter of
        // milliseconds (net/ipv4/tcp.c, `tcp_time_wait` in __tcp_close).
        KernelFact::State { from: TcpState::FinWait2, to: TcpState::Closed, .. } => return None,
        KernelFact::State { connection, from, to } => (connection, format!("{from} to {to}")),
        KernelFact::ResetSent { connection } => (connection, "RST sent".to_owned()),
        KernelFact::ResetReceived { connection } => (connection, "RST received".to_owned()),
        KernelFact::Call(call) if kinds::is_on_connection(call) => {
            let Some(DescriptorKind::Connection(connection)) = call.on.as_ref().map(|on| &on.kind) else { return None };
            let name = connections.of_kernel(host, connection)?;
            // A process that hands a connection on to its child runs beside it.
            let who = told.process.as_ref().map_or_else(|| "a process".to_owned(), kinds::who);
            return Some((CONNECTIONS, format!("{name}: system calls of {who} on {host}"), kinds::call(call)));
        }
        // On the wire it is seen as well, and whether it was needed.
        KernelFact::Retransmitted { .. } => return None,
        // Who sends a signal runs beside whom it is for.
        KernelFact::SignalSent { signal, target, outcome } => {
            let kind = kinds::signal(signal, *outcome)?;
            return Some((PROGRAMS, format!("signals to {} on {host}", children.name(host, target)?), kind));
        }
        fact => {
            let who = children.name(host, told.process.as_ref()?)?;
            return Some((PROGRAMS, format!("{who}, as the kernel of {host} saw it"), kinds::process(fact)?));
        }
    };
    let name = connections.of_kernel(host, connection)?;
    Some((CONNECTIONS, format!("{name}: in the kernel of {host}"), kind))
}

/// The number in `connection 12, ...`.
fn number(name: &str) -> usize {
    name.split([' ', ',']).nth(1).and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}
