//! What the kernels' testimony costs: the echo of a line, with and without it.
//!
//! Whoever types a line waits from typing to the echo on the screen. On the wire it takes from the client's data segment to the
//! server's, on the switch's clock: that leaves out the client, and how a line gets to it. Where lines follow each other as fast as
//! they can, a line takes from one data segment of the client to its next: with what both programs do in between, and while the
//! emulated machines use all that two processors have. Runs with and without the witness take turns, and which of a pair comes first,
//! too, so that what changes on this computer meanwhile strikes both alike.

use super::BenchArgs;
use crate::conductor::{self, Interrupt, Options};
use crate::error::{Context, Error, Result};
use crate::judge::Outcome;
use crate::progress::Reporter;
use crate::report::terminal::Progress as Screen;
use crate::scenario::{self, Scenario};
use crate::timeline::{Event, FrameKind, LabTime, Segment, StepEvent, What};
use serde::Serialize;

/// Two thousand lines, one after the other; its steps end with a client that waits for lines to be typed.
const ECHOES: &str = include_str!("echoes.yaml");

/// A line that is typed, and how many of them are.
const TYPED: &str = "  - type: hello, world\n    into: one-by-one\n    until: { prints: hello }\n";
const TYPED_LINES: usize = 100;

/// How long a line took in two runs, in microseconds.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Pair {
    /// One that was typed, from typing to the printed echo: the median.
    on_screen: Compared,
    /// The same line from segment to segment: the median.
    on_the_wire: Compared,
    /// One of many in a row: the mean.
    in_a_row: Compared,
}

#[derive(Debug, Serialize, PartialEq)]
struct Compared {
    without: f64,
    with: f64,
    /// By how much the witness makes it longer, in percent.
    slower: f64,
}

impl Compared {
    fn new(without: f64, with: f64) -> Self {
        Self { without, with, slower: (with / without - 1.0) * 100.0 }
    }
}

impl Pair {
    /// In the order in which the table has them.
    fn columns(&self) -> [&Compared; 3] {
        [&self.on_screen, &self.on_the_wire, &self.in_a_row]
    }
}

/// How long a line took in one run, in microseconds.
#[derive(Debug, PartialEq)]
struct Line {
    on_screen: f64,
    on_the_wire: f64,
    in_a_row: f64,
}

/// # Errors
/// A run did not pass.
pub(super) fn measure(args: &BenchArgs) -> Result<Vec<Pair>> {
    let scenario = scenario::parse("echoes.yaml", &echoes()).map_err(Error::from)?;
    let interrupt = Interrupt::install()?;
    let home = tempfile::tempdir().broken(|| "cannot make a folder for the runs".to_owned())?;
    let mut pairs = Vec::new();
    for number in 0..=args.runs.get() {
        let screen = Screen::on_stderr(false);
        let reporter = screen.reporter();
        reporter.began("bench", format!("pair {number} of {} (0 is not counted)", args.runs));
        let one = |witness: bool| {
            let options = Options {
                out: Some(home.path().join(format!("{number}-{witness}"))),
                kernel: args.kernel.clone(),
                accelerator: args.accel,
                witness,
                ..Options::default()
            };
            line(&scenario, &options, &interrupt)
        };
        let (with, without) = if number % 2 == 0 {
            let with = one(true)?;
            (with, one(false)?)
        } else {
            let without = one(false)?;
            (one(true)?, without)
        };
        let pair = Pair {
            on_screen: Compared::new(without.on_screen, with.on_screen),
            on_the_wire: Compared::new(without.on_the_wire, with.on_the_wire),
            in_a_row: Compared::new(without.in_a_row, with.in_a_row),
        };
        let [screen, wire, row] = pair.columns().map(|it| format!("{:.0} and {:.0} us", it.without, it.with));
        reporter.done("bench", format!("pair {number}: {screen} to the screen, {wire} on the wire, {row} in a row"));
        if number > 0 {
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

/// The scenario with all its typed lines.
fn echoes() -> String {
    ECHOES.to_owned() + &TYPED.repeat(TYPED_LINES)
}

fn line(scenario: &Scenario, options: &Options, interrupt: &Interrupt) -> Result<Line> {
    let run = conductor::run(scenario, options, &Reporter::silent(), interrupt)?;
    if let Some(error) = run.error {
        return Err(error);
    }
    let line = a_line(&run.timeline).filter(|_| run.result.outcome == Outcome::Pass);
    line.ok_or_else(|| Error::broken("the clients did not get to the end of their lines, so their times say nothing"))
}

/// How long a line took; none if there were no two in a row, or none was typed.
fn a_line(timeline: &[Event]) -> Option<Line> {
    let data: Vec<(LabTime, &Segment, bool)> = timeline.iter().filter_map(data).collect();
    let last_port = data.iter().rev().find_map(|(_, segment, sent)| sent.then_some(segment.source_port))?;
    let (typed, in_a_row): (Vec<(LabTime, &Segment, bool)>, Vec<_>) = data
        .into_iter()
        .partition(|(_, segment, _)| [segment.source_port, segment.destination_port].contains(&last_port));
    let echoes = typed.windows(2).filter(|pair| pair[0].2 && !pair[1].2);
    let on_the_wire = median(echoes.map(|pair| microseconds(pair[0].0, pair[1].0)).collect())?;
    let sent: Vec<LabTime> = in_a_row.iter().filter(|it| it.2).map(|it| it.0).collect();
    Some(Line { on_screen: median(typing(timeline))?, on_the_wire, in_a_row: mean(&sent)? })
}

/// How long each step took that types a line, and waits for its echo to be printed.
fn typing(timeline: &[Event]) -> Vec<f64> {
    let steps: Vec<(LabTime, usize, &StepEvent)> = timeline.iter().filter_map(typed).collect();
    let whole = |pair: &&[(LabTime, usize, &StepEvent)]| {
        pair[0].1 == pair[1].1 && (pair[0].2, pair[1].2) == (&StepEvent::Began, &StepEvent::Done)
    };
    steps.windows(2).filter(whole).map(|pair| microseconds(pair[0].0, pair[1].0)).collect()
}

fn typed(event: &Event) -> Option<(LabTime, usize, &StepEvent)> {
    let What::Step { index, text, event: step, .. } = &event.what else { return None };
    text.starts_with("type ").then_some((event.at, *index, step))
}

/// A segment with data, and whether the client sent it.
fn data(event: &Event) -> Option<(LabTime, &Segment, bool)> {
    let What::Wire(frame) = &event.what else { return None };
    let FrameKind::Tcp(segment) = &frame.kind else { return None };
    (segment.length > 0).then_some((event.at, segment, frame.from == "client"))
}

fn microseconds(from: LabTime, to: LabTime) -> f64 {
    to.since(from).as_secs_f64() * 1e6
}

/// The mean time from one to the next, in microseconds; none if there are no two.
fn mean(times: &[LabTime]) -> Option<f64> {
    let all = microseconds(*times.first()?, *times.last()?);
    (times.len() > 1).then(|| all / (times.len() - 1) as f64)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// The pairs, and the medians of all.
pub(super) fn table(pairs: &[Pair]) -> String {
    let mut text = format!("{:<8}", "");
    for title in ["a typed line, on the screen", "on the wire", "a line of many in a row"] {
        text.push_str(&format!(" {title:^29}  "));
    }
    text.truncate(text.trim_end().len());
    text.push_str(&format!("\n{:<8}", "pair"));
    for _ in 0..3 {
        text.push_str(&format!(" {:>9} {:>9} {:>9}  ", "without", "with", "slower"));
    }
    text.truncate(text.trim_end().len());
    for (number, pair) in (1..).zip(pairs) {
        text.push_str(&row(&format!("{number}"), pair.columns()));
    }
    // Each median by itself.
    let medians = |column: usize| {
        let median = |value: fn(&Compared) -> f64| {
            median(pairs.iter().map(|pair| value(pair.columns()[column])).collect()).unwrap_or_default()
        };
        Compared { without: median(|it| it.without), with: median(|it| it.with), slower: median(|it| it.slower) }
    };
    text.push_str(&row("median", [&medians(0), &medians(1), &medians(2)]));
    text.push('\n');
    text
}

fn row(name: &str, columns: [&Compared; 3]) -> String {
    let of = |it: &Compared| format!("{:>6.0} us {:>6.0} us {:>7.1} %", it.without, it.with, it.slower);
    format!("\n{name:<8} {}", columns.map(of).join("   "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_is_right_and_the_table_is_aligned() {
        let scenario = scenario::parse("echoes.yaml", &echoes()).unwrap();
        assert_eq!((scenario.expectations.len(), scenario.steps.len()), (1, 4 + TYPED_LINES));
        let pair = |with: f64| Pair {
            on_screen: Compared::new(5000.0, with * 5.0),
            on_the_wire: Compared::new(1000.0, with),
            in_a_row: Compared::new(2000.0, with * 2.5),
        };
        let table = table(&[pair(1100.0), pair(1060.0), pair(1400.0)]);
        assert!(table.ends_with("10.0 %     2000 us   2750 us    37.5 %\n"), "{table}");
        assert!(table.lines().skip(1).all(|line| line.chars().count() == 102), "{table}");
    }

    #[test]
    fn a_line_takes_from_its_segment_to_the_next() {
        assert_eq!(mean(&[1_000, 3_000, 10_000].map(LabTime)), Some(4.5));
        assert_eq!(mean(&[LabTime(1_000)]), None);
        let step = |at, index, event| {
            let text = if index == 0 { "start echo-server" } else { "type \"hello\" into one-by-one" };
            Event { at: LabTime(at), what: What::Step { index, name: None, text: text.into(), event } }
        };
        let (began, done) = (StepEvent::Began, StepEvent::Done);
        let steps = [
            (0, 0, began.clone()),
            (1_000, 0, done.clone()),
            (5_000, 1, began.clone()),
            (9_000, 1, done),
            (10_000, 2, began),
        ];
        assert_eq!(typing(&steps.map(|(at, index, event)| step(at, index, event))), [4.0]);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(a_line(&[]), None);
    }
}
