//! `controller list`: the catalogue.

use super::{Format, catalogue, output};
use crate::error::Result;
use crate::scenario::{Scenario, summary};
use serde::Serialize;
use std::process::ExitCode;

/// List the scenarios of the catalogue
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A scenario in the list, for programs.
#[derive(Serialize)]
struct Item<'a> {
    name: &'a str,
    title: &'a str,
    section: Option<&'a str>,
}

/// # Errors
/// A scenario of the catalogue is wrong, which its tests exclude; or the list cannot be written.
pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let scenarios = catalogue().names().map(|name| catalogue().resolve(name)).collect::<Result<Vec<Scenario>>>()?;
    match args.format {
        Format::Text => {
            let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
            let lines: Vec<String> = scenarios.iter().map(|scenario| summary(scenario, width)).collect();
            output::text(&lines.join("\n"))?;
        }
        Format::Json => {
            let items =
                scenarios.iter().map(|s| Item { name: &s.name, title: &s.title, section: s.section.as_deref() });
            output::json(&items.collect::<Vec<_>>())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
