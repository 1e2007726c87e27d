//! Lives until the machine ends: what init does at shutdown is to be seen to its end, and is the guest's business, not the
//! witness's.

use super::problem;
use crate::behind::{spared_by_systemd, spared_by_sysvinit, spared_by_the_kernel};
use crate::recorder::Record;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use std::io;

/// Takes leave of everything that could end this process, or keep it from running. What could not be done is told.
pub(super) fn survive() -> Vec<Record> {
    let tries: [(&str, io::Result<()>); 5] = [
        ("signals", sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None).map_err(io::Error::from)),
        ("sendsigs", spared_by_sysvinit("deadpeer-witness")),
        ("cgroup", spared_by_systemd()),
        ("oom_score_adj", spared_by_the_kernel()),
        ("scheduling", first_in_line()),
    ];
    tries.into_iter().filter_map(|(what, done)| Some(problem(what, &done.err()?))).collect()
}

/// Before ordinary processes, however many there are: a program that forks without end must not keep its own deeds from being
/// recorded. On one processor nothing is traced while it reads, so that it always comes to an end of that.
#[allow(unsafe_code)] // nix has no such call.
fn first_in_line() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: it reads one structure, which lives.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
    nix::errno::Errno::result(done).map(drop).map_err(io::Error::from)
}
