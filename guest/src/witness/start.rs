//! Starts the process that records: out of the boot script's way, and under a name that spares it.

use super::SURVIVOR;
use crate::behind::{leave, ready};
use crate::shared;
use crate::wrap::complain;
use nix::unistd::setsid;
use std::io;
use std::process::Stdio;

/// Has the kernel trace, and a process record what it says, until the machine ends. Returns when the kernel traces, with an exit
/// status; at once, with status 0, on a machine that has no flight recorder: nobody wants to know there.
#[must_use]
pub fn start() -> i32 {
    if !shared::has_recorder() {
        return 0;
    }
    match leave(SURVIVOR, Stdio::null()) {
        Ok(true) => 0,
        // It has said why.
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

fn failed(error: &io::Error) -> i32 {
    complain(format_args!("deadpeer: the kernel does not testify: {error}"));
    1
}
