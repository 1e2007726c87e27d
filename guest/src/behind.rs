//! Processes that stay behind when who started them returns, and live until the machine ends: what init does at shutdown is to
//! be seen to its end.

use crate::wrap::say;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Init's scripts spare whose process id is in a file here (Debian's initscripts: /etc/init.d/sendsigs).
const OMIT: &str = "/run/sendsigs.omit.d";

/// Starts this program anew under `name`, and waits until that is [`ready`]. False: it ended before, and has said why on the
/// standard error that it shares with us.
pub(crate) fn leave(name: &str, stdin: Stdio) -> io::Result<bool> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).current_dir("/").stdin(stdin).stdout(Stdio::piped());
    let mut word = Vec::new();
    command.spawn()?.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut word))?;
    Ok(!word.is_empty())
}

/// Tells who waits that all is well, and lets go of what was inherited.
pub(crate) fn ready() {
    say(format_args!("ready"));
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
}

/// Has Debian's sysvinit spare this process, by the file `name`.
pub(crate) fn spared_by_sysvinit(name: &str) -> io::Result<()> {
    fs::create_dir_all(OMIT)?;
    fs::write(Path::new(OMIT).join(name), format!("{}\n", std::process::id()))
}

/// Systemd stops a service with all that is in its group; in the root group is what belongs to no service. (Its last sweep
/// spares by name, those that begin with `@`: systemd's docs/ROOT_STORAGE_DAEMONS.md.)
pub(crate) fn spared_by_systemd() -> io::Result<()> {
    let procs = Path::new("/sys/fs/cgroup/cgroup.procs");
    if procs.exists() { fs::write(procs, "0") } else { Ok(()) }
}

/// Short of memory, the kernel ends others first: what it does to them is what is to be seen.
pub(crate) fn spared_by_the_kernel() -> io::Result<()> {
    fs::write("/proc/self/oom_score_adj", "-1000")
}
