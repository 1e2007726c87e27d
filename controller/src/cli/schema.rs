//! `controller schema`: what our files may hold, for editors and other programs.

use super::output;
use crate::error::Result;
use crate::{report, scenario};
use clap::ValueEnum;
use std::process::ExitCode;

/// Print the JSON Schema of scenario files, or of what runs write
///
/// Editors that know YAML (VS Code, Neovim, Helix, IntelliJ ...) complete and check scenarios by it.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {
    /// Of which file
    #[arg(value_enum, default_value_t)]
    of: File,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum File {
    /// Scenario files, which you write
    #[default]
    Scenario,
    /// result.json, which a run writes
    Result,
    /// What `run --format json` prints of several runs
    Batch,
}

/// # Errors
/// It cannot be written.
pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode> {
    match args.of {
        File::Scenario => output::json(&scenario::schema())?,
        File::Result => output::text(&report::result_schema())?,
        File::Batch => output::text(&report::batch_schema())?,
    }
    Ok(ExitCode::SUCCESS)
}
