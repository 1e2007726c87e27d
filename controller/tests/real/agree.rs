//! Real time and lockstep time agree: what happens to a connection, and in which order, is the same.
//!
//! Compared are *kinds* of events, connection by connection and witness by witness: the segments on the wire, and what each host's kernel
//! tells (changes of state, resets, what system calls on the connection returned). Left out is what time alone decides, and machines that
//! are emulated, slowly, are not to be asked about: whether an acknowledgement travels alone or with data, whether a segment is sent again
//! before its answer comes, and how often the same happens in a row (a read of a part). A process that hands a connection on to
//! its child is a witness of its own: the two run side by side.

use deadpeer::report::read_events;
use deadpeer::timeline::{
    CallResult, Connection, DescriptorKind, Event, FrameKind, KernelEvent, KernelFact, Segment, What,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of each connection, by the order in which they appeared, and each of its witnesses: the kinds of events.
type Kinds = BTreeMap<(usize, String), Vec<String>>;

#[test]
fn what_happens_to_a_connection_is_the_same_in_both_times() {
    let _turn = crate::bench::turn();
    let home = tempfile::tempdir().unwrap();
    // In these no race decides.
    for name in ["normal-exit", "crash-reboot"] {
        let [real, lockstep] = ["real", "lockstep"].map(|time| run(name, time, &home.path().join(time).join(name)));
        assert_eq!(difference(&real, &lockstep), None, "{name}");
    }
}

/// By hand, for whatever was run in both times (`controller run --all --time real --out a`, likewise `--time lockstep --out b`):
/// `REAL=a LOCKSTEP=b cargo test --test real agree -- --ignored --nocapture`. Where a race decides, the two may differ: run it again, with
/// other seeds, and see whether the other outcome comes there too.
#[test]
#[ignore = "compares runs that are there already"]
fn the_runs_of_two_folders_agree() {
    let folder =
        |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is the folder of runs")));
    let (real, lockstep) = (folder("REAL"), folder("LOCKSTEP"));
    let mut differ = Vec::new();
    for (name, _) in deadpeer::embedded::SCENARIOS {
        let [real, lockstep] = [&real, &lockstep].map(|folder| folder.join(name));
        if !(real.join("result.json").exists() && lockstep.join("result.json").exists()) {
            println!("– {name}: not in both folders");
            continue;
        }
        match difference(&events(&real), &events(&lockstep)) {
            None => println!("✓ {name}"),
            Some(difference) => {
                println!("✗ {name}: {difference}");
                differ.push(name);
            }
        }
    }
    assert!(differ.is_empty(), "these differ: {differ:?}");
}

/// The first difference between two runs of a scenario, in words.
fn difference(real: &[Event], lockstep: &[Event]) -> Option<String> {
    let (real, lockstep) = (kinds(real), kinds(lockstep));
    if real.keys().ne(lockstep.keys()) {
        let told = |kinds: &Kinds| kinds.keys().map(|(number, who)| format!("{number} {who}")).collect::<Vec<_>>();
        return Some(format!("other connections: {:?} and in lockstep {:?}", told(&real), told(&lockstep)));
    }
    let mut pairs = real.iter().zip(lockstep.values());
    let ((key, real), lockstep) = pairs.find(|((_, real), lockstep)| real != lockstep)?;
    let at = real.iter().zip(lockstep).take_while(|(one, other)| one == other).count();
    Some(format!("connection {}, {}, event {at}:\n  real     {real:?}\n  lockstep {lockstep:?}", key.0, key.1))
}

fn run(name: &str, time: &str, out: &Path) -> Vec<Event> {
    let mut controller = Command::new(env!("CARGO_BIN_EXE_controller"));
    controller.args(["run", name, "--quiet", "--time", time, "--out"]).arg(out);
    let output = controller.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{name} in {time} time: {said}");
    events(out)
}

/// The timeline of the run in this folder.
fn events(run: &Path) -> Vec<Event> {
    let mut events = read_events(&run.join("events.jsonl")).unwrap();
    events.sort_by_key(|event| event.at);
    events
}

/// The kinds of what happened to each connection.
fn kinds(events: &[Event]) -> Kinds {
    let (mut numbers, mut kinds) = (BTreeMap::new(), Kinds::new());
    let handed_on: BTreeSet<(&str, Ends)> = events.iter().filter_map(call_of_a_child).collect();
    for event in events {
        let told = match &event.what {
            What::Wire(frame) => match &frame.kind {
                FrameKind::Tcp(segment) => {
                    Some((ends(segment), format!("wire on link {}", frame.link), on_wire(&frame.from, segment)))
                }
                _ => None,
            },
            What::Kernel(kernel) => {
                told(kernel).map(|(ends, kind)| (ends, witness(kernel, ends, &handed_on), Some(kind)))
            }
            _ => None,
        };
        let Some((ends, witness, kind)) = told else { continue };
        let next = numbers.len() + 1;
        let number = *numbers.entry(ends).or_insert(next);
        let kinds = kinds.entry((number, witness)).or_default();
        if let Some(kind) = kind.filter(|kind| kinds.last() != Some(kind)) {
            kinds.push(kind);
        }
    }
    kinds
}

/// The connection on which a child of a program made a call, and its host.
fn call_of_a_child(event: &Event) -> Option<(&str, Ends)> {
    let What::Kernel(kernel) = &event.what else { return None };
    let is_child = kernel.process.as_ref()?.child && matches!(kernel.fact, KernelFact::Call(_));
    is_child.then(|| Some((kernel.host.as_str(), told(kernel)?.0))).flatten()
}

/// The host, or its process that handed the connection on.
fn witness(kernel: &KernelEvent, ends: Ends, handed_on: &BTreeSet<(&str, Ends)>) -> String {
    let call = matches!(kernel.fact, KernelFact::Call(_)) && kernel.process.as_ref().is_some_and(|it| !it.child);
    let parent = call && handed_on.contains(&(kernel.host.as_str(), ends));
    if parent { format!("{}'s parent process", kernel.host) } else { kernel.host.clone() }
}

/// The two ends of a connection, the lower first: the same for all witnesses.
type Ends = (SocketAddr, SocketAddr);

fn ends(segment: &Segment) -> Ends {
    let source = SocketAddr::new(segment.source, segment.source_port);
    let destination = SocketAddr::new(segment.destination, segment.destination_port);
    (source.min(destination), source.max(destination))
}

/// None for a bare acknowledgement, and for what was sent before.
fn on_wire(from: &str, segment: &Segment) -> Option<String> {
    let flags = segment.flags;
    let names = [(flags.syn, "SYN"), (flags.fin, "FIN"), (flags.rst, "RST"), (segment.length > 0, "data")];
    let names: Vec<&str> = names.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    (!names.is_empty() && !segment.retransmission).then(|| format!("{from}: {}", names.join(" ")))
}

/// The connection that a kernel tells of, and what.
fn told(kernel: &KernelEvent) -> Option<(Ends, String)> {
    let of = |it: &Connection| (it.local.min(it.remote), it.local.max(it.remote));
    match &kernel.fact {
        KernelFact::State { connection, from, to } => Some((of(connection), format!("{from} → {to}"))),
        KernelFact::ResetSent { connection } => Some((of(connection), "sent RST".to_owned())),
        KernelFact::ResetReceived { connection } => Some((of(connection), "got RST".to_owned())),
        KernelFact::Call(call) => {
            let DescriptorKind::Connection(connection) = &call.on.as_ref()?.kind else { return None };
            let result = match &call.result {
                CallResult::Returned(0) => "0".to_owned(),
                CallResult::Returned(_) => "more".to_owned(),
                other => format!("{other:?}"),
            };
            Some((of(connection), format!("{} → {result}", call.call)))
        }
        _ => None,
    }
}
