//! The guard of a lab: a process that outlives a controller that is killed, and removes what that has made.

use super::remains::{Remains, take};
use crate::error::{Context, Error, Result};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// What a guard is told when there is nothing left to guard.
const DONE: &[u8] = b"done";

/// How long a controller that is gone may take to let go of its project.
const LOCK_WITHIN: Duration = Duration::from_secs(10);

/// A process that outlives this one, and cleans up if this one is killed.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    /// Closed by the kernel when this process ends in any way.
    line: Option<ChildStdin>,
}

impl Guard {
    /// Starts one for the project in this folder: `controller` is our own executable.
    pub(super) fn post(controller: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(controller);
        // No terminal's signal reaches it.
        command.arg("guard-machines").arg(folder).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().broken(|| "cannot start the guard of the machines".to_owned())?;
        let line = child.stdin.take();
        Ok(Self { child, line })
    }

    /// There is nothing left to guard.
    pub(super) fn dismiss(mut self) {
        if let Some(mut line) = self.line.take() {
            let _ = line.write_all(DONE);
        }
        let _ = self.child.wait();
    }
}

/// The guard's own work: waits until the controller says that it is done, or is gone; and then cleans up.
///
/// # Errors
/// What libvirt did not do.
pub fn guard(folder: &Path) -> Result<()> {
    let remains = Remains::of(folder)?;
    let mut said = Vec::new();
    let heard = std::io::stdin().read_to_end(&mut said);
    if heard.is_ok() && said == DONE {
        return Ok(());
    }
    // The kernel closes a dead controller's files one after the other: the lock may go later than our line.
    let until = Instant::now() + LOCK_WITHIN;
    let _ours = loop {
        match take(folder)? {
            Some(ours) => break ours,
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            None => return Err(Error::broken(format!("{} is in use", folder.display()))),
        }
    };
    remains.clean_up(folder)
}
