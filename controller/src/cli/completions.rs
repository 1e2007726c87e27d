//! `controller completions`: what a shell needs to complete our arguments.

use super::output;
use crate::error::Result;
use clap_complete::Shell;
use std::process::ExitCode;

/// Print completions for a shell
///
/// For bash: controller completions bash > ~/.local/share/bash-completion/completions/controller
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// # Errors
/// They cannot be written.
pub(super) fn run(args: &CompletionsArgs) -> Result<ExitCode> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "controller", &mut script);
    output::bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}
