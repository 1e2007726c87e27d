//! `controller.log`: what the controller itself noted during a run, on the lab's clock.
//!
//! The subscriber is installed once per process; a run only opens the file that it writes to.

use crate::error::{Context, Result};
use crate::timeline::Clock;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

static OPEN: Mutex<Option<(File, Clock)>> = Mutex::new(None);

/// Writes log lines to the file of the run that is on, and nowhere when none is.
#[derive(Debug, Default, Clone, Copy)]
pub struct RunLog;

/// Closes the run's log when dropped.
#[derive(Debug)]
pub(super) struct Closing;

impl RunLog {
    /// Opens a run's log.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(super) fn open(path: &Path, clock: Clock) -> Result<Closing> {
        let file = File::create(path).broken(|| format!("cannot make {}", path.display()))?;
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = Some((file, clock));
        Ok(Closing)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Write for RunLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match OPEN.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some((file, _)) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = RunLog;

    fn make_writer(&'a self) -> Self::Writer {
        RunLog
    }
}

impl FormatTime for RunLog {
    /// The lab's time, as in the timeline.
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let now = OPEN.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(_, clock)| clock.now());
        write!(w, "{:>9}", now.unwrap_or_default())
    }
}
