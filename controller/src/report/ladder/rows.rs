//! Events to rows: what is said, when, and in whose lane.

use super::super::sent::{Sent, owner};
use super::super::style::Paint;
use super::super::text::span;
use super::super::words::{self, Extra, Label};
use super::chatter::{self, Chatter, Place};
use super::kernel;
use crate::scenario::Scenario;
use crate::timeline::{Event, Frame, FrameKind, LabTime, MachineEvent, ProgramEvent, StepEvent, Verdict, What};
use std::collections::{BTreeMap, HashMap};

/// One row of the ladder.
pub(super) struct Row {
    pub(super) at: LabTime,
    pub(super) what: Cell,
}

/// What a row shows.
pub(super) enum Cell {
    /// A step begins: a heading across all lanes.
    Heading(String),
    /// Something happened on a host.
    Note { lane: usize, text: Said, paint: Paint, turns: Option<Lane> },
    /// A frame went from lane to lane.
    Arrow(Arrow),
    /// Background frames, collapsed; told across all lanes.
    Background(String),
    /// The run ended in the middle of a step.
    BrokenOff,
}

/// A text, with what to put in the place of a sign that ASCII lacks.
pub(super) struct Said {
    pub(super) unicode: String,
    pub(super) ascii: String,
}

/// What a host's lane looks like from a row on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    Off,
    Booting,
    Up,
}

/// A frame between two lanes.
pub(super) struct Arrow {
    pub(super) number: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    /// Ways to name it, the fullest first.
    pub(super) labels: Vec<Label>,
    pub(super) paint: Paint,
    pub(super) fate: Fate,
    /// When the same was sent before.
    pub(super) again: Option<LabTime>,
}

/// Where an arrow ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    /// A rule of the cable dropped it.
    Cut,
    /// There was nobody to get it.
    Air,
}

/// The background frames of one step.
#[derive(Default)]
struct Background {
    kinds: BTreeMap<String, usize>,
    texts: Vec<String>,
    last: LabTime,
}

/// The rows of a timeline, in order of time.
pub(super) fn rows(scenario: &Scenario, timeline: &[Event], hosts: &[&str]) -> Vec<Row> {
    let mut events: Vec<&Event> = timeline.iter().collect();
    events.sort_by_key(|e| e.at);
    let mut teller = Teller {
        events: &events,
        scenario,
        hosts,
        rows: Vec::new(),
        pids: HashMap::new(),
        sent: Sent::default(),
        quiet: None,
        chatter: Chatter::default(),
    };
    let mut open_step = None;
    for event in &events {
        match &event.what {
            What::Step { index, name, text, event: StepEvent::Began } => {
                open_step = Some(*index);
                teller.close_background();
                teller.chatter.begin();
                let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                teller.add(event.at, Cell::Heading(format!("{}. {name}{text}", index + 1)));
            }
            What::Step { index, event: StepEvent::Done, .. } => {
                open_step = open_step.filter(|open| open != index);
            }
            What::Program { host, program, event: done } => teller.program(event.at, host, program, done),
            What::Machine { host, event: done } => teller.machine(event.at, host, done),
            What::Wire(frame) => teller.frame(event.at, frame),
            What::Kernel(told) => {
                if let Some((text, paint)) = kernel::said(told) {
                    teller.note(event.at, &told.host, text, paint, None);
                }
            }
        }
    }
    teller.close_background();
    if open_step.is_some() {
        let end = teller.rows.last().map_or(LabTime(0), |row| row.at);
        teller.add(end, Cell::BrokenOff);
    }
    teller.rows
}

struct Teller<'a> {
    events: &'a [&'a Event],
    scenario: &'a Scenario,
    hosts: &'a [&'a str],
    rows: Vec<Row>,
    pids: HashMap<String, u32>,
    sent: Sent,
    /// The row that stands for the background frames of this step, and what it collapses.
    quiet: Option<(usize, Background)>,
    chatter: Chatter,
}

impl Teller<'_> {
    fn add(&mut self, at: LabTime, what: Cell) {
        self.rows.push(Row { at, what });
    }

    fn lane(&self, host: &str) -> Option<usize> {
        self.hosts.iter().position(|name| *name == host)
    }

    fn note(&mut self, at: LabTime, host: &str, text: Said, paint: Paint, turns: Option<Lane>) {
        // An event of a host that the scenario does not have still happened: it is told in the first lane.
        let lane = self.lane(host).unwrap_or(0);
        self.add(at, Cell::Note { lane, text, paint, turns });
    }

    fn program(&mut self, at: LabTime, host: &str, program: &str, event: &ProgramEvent) {
        if matches!(event, ProgramEvent::Line { .. }) {
            let (count, row) = match self.chatter.line(program, self.rows.len()) {
                Place::Shown => (0, None),
                Place::First => (1, None),
                Place::Among(row, count) => (count, self.rows.get_mut(row)),
            };
            let said = Said { unicode: chatter::text(program, count), ascii: chatter::text(program, count) };
            match row {
                Some(Row { what: Cell::Note { text, .. }, .. }) => return *text = said,
                _ if count > 0 => return self.note(at, host, said, Paint::Dim, None),
                _ => {}
            }
        }
        let said = |unicode: bool| {
            words::program(program, event, |(sign, ascii)| (if unicode { sign } else { ascii }).to_owned())
        };
        let (text, paint) = said(true);
        self.note(at, host, Said { unicode: text, ascii: said(false).0 }, paint, None);
    }

    fn machine(&mut self, at: LabTime, host: &str, event: &MachineEvent) {
        let turns = match event {
            MachineEvent::PoweredOn { .. } | MachineEvent::Reset { .. } => Some(Lane::Booting),
            MachineEvent::Booted { .. } => Some(Lane::Up),
            MachineEvent::PoweredOff { .. } | MachineEvent::ShutDown { .. } | MachineEvent::Died { .. } => {
                Some(Lane::Off)
            }
            _ => None,
        };
        if matches!(event, MachineEvent::Carrier { up: true, down_count: 0 }) && !self.is_last_word(at, host) {
            return;
        }
        let (text, paint) = words::machine(event, self.pids.get(host).copied());
        let flash = if matches!(event, MachineEvent::PoweredOn { .. }) { "⚡ " } else { "" };
        let text = Said { unicode: format!("{flash}{text}"), ascii: text };
        self.note(at, host, text, paint, turns);
        if let MachineEvent::PoweredOn { pid: Some(pid) } = event {
            self.pids.insert(host.to_owned(), *pid);
        }
    }

    /// Whether `host` is not asked for its carrier again after `at`: the last answer speaks for those before it.
    fn is_last_word(&self, at: LabTime, host: &str) -> bool {
        !self.events.iter().any(|event| {
            let asked =
                matches!(&event.what, What::Machine { host: h, event: MachineEvent::Carrier { .. } } if h == host);
            asked && event.at > at
        })
    }

    fn frame(&mut self, at: LabTime, frame: &Frame) {
        match &frame.kind {
            FrameKind::Arp { text } | FrameKind::Other { text } => self.background(at, &frame.kind, text),
            FrameKind::Tcp(_) | FrameKind::Icmp { .. } => match self.arrow(at, frame) {
                Some(arrow) => self.add(at, Cell::Arrow(arrow)),
                None => {
                    let text = words::labels(&frame.kind, &Extra::default()).remove(0).text;
                    self.background(at, &frame.kind, &text);
                }
            },
        }
    }

    fn background(&mut self, at: LabTime, kind: &FrameKind, text: &str) {
        if self.quiet.is_none() {
            self.quiet = Some((self.rows.len(), Background::default()));
            self.add(at, Cell::Background(String::new()));
        }
        if let Some((_, background)) = &mut self.quiet {
            *background.kinds.entry(words::background(kind)).or_default() += 1;
            background.last = at;
            if !background.texts.iter().any(|known| known == text) {
                background.texts.push(text.to_owned());
            }
        }
    }

    fn close_background(&mut self) {
        let Some((index, background)) = self.quiet.take() else { return };
        let Some(row) = self.rows.get_mut(index) else { return };
        let count: usize = background.kinds.values().sum();
        let kinds: Vec<String> = background.kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
        let frames = if count == 1 { "frame" } else { "frames" };
        let until = background.last.since(row.at);
        let until = if until.as_secs() > 0 { format!(" until {} s", background.last) } else { String::new() };
        let what = match background.texts.as_slice() {
            [only] => only.clone(),
            _ => kinds.join(", "),
        };
        let text = format!("{count} background {frames}{until} ({what})");
        row.what = Cell::Background(text);
    }

    /// The frame as an arrow; none if it goes nowhere that a lane stands for.
    fn arrow(&mut self, at: LabTime, frame: &Frame) -> Option<Arrow> {
        let from = self.lane(&frame.from)?;
        let to = frame.to.as_deref().and_then(|host| self.lane(host)).or_else(|| owner(self.scenario, &frame.kind))?;
        if from == to {
            return None;
        }
        let mut extra = Extra::default();
        let mut again = None;
        if let FrameKind::Tcp(segment) = &frame.kind {
            let before = self.sent.count(at, &frame.from, segment).filter(|_| segment.retransmission);
            extra.retransmission = segment.retransmission.then(|| before.map_or(0, |(times, _)| times));
            again = before.map(|(_, last)| last);
            extra.wait = again.map(|last| at.0.saturating_sub(last.0));
        }
        let (fate, word) = match frame.verdict {
            Verdict::Passed => (Fate::Arrives, None),
            Verdict::Delayed(nanos) => (Fate::Arrives, Some(format!("held {}", span(nanos)))),
            Verdict::Dropped => (Fate::Cut, Some("dropped".to_owned())),
            Verdict::Lost => (Fate::Air, None),
        };
        extra.fate = word;
        let labels = words::labels(&frame.kind, &extra);
        Some(Arrow { number: frame.number, from, to, labels, paint: paint(&frame.kind), fate, again })
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
