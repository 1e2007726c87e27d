//! `controller guard-machines`: started by the controller itself, to clean up after it if it is killed.

use crate::error::Result;
use crate::machine::vagrant;
use std::path::PathBuf;
use std::process::ExitCode;

/// Remove the machines of a Vagrant project when the controller that made them is gone
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct GuardArgs {
    /// The project's folder
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// # Errors
/// What libvirt did not do; nobody may be there to read it.
pub(super) fn run(args: &GuardArgs) -> Result<ExitCode> {
    vagrant::guard(&args.folder).map(|()| ExitCode::SUCCESS)
}
