//! A program that is the attendant's own child, in a session of its own.

use super::{Start, Word, awaited, become_program, fresh_signals, limits};
use crate::wrap::complain;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{ForkResult, Pid, fork, setsid};

/// Starts it and waits for its end, then for that of the channel.
pub(super) fn attend(start: &Start) -> Result<(), String> {
    let child = forked(|| {
        let why = match setsid().map_err(|e| e.desc().to_owned()).and_then(|_| limits::enter(&start.name)) {
            Ok(()) => become_program(start),
            Err(why) => why,
        };
        complain(format_args!("{}: {why}", start.name));
        127
    })?;
    let mut over = false;
    loop {
        match awaited().wait() {
            Ok(Signal::SIGHUP) => {
                // The group is empty if all are gone.
                let _ = killpg(child, Signal::SIGHUP);
                return Ok(());
            }
            Ok(_) if !over => {
                if let Some(status) = reaped(child)? {
                    start.mark.say(&Word::of_status(status));
                    over = true;
                }
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(format!("sigwait: {}", e.desc())),
        }
    }
}

/// Forks; the child does `work` and exits with the status that it gives.
#[allow(unsafe_code)] // fork is unsafe where there are threads: a lock that one of them holds stays shut in the child.
pub(super) fn forked(work: impl FnOnce() -> i32) -> Result<Pid, String> {
    // SAFETY: this process has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let status = work();
            fresh_signals();
            std::process::exit(status)
        }
        Ok(ForkResult::Parent { child }) => Ok(child),
        Err(e) => Err(format!("fork: {}", e.desc())),
    }
}

/// The wait status of this child, if it has ended.
#[allow(unsafe_code)] // nix's waitpid fails for a child that a real-time signal ended.
pub(super) fn reaped(child: Pid) -> Result<Option<i32>, String> {
    let mut status = 0;
    // SAFETY: the status is ours to be written.
    let pid = Errno::result(unsafe { libc::waitpid(child.as_raw(), &raw mut status, libc::WNOHANG) });
    match pid {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(status)),
        Err(e) => Err(format!("waitpid: {}", e.desc())),
    }
}
