//! Lives until the machine ends: what init does at shutdown is to be seen to its end, and is the guest's business, not the
//! witness's.

use super::problem;
use crate::recorder::Record;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use std::fs;
use std::io;
use std::path::Path;

/// Init's scripts spare whose process id is in a file here (Debian's initscripts: /etc/init.d/sendsigs).
const OMIT: &str = "/run/sendsigs.omit.d";

/// Takes leave of everything that could end this process, or keep it from running. What could not be done is told.
pub(super) fn survive() -> Vec<Record> {
    let tries: [(&str, io::Result<()>); 5] = [
        ("signals", sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None).map_err(io::Error::from)),
        ("sendsigs", spared_by_sysvinit()),
        ("cgroup", spared_by_systemd()),
        // Short of memory, the kernel ends others first: what it does to them is what is to be seen.
        ("oom_score_adj", fs::write("/proc/self/oom_score_adj", "-1000")),
        ("scheduling", first_in_line()),
    ];
    tries.into_iter().filter_map(|(what, done)| Some(problem(what, &done.err()?))).collect()
}

fn spared_by_sysvinit() -> io::Result<()> {
    fs::create_dir_all(OMIT)?;
    fs::write(Path::new(OMIT).join("deadpeer-witness"), format!("{}\n", std::process::id()))
}

/// Systemd stops a service with all that is in its group; in the root group is what belongs to no service. (Its last sweep
/// spares by name: [`super::SURVIVOR`].)
fn spared_by_systemd() -> io::Result<()> {
    let procs = Path::new("/sys/fs/cgroup/cgroup.procs");
    if procs.exists() { fs::write(procs, "0") } else { Ok(()) }
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
