//! How much of a host one program may take, so that the host stays able to tell what the program does.
//!
//! A group of control groups v2 for each program (Documentation/admin-guide/cgroup-v2.rst): RLIMIT_NPROC does not bind
//! root. Past the limit fork(2) fails with EAGAIN, and past that of memory the kernel kills a process of the group, as it
//! would when the whole host had no more. A service of systemd gets the same limits by its unit.

use std::fs;
use std::path::Path;

/// The folder of the programs' groups, made by the guest's boot script with both controllers on.
pub const GROUPS: &str = "/sys/fs/cgroup/deadpeer";

/// The most processes and threads that a program may have.
pub const PROCESSES: u32 = 256;

/// The most memory that a program may have, of the host's.
pub const MEMORY_PERCENT: u64 = 70;

/// Puts this process, and all that come of it, into the group of this name. Nothing where there are no such groups: not on
/// a guest.
///
/// # Errors
/// The group cannot be made or entered, in words.
pub(super) fn enter(name: &str) -> Result<(), String> {
    if !Path::new(GROUPS).is_dir() {
        return Ok(());
    }
    let group = Path::new(GROUPS).join(name);
    let write = |file: &str, value: String| {
        fs::write(group.join(file), value)
            .map_err(|e| format!("its limits cannot be set: {}/{file}: {e}", group.display()))
    };
    fs::create_dir_all(&group).map_err(|e| format!("its limits cannot be set: {}: {e}", group.display()))?;
    write("pids.max", PROCESSES.to_string())?;
    write("memory.max", (memory()? / 100 * MEMORY_PERCENT).to_string())?;
    write("cgroup.procs", "0".to_owned())
}

/// The host's memory in bytes (proc(5), `/proc/meminfo`).
fn memory() -> Result<u64, String> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|e| format!("/proc/meminfo: {e}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: Option<u64> = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| "/proc/meminfo tells no MemTotal".to_owned())
}
