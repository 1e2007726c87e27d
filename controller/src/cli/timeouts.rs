//! `controller timeouts`: from the folders of runs, how long the kernels waited.

use super::{output, runs};
use crate::error::Result;
use crate::judge::Outcome;
use crate::report::{Timed, read_events, timeouts};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write, from runs, how long the kernels waited: each time-out with its formula, beside the textbook
///
/// Markdown on standard output, measured in the runs' timelines; it knows the scenarios of the catalogue by their names.
/// Runs whose lab broke tell nothing. On two kernels:
/// controller run host-crash --out a; controller run host-crash --kernel bookworm --out b; controller timeouts a b
#[derive(Debug, clap::Args)]
pub(super) struct TimeoutsArgs {
    /// Folders of runs, or folders that hold them
    #[arg(value_name = "FOLDER", required = true)]
    folders: Vec<PathBuf>,
}

/// # Errors
/// A folder holds no run, or a run that this version cannot read; or the answer cannot be written.
pub(super) fn run(args: &TimeoutsArgs) -> Result<ExitCode> {
    let runs = runs::all(&args.folders, "timeouts")?;
    let runs: Vec<Option<Timed>> = runs.iter().map(|run| read(run)).collect::<Result<_>>()?;
    output::text(&timeouts(&runs.into_iter().flatten().collect::<Vec<_>>()))?;
    Ok(ExitCode::SUCCESS)
}

/// None: the lab broke.
fn read(run: &Path) -> Result<Option<Timed>> {
    let result = runs::result(run)?;
    if !matches!(result.outcome, Outcome::Pass | Outcome::Fail) {
        return Ok(None);
    }
    Ok(Some(Timed { scenario: result.scenario.name, events: read_events(&run.join("events.jsonl"))? }))
}
