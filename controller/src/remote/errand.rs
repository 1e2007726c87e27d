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

/// Hears what comes of an errand. Called by the pump's thread: nothing here may block.
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
