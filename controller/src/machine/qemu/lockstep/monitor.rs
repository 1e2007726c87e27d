//! QMP of a machine in lockstep: asked while the machine is paused, and listened to at boundaries.
//!
//! There is no thread that listens: what QEMU told before the machine came to its boundary is in the socket when it is there.

use crate::error::{Context, Error, Result};
use crate::machine::qmp::{Event, Message, decode, encode};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::Value;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A QMP connection.
#[derive(Debug)]
pub(super) struct Monitor {
    host: String,
    stream: UnixStream,
    /// What came of a line that is not whole yet.
    rest: Vec<u8>,
    last_id: u64,
    /// Told and not taken.
    events: Vec<Event>,
    patience: Duration,
}

impl Monitor {
    /// Our end of the connection to the QEMU of `host`, which is waited for no longer than `patience`.
    pub(super) fn new(host: &str, stream: UnixStream, patience: Duration) -> Result<Self> {
        stream.set_write_timeout(Some(patience)).broken(|| format!("cannot wait for QEMU of '{host}'"))?;
        let (rest, events) = (Vec::new(), Vec::new());
        Ok(Self { host: host.to_owned(), stream, rest, last_id: 0, events, patience })
    }

    /// Waits for the greeting, and ends the negotiation.
    pub(super) fn greet(&mut self) -> Result<()> {
        self.wait("greet on QMP", |message| matches!(message, Message::Greeting { .. }).then_some(()))?;
        self.command("qmp_capabilities", Value::Null)
    }

    /// Has QEMU do something while the machine is paused, and waits until it has.
    pub(super) fn command(&mut self, command: &str, arguments: Value) -> Result<()> {
        let id = self.tell(command, arguments)?;
        self.done(id, command)
    }

    /// As [`Monitor::command`], with an open file that goes to QEMU beside it, and is closed here.
    pub(super) fn command_with(&mut self, command: &str, arguments: Value, file: OwnedFd) -> Result<()> {
        self.last_id += 1;
        let line = encode(self.last_id, command, &arguments);
        let (fds, line) = ([file.as_raw_fd()], line.as_bytes());
        let cannot = || format!("cannot tell QEMU of '{}' `{command}`", self.host);
        let passed = [ControlMessage::ScmRights(&fds)];
        let sent = sendmsg::<()>(self.stream.as_raw_fd(), &[IoSlice::new(line)], &passed, MsgFlags::MSG_NOSIGNAL, None);
        let sent = sent.broken(cannot)?;
        self.stream.write_all(&line[sent..]).broken(cannot)?;
        drop(file);
        self.done(self.last_id, command)
    }

    /// Waits until a migration is over, of which capability `events` has it tell.
    pub(super) fn migrated(&mut self) -> Result<()> {
        let whole = self.wait("migrate the machine's state", |message| match message {
            Message::Event(event) if event.name == "MIGRATION" => match event.text("status") {
                Some("completed") => Some(true),
                Some("failed" | "cancelled") => Some(false),
                _ => None,
            },
            _ => None,
        })?;
        let failed = || Error::broken(format!("QEMU of '{}' could not migrate the machine's state", self.host));
        whole.then_some(()).ok_or_else(failed)
    }

    fn done(&mut self, id: u64, command: &str) -> Result<()> {
        let done = self.wait(&format!("answer QMP `{command}`"), |message| match message {
            Message::Reply { id: Some(answered), result } if answered == id => Some(result.map(drop)),
            _ => None,
        })?;
        done.map_err(|why| Error::broken(format!("QEMU of '{}' refused `{command}`: {why}", self.host)))
    }

    /// Tells QEMU to do something. Its answer is waited for by nobody: after `cont` it may come after the next boundary only.
    pub(super) fn tell(&mut self, command: &str, arguments: Value) -> Result<u64> {
        self.last_id += 1;
        let line = encode(self.last_id, command, &arguments);
        self.stream.write_all(line.as_bytes()).broken(|| format!("cannot tell QEMU of '{}' `{command}`", self.host))?;
        Ok(self.last_id)
    }

    /// Waits until the machine is paused.
    pub(super) fn stopped(&mut self) -> Result<()> {
        self.wait("stop", |message| matches!(message, Message::Event(event) if event.name == "STOP").then_some(()))
    }

    /// What QEMU told since it was asked last. A connection that is closed is no news here: the process is gone, and that shows.
    pub(super) fn events(&mut self) -> Result<Vec<Event>> {
        let cannot = || format!("cannot listen to QEMU of '{}'", self.host);
        self.stream.set_nonblocking(true).broken(cannot)?;
        let mut chunk = [0; 4096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => self.rest.extend_from_slice(&chunk[..length]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionReset) => break,
                Err(e) => return Err(e).broken(cannot),
            }
        }
        self.stream.set_nonblocking(false).broken(cannot)?;
        while let Some(message) = self.line()? {
            if let Message::Event(event) = message {
                self.events.push(event);
            }
        }
        Ok(std::mem::take(&mut self.events))
    }

    /// Reads until the message that is `wanted`; keeps events that come before it, and forgets late answers.
    fn wait<T>(&mut self, awaited: &str, mut wanted: impl FnMut(Message) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + self.patience;
        let mut chunk = [0; 4096];
        loop {
            while let Some(message) = self.line()? {
                let event = if let Message::Event(event) = &message { Some(event.clone()) } else { None };
                match wanted(message) {
                    Some(found) => return Ok(found),
                    None => self.events.extend(event),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let fact = || format!("QEMU of '{}' did not {awaited} within {:?}", self.host, self.patience);
            self.stream.set_read_timeout(Some(left)).broken(fact)?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(closed(&fact())),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Err(closed(&fact())),
                Ok(length) => self.rest.extend_from_slice(&chunk[..length]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e).broken(fact),
            }
        }
    }

    /// The next whole line.
    fn line(&mut self) -> Result<Option<Message>> {
        let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        let message = decode(String::from_utf8_lossy(&line).trim_end());
        message.map(Some).map_err(|what| Error::broken(format!("QEMU of '{}' makes no sense: {what}", self.host)))
    }
}

fn closed(fact: &str) -> Error {
    Error::broken(fact).detail("it closed the connection")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::BufRead;

    fn pair() -> (Monitor, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Monitor::new("server", ours, Duration::from_millis(200)).unwrap(), theirs)
    }

    #[test]
    fn an_answer_is_found_among_events_and_late_answers_and_the_events_are_kept() {
        let (mut monitor, mut qemu) = pair();
        monitor.tell("cont", Value::Null).unwrap();
        qemu.write_all(b"{\"return\": {}, \"id\": 1}\n{\"event\": \"RESUME\"}\n{\"return\": {}, \"id\": 2}\n{\"ev")
            .unwrap();
        monitor.command("set_link", Value::Null).unwrap();
        qemu.write_all(b"ent\": \"STOP\"}\n").unwrap();
        let names: Vec<String> = monitor.events().unwrap().into_iter().map(|event| event.name).collect();
        assert_eq!(names, ["RESUME", "STOP"]);
        assert!(monitor.events().unwrap().is_empty());
        let asked: Vec<String> = std::io::BufReader::new(qemu).lines().take(2).map(Result::unwrap).collect();
        assert!(asked[0].contains("\"cont\"") && asked[1].contains("\"set_link\""), "{asked:?}");
    }

    #[test]
    fn a_refusal_silence_and_the_end_are_told() {
        let (mut monitor, mut qemu) = pair();
        qemu.write_all(b"{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 1}\n").unwrap();
        assert!(monitor.command("cont", Value::Null).unwrap_err().fact.contains("refused `cont`: no"));
        assert!(monitor.stopped().unwrap_err().fact.contains("did not stop within"));
        drop(qemu);
        assert!(monitor.stopped().unwrap_err().detail.unwrap().contains("closed"));
        assert!(monitor.events().unwrap().is_empty());
    }
}
