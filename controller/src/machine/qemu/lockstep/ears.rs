//! Hears a machine in lockstep: its console, its agent, and its end.

use super::config::Config;
use super::machine::{Life, lock};
use crate::error::{Context, Result};
use crate::machine::console::{self, Tail};
use crate::timeline::{Ended, MachineEvent};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Hears a machine, at a boundary. Over all its power-ons.
#[derive(Debug)]
pub struct Ears {
    console: Grown,
    agent: Grown,
    tail: Tail,
    life: Arc<Mutex<Option<Life>>>,
}

impl Ears {
    pub(super) fn new(config: &Config, tail: Tail, life: Arc<Mutex<Option<Life>>>) -> Self {
        Self { console: Grown::new(config.console_log()), agent: Grown::new(config.agent()), tail, life }
    }

    /// What its console told since it was heard last, and the bytes that it told it by.
    ///
    /// # Errors
    /// The console's file cannot be read.
    pub fn console(&mut self) -> Result<(Vec<MachineEvent>, Vec<u8>)> {
        let bytes = self.console.more()?;
        let lines = self.tail.push(&bytes);
        Ok((lines.iter().filter_map(|line| console::told(line)).collect(), bytes))
    }

    /// Has its console say again what it said before it was saved.
    ///
    /// # Errors
    /// The console's file cannot be written.
    pub fn again(&mut self, console: &[u8]) -> Result<()> {
        let path = &self.console.path;
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(console)).broken(|| format!("cannot write {}", path.display()))
    }

    /// What QEMU told of it since it was heard last.
    ///
    /// # Errors
    /// What QEMU says makes no sense.
    pub fn hypervisor(&mut self) -> Result<Vec<MachineEvent>> {
        let mut life = lock(&self.life);
        let Some(life) = life.as_mut().filter(|life| !life.over) else { return Ok(Vec::new()) };
        let events = life.monitor.events()?.into_iter();
        Ok(events
            .filter_map(|event| {
                let reason = event.text("reason").unwrap_or("unknown").to_owned();
                match event.name.as_str() {
                    "RESET" => Some(MachineEvent::Reset { reason }),
                    "SHUTDOWN" if reason.starts_with("guest-") => Some(MachineEvent::ShutDown { reason }),
                    // It is paused, and let go on, by us.
                    _ => None,
                }
            })
            .collect())
    }

    /// What its agent said since it was heard last.
    ///
    /// # Errors
    /// The file of the agent's line cannot be read.
    pub fn agent(&mut self) -> Result<Vec<u8>> {
        self.agent.more()
    }

    /// The machine is gone: how its process ended, and its last words.
    pub fn end(&mut self) -> (Option<Ended>, String) {
        lock(&self.life).as_mut().map_or((None, String::new()), Life::end)
    }
}

/// A file that grows.
#[derive(Debug)]
struct Grown {
    path: PathBuf,
    file: Option<File>,
}

impl Grown {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None }
    }

    /// What was added since it was read last. Nothing, if it is not there yet.
    fn more(&mut self) -> Result<Vec<u8>> {
        let cannot = || format!("cannot read {}", self.path.display());
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(e) => return Err(e).broken(cannot),
            }
        }
        let mut bytes = Vec::new();
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut bytes).broken(cannot)?;
        }
        Ok(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grows_is_read_on_and_may_not_be_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console");
        let mut grown = Grown::new(path.clone());
        assert_eq!(grown.more().unwrap(), b"");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one").unwrap();
        assert_eq!(grown.more().unwrap(), b"one");
        assert_eq!(grown.more().unwrap(), b"");
        file.write_all(b"two").unwrap();
        assert_eq!(grown.more().unwrap(), b"two");
    }
}
