//! What the kernels' testimony costs: the echo of a line, with and without it.
//!
//! A line takes from one data segment of the client to its next, on the switch's clock. Runs with and without the witness take
//! turns, and which of a pair comes first too, so that what changes on this computer meanwhile strikes both alike.

use super::BenchArgs;
use crate::conductor::{self, Interrupt, Options};
use crate::error::{Context, Error, Result};
use crate::judge::Outcome;
use crate::progress::Reporter;
use crate::report::terminal::Progress as Screen;
use crate::scenario::{self, Scenario};
use crate::timeline::{Event, FrameKind, LabTime, What};
use serde::Serialize;

/// Two thousand lines, one after the other.
const ECHOES: &str = include_str!("echoes.yaml");

/// How long a line took, in microseconds: the mean of a run.
#[derive(Debug, Serialize, PartialEq)]
pub(super) struct Pair {
    without: f64,
    with: f64,
    /// By how much the witness makes it longer, in percent.
    slower: f64,
}

/// # Errors
/// A run did not pass.
pub(super) fn measure(args: &BenchArgs) -> Result<Vec<Pair>> {
    let scenario = scenario::parse("echoes.yaml", ECHOES).map_err(Error::from)?;
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
            microseconds(&scenario, &options, &interrupt)
        };
        let (with, without) = if number % 2 == 0 {
            let with = one(true)?;
            (with, one(false)?)
        } else {
            let without = one(false)?;
            (one(true)?, without)
        };
        let pair = Pair { without, with, slower: (with / without - 1.0) * 100.0 };
        reporter.done("bench", format!("pair {number}: {without:.0} and {with:.0} microseconds a line"));
        if number > 0 {
            pairs.push(pair);
        }
    }
    Ok(pairs)
}

fn microseconds(scenario: &Scenario, options: &Options, interrupt: &Interrupt) -> Result<f64> {
    let run = conductor::run(scenario, options, &Reporter::silent(), interrupt)?;
    if let Some(error) = run.error {
        return Err(error);
    }
    let time = a_line(&run.timeline).filter(|_| run.result.outcome == Outcome::Pass);
    time.ok_or_else(|| Error::broken("the client did not get to the end of its lines, so their times say nothing"))
}

/// The mean time from one line to the next, in microseconds; none if there are no two.
fn a_line(timeline: &[Event]) -> Option<f64> {
    let lines = timeline.iter().filter_map(|event| match &event.what {
        What::Wire(frame) => match &frame.kind {
            FrameKind::Tcp(segment) if frame.from == "client" && segment.length > 0 => Some(event.at),
            _ => None,
        },
        _ => None,
    });
    mean(&lines.collect::<Vec<_>>())
}

fn mean(times: &[LabTime]) -> Option<f64> {
    let all = times.last()?.since(*times.first()?).as_secs_f64();
    (times.len() > 1).then(|| all * 1e6 / (times.len() - 1) as f64)
}

/// The pairs, and the median of what the witness costs.
pub(super) fn table(pairs: &[Pair]) -> String {
    let mut text = format!("{:<8} {:>18} {:>18} {:>9}\n", "pair", "without witness", "with witness", "slower");
    for (number, Pair { without, with, slower }) in (1..).zip(pairs) {
        text.push_str(&format!("{number:<8} {without:>15.0} us {with:>15.0} us {slower:>7.1} %\n"));
    }
    let mut slower: Vec<f64> = pairs.iter().map(|pair| pair.slower).collect();
    slower.sort_by(f64::total_cmp);
    let median = slower.get(slower.len() / 2).copied().unwrap_or_default();
    text.push_str(&format!("{:<8} {:>18} {:>18} {median:>7.1} %\n", "median", "", ""));
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_is_right_and_the_table_is_aligned() {
        assert_eq!(scenario::parse("echoes.yaml", ECHOES).unwrap().expectations.len(), 1);
        let pair = |with: f64| Pair { without: 2000.0, with, slower: (with / 2000.0 - 1.0) * 100.0 };
        let table = table(&[pair(2100.0), pair(2060.0), pair(2400.0)]);
        assert!(table.ends_with("5.0 %\n"), "{table}");
        assert!(table.lines().all(|line| line.chars().count() == 56), "{table}");
    }

    #[test]
    fn a_line_takes_from_its_segment_to_the_next() {
        assert_eq!(mean(&[1_000, 3_000, 10_000].map(LabTime)), Some(4.5));
        assert_eq!(mean(&[LabTime(1_000)]), None);
        assert_eq!(a_line(&[]), None);
    }
}
