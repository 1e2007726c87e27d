//! `controller schema`: what a scenario file may hold, for editors.

use super::output;
use crate::error::Result;
use crate::scenario;
use std::process::ExitCode;

/// Print the JSON Schema of scenario files
///
/// Editors that know YAML (VS Code, Neovim, Helix, IntelliJ ...) complete and check scenarios by it.
#[derive(Debug, clap::Args)]
pub(super) struct SchemaArgs {}

/// # Errors
/// It cannot be written.
pub(super) fn run(_args: &SchemaArgs) -> Result<ExitCode> {
    output::json(&scenario::schema())?;
    Ok(ExitCode::SUCCESS)
}
