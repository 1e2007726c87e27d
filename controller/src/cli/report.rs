//! `controller report`: a run's folder as a report for a browser, or as text for other places.

use super::output;
use super::replace::replace;
use crate::error::{Context, Error, Result};
use crate::report::{self, RunResult, read_events};
use crate::scenario::{Scenario, load};
use crate::timeline::Event;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Tell a run that was made: a report for a browser, or text for other places
///
/// Without an option, report.html in the run's folder is made anew from what the folder holds, and its path is printed.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The run's folder, such as runs/latest
    #[arg(value_name = "RUN")]
    run: PathBuf,

    /// Open the report in the browser (with xdg-open)
    #[arg(long)]
    open: bool,

    #[command(flatten)]
    to: To,
}

/// What is written to standard output instead.
#[derive(Debug, clap::Args)]
#[group(multiple = false, conflicts_with = "open")]
struct To {
    /// Write the timeline as a trace to standard output, for the Perfetto viewer: controller report RUN --trace > trace.json
    #[arg(long)]
    trace: bool,

    /// Write result.json to standard output
    #[arg(long)]
    json: bool,

    /// Write Markdown to standard output, to paste into an issue
    #[arg(long)]
    markdown: bool,

    /// Write JUnit XML to standard output, for continuous integration
    #[arg(long)]
    junit: bool,
}

/// # Errors
/// The folder holds no run, or one that this version cannot read; or the answer cannot be written.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let run = Folder { path: &args.run };
    let result = run.result()?;
    if args.to.json {
        output::text(&report::to_json(&result))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.to.junit {
        output::text(&report::junit(std::slice::from_ref(&result))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (scenario, timeline) = (run.scenario()?, run.timeline()?);
    if args.to.markdown {
        output::text(&report::markdown(&scenario, &result, &timeline))?;
    } else if args.to.trace {
        output::text(&report::trace(&scenario, &timeline))?;
    } else {
        let file = args.run.join("report.html");
        replace(&file, report::html(&scenario, &result, &timeline).as_bytes())?;
        output::text(&file.display().to_string())?;
        if args.open {
            open(&file)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A run's folder, after the run.
struct Folder<'a> {
    path: &'a Path,
}

impl Folder<'_> {
    fn result(&self) -> Result<RunResult> {
        let file = self.path.join("result.json");
        let text = fs::read_to_string(&file).map_err(|error| {
            Error::usage(format!("{} is no run's folder: cannot read {}: {error}", self.path.display(), file.display()))
                .help("Name the folder of a run that has ended, as in: controller report runs/latest")
        })?;
        serde_json::from_str(&text).usage(|| format!("{} is no result that this version can read", file.display()))
    }

    fn scenario(&self) -> Result<Scenario> {
        load(&self.path.join("scenario.yaml"))
    }

    /// Of a run that never began there is none.
    fn timeline(&self) -> Result<Vec<Event>> {
        let file = self.path.join("events.jsonl");
        if file.exists() { read_events(&file) } else { Ok(Vec::new()) }
    }
}

/// Shows a file to the user by the program that the desktop has for it, and does not wait for that.
fn open(file: &Path) -> Result<()> {
    let opened =
        Command::new("xdg-open").arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let failed = |why: String| {
        Error::broken(format!("cannot open {} by xdg-open: {why}", file.display()))
            .help(format!("Open it in a browser yourself: {}", file.display()))
    };
    let status = opened.map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(()) } else { Err(failed(status.to_string())) }
}
