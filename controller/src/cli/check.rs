//! `controller check`: scenarios are checked as before a run, and nothing boots.

use super::output;
use crate::error::{Kind, Result};
use crate::scenario::load;
use std::path::PathBuf;
use std::process::ExitCode;

/// Check scenario files without running them
///
/// Says a line for each that is right and everything that is wrong with the others. Exit code 64 if any is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// Scenario files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// # Errors
/// The answer cannot be written.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let mut worst = None;
    for file in &args.files {
        match load(file) {
            Ok(_) => output::text(&format!("{}: right", file.display()))?,
            Err(error) => {
                output::error(&error);
                // One that could not be checked at all weighs more than one that was found wrong.
                if worst != Some(Kind::Broken) {
                    worst = Some(error.kind);
                }
            }
        }
    }
    Ok(worst.map_or(ExitCode::SUCCESS, |kind| ExitCode::from(kind.exit_code())))
}
