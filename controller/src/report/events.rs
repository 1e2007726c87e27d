//! `events.jsonl`: the timeline, one event a line.

use crate::error::{Context, Error, Result};
use crate::timeline::Event;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

/// The longest line that is read: an event is a few hundred bytes, a program's line in it may be long.
const LONGEST: usize = 16 << 20;

/// Writes events as they happen, each line whole or not at all, so that what is there when the controller is
/// killed can be read.
#[derive(Debug)]
pub struct EventWriter<W: Write> {
    to: W,
}

impl EventWriter<File> {
    /// Writes to a new file at `path`.
    ///
    /// # Errors
    /// If the file cannot be made, or is there already.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path).broken(|| format!("cannot write {}", path.display()))?;
        Ok(Self::new(file))
    }
}

impl<W: Write> EventWriter<W> {
    /// Writes to `to`, which should not hold anything back.
    pub fn new(to: W) -> Self {
        Self { to }
    }

    /// Writes one event.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_vec(event).broken(|| "cannot write an event as JSON".to_owned())?;
        line.push(b'\n');
        self.to.write_all(&line).broken(|| "cannot write an event".to_owned())
    }
}

/// Reads a timeline back.
///
/// A last line without its newline is what a killed controller left half written; it is left out.
///
/// # Errors
/// If the file cannot be read, or a line of it is no event.
pub fn read_events(path: &Path) -> Result<Vec<Event>> {
    let file = File::open(path).usage(|| format!("cannot read {}", path.display()))?;
    parse_events(BufReader::new(file)).map_err(|e| e.during(&path.display().to_string()))
}

fn parse_events(mut from: impl BufRead) -> Result<Vec<Event>> {
    let mut events = Vec::new();
    let mut line = Vec::new();
    for number in 1_usize.. {
        line.clear();
        // The bound keeps a file that is no timeline at all (a disk image) from being read into memory whole.
        let read = std::io::Read::take(&mut from, LONGEST as u64).read_until(b'\n', &mut line);
        read.usage(|| format!("line {number} cannot be read"))?;
        if line.last() != Some(&b'\n') {
            if line.len() >= LONGEST {
                return Err(Error::usage(format!("line {number} is too long for an event")));
            }
            break;
        }
        events.push(serde_json::from_slice(&line).usage(|| format!("line {number} is no event"))?);
    }
    Ok(events)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::timeline::{LabTime, MachineEvent, What};

    fn event(at: u64) -> Event {
        let event = MachineEvent::PoweredOn { pid: Some(7) };
        Event { at: LabTime(at), what: What::Machine { host: "server".to_owned(), event } }
    }

    #[test]
    fn an_event_is_a_line_with_its_time_first() {
        let mut bytes = Vec::new();
        EventWriter::new(&mut bytes).write(&event(5)).unwrap();
        let line = String::from_utf8(bytes).unwrap();
        assert_eq!(line, "{\"at\":5,\"witness\":\"machine\",\"host\":\"server\",\"event\":\"powered-on\",\"pid\":7}\n");
    }

    #[test]
    fn a_last_line_cut_short_is_left_out() {
        let mut bytes = Vec::new();
        let mut writer = EventWriter::new(&mut bytes);
        for at in [1, 2, 3] {
            writer.write(&event(at)).unwrap();
        }
        let cut = &bytes[..bytes.len() - 9];
        assert_eq!(parse_events(cut).unwrap(), [event(1), event(2)]);
        assert_eq!(parse_events(&b""[..]).unwrap(), []);
    }

    #[test]
    fn a_line_that_is_no_event_is_refused_by_its_number() {
        let bytes = [serde_json::to_vec(&event(1)).unwrap(), b"\n{\"at\":2}\n".to_vec()].concat();
        let error = parse_events(&bytes[..]).unwrap_err();
        assert!(error.fact.starts_with("line 2 is no event: "), "{error}");
    }

    #[test]
    fn a_file_without_lines_is_not_read_whole() {
        let error = parse_events(BufReader::new(std::io::Read::take(std::io::repeat(b'x'), 1 << 40))).unwrap_err();
        assert!(error.fact.contains("too long"), "{error}");
    }
}
