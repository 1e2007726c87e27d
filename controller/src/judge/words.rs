//! Claims, steps, segments and times in words.

use super::flow;
use crate::scenario::{self, Claim, KernelClaim, Moment, ProgramEnd, Scenario, SegmentClaim, show_time};
use crate::timeline::{Frame, FrameKind, LabTime, MachineEvent, Segment};

/// The claim in words, as the scenario's author would say it.
pub(super) fn claim(scenario: &Scenario, claim: &Claim) -> String {
    match claim {
        Claim::Printed { program, text, seen: true, when } => {
            format!("{program} prints {text:?}{}", moment(scenario, when))
        }
        Claim::Printed { program, text, seen: false, when } => {
            format!("{program} does not print {text:?}{}", moment(scenario, when))
        }
        Claim::Ended { program, how, when } => format!("{program} {}{}", end(how), moment(scenario, when)),
        Claim::Segment(segment) => segments(scenario, segment),
        Claim::BootIdChanged { host, changed: true } => format!("the boot id of {host} changes"),
        Claim::BootIdChanged { host, changed: false } => format!("the boot id of {host} stays the same"),
        Claim::CarrierLost { host, lost: true } => format!("{host} loses carrier"),
        Claim::CarrierLost { host, lost: false } => format!("{host} never loses carrier"),
        Claim::Kernel(claim) => kernel(scenario, claim),
        Claim::Zombies { program, count, before } => {
            let when = before.map_or_else(|| " at the end".to_owned(), |b| format!(" before {}", step(scenario, b)));
            format!("{count} {}{when}", scenario::zombies(program, count.is_plural()))
        }
    }
}

fn kernel(scenario: &Scenario, claim: &KernelClaim) -> String {
    let KernelClaim { what, count, when } = claim;
    let when = moment(scenario, when);
    let comma = if when.is_empty() { "" } else { "," };
    format!("{count} {}{comma}{when}", scenario::noun(what, count.is_plural()))
}

fn segments(scenario: &Scenario, claim: &SegmentClaim) -> String {
    format!(
        "{}{}{}{}",
        flow::numbered(&claim.flow, claim.count),
        flow::way(&claim.flow),
        answering(scenario, claim).unwrap_or_default(),
        moment(scenario, &claim.when)
    )
}

/// `, answering a data segment from client, sent after ...`; none if the claim does not ask for it.
pub(super) fn answering(scenario: &Scenario, claim: &SegmentClaim) -> Option<String> {
    let asked = claim.answering.as_ref()?;
    let after = asked.after.map(|s| format!(" sent after {}", step(scenario, s))).unwrap_or_default();
    Some(format!(", answering {}{}{after},", flow::one(&asked.flow), flow::way(&asked.flow)))
}

/// How a program is claimed to end.
pub(super) fn end(how: &ProgramEnd) -> String {
    match how {
        ProgramEnd::Exit(status) => format!("exits with status {status}"),
        ProgramEnd::Signal(name) => format!("is ended by SIG{name}"),
        ProgramEnd::Any => "ends".to_owned(),
        ProgramEnd::Running => "is still running at the end".to_owned(),
        ProgramEnd::WithHost => "dies with its host".to_owned(),
    }
}

/// The step in words, by its own name if it has one: `step 'crash'`, `step 3 (power off server)`.
pub(super) fn step(scenario: &Scenario, index: usize) -> String {
    match scenario.steps.get(index) {
        Some(step) => match &step.name {
            Some(name) => format!("step '{name}'"),
            None => format!("step {} ({})", index + 1, step.action),
        },
        None => format!("step {}", index + 1),
    }
}

/// When, with a blank before it: ` within 5 s after step 'crash'`; empty if always.
pub(super) fn moment(scenario: &Scenario, when: &Moment) -> String {
    let mut words = String::new();
    match (when.within, when.after) {
        (Some(within), Some(after)) => {
            words += &format!(" within {} after {}", show_time(within), step(scenario, after))
        }
        (Some(within), None) => words += &format!(" within {} after the lab's start", show_time(within)),
        (None, Some(after)) => words += &format!(" after {}", step(scenario, after)),
        (None, None) => {}
    }
    if let Some(before) = when.before {
        words += &format!(" before {}", step(scenario, before));
    }
    words
}

/// The frame in one phrase, with its number left out: `RST from server to client, seq 14`.
pub fn frame(frame: &Frame) -> String {
    let way = match &frame.to {
        Some(to) => format!("from {} to {to}", frame.from),
        None => format!("from {}", frame.from),
    };
    let way = match &frame.bound_for {
        Some(host) => format!("{way} for {host}"),
        None => way,
    };
    match &frame.kind {
        FrameKind::Tcp(segment) => format!("{} {way}, {}", segment.flags, numbers(segment)),
        FrameKind::Icmp { text, .. } => format!("ICMP {way}: {text}"),
        FrameKind::Arp { text } => format!("ARP {way}: {text}"),
        FrameKind::Other { text } => format!("{way}: {text}"),
    }
}

fn numbers(segment: &Segment) -> String {
    let mut words = format!("seq {}", segment.relative_seq);
    if segment.length > 0 {
        words += &format!(", {} bytes", segment.length);
    }
    if segment.flags.ack {
        words += &format!(", ack {}", segment.relative_ack);
    }
    if segment.retransmission {
        words += " (retransmission)";
    }
    words
}

/// `frame 41 at 8.410 s`.
pub(super) fn numbered(at: LabTime, frame: &Frame) -> String {
    format!("frame {} at {at} s", frame.number)
}

/// What happened to a machine, after its host's name: `lost power`.
pub(super) fn machine(event: &MachineEvent) -> String {
    match event {
        MachineEvent::PoweredOff { how, domain: None } => format!("lost power (QEMU {how})"),
        MachineEvent::PoweredOff { how, domain: Some(domain) } => format!("lost power (libvirt: {domain}; QEMU {how})"),
        MachineEvent::Died { how, .. } => format!("died (QEMU {how})"),
        MachineEvent::Reset { reason } => format!("was reset ({reason})"),
        MachineEvent::ShutDown { reason } => format!("shut down ({reason})"),
        MachineEvent::Panicked { line } => format!("panicked ({line})"),
        MachineEvent::BootFailed { what } => format!("could not boot ({what})"),
        MachineEvent::PoweredOn { .. } => "was powered on".to_owned(),
        MachineEvent::Booted { .. } => "booted".to_owned(),
        MachineEvent::Stopped => "was stopped by somebody".to_owned(),
        MachineEvent::CarrierSet { up } => format!("was {}", if *up { "plugged in" } else { "unplugged" }),
        MachineEvent::Carrier { down_count, .. } => format!("counts {down_count} carrier losses"),
        MachineEvent::ControlLost { why } => format!("lost its control channel ({why})"),
    }
}

/// `1 segment`, `3 segments`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
