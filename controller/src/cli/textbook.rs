//! `controller textbook`: from the folders of runs, what the textbook says beside what the kernels did.

use super::output;
use crate::error::{Context, Error, Result};
use crate::report::{RunResult, Told, textbook};
use crate::scenario::load;
use std::fs;
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
    let mut runs = Vec::new();
    for folder in &args.folders {
        let found = runs_in(folder)?;
        if found.is_empty() {
            return Err(Error::usage(format!("{} holds no run", folder.display()))
                .help("Name folders of runs, or one that holds them, as in `--out all`: controller textbook all"));
        }
        for run in found {
            runs.push(read(&run)?);
        }
    }
    output::text(&textbook(&runs))?;
    Ok(ExitCode::SUCCESS)
}

/// The run's folder itself, or those in it, in the order of their names. A run that never ended has no result.
fn runs_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let is_run = |folder: &Path| folder.join("result.json").is_file();
    if is_run(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = fs::read_dir(folder).usage(|| format!("cannot read {}", folder.display()))?;
    // `latest` is a link to a run that is there itself.
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
    let mut runs: Vec<PathBuf> = folders.map(|entry| entry.path()).filter(|path| is_run(path)).collect();
    runs.sort();
    Ok(runs)
}

fn read(run: &Path) -> Result<Told> {
    let file = run.join("result.json");
    let cannot = || format!("cannot read {}", file.display());
    let text = fs::read_to_string(&file).usage(cannot)?;
    let result: RunResult = serde_json::from_str(&text).usage(cannot)?;
    Ok(Told { scenario: load(&run.join("scenario.yaml"))?, result })
}
