//! Starts the agent: out of the boot script's way, and under a name that spares it.

use super::execute::Shell;
use super::serve::serve;
use super::terminal::make_raw;
use crate::behind::{leave, ready, spared_by_systemd, spared_by_sysvinit, spared_by_the_kernel};
use crate::wrap::{EX_USAGE, complain};
use crate::{FAILED, SEED_DIR};
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::setsid;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name under which the agent lives: systemd spares what is called so.
pub const AGENT: &str = "@agent";

/// The line to the host: the guest's second serial port. The first is its console.
pub const DEVICE: &str = "/dev/ttyS1";

/// Has the agent serve the line whose device is the argument, or [`DEVICE`], until the machine ends. Returns when the line is open
/// and passes on bytes as they are, with an exit status.
pub fn start(mut arguments: impl Iterator<Item = String>) -> i32 {
    let device = arguments.next().unwrap_or_else(|| DEVICE.to_owned());
    if arguments.next().is_some() {
        complain(format_args!("witness agent: one device is enough"));
        return EX_USAGE;
    }
    match open(&device).and_then(|line| leave(AGENT, line.into())) {
        Ok(true) => 0,
        // It has said why.
        Ok(false) => 1,
        Err(error) => {
            complain(format_args!("deadpeer: the agent cannot use {device}: {error}"));
            1
        }
    }
}

/// The line. From the first moment on it does not echo: what the host says would come back to it.
fn open(device: &str) -> io::Result<OwnedFd> {
    // Without waiting for a modem.
    let line = File::options().read(true).write(true).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK).open(device)?;
    make_raw(&line)?;
    Ok(line.into())
}

/// What that process does: its standard input is the line. Returns an exit status when there is no more to be done.
#[must_use]
pub fn run() -> i32 {
    // Not a member of what the boot script belongs to. It leads no group, so that this cannot fail.
    let _ = setsid();
    let prepared = io::stdin().as_fd().try_clone_to_owned().map_err(|e| e.to_string());
    let (line, shell) = match prepared.and_then(|line| Ok((line, Shell::of_root()?))) {
        Ok(both) => both,
        Err(why) => {
            complain(format_args!("deadpeer: no agent: {why}"));
            return 1;
        }
    };
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None);
    let on_guest = Path::new(SEED_DIR).is_dir();
    if on_guest {
        // Without one of these a run is the same, but for what is told of its last moments.
        let _ = (spared_by_sysvinit("deadpeer-agent"), spared_by_systemd(), spared_by_the_kernel());
    }
    ready();
    match serve(line, shell) {
        Ok(()) => 0,
        Err(why) => {
            if on_guest {
                let _ = std::fs::write("/dev/console", format!("{FAILED}the agent ended: {why}\n"));
            }
            1
        }
    }
}
