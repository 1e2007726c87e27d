//! Starts the process that records: out of the boot script's way, and under a name that spares it.

use super::SURVIVOR;
use crate::wrap::{complain, say};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Has the kernel trace, and a process record what it says, until the machine ends. Returns when the kernel traces, with an exit
/// status; at once, with status 0, on a machine that has no flight recorder: nobody wants to know there.
#[must_use]
pub fn start() -> i32 {
    if !super::device::is_there() {
        return 0;
    }
    match begin() {
        Ok(true) => 0,
        // It has said why, on the standard error that it shares with us.
        Ok(false) => 1,
        Err(error) => failed(&error),
    }
}

/// What that process does. Returns, with an exit status, only if it cannot.
#[must_use]
pub fn record() -> i32 {
    // Not a member of what the boot script belongs to. It leads no group, so that this cannot fail.
    let _ = setsid();
    let Err(error) = super::testify(ready);
    failed(&error)
}

fn begin() -> io::Result<bool> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(SURVIVOR).current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped());
    let mut word = Vec::new();
    command.spawn()?.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut word))?;
    Ok(!word.is_empty())
}

/// Tells who waits that the kernel traces, and lets go of what was inherited.
fn ready() {
    say(format_args!("ready"));
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
}

fn failed(error: &io::Error) -> i32 {
    complain(format_args!("deadpeer: the kernel does not testify: {error}"));
    1
}
