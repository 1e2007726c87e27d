//! The attendant: starts a program on a guest and tells the controller, on the program's own terminal, how it fares.
//!
//! The controller opens a channel with a terminal and has [`attend`] executed in it. The attendant leads that terminal's
//! session; the program does not belong to it. It is started in a session of its own, or by the host's init if it is a
//! *service*, and its standard output is the terminal. So
//!
//! * a C program sees a terminal and flushes its lines, and ^D is its end of file (line discipline, termios(3));
//! * its end hangs up nobody: a session leader's end would send SIGHUP to the children that it leaves (setsid(2));
//! * the terminal, and the channel, stay open while such children still print;
//! * its end is told as wait(2) has it. (dropbear tells the signals of RFC 4254, section 6.10, only: SIGBUS and SIGSYS
//!   read as exit status 0.)
//!
//! What the attendant says are [`Word`]s: lines that begin with a mark that was made for this one start. The attendant
//! stays when the program is over, until its channel is closed: a dropbear of the versions 2022.82 to 2024.85 may end the
//! whole session when a command ends while another channel opens (its issue 321).
//!
//! An orderly shutdown is seen to its end: the attendant, and the SSH server's process for its session, are in the list of
//! what Debian's `sendsigs` spares. A hang-up of the terminal is passed on to a program, as a terminal would; not to a
//! service.
//!
//! Exceptions: the program has no controlling terminal (`/dev/tty` cannot be opened), and no job control.

mod exits;
mod limits;
mod program;
mod service;
mod word;

pub(crate) use exits::pidfd;
pub use limits::{GROUPS, MEMORY_PERCENT, PROCESSES};
pub use word::{Mark, Word};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::unistd::{getpid, getppid};
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// What is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// What the attendant's words begin with.
    pub mark: Mark,
    /// By the host's init.
    pub service: bool,
    /// Its name in the scenario: lower-case letters, digits and hyphens.
    pub name: String,
    /// Its words; the first is looked for in `PATH`. Never empty.
    pub command: Vec<String>,
}

/// The arguments of the witness that have it attend a program; the program's own command follows.
#[must_use]
pub fn arguments(mark: &Mark, service: bool, name: &str) -> String {
    format!("attend {}{mark} {name} --", if service { "--service " } else { "" })
}

/// Starts a program and attends it. `arguments`: those of [`arguments()`] after the first, then the command's words. Returns the
/// exit status if there is nothing to attend (any more).
pub fn attend(arguments: impl Iterator<Item = String>) -> i32 {
    match parse(arguments) {
        Ok(start) => start_and_stay(&start),
        Err(wrong) => {
            crate::wrap::complain(format_args!("witness attend: {wrong}"));
            crate::wrap::EX_USAGE
        }
    }
}

/// What init executes for a service: this process becomes the program. `arguments`: the service's name.
pub fn become_service(mut arguments: impl Iterator<Item = String>) -> i32 {
    match arguments.next() {
        Some(name) => service::become_it(&name),
        None => crate::wrap::EX_USAGE,
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Start, &'static str> {
    let mut next = arguments.next().ok_or("no mark")?;
    let service = next == "--service";
    if service {
        next = arguments.next().ok_or("no mark")?;
    }
    let mark = Mark::read(&next).ok_or("the mark must be letters and digits")?;
    let name = arguments.next().ok_or("no name")?;
    if arguments.next().as_deref() != Some("--") {
        return Err("`--` must stand before the command");
    }
    let command: Vec<String> = arguments.collect();
    if command.is_empty() { Err("no command") } else { Ok(Start { mark, service, name, command }) }
}

fn start_and_stay(start: &Start) -> i32 {
    if find(&start.command[0]).is_none() {
        start.mark.say(&Word::Missing(start.command[0].clone()));
        return 127;
    }
    spare_us();
    stand_by();
    let done = if start.service { service::attend(start) } else { program::attend(start) };
    match done {
        Ok(()) => 0,
        Err(why) => {
            start.mark.say(&Word::Refused(why));
            1
        }
    }
}

/// The file that a command's first word names, as execvp(3) finds it.
fn find(word: &str) -> Option<PathBuf> {
    let is_there = |path: &PathBuf| path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok();
    if word.contains('/') {
        return Some(PathBuf::from(word)).filter(is_there);
    }
    let folders = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&folders).map(|folder| folder.join(word)).find(is_there)
}

/// Where Debian's sysvinit keeps the ids of processes that its `sendsigs` spares at shutdown: its script, and
/// initscripts' README.
const SPARED: &str = "/run/sendsigs.omit.d";

/// Has init's last signals spare this process, and its parent, which carries its words to the controller. They tell of what
/// these signals do to others. (systemd ends them with the SSH server's unit, after the services.)
fn spare_us() {
    if Path::new(crate::SEED_DIR).is_dir() && std::fs::create_dir_all(SPARED).is_ok() {
        let file = Path::new(SPARED).join(format!("attendant-{}", getpid()));
        // Without it the shutdown is the same, but nobody tells of it.
        let _ = std::fs::write(file, format!("{}\n{}\n", getpid(), getppid()));
    }
}

/// What the attendant waits for; all else that can be asked of it, it ignores.
fn awaited() -> SigSet {
    SigSet::from_iter([Signal::SIGCHLD, Signal::SIGHUP])
}

#[allow(unsafe_code)] // nix marks it so, as a handler may do anything.
fn stand_by() {
    for ignored in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGPIPE, Signal::SIGTTOU] {
        // SAFETY: to ignore a signal runs no code. It cannot fail for these.
        let _ = unsafe { signal(ignored, SigHandler::SigIgn) };
    }
    let _ = awaited().thread_block();
}

/// Undoes [`stand_by`] and what Rust's run time does, so that a program begins as login would start it.
#[allow(unsafe_code)] // As above.
pub(crate) fn fresh_signals() {
    for usual in Signal::iterator().filter(|it| !matches!(it, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default disposition runs no code of ours. It cannot fail for a signal that exists.
        let _ = unsafe { signal(usual, SigHandler::SigDfl) };
    }
    let _ = SigSet::all().thread_unblock();
}

/// Becomes the program: tells its process id and executes it. Returns only the reason why not.
fn become_program(start: &Start) -> String {
    let words: Result<Vec<CString>, _> = start.command.iter().map(|word| CString::new(word.as_str())).collect();
    let Ok(words) = words else { return "its command contains a NUL byte".to_owned() };
    fresh_signals();
    crate::witness::under_the_kernels_eyes(&start.name);
    start.mark.say(&Word::Started(getpid().as_raw().unsigned_abs()));
    let Err(errno) = nix::unistd::execvp(&words[0], &words);
    let more = match errno {
        Errno::ENOENT => ": the loader or interpreter that it names is not on this host",
        Errno::ENOEXEC => ": it is no program that this host could run",
        _ => "",
    };
    format!("{} cannot be executed: {}{more}", start.command[0], errno.desc())
}
