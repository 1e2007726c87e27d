//! Diagnostics: to standard error as far as `--verbose` asks for, and to a run's `controller.log` in full.
//!
//! Order: [`start`] once, first of all. [`also_to`] when a run has its folder; from then on everything of level
//! debug is in that file, however quiet the terminal is.

use crate::error::{Context, Result};
use std::fs::File;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::time;
use tracing_subscriber::prelude::*;

/// The run's log, while there is one.
static LOG: Mutex<Option<File>> = Mutex::new(None);

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
        .with_writer(|| LogWriter)
        .with_ansi(false)
        .with_timer(time::uptime())
        .with_filter(Targets::new().with_target("deadpeer", Level::DEBUG));
    // It fails only where a subscriber is there already, as in tests that share a process.
    let _ = tracing_subscriber::registry().with(terminal).with(file).try_init();
}

/// Tells diagnostics to a new file at `path`, too, until the next such call.
///
/// # Errors
/// The file cannot be created.
pub fn also_to(path: &Path) -> Result<()> {
    let file = File::create(path).broken(|| format!("cannot create {}", path.display()))?;
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    Ok(())
}

/// Writes to [`LOG`]; to nowhere while there is none.
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match LOG.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
