//! Events to marks: what is said of each, in whose lane, and whose it is for the filter.

use super::super::sent::{Sent, owner};
use super::super::style::Paint;
use super::super::text::{harmless, span};
use super::super::words::{self, Extra};
use super::chart::ON_THE_WIRE;
use super::kernel;
use super::lanes::Lanes;
use super::mark::{Arrow, Fate, Kind, Mark, Shape};
use super::proof;
use crate::scenario::Scenario;
use crate::timeline::{
    Ended, Event, Frame, FrameKind, KernelFact, LabTime, MachineEvent, ProgramEvent, Segment, StepEvent, Verdict, What,
};
use std::collections::{HashMap, HashSet};

/// A step of the scenario, with what happened in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chapter {
    /// The step's event and its words; none for what came before the first step.
    pub(super) step: Option<(LabTime, usize, String)>,
    pub(super) marks: Vec<Mark>,
    /// The run ended in the middle of it.
    pub(super) broken_off: bool,
}

/// The timeline in chapters: one for each step, and one before them. Its events are in the order of time.
pub(super) fn chapters(scenario: &Scenario, lanes: &Lanes, timeline: &[Event]) -> Vec<Chapter> {
    let several = connections(timeline) > 1;
    let segments = segments(timeline);
    let mut teller = Teller { scenario, lanes, several, segments, qemu: HashMap::new(), sent: Sent::default() };
    let mut chapters = vec![Chapter { step: None, marks: Vec::new(), broken_off: false }];
    let mut open = None;
    for (number, event) in timeline.iter().enumerate() {
        match &event.what {
            What::Step { index, name, text, event: StepEvent::Began } => {
                open = Some(*index);
                let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                let text = harmless(&format!("{}. {name}{text}", index + 1));
                chapters.push(Chapter { step: Some((event.at, number, text)), marks: Vec::new(), broken_off: false });
            }
            What::Step { index, event: StepEvent::Done, .. } => open = open.filter(|open| open != index),
            _ => {
                let mark = teller.mark(number, event);
                if let (Some(chapter), Some(mark)) = (chapters.last_mut(), mark) {
                    chapter.marks.push(mark);
                }
            }
        }
    }
    if let (Some(last), Some(_)) = (chapters.last_mut(), open) {
        last.broken_off = true;
    }
    chapters.retain(|chapter| chapter.step.is_some() || !chapter.marks.is_empty());
    chapters
}

/// How many connections there were, as the wire tells them apart.
fn connections(timeline: &[Event]) -> usize {
    let ports = timeline.iter().filter_map(|event| match &event.what {
        What::Wire(frame) => match &frame.kind {
            FrameKind::Tcp(segment) => Some(segment.source_port.max(segment.destination_port)),
            _ => None,
        },
        _ => None,
    });
    ports.collect::<HashSet<_>>().len()
}

/// When each host's segments went over the wire.
fn segments(timeline: &[Event]) -> HashMap<String, Vec<LabTime>> {
    let mut segments: HashMap<String, Vec<LabTime>> = HashMap::new();
    for event in timeline {
        if let What::Wire(frame) = &event.what
            && matches!(&frame.kind, FrameKind::Tcp(_))
        {
            segments.entry(frame.from.clone()).or_default().push(event.at);
        }
    }
    segments
}

struct Teller<'a> {
    scenario: &'a Scenario,
    lanes: &'a Lanes,
    several: bool,
    segments: HashMap<String, Vec<LabTime>>,
    qemu: HashMap<String, u32>,
    sent: Sent,
}

impl Teller<'_> {
    fn mark(&mut self, number: usize, event: &Event) -> Option<Mark> {
        let (host, kind, paint, what) = match &event.what {
            What::Step { .. } => return None,
            What::Program { host, program, event } => self.program(host, program, event)?,
            What::Machine { host, event } => self.machine(host, event)?,
            What::Wire(frame) => self.frame(event.at, frame),
            What::Kernel(told) => {
                if matches!(told.fact, KernelFact::Retransmitted { .. }) && self.is_on_the_wire(&told.host, event.at) {
                    return None;
                }
                let said = kernel::told(event.at, told, self.several)?;
                let host = self.lanes.host(&told.host);
                let lane = said.program.as_ref().and_then(|program| self.lanes.program(program));
                let lane = lane.or_else(|| self.lanes.kernel(host?))?;
                let who =
                    said.program.map_or_else(|| format!("{}'s kernel:", told.host), |program| format!("{program}:"));
                let note = Shape::Note { lane, who: harmless(&who), text: harmless(&said.text) };
                (host, said.kind, said.paint, note)
            }
        };
        Some(Mark { at: event.at, event: number, host, kind, paint, what })
    }

    fn program(&self, host: &str, program: &str, event: &ProgramEvent) -> Option<(Option<usize>, Kind, Paint, Shape)> {
        let (text, paint) = match event {
            ProgramEvent::Ended { how: Ended::Lost(why) } => {
                (format!("nobody sees it any more (the control channel: {why})"), Paint::Dim)
            }
            _ => words::program(program, event, |(sign, _)| sign.to_owned()),
        };
        let host = self.lanes.host(host);
        let lane = self.lanes.program(program).or_else(|| self.lanes.kernel(host?))?;
        let kind = match event {
            ProgramEvent::Started { .. } | ProgramEvent::Ended { .. } => Kind::Process,
            _ => Kind::Said,
        };
        // The lane says the name.
        let text = harmless(text.strip_prefix(&format!("{program} ")).unwrap_or(&text));
        Some((host, kind, paint, Shape::Note { lane, who: harmless(program), text }))
    }

    fn machine(&mut self, host: &str, event: &MachineEvent) -> Option<(Option<usize>, Kind, Paint, Shape)> {
        let index = self.lanes.host(host);
        let told = proof::told(host, event, self.qemu.get(host).copied());
        if let MachineEvent::PoweredOn { pid: Some(pid) } = event {
            self.qemu.insert(host.to_owned(), *pid);
        }
        if let Some((head, proof, paint)) = told {
            return Some((index, Kind::Host, paint, Shape::Band { head: harmless(&head), proof: harmless(&proof) }));
        }
        let (text, paint) = words::machine(event, None);
        let lane = self.lanes.kernel(index?)?;
        let text = harmless(text.strip_prefix("its kernel says: ").unwrap_or(&text));
        Some((index, Kind::Host, paint, Shape::Note { lane, who: harmless(&format!("{host}'s kernel:")), text }))
    }

    fn frame(&mut self, at: LabTime, frame: &Frame) -> (Option<usize>, Kind, Paint, Shape) {
        let host = self.lanes.host(&frame.from);
        if matches!(frame.kind, FrameKind::Tcp(_) | FrameKind::Icmp { .. })
            && let Some(arrow) = self.arrow(at, frame)
        {
            return (host, Kind::Segment, paint(&frame.kind), Shape::Arrow(arrow));
        }
        let text = words::labels(&frame.kind, &Extra::default()).into_iter().next().map(|label| label.text);
        let text = harmless(&format!("{}: {}", frame.from, text.unwrap_or_default()));
        (host, Kind::Background, Paint::Dim, Shape::Across(text))
    }

    /// The frame as an arrow; none if it goes nowhere that a lane stands for.
    fn arrow(&mut self, at: LabTime, frame: &Frame) -> Option<Arrow> {
        let from = self.lanes.host(&frame.from)?;
        let to =
            frame.to.as_deref().and_then(|host| self.lanes.host(host)).or_else(|| owner(self.scenario, &frame.kind))?;
        if from == to {
            return None;
        }
        let mut extra = Extra::default();
        let mut which = String::new();
        if let FrameKind::Tcp(segment) = &frame.kind {
            let before = self.sent.count(at, &frame.from, segment).filter(|_| segment.retransmission);
            extra.retransmission = segment.retransmission.then(|| before.map_or(0, |(times, _)| times));
            extra.wait = before.map(|(_, last)| at.0.saturating_sub(last.0));
            if self.several {
                which = format!("port {}: ", segment.source_port.max(segment.destination_port));
            }
        }
        let (fate, word) = match frame.verdict {
            Verdict::Passed => (Fate::Arrives, None),
            Verdict::Delayed(nanos) => (Fate::Late, Some(format!("held back for {}", span(nanos)))),
            Verdict::Dropped => (Fate::Cut, Some("dropped by the cable".to_owned())),
            Verdict::Lost => (Fate::Lost, Some("nobody is there".to_owned())),
        };
        extra.fate = word;
        let mut names: Vec<String> = words::labels(&frame.kind, &extra)
            .into_iter()
            .map(|label| harmless(&format!("{which}{}", label.text)).replace("  ", " · "))
            .collect();
        if let (FrameKind::Tcp(Segment { length: 1.., .. }), Some(fullest)) = (&frame.kind, names.first()) {
            let (what, rest) = fullest.split_once(" · ").unwrap_or((fullest, ""));
            let rest = if rest.is_empty() { String::new() } else { format!(" · {rest}") };
            names.insert(0, format!("{what} · {}{rest}", bytes(frame)));
        }
        let destination = self.lanes.hosts.get(to).map_or("", String::as_str);
        let way = harmless(&format!("{} → {destination}", frame.from));
        let (from, to) = (self.lanes.kernel(from)?, self.lanes.kernel(to)?);
        Some(Arrow { number: frame.number, from, to, way, names, fate })
    }

    /// Whether a segment of `host` was on the wire about when its kernel said that it sends one.
    fn is_on_the_wire(&self, host: &str, at: LabTime) -> bool {
        let near = |frame: &LabTime| frame.since(at).max(at.since(*frame)) <= ON_THE_WIRE;
        self.segments.get(host).is_some_and(|times| times.iter().any(near))
    }
}

fn bytes(frame: &Frame) -> String {
    match &frame.kind {
        FrameKind::Tcp(Segment { length: 1, .. }) => "1 byte".to_owned(),
        FrameKind::Tcp(segment) => format!("{} bytes", segment.length),
        _ => String::new(),
    }
}

fn paint(kind: &FrameKind) -> Paint {
    match kind {
        FrameKind::Tcp(segment) if segment.flags.rst => Paint::Bad,
        FrameKind::Tcp(segment) if segment.retransmission || segment.flags.fin => Paint::Warn,
        FrameKind::Tcp(segment) if segment.length > 0 => Paint::Data,
        FrameKind::Tcp(segment) if segment.flags.syn => Paint::Good,
        FrameKind::Icmp { .. } => Paint::Bad,
        _ => Paint::Plain,
    }
}
