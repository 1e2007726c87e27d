//! A command that is waited for.

use super::errand::{Ear, Errand, Mouth, Next, Stream};
use super::line::Line;
use super::shell::{quote, tail};
use crate::error::{Error, Result};
use crate::timeline::Ended;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// How much a command may print, in bytes, before it is given up.
pub const MAX_OUTPUT: usize = 16 * 1024 * 1024;

/// The longest command that dropbear takes is 9000 bytes (its `MAX_CMD_LEN`); longer ones are given to read.
const MAX_COMMAND: usize = 8000;

/// What a command printed, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its standard output; invalid UTF-8 is replaced.
    pub stdout: String,
    /// Its standard error; likewise.
    pub stderr: String,
    /// How it ended.
    pub ended: Ended,
}

impl Output {
    /// Itself if the command exited with status 0.
    ///
    /// # Errors
    /// It ended otherwise; `doing` says what it was for ("reading the boot id").
    pub fn success(self, doing: &str) -> Result<Self> {
        match self.ended {
            Ended::Exit(0) => Ok(self),
            ref how => Err(Error::broken(format!("{doing} failed: the command {how}")).detail(self.shown())),
        }
    }

    fn shown(&self) -> String {
        [("stdout", &self.stdout), ("stderr", &self.stderr)]
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{name}:\n{}", tail(text, 20)))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

pub(super) fn run(line: &Line, command: &str, within: Duration) -> Result<Output> {
    let (result, awaited) = channel();
    let ear = Box::new(Collector { stdout: Vec::new(), stderr: Vec::new(), result });
    let name = format!("`{}`", shown(command));
    let (command, mouth) = if command.len() <= MAX_COMMAND {
        (command.to_owned(), Mouth::shut())
    } else {
        (r#"sh -c "$(cat)""#.to_owned(), Mouth { bytes: command.as_bytes().to_vec().into(), end: true })
    };
    line.go(Errand { name, command, terminal: false, limit: within, mouth, ear })?;
    line.answer(&awaited)
}

/// Has a command carried out that nobody waits for, as what it does ends the session, too. It may take so long.
pub(super) fn tell(line: &Line, command: &str, within: Duration) -> Result<()> {
    let ear = Box::new(Nobody(command.to_owned()));
    let (name, command) = (format!("`{}`", shown(command)), command.to_owned());
    line.go(Errand { name, command, terminal: false, limit: within, mouth: Mouth::shut(), ear }).map(drop)
}

/// Hears nothing.
struct Nobody(String);

impl Ear for Nobody {
    fn heard(&mut self, _: Stream, _: &[u8], _: &mut Mouth) -> Next {
        Next::Listen
    }

    fn ended(self: Box<Self>, how: Ended) {
        tracing::debug!("`{}` {how}", self.0);
    }

    fn failed(self: Box<Self>, error: Error) {
        tracing::debug!("`{}`: {error}", self.0);
    }
}

/// A command as errors show it: its first line.
fn shown(command: &str) -> String {
    let mut lines = command.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} ...") } else { first.to_owned() }
}

/// Collects what a command prints.
struct Collector {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    result: Sender<Result<Output>>,
}

impl Collector {
    fn output(&mut self, ended: Ended) -> Output {
        let text = |bytes: &mut Vec<u8>| match String::from_utf8(std::mem::take(bytes)) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        };
        Output { stdout: text(&mut self.stdout), stderr: text(&mut self.stderr), ended }
    }
}

impl Ear for Collector {
    fn heard(&mut self, stream: Stream, bytes: &[u8], _: &mut Mouth) -> Next {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
        if self.stdout.len() + self.stderr.len() <= MAX_OUTPUT {
            return Next::Listen;
        }
        Next::GiveUp(Error::broken(format!("a command printed more than {} MiB", MAX_OUTPUT >> 20)))
    }

    fn ended(mut self: Box<Self>, how: Ended) {
        let output = self.output(how);
        // Only a caller that is gone does not take it.
        let _ = self.result.send(Ok(output));
    }

    fn failed(mut self: Box<Self>, error: Error) {
        let so_far = self.output(Ended::Lost(String::new())).shown();
        let so_far = if so_far.is_empty() { "It had printed nothing.".to_owned() } else { format!("So far: {so_far}") };
        let _ = self.result.send(Err(error.detail(so_far)));
    }
}

/// Sends signal `name` (without SIG) to one process.
pub(super) fn kill(line: &Line, name: &str, pid: u32, within: Duration) -> Result<()> {
    run(line, &format!("kill -s {} {pid}", quote(name)), within)?.success(&format!("sending SIG{name}")).map(drop)
}
