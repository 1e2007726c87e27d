//! `controller textbook`: from the folders of runs, what the textbook says beside what the kernels did.

use super::{output, runs};
use crate::error::Result;
use crate::report::{Told, textbook};
use crate::scenario::load;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Write, from runs, what the textbook says beside what the kernels did
///
/// Markdown on standard output. For the whole catalogue on two kernels:
/// controller run --all --out a; controller run --all --kernel bookworm --out b; controller textbook a b
#[derive(Debug, clap::Args)]
pub(super) struct TextbookArgs {
    /// Folders of runs, or folders that hold them
    #[arg(value_name = "FOLDER", required = true)]
    folders: Vec<PathBuf>,
}

/// # Errors
/// A folder holds no run, or a run that this version cannot read; or the answer cannot be written.
pub(super) fn run(args: &TextbookArgs) -> Result<ExitCode> {
    let runs: Vec<Told> = runs::all(&args.folders, "textbook")?.iter().map(|run| read(run)).collect::<Result<_>>()?;
    output::text(&textbook(&runs))?;
    Ok(ExitCode::SUCCESS)
}

fn read(run: &Path) -> Result<Told> {
    Ok(Told { result: runs::result(run)?, scenario: load(&run.join("scenario.yaml"))? })
}
