//! Child processes that cannot outlive the controller.
//!
//! Every child is forked by one thread that lives as long as the process does, and asks its kernel to be
//! ended with SIGKILL when that thread is gone (`PR_SET_PDEATHSIG`, prctl(2): the *thread* that forked is what
//! counts as the parent). So even a controller that is itself killed with SIGKILL leaves nothing behind. Each
//! child leads a process group of its own: Ctrl-C on the terminal reaches the controller alone, which decides.
//!
//! Order: a child that ended is first looked at without being reaped, then reaped under the lock that
//! [`Child::kill`] takes. So no signal ever goes to a pid that may be somebody else's by now.
//!
//! Exception: a child of a child is not ours to end. QEMU cannot have any (`-sandbox spawn=deny`).
//!
//! ```
//! use deadpeer::{process, timeline::Ended};
//! use std::process::Command;
//!
//! let child = process::spawn(Command::new("true"), |_| ())?;
//! assert_eq!(child.wait(std::time::Duration::from_secs(10)), Some(Ended::Exit(0)));
//! # Ok::<(), deadpeer::error::Error>(())
//! ```

mod output;
mod spawner;
#[cfg(test)]
mod tests;
mod watch;

pub use output::{Output, output, output_from};

use crate::error::{Context, Result};
use crate::timeline::Ended;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use std::sync::Arc;
use std::time::Duration;

/// How long a process may take to be gone after SIGKILL. Only one that hangs in the kernel (state D) needs it.
pub const DEATH: Duration = Duration::from_secs(10);

/// What a child did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It ended and is reaped: its pid is free. Nothing follows.
    Ended(Ended),
    /// A signal stopped it (SIGSTOP and its kin).
    Stopped,
    /// SIGCONT made it go on.
    Continued,
}

/// A child process. Dropping it ends it with SIGKILL and waits until it is reaped.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    fate: Arc<watch::Fate>,
    /// Its standard input, where [`Command::stdin`] asked for a pipe.
    pub stdin: Option<ChildStdin>,
    /// Its standard output, where [`Command::stdout`] asked for a pipe.
    pub stdout: Option<ChildStdout>,
    /// Its standard error, where [`Command::stderr`] asked for a pipe.
    pub stderr: Option<ChildStderr>,
}

/// Starts `command`. `on_change` is called, from a thread of its own, for everything the child does.
///
/// # Errors
/// The program cannot be executed, or the controller is out of threads or processes.
pub fn spawn(command: Command, on_change: impl FnMut(Change) + Send + 'static) -> Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    spawner::spawn(command, Box::new(on_change)).broken(|| format!("cannot start {program}"))
}

impl Child {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// How it ended, once it did and is reaped.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.fate.ended()
    }

    /// Waits until it ended and is reaped; none if it did not within this time. `on_change` may still be running.
    #[must_use]
    pub fn wait(&self, within: Duration) -> Option<Ended> {
        self.fate.wait(within)
    }

    /// Sends it a signal. False if it had ended before.
    ///
    /// # Errors
    /// The kernel refused to deliver the signal.
    pub fn kill(&self, signal: Signal) -> Result<bool> {
        self.fate.kill(self.pid, signal).broken(|| format!("cannot send {signal} to process {}", self.pid))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let killed = self.kill(Signal::SIGKILL);
        if killed.is_err() || self.wait(DEATH).is_none() {
            tracing::warn!(pid = self.pid(), ?killed, "a child process did not end after SIGKILL");
        }
    }
}
