//! A tool that is run to its end.

use super::{DEATH, spawn};
use crate::error::{Context, Error, Result};
use crate::timeline::Ended;
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How a tool ended, and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub how: Ended,
    /// Its standard output, invalid UTF-8 replaced.
    pub stdout: String,
    /// Its standard error, invalid UTF-8 replaced.
    pub stderr: String,
}

/// Runs `command` to its end, with nothing on its standard input and its messages in English (`LC_ALL=C`).
///
/// What it prints goes to nameless files, so that neither a flood of words nor a grandchild that keeps them
/// open can block anybody.
///
/// # Errors
/// It cannot be executed, or did not end in time: then it is killed and its last words are the evidence.
pub fn output(command: Command, within: Duration) -> Result<Output> {
    output_from(command, Stdio::null(), within)
}

/// As [`output`], with something on its standard input.
///
/// # Errors
/// As there.
pub fn output_from(mut command: Command, stdin: impl Into<Stdio>, within: Duration) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let file = || tempfile::tempfile().broken(|| format!("cannot keep the output of {program}"));
    let (mut stdout, mut stderr) = (file()?, file()?);
    let share = |file: &File| file.try_clone().broken(|| format!("cannot keep the output of {program}"));
    command.env("LC_ALL", "C").stdin(stdin).stdout(share(&stdout)?).stderr(share(&stderr)?);
    let child = spawn(command, |_| ())?;
    let ended = child.wait(within);
    if ended.is_none() {
        child.kill(Signal::SIGKILL)?;
    }
    let how = ended.clone().or_else(|| child.wait(DEATH));
    let (stdout, stderr) = (text(&mut stdout), text(&mut stderr));
    match (ended, how) {
        (Some(how), _) => Ok(Output { how, stdout, stderr }),
        (None, how) => {
            let fate = how.map_or_else(|| "does not even end after SIGKILL".to_owned(), |how| how.to_string());
            Err(Error::broken(format!("{program} did not end within {within:?}"))
                .detail(format!("it {fate}"))
                .detail(stdout.trim_end())
                .detail(stderr.trim_end()))
        }
    }
}

/// All that was written to a file, from its start.
fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.read_to_end(&mut bytes));
    if let Err(e) = read {
        tracing::warn!("cannot read a tool's output back: {e}");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
