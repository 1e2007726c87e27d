//! The folders that runs left.

use crate::compare::Side;
use crate::error::{Context, Error, Result};
use crate::report::{RunResult, SCHEMA_VERSION, read_events};
use crate::timeline::Event;
use std::fs;
use std::path::{Path, PathBuf};

/// What a run came to, and what happened in it.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) result: RunResult,
    pub(super) timeline: Vec<Event>,
}

impl Whole {
    /// As one of two that are compared.
    pub(super) fn side(&self) -> Side<'_> {
        Side { outcome: self.result.outcome, judged: &self.result.expectations, timeline: &self.timeline }
    }
}

/// Of each of `folders` the run that it is, or the runs that it holds, in the order of their names. `verb` is who asks.
///
/// # Errors
/// A folder cannot be read, or holds no run.
pub(super) fn all(folders: &[PathBuf], verb: &str) -> Result<Vec<PathBuf>> {
    let mut runs = Vec::new();
    for folder in folders {
        let found = in_folder(folder)?;
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
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// `result.json` of the run in `folder`.
///
/// # Errors
/// There is none, or one of a shape that this version does not know.
pub(super) fn result(folder: &Path) -> Result<RunResult> {
    let file = folder.join("result.json");
    let text = match fs::read_to_string(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::usage(format!("{} is no run's folder", folder.display()))
                .detail(format!("{} does not exist: a run that was killed leaves none", file.display()))
                .help("Name the folder of a run that has ended, as in: controller report runs/latest"));
        }
        text => text.usage(|| format!("cannot read {}", file.display()))?,
    };
    let json: serde_json::Value = serde_json::from_str(&text).usage(|| format!("{} is no JSON", file.display()))?;
    let schema = json.get("schema").and_then(serde_json::Value::as_u64);
    if schema.is_some_and(|schema| schema > u64::from(SCHEMA_VERSION)) {
        return Err(Error::usage(format!("{} was written by a newer controller", file.display()))
            .help("Use that version, or run the scenario again with this one."));
    }
    serde_json::from_value(json).usage(|| format!("{} is no result of a run", file.display()))
}

/// The run in `folder` with its timeline.
///
/// # Errors
/// One of its files is missing, or cannot be read.
pub(super) fn whole(folder: &Path) -> Result<Whole> {
    Ok(Whole { result: result(folder)?, timeline: read_events(&folder.join("events.jsonl"))? })
}
