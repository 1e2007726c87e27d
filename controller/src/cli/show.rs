//! `controller show`: a scenario in words.

use super::{catalogue, output};
use crate::error::Result;
use crate::scenario::describe;
use std::process::ExitCode;

/// Show a scenario: its story, steps and expectations
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// A name of the catalogue, or the path to a YAML file
    #[arg(value_name = "NAME|FILE")]
    scenario: String,

    /// Its YAML instead, to start your own from: controller show --yaml crash-reboot > mine.yaml
    #[arg(long)]
    yaml: bool,
}

/// # Errors
/// There is no such scenario, or it is wrong; or it cannot be written.
pub(super) fn run(args: &ShowArgs) -> Result<ExitCode> {
    let scenario = catalogue().resolve(&args.scenario)?;
    if args.yaml {
        output::bytes(scenario.source.as_bytes())?;
    } else {
        output::text(&describe(&scenario))?;
    }
    Ok(ExitCode::SUCCESS)
}
