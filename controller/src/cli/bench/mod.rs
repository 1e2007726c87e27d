//! `controller bench`: where a run's time goes, what the witness costs, and what lockstep time does.

mod lockstep;
mod tracing;

use super::{Format, output};
use crate::conductor::{self, Interrupt, Options};
use crate::error::{Context, Error, Result};
use crate::judge::Outcome;
use crate::machine::Choice;
use crate::progress::Reporter;
use crate::report::Times;
use crate::report::terminal::Progress as Screen;
use serde::Serialize;
use std::num::NonZeroU32;
use std::process::ExitCode;

/// Run a scenario several times and show where the time goes
///
/// The wall time from command to report, phase by phase, and the controller's own part in it: what is left without
/// boots, reboots and the waits that the scenario asks for.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// A name of the catalogue, or the path to a YAML file
    #[arg(value_name = "NAME|FILE", default_value = "crash-reboot")]
    pub(super) scenario: String,

    /// Measure what the kernels' testimony costs instead: the echo of a line, with and without it, in pairs of runs
    #[arg(long, conflicts_with_all = ["scenario", "no_witness"])]
    pub(super) tracing: bool,

    /// Measure lockstep time instead: how quickly the time of a busy and of an idle guest passes, beside plain emulation and QEMU's
    /// counting of instructions, and what a boundary costs
    #[arg(long, conflicts_with_all = ["scenario", "no_witness", "tracing", "accel"])]
    pub(super) lockstep: bool,

    /// How many runs (or pairs or rounds of them) are measured, after one that is not
    #[arg(short = 'n', long, value_name = "N", default_value = "5")]
    pub(super) runs: NonZeroU32,

    /// The suite of Debian whose kernel and image all hosts boot
    #[arg(long, value_name = "SUITE")]
    pub(super) kernel: Option<String>,

    /// How the machines' instructions are executed
    #[arg(long, value_enum, default_value_t)]
    pub(super) accel: Choice,

    /// How the breakdown is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,

    /// Do without the kernels' testimony: to see what it costs
    #[arg(long, hide = true)]
    pub(super) no_witness: bool,
}

/// # Errors
/// Wrong usage; or a run that did not pass, for a bench of broken runs says nothing.
pub(super) fn run(args: &BenchArgs) -> Result<ExitCode> {
    if args.tracing {
        let pairs = tracing::measure(args)?;
        match args.format {
            Format::Json => output::json(&pairs)?,
            Format::Text => output::text(&tracing::table(&pairs))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.lockstep {
        let rounds = lockstep::measure(args)?;
        match args.format {
            Format::Json => output::json(&rounds)?,
            Format::Text => output::text(&lockstep::table(&rounds))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let scenario = super::catalogue().resolve(&args.scenario)?;
    let interrupt = Interrupt::install()?;
    let home = tempfile::tempdir().broken(|| "cannot make a folder for the runs".to_owned())?;
    let mut times = Vec::new();
    for number in 0..=args.runs.get() {
        let options = Options {
            out: Some(home.path().join(number.to_string())),
            kernel: args.kernel.clone(),
            accelerator: args.accel,
            witness: !args.no_witness,
            ..Options::default()
        };
        let screen = Screen::on_stderr(false);
        let reporter = screen.reporter();
        reporter.began("bench", format!("run {number} of {} (0 is not counted)", args.runs));
        let run = conductor::run(&scenario, &options, &Reporter::silent(), &interrupt)?;
        if let Some(error) = run.error {
            return Err(error);
        }
        if run.result.outcome != Outcome::Pass {
            return Err(Error::broken(format!("run {number} did not pass, so its times say nothing"))
                .help(format!("controller run {}", args.scenario)));
        }
        reporter.done("bench", format!("run {number}: {:.2} s", run.result.time.wall_seconds));
        if number > 0 {
            times.push(run.result.time);
        }
    }
    let rows = rows(&times);
    match args.format {
        Format::Json => output::json(&rows)?,
        Format::Text => output::text(&table(&rows))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One phase over all runs, in seconds.
#[derive(Debug, Serialize, PartialEq)]
struct Row {
    phase: String,
    kind: String,
    least: f64,
    median: f64,
    most: f64,
}

/// Phases in the order in which they come, then the controller's own part, then all of it.
fn rows(times: &[Times]) -> Vec<Row> {
    let phases = times.first().map(|t| t.phases.as_slice()).unwrap_or_default();
    let mut rows: Vec<Row> = (0..phases.len())
        .map(|i| {
            let seconds = times.iter().filter_map(|t| t.phases.get(i)).map(|p| p.seconds).collect();
            row(phases[i].name.clone(), format!("{:?}", phases[i].kind).to_lowercase(), seconds)
        })
        .collect();
    rows.push(row(
        "the controller's own part".into(),
        "sum".into(),
        times.iter().map(|t| t.overhead_seconds).collect(),
    ));
    rows.push(row("from command to report".into(), "sum".into(), times.iter().map(|t| t.wall_seconds).collect()));
    rows
}

fn row(phase: String, kind: String, mut seconds: Vec<f64>) -> Row {
    seconds.sort_by(f64::total_cmp);
    let at = |i: usize| seconds.get(i).copied().unwrap_or_default();
    Row { phase, kind, least: at(0), median: at(seconds.len() / 2), most: at(seconds.len().saturating_sub(1)) }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<44} {:<9} {:>8} {:>8} {:>8}\n", "phase", "kind", "least", "median", "most");
    for r in rows {
        let phase: String = r.phase.chars().take(44).collect();
        text.push_str(&format!("{phase:<44} {:<9} {:>6.3} s {:>6.3} s {:>6.3} s\n", r.kind, r.least, r.median, r.most));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Phase, PhaseKind};

    fn times(boot: f64, own: f64) -> Times {
        let phases = vec![
            Phase { name: "boot".into(), seconds: boot, virtual_seconds: None, kind: PhaseKind::Boot },
            Phase { name: "judge".into(), seconds: own, virtual_seconds: None, kind: PhaseKind::Overhead },
        ];
        Times { started: String::new(), wall_seconds: boot + own, overhead_seconds: own, phases, ..Times::default() }
    }

    #[test]
    fn least_median_and_most_of_each_phase_and_the_sums() {
        let rows = rows(&[times(3.0, 0.2), times(1.0, 0.1), times(2.0, 0.3)]);
        let boot = Row { phase: "boot".into(), kind: "boot".into(), least: 1.0, median: 2.0, most: 3.0 };
        assert_eq!(rows[0], boot);
        assert_eq!(rows[2].median, 0.2);
        assert_eq!(rows[3].phase, "from command to report");
        assert!(table(&rows).lines().all(|l| l.len() <= 84), "{}", table(&rows));
    }
}
