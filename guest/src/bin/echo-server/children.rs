//! The server's children: made by `fork`, and reaped in one of the textbook's ways.

use crate::options::{Options, Sigchld};
use deadpeer_guest::signals::{Line, catch, ignore};
use deadpeer_guest::wrap::failed;
use nix::errno::Errno;
use nix::libc::c_int;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, wait, waitpid};
use nix::unistd::{ForkResult, fork};

/// Forks; true in the child.
#[allow(unsafe_code)] // fork is unsafe where there are threads: a lock that one of them holds stays shut in the child.
pub(crate) fn forked() -> Result<bool, String> {
    // SAFETY: this process has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => Ok(true),
        Ok(ForkResult::Parent { .. }) => Ok(false),
        Err(e) => Err(failed("fork", e)),
    }
}

/// Has ended children reaped as the options say.
pub(crate) fn reap_children(options: &Options) -> Result<(), String> {
    match options.sigchld {
        Sigchld::Wait => catch(Signal::SIGCHLD, sig_chld_wait, options.restart),
        Sigchld::Waitpid => catch(Signal::SIGCHLD, sig_chld_waitpid, options.restart),
        Sigchld::Ignore => {
            ignore(Signal::SIGCHLD);
            Ok(())
        }
        Sigchld::None => Ok(()),
    }
}

/// Reaps one child (UNP figure 5.7), although several may have ended for one signal.
extern "C" fn sig_chld_wait(_: c_int) {
    let errno = Errno::last_raw();
    if let Ok(status) = wait() {
        tell(status);
    }
    Errno::set_raw(errno);
}

/// Reaps every child that has ended (UNP figure 5.11).
extern "C" fn sig_chld_waitpid(_: c_int) {
    let errno = Errno::last_raw();
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
        tell(status);
    }
    Errno::set_raw(errno);
}

fn tell(status: WaitStatus) {
    if let Some(pid) = status.pid() {
        Line::default().text("child ").number(pid.as_raw().unsigned_abs()).text(" terminated").print();
    }
}
