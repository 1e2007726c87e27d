//! What a channel is opened for.

use crate::error::Error;
use crate::timeline::Ended;
use std::collections::VecDeque;
use std::time::Duration;

/// A command to be executed on the host over a channel of its own, and who hears what comes of it.
pub(super) struct Errand {
    /// What errors call it: "`uname -r`", "the upload of /etc/motd".
    pub(super) name: String,
    /// For the user's shell.
    pub(super) command: String,
    /// On a terminal that neither echoes nor changes anything (see `terminal`).
    pub(super) terminal: bool,
    /// How long it may take until [`Ear::satisfied`].
    pub(super) limit: Duration,
    /// What to give it to read at once.
    pub(super) mouth: Mouth,
    /// Who hears.
    pub(super) ear: Box<dyn Ear>,
}

/// Which of a command's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Hears what comes of an errand. Called by whoever carries it: nothing here may block.
pub(super) trait Ear: Send {
    /// The command printed this; whatever is put in `mouth` is given to it to read.
    fn heard(&mut self, stream: Stream, bytes: &[u8], mouth: &mut Mouth) -> Next;

    /// A caller gave the command this to read.
    fn said(&mut self, _bytes: &[u8]) {}

    /// Whether anybody still reads what is given.
    fn reads(&self) -> bool {
        true
    }

    /// Tells what it has kept back so far.
    fn settle(&mut self) {}

    /// Whether the errand's limit no longer counts: a program that was asked to start has started.
    fn satisfied(&self) -> bool {
        false
    }

    /// It ended, and all that it had printed was heard.
    fn ended(self: Box<Self>, how: Ended);

    /// It will never be known how it ended. The error says what happened to the connection, or that the limit passed.
    fn failed(self: Box<Self>, error: Error);
}

/// What is to become of an errand after its ear heard something.
pub(super) enum Next {
    /// It goes on.
    Listen,
    /// It is given up, for this reason.
    GiveUp(Error),
}

/// What waits to be read by the command.
#[derive(Debug, Default)]
pub(super) struct Mouth {
    /// Bytes, the oldest first.
    pub(super) bytes: VecDeque<u8>,
    /// Then comes the end of its input.
    pub(super) end: bool,
}

impl Mouth {
    /// Nothing to read: end of file at once.
    pub(super) fn shut() -> Self {
        Self { bytes: VecDeque::new(), end: true }
    }
}

/// An errand that was taken on, whatever carries it: what it has to say still, and who is to be told.
pub(super) struct Task {
    name: String,
    limit: Duration,
    pub(super) mouth: Mouth,
    /// Taken when it was told the end.
    ear: Option<Box<dyn Ear>>,
}

impl Task {
    pub(super) fn new(name: String, limit: Duration, mouth: Mouth, ear: Box<dyn Ear>) -> Self {
        Self { name, limit, mouth, ear: Some(ear) }
    }

    /// Whether anybody still listens.
    pub(super) fn listens(&self) -> bool {
        self.ear.is_some()
    }

    /// Whether its limit no longer counts, although somebody listens.
    pub(super) fn satisfied(&self) -> bool {
        self.ear.as_ref().is_some_and(|ear| ear.satisfied())
    }

    /// How long somebody is willing to wait for it; none if nobody waits.
    pub(super) fn limit(&self) -> Option<Duration> {
        self.ear.as_ref().filter(|ear| !ear.satisfied()).map(|_| self.limit)
    }

    /// The command printed this.
    pub(super) fn heard(&mut self, stream: Stream, bytes: &[u8]) -> Next {
        self.ear.as_mut().map_or(Next::Listen, |ear| ear.heard(stream, bytes, &mut self.mouth))
    }

    /// Gives it more to read. False: nobody reads any more.
    pub(super) fn say(&mut self, bytes: &[u8]) -> bool {
        let Some(ear) = self.ear.as_mut().filter(|ear| ear.reads()) else { return false };
        self.mouth.bytes.extend(bytes);
        ear.said(bytes);
        true
    }

    /// Has its ear tell what it kept back.
    pub(super) fn settle(&mut self) {
        if let Some(ear) = self.ear.as_mut() {
            ear.settle();
        }
    }

    /// It ended, and all that it had printed was heard.
    pub(super) fn ended(&mut self, how: Ended) {
        if let Some(ear) = self.ear.take() {
            ear.ended(how);
        }
    }

    /// It will never be known how it ended.
    pub(super) fn failed(&mut self, error: Error) {
        if let Some(ear) = self.ear.take() {
            ear.failed(error);
        }
    }

    /// The error when its limit has passed; what it was that took so long.
    pub(super) fn overdue(&self, awaited: &str) -> Error {
        Error::broken(format!("{} was not done within {:?}", self.name, self.limit))
            .detail(format!("Awaited: {awaited}."))
    }

    /// The error for everybody who waits when the session is lost.
    pub(super) fn lost(&self, why: &str) -> Error {
        Error::broken(format!("the host was lost before {} was done", self.name)).detail(why)
    }
}
