//! Starts a program under the kernel's eyes.

use super::{TRACEFS, tracefs};
use crate::recorder::Instance;
use nix::unistd::execvp;
use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// What the trace says when a program is started; its name follows, ` pid `, and its process id.
pub const STARTED: &str = "deadpeer: program ";

/// Becomes `command`, with its arguments and under this process's id, and has the kernel trace what it does, and what its
/// children do. Where the kernel does not trace, the program runs all the same.
///
/// # Errors
/// The command cannot be executed: why. Nothing else ends this way, as the caller is then no more.
pub fn launch(name: &str, command: &[String]) -> io::Error {
    let programs = tracefs::folder(Path::new(TRACEFS), Instance::Programs);
    let pid = std::process::id();
    // Without these it is not traced, and the recording says so by having no such line in it.
    let _ = mark(&programs, name, pid);
    let _ = tracefs::add(&programs.join("set_event_pid"), &pid.to_string());
    let words: Result<Vec<CString>, _> = command.iter().map(|word| CString::new(word.as_str())).collect();
    match words {
        Ok(words) if !words.is_empty() => {
            let Err(error) = execvp(&words[0], &words);
            error.into()
        }
        _ => io::ErrorKind::InvalidInput.into(),
    }
}

/// Has the trace itself say who is who.
fn mark(instance: &Path, name: &str, pid: u32) -> io::Result<()> {
    let mut marker = OpenOptions::new().write(true).open(instance.join("trace_marker"))?;
    marker.write_all(format!("{STARTED}{name} pid {pid}").as_bytes())
}
