//! Folders of runs, as the verbs take them that tell of several.

use crate::error::{Context, Error, Result};
use crate::report::RunResult;
use std::fs;
use std::path::{Path, PathBuf};

/// Of each of `folders` the run that it is, or the runs that it holds, in the order of their names. `verb` is who asks.
///
/// # Errors
/// A folder cannot be read, or holds no run.
pub(super) fn runs(folders: &[PathBuf], verb: &str) -> Result<Vec<PathBuf>> {
    let mut runs = Vec::new();
    for folder in folders {
        let found = runs_in(folder)?;
        if found.is_empty() {
            return Err(Error::usage(format!("{} holds no run", folder.display())).help(format!(
                "Name folders of runs, or one that holds them, as in `--out all`: controller {verb} all"
            )));
        }
        runs.extend(found);
    }
    Ok(runs)
}

/// The run's folder itself, or those in it. A run that never ended has no result.
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

/// What the run in this folder came to.
///
/// # Errors
/// Its result cannot be read by this version.
pub(super) fn result(run: &Path) -> Result<RunResult> {
    let file = run.join("result.json");
    let cannot = || format!("cannot read {}", file.display());
    let text = fs::read_to_string(&file).usage(cannot)?;
    serde_json::from_str(&text).usage(cannot)
}
