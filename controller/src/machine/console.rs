//! A guest's serial console: written to the run's folder as it comes, split into lines, and read for what it tells.
//!
//! The file gets every byte as the guest sent it. Lines are for people and for [`told`]: control characters and
//! terminal sequences are taken out, and a line without end is cut.

use crate::error::{Context, Result};
use crate::runlog::belonging;
use crate::timeline::MachineEvent;
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// How many lines are kept in memory.
const KEPT_LINES: usize = 500;

/// A longer line is cut into several.
const LONGEST_LINE: usize = 4096;

/// The last lines of a console, over all its machine's boots. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<Lines>>);

impl Tail {
    /// The last lines, the unfinished one included.
    pub(super) fn last(&self, lines: usize) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = Some(readable(&kept.unfinished)).filter(|line| !line.is_empty());
        let all: Vec<&str> = kept.finished.iter().map(String::as_str).chain(unfinished.as_deref()).collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// Takes bytes; gives the lines that they finish.
    pub(super) fn push(&self, bytes: &[u8]) -> Vec<String> {
        self.with(|lines| lines.push(bytes))
    }

    fn with<T>(&self, action: impl FnOnce(&mut Lines) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Bytes to lines.
#[derive(Debug, Default)]
struct Lines {
    finished: VecDeque<String>,
    unfinished: Vec<u8>,
}

impl Lines {
    /// Takes bytes; gives the lines that they finish.
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut new = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.unfinished.push(byte);
            }
            if byte == b'\n' || self.unfinished.len() >= LONGEST_LINE {
                new.push(self.finish());
            }
        }
        new
    }

    /// Ends the unfinished line.
    fn finish(&mut self) -> String {
        let line = readable(&self.unfinished);
        self.unfinished.clear();
        if self.finished.len() == KEPT_LINES {
            self.finished.pop_front();
        }
        self.finished.push_back(line.clone());
        line
    }
}

/// A line fit for a terminal: no control characters, no escape sequences (ECMA-48: `ESC [ parameters letter`,
/// or `ESC` and one character).
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut chars = text.chars();
    let mut line = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        match c {
            '\x1b' if chars.next() == Some('[') => drop(chars.find(|c| ('\x40'..='\x7e').contains(c))),
            '\t' => line.push('\t'),
            c if c.is_control() => (),
            c => line.push(c),
        }
    }
    line
}

/// What a line on a guest's console tells. The kernel may put its own words before it on the same line.
pub(super) fn told(line: &str) -> Option<MachineEvent> {
    if let Some((_, rest)) = line.split_once(deadpeer_guest::UP) {
        let mut words = rest.split_whitespace();
        let (boot_id, kernel) = (words.next()?, words.next()?);
        return is_boot_id(boot_id)
            .then(|| MachineEvent::Booted { boot_id: boot_id.to_owned(), kernel: kernel.to_owned() });
    }
    if let Some((_, what)) = line.split_once(deadpeer_guest::FAILED) {
        return Some(MachineEvent::BootFailed { what: what.trim().to_owned() });
    }
    // kernel/panic.c says it twice: before the trace, and as "---[ end Kernel panic - not syncing: ... ]---".
    if line.contains("Kernel panic - not syncing") && !line.contains("end Kernel panic") {
        return Some(MachineEvent::Panicked { line: line.to_owned() });
    }
    None
}

/// A UUID, as `/proc/sys/kernel/random/boot_id` prints it.
fn is_boot_id(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(i, c)| match i {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// Reads a console until it ends: appends to `log`, keeps the `tail`, and calls `on_line` for every line.
/// The receiver is disconnected when all is read.
///
/// # Errors
/// The log cannot be opened, or no thread can be started.
pub(super) fn read(
    mut source: impl Read + Send + 'static,
    log: &Path,
    tail: Tail,
    mut on_line: impl FnMut(&str) + Send + 'static,
) -> Result<Receiver<()>> {
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(log)
        .broken(|| format!("cannot write the console log {}", log.display()))?;
    let log = log.to_owned();
    let (reading, done) = channel();
    let body = move || {
        let _reading = reading;
        let mut buffer = [0; 8192];
        let mut logging = true;
        loop {
            let got = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(got) => &buffer[..got],
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => {
                    tracing::warn!("cannot read the console of {}: {e}", log.display());
                    break;
                }
            };
            // A full disk must not stop the guest: the console is read on, and told about once.
            if logging {
                logging =
                    file.write_all(got).map_err(|e| tracing::warn!("cannot write {}: {e}", log.display())).is_ok();
            }
            tail.push(got).iter().for_each(|line| on_line(line));
        }
        // The power was cut in the middle of a line.
        if tail.with(|lines| !lines.unfinished.is_empty()) {
            let line = tail.with(Lines::finish);
            on_line(&line);
        }
    };
    std::thread::Builder::new()
        .name("console".to_owned())
        .spawn(belonging(body))
        .broken(|| "cannot start a thread for a console".to_owned())?;
    Ok(done)
}

#[cfg(test)]
mod tests;
