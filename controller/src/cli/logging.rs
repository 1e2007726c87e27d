//! Diagnostics: to standard error as far as `--verbose` asks for, and to a run's `controller.log` in full.
//!
//! Order: [`start`] once, first of all. While a run is on, everything of level debug is in its log
//! ([`RunLog`]), however quiet the terminal is.

use crate::runlog::RunLog;
use std::io::{IsTerminal, stderr};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Starts to tell diagnostics: warnings and errors; with `verbosity` 1 what is done (debug), with 2 everything.
///
/// Only Deadpeer's own: what its libraries have to tell is not about the lab.
pub fn start(verbosity: u8) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .with_ansi(colour)
        .without_time()
        .with_filter(Targets::new().with_target("deadpeer", level));
    let file = tracing_subscriber::fmt::layer()
        .with_writer(RunLog)
        .with_ansi(false)
        .with_timer(RunLog)
        .with_filter(Targets::new().with_target("deadpeer", Level::DEBUG));
    // It fails only where a subscriber is there already, as in tests that share a process.
    let _ = tracing_subscriber::registry().with(terminal).with(file).try_init();
}
