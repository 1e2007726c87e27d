//! Executes a command as an SSH server does: by root's shell, in a session of its own, with an environment that is the same each time.

use super::terminal;
use crate::attend::fresh_signals;
use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{pipe2, setsid};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

/// Where dropbear looks for programs of root's (its `DEFAULT_ROOT_PATH`). Root's shell on a guest has its own
/// ([`crate::shell`]).
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Who executes commands.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The file.
    pub path: String,
    /// Where it begins, if there is such a folder.
    pub home: String,
}

impl Shell {
    /// Root's, as `/etc/passwd` has it. No other source is asked: a static program must not load the C library's name services.
    ///
    /// # Errors
    /// In a clause: there is none.
    pub fn of_root() -> Result<Self, String> {
        let users = fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
        Self::of_root_in(&users).ok_or_else(|| "/etc/passwd has no shell for root".to_owned())
    }

    /// That in a file of the form of passwd(5).
    fn of_root_in(users: &str) -> Option<Self> {
        let mut fields = users.lines().find(|line| line.starts_with("root:"))?.split(':').skip(5);
        let (home, path) = (fields.next()?.to_owned(), fields.next()?.to_owned());
        (!path.is_empty()).then_some(Self { path, home })
    }
}

/// A command that was begun, and our ends of what it reads and prints.
pub(super) struct Begun {
    pub(super) child: Child,
    /// A terminal's one end is here, and in `stdout`.
    pub(super) stdin: OwnedFd,
    pub(super) stdout: OwnedFd,
    /// None on a terminal.
    pub(super) stderr: Option<OwnedFd>,
}

/// Begins a command. An error says what could not be had.
pub(super) fn begin(shell: &Shell, command: &str, on_terminal: bool) -> io::Result<Begun> {
    let mut begun = Command::new(&shell.path);
    begun
        .arg0(shell.path.rsplit('/').next().unwrap_or_default())
        .args(["-c", command])
        .env_clear()
        .envs([("USER", "root"), ("LOGNAME", "root"), ("HOME", &shell.home), ("SHELL", &shell.path), ("PATH", PATH)])
        .current_dir(if Path::new(&shell.home).is_dir() { &shell.home } else { "/" });
    let (stdin, stdout, stderr) = if on_terminal {
        let (ours, theirs) = terminal::open()?;
        begun.env("TERM", "dumb").stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
        (ours.try_clone()?, ours, None)
    } else {
        let ((read, stdin), (stdout, out), (stderr, err)) = (pipe()?, pipe()?, pipe()?);
        begun.stdin(read).stdout(out).stderr(err);
        (stdin, stdout, Some(stderr))
    };
    #[allow(unsafe_code)] // What is done between fork and exec must not need what another thread may hold.
    // SAFETY: the closure makes system calls, and opens one file; where it matters, on a guest, this process has one thread.
    unsafe {
        begun.pre_exec(move || become_its_own(on_terminal));
    }
    let child = begun.spawn();
    // The command's ends of pipes and terminal are held by `begun`: with it, ours are the only other ones.
    drop(begun);
    Ok(Begun { child: child?, stdin, stdout, stderr })
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

/// In the child: takes leave of what is the agent's own.
fn become_its_own(on_terminal: bool) -> io::Result<()> {
    setsid()?;
    if on_terminal {
        #[allow(unsafe_code)] // nix would need its ioctl macros for this one.
        // SAFETY: TIOCSCTTY takes a number.
        let done = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        nix::errno::Errno::result(done)?;
    }
    fresh_signals();
    // The agent is spared when memory is short; a command is as others are. Where it is not allowed, the agent was not either.
    let _ = fs::write("/proc/self/oom_score_adj", "0");
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn roots_shell_is_the_last_field_of_its_line() {
        let users = "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nroot:x:0:0:root:/root:/usr/lib/deadpeer/shell\n";
        let shell = Shell::of_root_in(users).unwrap();
        assert_eq!((shell.home.as_str(), shell.path.as_str()), ("/root", "/usr/lib/deadpeer/shell"));
        assert!(Shell::of_root_in("root:x:0:0:root:/root:\n").is_none());
        assert!(Shell::of_root_in("toor:x:0:0:root:/root:/bin/sh\n").is_none());
    }
}
