//! Has the guest's kernel testify (`deadpeer_guest::witness`), and attends programs (`deadpeer_guest::attend`).

use deadpeer_guest::attend;
use deadpeer_guest::signals::restore_sigpipe;
use deadpeer_guest::witness::{SURVIVOR, launch, record};
use deadpeer_guest::wrap::{EX_USAGE, complain, say};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio, exit};

const HELP: &str = "\
usage: witness start
       witness run NAME -- COMMAND [ARGUMENT]...
       witness attend [--service] MARK NAME -- COMMAND [ARGUMENT]...
       witness become NAME

Records what the kernel does in the flight recorder, memory that this machine shares with its host.

  start     begin to record; returns when the kernel traces. Needs root.
  run       become COMMAND, traced with its children under the name NAME
  attend    start COMMAND, traced likewise, and tell how it fares in lines that begin with MARK
  become    what init executes for a service that `attend --service` asked it to start
  --help    show this

exit status: 0 if it records; 1 if it cannot; 126 or 127 if COMMAND cannot be executed or is not found";

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &words[..] {
        [_, "--help" | "-h"] => say(format_args!("{HELP}")),
        // Under its own name, which `start` gave it.
        [SURVIVOR, "record"] => {
            let _ = setsid();
            if let Err(error) = record(ready) {
                fail(&error, 1);
            }
        }
        [_, "start"] => {
            if let Err(error) = start() {
                fail(&error, 1);
            }
        }
        [_, "attend", ..] => exit(attend::attend(arguments.iter().skip(2).cloned())),
        [_, "become", name] => exit(attend::become_service(name)),
        [_, "run", name, "--", _, ..] => {
            // The program must find the signals as a shell would have left them.
            restore_sigpipe();
            let error = launch(name, &arguments[4..]);
            complain(format_args!("{}: {error}", arguments[4]));
            exit(if error.kind() == ErrorKind::NotFound { 127 } else { 126 });
        }
        _ => {
            complain(format_args!("{HELP}"));
            exit(EX_USAGE);
        }
    }
}

fn fail(error: &io::Error, status: i32) -> ! {
    complain(format_args!("witness: {error}"));
    exit(status)
}

/// Starts the process that records, under the name that spares it, and waits until it is ready.
fn start() -> io::Result<()> {
    let mut child = Command::new("/proc/self/exe")
        .arg0(SURVIVOR)
        .arg("record")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut word = Vec::new();
    child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut word))?;
    // It has said why, on the standard error that it shares with us.
    if word.is_empty() { exit(1) } else { Ok(()) }
}

/// Tells who waits that the kernel traces, and lets go of what was inherited.
fn ready() {
    say(format_args!("ready"));
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = (dup2_stdin(&null), dup2_stdout(&null), dup2_stderr(&null));
    }
}
