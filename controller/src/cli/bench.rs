//! `controller bench`: where a run's time goes.

use super::Format;
use crate::error::{Error, Result};
use crate::machine::Choice;
use std::num::NonZeroU32;
use std::process::ExitCode;

/// Run a scenario several times and show where the time goes
///
/// The wall time from command to report, phase by phase, and the controller's own part in it: what is left without
/// boots, reboots and the waits that the scenario asks for.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// A name of the catalogue, or the path to a YAML file
    #[arg(value_name = "NAME|FILE", default_value = "crash-reboot")]
    pub(super) scenario: String,

    /// How many runs are measured, after one that is not
    #[arg(short = 'n', long, value_name = "N", default_value = "5")]
    pub(super) runs: NonZeroU32,

    /// The suite of Debian that the hosts run
    #[arg(long, default_value = "trixie")]
    pub(super) suite: String,

    /// How the machines' instructions are executed
    #[arg(long, value_enum, default_value_t)]
    pub(super) accel: Choice,

    /// How the breakdown is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// # Errors
/// Wrong usage, or the lab broke.
pub(super) fn run(_args: &BenchArgs) -> Result<ExitCode> {
    Err(Error::broken("not built yet: bench"))
}
