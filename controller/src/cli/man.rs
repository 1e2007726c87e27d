//! `controller man`: the man pages.

use super::output;
use crate::error::{Context, Result};
use clap_mangen::Man;
use std::path::PathBuf;
use std::process::ExitCode;

/// Print the man page, or write all pages to a folder
///
/// To read it: controller man | man -l -
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write controller.1 and a page for each verb to this folder, which must exist
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// # Errors
/// They cannot be written.
pub(super) fn run(args: &ManArgs) -> Result<ExitCode> {
    let command = super::command();
    match &args.out {
        Some(folder) => clap_mangen::generate_to(command, folder)
            .broken(|| format!("cannot write the man pages to {}", folder.display()))?,
        None => {
            let mut page = Vec::new();
            Man::new(command).render(&mut page).broken(|| "cannot make the man page".to_owned())?;
            output::bytes(&page)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
