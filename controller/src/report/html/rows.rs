//! Marks to rows: one under the other, long silences folded, and what every lane is doing at each.

use super::super::text::span;
use super::lanes::{Lanes, Role};
use super::mark::Mark;
use super::tell::Chapter;
use crate::timeline::{CallResult, DescriptorKind, Event, KernelFact, LabTime, MachineEvent, ProgramEvent, What};

/// A silence of so long is folded, in nanoseconds.
pub(super) const SILENCE: u64 = 1_000_000_000;
/// A call that took so long waited for something, in nanoseconds: its program's lane shows it.
const WAITING: u64 = 1_000_000;

/// One row of the ladder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) at: LabTime,
    pub(super) what: Cell,
    /// What each lane does before and after it.
    pub(super) before: Vec<Stroke>,
    pub(super) after: Vec<Stroke>,
    /// Units left blank above it: the longer nothing happened, the more.
    pub(super) space: i32,
}

/// What a row shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Mark(Mark),
    /// Nothing happened for so long, in nanoseconds.
    Fold(u64),
    /// The run ended here, in the middle of a step.
    BrokenOff,
}

/// What a lane looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stroke {
    /// Its machine is off, or its program does not run.
    Off,
    /// Its machine boots.
    Booting,
    /// It is there.
    Up,
    /// Its program is in a system call that waits.
    Waiting,
    /// The wire, which is always there.
    Wire,
}

/// A step with its rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub(super) step: Option<(LabTime, usize, String)>,
    pub(super) rows: Vec<Row>,
}

/// The rows of all chapters.
pub(super) fn parts(chapters: Vec<Chapter>, lanes: &Lanes, timeline: &[Event]) -> Vec<Part> {
    let lives = Lives::of(lanes, timeline);
    let mut parts: Vec<Part> = Vec::new();
    let mut last: Option<LabTime> = None;
    for chapter in chapters {
        // Silence before a step belongs to the step before.
        if let (Some((began, ..)), Some(before), Some(part)) = (&chapter.step, last, parts.last_mut()) {
            part.rows.extend(fold(&lives, before, *began));
        }
        last = chapter.step.as_ref().map(|(at, ..)| *at).or(last);
        let mut rows = Vec::new();
        for mark in chapter.marks {
            let folded = last.and_then(|before| fold(&lives, before, mark.at));
            let space =
                if folded.is_some() { 0 } else { last.map_or(0, |before| space(mark.at.0.saturating_sub(before.0))) };
            rows.extend(folded);
            last = Some(mark.at);
            rows.push(lives.row(mark.at, Cell::Mark(mark), space));
        }
        if chapter.broken_off {
            let end = timeline.last().map_or(LabTime(0), |event| event.at);
            rows.push(lives.row(end, Cell::BrokenOff, 0));
        }
        parts.push(Part { step: chapter.step, rows });
    }
    parts
}

fn fold(lives: &Lives, before: LabTime, at: LabTime) -> Option<Row> {
    let silence = at.0.saturating_sub(before.0);
    (silence >= SILENCE).then(|| lives.row(LabTime(before.0 + silence / 2), Cell::Fold(silence), 0))
}

/// What a fold says. Background frames, which are told in one line, may well lie in it.
pub(super) fn folded(silence: u64) -> String {
    format!("{} pass", span(silence))
}

/// Blank units for a silence that is not folded, in nanoseconds: four for every tenfold from a hundredth of a second on.
fn space(silence: u64) -> i32 {
    match silence / 10_000_000 {
        0 => 0,
        1..10 => 4,
        _ => 8,
    }
}

/// From when to when a lane does what.
type Span = (LabTime, LabTime);

/// What every lane does, all the time.
struct Lives {
    lanes: Vec<Life>,
}

#[derive(Default)]
struct Life {
    wire: bool,
    /// What it turns into, and when.
    turns: Vec<(LabTime, Stroke)>,
    waits: Vec<Span>,
    /// The longest of `waits`, in nanoseconds: how far back one that still goes on may have begun.
    longest: u64,
}

impl Lives {
    fn of(lanes: &Lanes, timeline: &[Event]) -> Self {
        let mut all: Vec<Life> =
            lanes.list.iter().map(|lane| Life { wire: lane.role == Role::Wire, ..Life::default() }).collect();
        let mut turn = |lane: Option<usize>, at, to| {
            if let Some(life) = lane.and_then(|lane| all.get_mut(lane)) {
                life.turns.push((at, to));
            }
        };
        for event in timeline {
            match &event.what {
                What::Machine { host, event: done } => {
                    let Some(host) = lanes.host(host) else { continue };
                    let to = match done {
                        MachineEvent::PoweredOn { .. } | MachineEvent::Reset { .. } => Stroke::Booting,
                        MachineEvent::Booted { .. } => Stroke::Up,
                        MachineEvent::PoweredOff { .. } | MachineEvent::ShutDown { .. } | MachineEvent::Died { .. } => {
                            Stroke::Off
                        }
                        _ => continue,
                    };
                    for (index, lane) in lanes.list.iter().enumerate().filter(|(_, lane)| lane.host == Some(host)) {
                        let is_program = matches!(lane.role, Role::Program(_));
                        turn(Some(index), event.at, if is_program { Stroke::Off } else { to });
                    }
                }
                What::Program { program, event: ProgramEvent::Started { .. }, .. } => {
                    turn(lanes.program(program), event.at, Stroke::Up);
                }
                What::Program { program, event: ProgramEvent::Ended { .. }, .. } => {
                    turn(lanes.program(program), event.at, Stroke::Off);
                }
                _ => {}
            }
        }
        for event in timeline {
            let Some((program, span)) = wait(event) else { continue };
            if let Some(life) = lanes.program(program).and_then(|lane| all.get_mut(lane)) {
                life.waits.push(span);
                life.longest = life.longest.max(span.1.0 - span.0.0);
            }
        }
        Self { lanes: all }
    }

    fn row(&self, at: LabTime, what: Cell, space: i32) -> Row {
        let strokes = |after| self.lanes.iter().map(|life| life.stroke(at, after)).collect();
        Row { at, what, before: strokes(false), after: strokes(true), space }
    }
}

impl Life {
    /// What it does just before `at`, or just after.
    fn stroke(&self, at: LabTime, after: bool) -> Stroke {
        if self.wire {
            return Stroke::Wire;
        }
        let passed = self.turns.partition_point(|(turn, _)| if after { *turn <= at } else { *turn < at });
        let base = passed.checked_sub(1).and_then(|last| self.turns.get(last)).map_or(Stroke::Off, |(_, to)| *to);
        // Waits are in the order of their ends.
        let first = self.waits.partition_point(|(_, end)| if after { *end <= at } else { *end < at });
        let latest = LabTime(at.0.saturating_add(self.longest));
        let mut open = self.waits.iter().skip(first).take_while(|(_, end)| *end <= latest);
        let waits = open.any(|(began, _)| if after { *began <= at } else { *began < at });
        if waits && base == Stroke::Up { Stroke::Waiting } else { base }
    }
}

/// A call of a program that waited for its peer or its user: when.
fn wait(event: &Event) -> Option<(&str, Span)> {
    let What::Kernel(told) = &event.what else { return None };
    let KernelFact::Call(call) = &told.fact else { return None };
    let program = told.process.as_ref()?.program.as_deref()?;
    let on = call.on.as_ref().map(|on| &on.kind);
    let is_own = matches!(on, None | Some(DescriptorKind::Output | DescriptorKind::Other));
    let waits = !is_own && call.result != CallResult::Restarted;
    (waits && event.at.0.saturating_sub(call.began.0) >= WAITING).then_some((program, (call.began, event.at)))
}

#[cfg(test)]
mod tests;
