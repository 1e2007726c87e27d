//! `controller run`: executes a scenario.

use super::Format;
use crate::error::{Error, Result};
use crate::machine::Choice;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

/// Run a scenario and show what happened
///
/// Boots the scenario's hosts, carries out its steps, and judges what it expects by what the wire, the machines and the
/// programs showed. The proof stays in a folder: result.json, events.jsonl (the timeline), wire.pcapng (every frame,
/// for Wireshark), a console log per host, the scenario, and controller.log.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// A name of the catalogue (see `controller list`), or the path to a YAML file
    #[arg(value_name = "NAME|FILE")]
    pub(super) scenario: String,

    /// The run's folder, which must not exist yet [default: runs/TIME-NAME]
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// The suite of Debian that the hosts run: bullseye, bookworm, trixie ...
    #[arg(long, default_value = "trixie")]
    pub(super) suite: String,

    /// How the machines' instructions are executed
    #[arg(long, value_enum, default_value_t)]
    pub(super) accel: Choice,

    /// What is written to standard output: the story, or result.json
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,

    /// Run it this many times, and tell at the end how often each outcome came; stops at the first `unknown`
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) repeat: NonZeroU32,

    /// No progress, and of the story only the outcome
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// # Errors
/// Wrong usage, or the lab broke.
pub(super) fn run(_args: &RunArgs) -> Result<ExitCode> {
    Err(Error::broken("not built yet: run"))
}
