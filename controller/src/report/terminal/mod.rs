//! What people see while a run goes on: on a terminal a spinner for each line of work, which collapses to one line
//! when done and is shown whole when it failed; elsewhere a line for each thing that happened.
//!
//! All of it goes to standard error. Log lines must go through [`Progress::log_writer`], so that spinners and they
//! do not write over each other; before anything else is printed, [`Progress::clear`] takes the spinners away.
//!
//! ```no_run
//! use deadpeer::report::terminal::Progress;
//! let progress = Progress::on_stderr(false);
//! let reporter = progress.reporter();
//! reporter.began("server", "booting");
//! reporter.done("server", "booted in 2.9 s");
//! progress.clear();
//! ```

mod live;
mod plain;

use super::style::{Style, is_dumb};
use crate::progress::{Progress as Told, Reporter};
use live::Live;
use plain::Plain;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard};

/// Shows what the lab is doing. Cheap to clone; usable from any thread. The last one to go clears the terminal.
#[derive(Clone)]
pub struct Progress(Arc<Screen>);

/// What is behind all clones of a [`Progress`].
struct Screen(Mutex<Shown>);

enum Shown {
    Live(Live),
    Plain(Plain),
    /// Told to be quiet, or cleared.
    Nothing,
}

impl Progress {
    /// Shows progress on standard error, in the way it can: spinners on a terminal, lines elsewhere (and where
    /// `TERM=dumb`), nothing if `quiet`.
    #[must_use]
    pub fn on_stderr(quiet: bool) -> Self {
        let terminal = console::Term::stderr().is_term() && !is_dumb(std::env::var("TERM").ok().as_deref());
        Self::of(match (quiet, terminal) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Live(Live::new(indicatif::ProgressDrawTarget::stderr(), Style::of_stderr())),
            (false, false) => Shown::Plain(Plain::new(Box::new(io::stderr()))),
        })
    }

    fn of(shown: Shown) -> Self {
        Self(Arc::new(Screen(Mutex::new(shown))))
    }

    /// Where rooms tell what they do.
    #[must_use]
    pub fn reporter(&self) -> Reporter {
        // Not the screen itself: a reporter left behind in some thread must not keep the spinners alive.
        let screen = Arc::downgrade(&self.0);
        Reporter::new(move |told| {
            if let Some(screen) = screen.upgrade() {
                screen.show(told);
            }
        })
    }

    /// Whether what is told shows only for as long as it is true: a terminal. Elsewhere each thing told stays for ever.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(*self.0.shown(), Shown::Live(_))
    }

    /// The work `id` is over; `line` says so in its place.
    pub fn over(&self, id: &str, line: &str) {
        match &mut *self.0.shown() {
            Shown::Live(live) => live.over(id, line),
            Shown::Plain(plain) => plain.line(line),
            Shown::Nothing => {}
        }
    }

    /// Takes the spinners off the terminal; what is told after this is not shown. May be called again.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Where log lines go so that nothing is garbled; for `tracing_subscriber::fmt().with_writer(...)` in a closure.
    #[must_use]
    pub fn log_writer(&self) -> LogWriter {
        LogWriter(self.clone())
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

impl Screen {
    /// A thread that panicked while it held the lock must not silence the others.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn show(&self, told: Told) {
        match &mut *self.shown() {
            Shown::Live(live) => live.show(told),
            Shown::Plain(plain) => plain.show(told),
            Shown::Nothing => {}
        }
    }

    fn clear(&self) {
        let mut shown = self.shown();
        if let Shown::Live(live) = &mut *shown {
            live.clear();
        }
        *shown = Shown::Nothing;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Writes log lines to standard error, above the spinners if there are any.
#[derive(Debug)]
pub struct LogWriter(Progress);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.0.shown() {
            Shown::Live(live) => live.suspended(|| io::stderr().write_all(bytes))?,
            Shown::Plain(_) | Shown::Nothing => io::stderr().write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests;
