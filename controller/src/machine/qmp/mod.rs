//! A small QMP client: commands with a deadline, events as they come.
//!
//! QEMU's end of the connection is passed to it as an open socket, so nothing in the file system leads here.
//! Only what a machine needs is spoken; each command waits for its own answer.

mod codec;
#[cfg(test)]
mod tests;

pub(super) use codec::{Event, Message, decode, encode};

use crate::runlog::belonging;
use serde_json::Value;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// A longer line is not QMP's, but a fault.
const LONGEST_LINE: u64 = 1 << 20;

/// Why a command did not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer within the deadline.
    Silent(Duration),
    /// The connection is closed: the process is gone, or as good as gone.
    Closed,
    /// QEMU said no.
    Refused(String),
    /// What came is not QMP.
    Garbled(String),
}

impl fmt::Display for Failure {
    /// What came instead of the answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Silent(deadline) => write!(f, "nothing came within {deadline:?}"),
            Failure::Closed => write!(f, "the connection was closed"),
            Failure::Refused(why) => write!(f, "QEMU refused: {why}"),
            Failure::Garbled(what) => write!(f, "{what}"),
        }
    }
}

/// The controller's end of a QMP connection.
#[derive(Debug)]
pub(super) struct Client {
    writer: UnixStream,
    said: Receiver<Result<Message, String>>,
    last_id: u64,
    patience: Duration,
}

/// Made with a [`Client`]: disconnected when QEMU has said its last.
pub(super) type Done = Receiver<()>;

impl Client {
    /// A client on this end. `on_event` is called for every event, from a thread of its own. An answer is waited for
    /// no longer than `patience`.
    ///
    /// # Errors
    /// The socket cannot be set up, or no thread can be started.
    pub(super) fn new(
        stream: UnixStream,
        patience: Duration,
        on_event: impl FnMut(Event) + Send + 'static,
    ) -> std::io::Result<(Self, Done)> {
        // A QEMU that reads no more must not block us; what we send is short.
        stream.set_write_timeout(Some(patience))?;
        let reader = stream.try_clone()?;
        let (say, said) = channel();
        let (reading, done) = channel();
        std::thread::Builder::new().name("qmp".to_owned()).spawn(belonging(move || {
            listen(reader, &say, on_event);
            drop(reading);
        }))?;
        Ok((Self { writer: stream, said, last_id: 0, patience }, done))
    }

    /// Waits for the greeting and ends the negotiation. Gives QEMU's version.
    pub(super) fn greet(&mut self) -> Result<String, Failure> {
        let version = match self.next(Instant::now() + self.patience)? {
            Message::Greeting { version } => version,
            other => return Err(Failure::Garbled(format!("instead of a greeting came {other:?}"))),
        };
        self.command("qmp_capabilities", Value::Null)?;
        Ok(version)
    }

    /// Sends a command and waits for its answer.
    pub(super) fn command(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.patience;
        self.last_id += 1;
        let id = self.last_id;
        self.writer.write_all(codec::encode(id, command, &arguments).as_bytes()).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => Failure::Silent(self.patience),
            _ => Failure::Closed,
        })?;
        loop {
            match self.next(deadline)? {
                Message::Reply { id: Some(answered), result } if answered == id => {
                    return result.map_err(Failure::Refused);
                }
                // The late answer to a command that was given up.
                Message::Reply { id: Some(answered), .. } if answered < id => (),
                other => return Err(Failure::Garbled(format!("instead of an answer came {other:?}"))),
            }
        }
    }

    fn next(&self, deadline: Instant) -> Result<Message, Failure> {
        match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => message.map_err(Failure::Garbled),
            Err(RecvTimeoutError::Timeout) => Err(Failure::Silent(self.patience)),
            Err(RecvTimeoutError::Disconnected) => Err(Failure::Closed),
        }
    }
}

/// Reads until QEMU closes its end: events to one, the rest to the other.
fn listen(stream: UnixStream, say: &Sender<Result<Message, String>>, mut on_event: impl FnMut(Event)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match std::io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => (),
        }
        match codec::decode(String::from_utf8_lossy(&line).trim_end()) {
            Ok(Message::Event(event)) => on_event(event),
            // Nobody asks any more once the client is dropped; events are listened to all the same.
            other => drop(say.send(other)),
        }
    }
}
