//! `controller doctor`: what this computer has and lacks.

use super::{Format, output};
use crate::doctor::{Facts, examine};
use crate::error::{Kind, Result};
use crate::report::terminal::Progress;
use std::process::ExitCode;

/// Show what this computer has and lacks for running scenarios
///
/// Each thing is `ok`, `warning` (runs are possible) or `missing` (they are not), with the command that mends it. Exit
/// code 0 if runs are possible, 2 if not.
#[derive(Debug, clap::Args)]
pub(super) struct DoctorArgs {
    /// How the findings are written; JSON: {"ready", "findings": [{"id", "state", "fact", "mend"}]}
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// # Errors
/// The answer cannot be written.
pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let progress = Progress::on_stderr(false);
    let diagnosis = examine(&Facts::collect(&progress.reporter()));
    progress.clear();
    match args.format {
        Format::Text => output::text(&diagnosis.to_string())?,
        Format::Json => output::json(&diagnosis)?,
    }
    Ok(if diagnosis.ready { ExitCode::SUCCESS } else { ExitCode::from(Kind::Broken.exit_code()) })
}
