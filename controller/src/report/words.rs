//! What programs, machines and segments did, in the few words that fit between two lanes.

use super::style::Paint;
use super::text;
use crate::timeline::{Ended, FrameKind, MachineEvent, ProgramEvent, Segment};

/// What marks a line as typed into a program, and as printed by it.
pub(super) const TYPED: (&str, &str) = ("«", "<");
pub(super) const PRINTED: (&str, &str) = ("»", ">");

/// What a program did.
pub(super) fn program(name: &str, event: &ProgramEvent, sign: impl Fn((&str, &str)) -> String) -> (String, Paint) {
    match event {
        ProgramEvent::Started { pid, command } if command == name => {
            (format!("{name} started (pid {pid})"), Paint::Plain)
        }
        ProgramEvent::Started { pid, command } => (format!("{name} started: {command} (pid {pid})"), Paint::Plain),
        ProgramEvent::Input { text } => (format!("{name} {} {text}", sign(TYPED)), Paint::Data),
        ProgramEvent::InputEnded => (format!("{name} {} ^D (end of file)", sign(TYPED)), Paint::Data),
        // Many programs put their name before what they say; once is enough.
        ProgramEvent::Line { text } if text.starts_with(&format!("{name}:")) => {
            (format!("{} {text}", sign(PRINTED)), Paint::Plain)
        }
        ProgramEvent::Line { text } => (format!("{name} {} {text}", sign(PRINTED)), Paint::Plain),
        ProgramEvent::Muted => (format!("{name} prints so much that the rest is not kept"), Paint::Warn),
        ProgramEvent::NotKept { lines, last, .. } => {
            let last = last.last().map(|line| format!("; the last: {line}")).unwrap_or_default();
            (format!("{lines} more lines of {name} were not kept{last}"), Paint::Warn)
        }
        ProgramEvent::Ended { how } => (format!("{name} {how}"), ended(how)),
    }
}

fn ended(how: &Ended) -> Paint {
    match how {
        Ended::Exit(0) => Paint::Plain,
        Ended::Exit(_) | Ended::Signal(_) => Paint::Warn,
        Ended::Lost(_) => Paint::Dim,
    }
}

/// What happened to a machine; `pid` is that of its hypervisor, where it is known.
pub(super) fn machine(event: &MachineEvent, pid: Option<u32>) -> (String, Paint) {
    let process = |how: &Ended| match (how, pid) {
        (Ended::Signal(name), Some(pid)) => format!("SIG{name} to QEMU pid {pid}"),
        (_, Some(pid)) => format!("QEMU pid {pid} {how}"),
        (_, None) => format!("QEMU {how}"),
    };
    match event {
        MachineEvent::PoweredOn { pid: Some(pid) } => (format!("power on (QEMU pid {pid})"), Paint::Plain),
        MachineEvent::PoweredOn { pid: None } => ("power on".to_owned(), Paint::Plain),
        MachineEvent::Booted { boot_id, kernel } => {
            let id = boot_id.split('-').next().unwrap_or_default();
            (format!("up: boot {id}, Linux {kernel}"), Paint::Good)
        }
        MachineEvent::PoweredOff { how, domain: None } => (format!("power off ({})", process(how)), Paint::Bad),
        MachineEvent::PoweredOff { how, domain: Some(domain) } => {
            (format!("power off (libvirt: {domain}; {})", process(how)), Paint::Bad)
        }
        MachineEvent::Reset { reason } => (format!("reset ({reason})"), Paint::Bad),
        MachineEvent::ShutDown { reason } => (format!("shut down ({reason})"), Paint::Warn),
        MachineEvent::Died { how, words } => {
            let words = words.lines().last().unwrap_or_default();
            (format!("died ({}) {words}", process(how)).trim_end().to_owned(), Paint::Bad)
        }
        MachineEvent::Stopped => ("stopped by somebody (SIGSTOP)".to_owned(), Paint::Bad),
        MachineEvent::Panicked { line } => (format!("kernel panic: {line}"), Paint::Bad),
        MachineEvent::BootFailed { what } => (format!("cannot boot: {what}"), Paint::Bad),
        MachineEvent::CarrierSet { up: true } => ("cable plugged in".to_owned(), Paint::Good),
        MachineEvent::CarrierSet { up: false } => ("cable unplugged".to_owned(), Paint::Bad),
        MachineEvent::Carrier { up, down_count } => {
            // The kernel's own words: a count of 1 at boot is virtio-net finding its link, not a cable that was pulled.
            let now = if *up { "carrier 1" } else { "carrier 0" };
            (format!("its kernel says: {now}, carrier_down_count {down_count}"), Paint::Dim)
        }
        MachineEvent::ControlLost { why } => (format!("control channel lost: {why}"), Paint::Bad),
    }
}

/// A way to name a frame on its arrow.
pub(super) struct Label {
    pub(super) text: String,
    /// It says how long ago the same was sent before.
    pub(super) tells_wait: bool,
}

/// What more there is to say of a frame than what it carries.
#[derive(Default)]
pub(super) struct Extra {
    /// It is the nth retransmission; 0 where the first was not seen.
    pub(super) retransmission: Option<usize>,
    /// How long ago the same was sent before, in nanoseconds.
    pub(super) wait: Option<u64>,
    /// What the switch did with it.
    pub(super) fate: Option<String>,
}

/// Ways to name a frame, the fullest first.
pub(super) fn labels(kind: &FrameKind, extra: &Extra) -> Vec<Label> {
    let fate = extra.fate.as_ref().map(|fate| format!("  {fate}")).unwrap_or_default();
    let (nth, short_nth) = match extra.retransmission {
        None => (String::new(), String::new()),
        Some(0) => ("  retransmission".to_owned(), " again".to_owned()),
        Some(n) => (format!("  retransmission {n}"), format!(" retr. {n}")),
    };
    let wait = extra.wait.map(|nanos| format!(", {} later", text::span(nanos)));
    let names = match kind {
        FrameKind::Tcp(segment) => tcp(segment),
        FrameKind::Icmp { text, .. } => {
            // "destination unreachable (host unreachable), about TCP ...": the part in parentheses says most.
            let (what, _) = text.split_once(", about ").unwrap_or((text, ""));
            let core = what.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or(what, |(core, _)| core);
            vec![format!("ICMP {text}"), format!("ICMP {what}"), format!("ICMP {core}")]
        }
        FrameKind::Arp { text } | FrameKind::Other { text } => vec![text.clone()],
    };
    let mut labels = Vec::new();
    if let Some(wait) = &wait {
        labels.extend(names.iter().map(|name| Label { text: format!("{name}{nth}{wait}{fate}"), tells_wait: true }));
    }
    for nth in [nth, short_nth] {
        labels.extend(names.iter().map(|name| Label { text: format!("{name}{nth}{fate}"), tells_wait: false }));
    }
    labels
}

fn tcp(segment: &Segment) -> Vec<String> {
    let Segment { flags, relative_seq: seq, relative_ack, length, .. } = segment;
    // As tcpdump writes them: the range of sequence numbers, its end not included. 2^32 is far beyond a segment.
    let end = seq.wrapping_add(u32::try_from(*length).unwrap_or_default());
    let range = match (*length > 0, flags.syn || flags.fin || flags.rst) {
        (true, _) => format!(" {seq}:{end}"),
        (false, true) => format!(" seq {seq}"),
        (false, false) => String::new(),
    };
    let ack = if flags.ack { format!(" ack {relative_ack}") } else { String::new() };
    let short: String = [(flags.syn, 'S'), (flags.fin, 'F'), (flags.rst, 'R'), (flags.psh, 'P'), (flags.ack, '.')]
        .into_iter()
        .filter_map(|(on, letter)| on.then_some(letter))
        .collect();
    let full =
        if flags.ack && range.is_empty() { format!("{flags} {relative_ack}") } else { format!("{flags}{range}{ack}") };
    vec![full, format!("{flags}{range}"), format!("{short}{range}")]
}

/// What a background frame is called when it is counted: `ARP`, `NDP`, `ICMPv6`.
pub(super) fn background(kind: &FrameKind) -> String {
    match kind {
        FrameKind::Arp { text } if text.contains("neighbo") || text.contains("::") => "NDP".to_owned(),
        FrameKind::Arp { .. } => "ARP".to_owned(),
        FrameKind::Icmp { .. } => "ICMP".to_owned(),
        FrameKind::Tcp(_) => "TCP".to_owned(),
        FrameKind::Other { text } => {
            let first = text::harmless(text.split_whitespace().next().unwrap_or("other"));
            first.trim_end_matches([',', ':', ';']).to_owned()
        }
    }
}
