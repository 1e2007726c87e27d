//! `controller textbook`: from the folders of runs, what the textbook says beside what the kernels did.

use super::{output, runs};
use crate::error::{Error, Result};
use crate::report::{Told, textbook};
use crate::scenario::load;
use std::path::PathBuf;
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
    let mut told = Vec::new();
    for folder in &args.folders {
        let found = runs::in_folder(folder)?;
        if found.is_empty() {
            return Err(Error::usage(format!("{} holds no run", folder.display()))
                .help("Name folders of runs, or one that holds them, as in `--out all`: controller textbook all"));
        }
        for run in found {
            told.push(Told { scenario: load(&run.join("scenario.yaml"))?, result: runs::result(&run)? });
        }
    }
    output::text(&textbook(&told))?;
    Ok(ExitCode::SUCCESS)
}
