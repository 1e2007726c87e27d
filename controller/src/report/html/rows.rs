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
mod tests {
    use super::super::lanes::tests::lanes;
    use super::super::mark::{Kind, Shape};
    use super::*;
    use crate::report::style::Paint;
    use crate::timeline::{Call, Connection, Descriptor, Ended, KernelEvent, Process};

    const MS: u64 = 1_000_000;

    fn mark(at: u64) -> Mark {
        let what = Shape::Across(String::new());
        Mark { at: LabTime(at * MS), event: 0, host: None, kind: Kind::Said, paint: Paint::Plain, what }
    }

    fn chapter(step: Option<u64>, marks: &[u64]) -> Chapter {
        let step = step.map(|at| (LabTime(at * MS), 0, "step".to_owned()));
        Chapter { step, marks: marks.iter().map(|at| mark(*at)).collect(), broken_off: false }
    }

    /// What the rows are, and the blank above them.
    fn told(parts: &[Part]) -> Vec<Vec<(String, i32)>> {
        let row = |row: &Row| match &row.what {
            Cell::Mark(mark) => (mark.at.to_string(), row.space),
            Cell::Fold(silence) => (folded(*silence), row.space),
            Cell::BrokenOff => ("broken off".to_owned(), row.space),
        };
        parts.iter().map(|part| part.rows.iter().map(row).collect()).collect()
    }

    #[test]
    fn long_silences_are_folded_and_short_ones_leave_a_blank() {
        let parts = parts(vec![chapter(None, &[1, 5, 50, 600, 1_600, 7_201_600])], &lanes(&[1, 1]), &[]);
        let rows = |texts: &[(&str, i32)]| texts.iter().map(|(text, space)| ((*text).to_owned(), *space)).collect();
        let wanted: Vec<Vec<(String, i32)>> = vec![rows(&[
            ("0.001", 0),
            ("0.005", 0),
            ("0.050", 4),
            ("0.600", 8),
            ("1.0 s pass", 0),
            ("1.600", 0),
            ("120 min 0 s pass", 0),
            ("7201.600", 0),
        ])];
        assert_eq!(told(&parts), wanted);
    }

    #[test]
    fn a_silence_before_a_step_is_folded_in_the_step_before() {
        let parts = parts(vec![chapter(None, &[1]), chapter(Some(3_001), &[3_001])], &lanes(&[1, 1]), &[]);
        let texts: Vec<Vec<String>> =
            told(&parts).into_iter().map(|it| it.into_iter().map(|(text, _)| text).collect()).collect();
        assert_eq!(texts, [vec!["0.001", "3.0 s pass"], vec!["3.001"]]);
    }

    fn machine(at: u64, event: MachineEvent) -> Event {
        Event { at: LabTime(at * MS), what: What::Machine { host: "host-0".to_owned(), event } }
    }

    fn program(at: u64, event: ProgramEvent) -> Event {
        let (host, program) = ("host-0".to_owned(), "program-00".to_owned());
        Event { at: LabTime(at * MS), what: What::Program { host, program, event } }
    }

    /// A read of a connection.
    fn read(began: u64, at: u64) -> Event {
        let end = std::net::SocketAddr::from(([192, 0, 2, 1], 9));
        let on = Descriptor { number: 3, kind: DescriptorKind::Connection(Connection { local: end, remote: end }) };
        let call = Call {
            call: "read".to_owned(),
            began: LabTime(began * MS),
            on: Some(on),
            arguments: String::new(),
            result: CallResult::Returned(1),
        };
        let name = Some("program-00".to_owned());
        let process = Some(Process { pid: 1, command: String::new(), program: name, child: false });
        let told = KernelEvent { host: "host-0".to_owned(), guest_time: 0, process, fact: KernelFact::Call(call) };
        Event { at: LabTime(at * MS), what: What::Kernel(Box::new(told)) }
    }

    #[test]
    fn a_lane_shows_when_its_machine_boots_and_its_program_waits() {
        use Stroke::{Booting, Off, Up, Waiting};
        let boot = MachineEvent::Booted { boot_id: String::new(), kernel: String::new() };
        let timeline = [
            machine(10, MachineEvent::PoweredOn { pid: None }),
            machine(20, boot),
            program(30, ProgramEvent::Started { pid: 1, command: String::new() }),
            read(40, 60),
            read(61, 61),
            program(70, ProgramEvent::Ended { how: Ended::Exit(0) }),
            machine(80, MachineEvent::PoweredOff { how: Ended::Signal("KILL".to_owned()) }),
        ];
        let parts = parts(vec![chapter(None, &[5, 10, 20, 30, 50, 60, 65, 70, 80])], &lanes(&[1, 1]), &timeline);
        let rows: Vec<&Row> = parts.iter().flat_map(|part| &part.rows).collect();
        let lane = |lane: usize| rows.iter().map(|row| (row.before[lane], row.after[lane])).collect::<Vec<_>>();
        let program = [Off, Off, Off, Up, Waiting, Up, Up, Off, Off];
        assert_eq!(lane(0).iter().map(|(_, after)| *after).collect::<Vec<_>>(), program);
        let kernel = [Off, Booting, Up, Up, Up, Up, Up, Up, Off];
        assert_eq!(lane(1).iter().map(|(_, after)| *after).collect::<Vec<_>>(), kernel);
        assert_eq!(lane(1)[8], (Up, Off), "it changes at the row of its event");
        assert!(lane(2).iter().all(|strokes| *strokes == (Stroke::Wire, Stroke::Wire)));
    }
}
