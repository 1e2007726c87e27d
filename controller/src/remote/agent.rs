//! The control channel where there is no SSH: the host's side of the guest's agent (`deadpeer_guest::agent`).
//!
//! Nothing here acts by itself, waits, or looks at a clock. Whoever owns the machine gives the agent its [`turn`](Agent::turn) at
//! each boundary, with the lab's time, and carries the bytes. What callers see is a [`Session`](super::Session) like any other.

use super::desk::{self, take_orders};
use super::errand::{Errand, Next, Stream, Task};
use crate::error::{Error, Result};
use crate::timeline::{Ended, LabTime};
use deadpeer_guest::agent::Stream as Output;
use deadpeer_guest::agent::{How, Message, Order, PIECE, Reader, WINDOW, Word};
use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;

/// Carries the errands of a session over a host's serial line.
pub struct Agent {
    /// None: the session is over.
    orders: Option<Receiver<desk::Order>>,
    words: Reader<Word>,
    talks: BTreeMap<u32, Talk>,
    /// What is to be typed.
    typing: Vec<u8>,
    /// How much was typed that the guest has not heard yet, as far as it told.
    ahead: usize,
}

/// An errand under way.
struct Talk {
    task: Task,
    asked: LabTime,
    /// Whether on a terminal, and the command; taken when that is to be typed.
    opening: Option<(bool, String)>,
}

impl Agent {
    pub(super) fn new(orders: Receiver<desk::Order>) -> Self {
        Self { orders: Some(orders), words: Reader::default(), talks: BTreeMap::new(), typing: Vec::new(), ahead: 0 }
    }

    /// Takes what the guest said since the last turn and what callers asked, tells those who listen, and gives what is to be typed
    /// on the guest's line. Limits of time count from the turn that takes an errand, on the clock that tells `now`.
    ///
    /// # Errors
    /// What the guest said is not what an agent says. The host is [`lost`](Self::lost) then.
    pub fn turn(&mut self, now: LabTime, heard: &[u8]) -> Result<Vec<u8>> {
        self.hear(heard)?;
        if let Some(orders) = &self.orders
            && !take_orders(orders, &mut self.talks, |errand| Talk::new(errand, now))
        {
            self.quit();
        }
        self.watch_time(now);
        self.compose();
        let length = self.typing.len().min(WINDOW.saturating_sub(self.ahead));
        self.ahead += length;
        Ok(self.typing.drain(..length).collect())
    }

    /// The machine is gone: whoever waits gets an error that says `why`, programs are [`Ended::Lost`], and nothing can be asked any
    /// more.
    pub fn lost(&mut self, why: &str) {
        self.orders = None;
        self.typing.clear();
        for mut talk in std::mem::take(&mut self.talks).into_values() {
            talk.task.failed(talk.task.lost(why));
        }
    }

    /// Whether, but for what was handed in since the last turn, nothing is to be typed and nobody waits. A program that runs is not
    /// waited for.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.typing.is_empty() && self.talks.values().all(Talk::idle)
    }

    fn hear(&mut self, heard: &[u8]) -> Result<()> {
        self.words.push(heard);
        loop {
            match self.words.next() {
                Ok(Some(word)) => self.take(word),
                Ok(None) => return Ok(()),
                Err(why) => {
                    self.lost(&format!("its agent cannot be understood: {why}"));
                    return Err(Error::broken("the host's agent cannot be understood").detail(why));
                }
            }
        }
    }

    /// Words about a channel that is not there came when it was closed already.
    fn take(&mut self, word: Word) {
        match word {
            Word::Output { channel, stream, bytes } => {
                let stream = if stream == Output::Stdout { Stream::Stdout } else { Stream::Stderr };
                if let Some(talk) = self.talks.get_mut(&channel)
                    && let Next::GiveUp(error) = talk.task.heard(stream, &bytes)
                {
                    talk.task.failed(error);
                    self.close(channel);
                }
            }
            Word::Ended { channel, how } => {
                if let Some(mut talk) = self.talks.remove(&channel) {
                    talk.task.ended(match how {
                        How::Exit(status) => Ended::Exit(status),
                        How::Signal(name) => Ended::Signal(name),
                    });
                }
            }
            Word::Refused { channel, why } => {
                if let Some(mut talk) = self.talks.remove(&channel) {
                    talk.task.failed(Error::broken("the host refused to execute a command").detail(why));
                }
            }
            Word::Heard { bytes } => self.ahead = self.ahead.saturating_sub(bytes as usize),
        }
    }

    fn watch_time(&mut self, now: LabTime) {
        let overdue: Vec<u32> = self.talks.iter().filter(|(_, talk)| talk.overdue(now)).map(|(&id, _)| id).collect();
        for channel in overdue {
            if let Some(talk) = self.talks.get_mut(&channel) {
                let awaited = if talk.opening.is_some() { "its turn on the line to the host" } else { "its end" };
                talk.task.failed(talk.task.overdue(awaited));
                self.close(channel);
            }
        }
    }

    /// Whoever wanted it to end is dropped: so are those who listen.
    fn quit(&mut self) {
        self.orders = None;
        for (channel, mut talk) in std::mem::take(&mut self.talks) {
            talk.task.failed(talk.task.lost("the controller ended the session"));
            self.talks.insert(channel, talk);
            self.close(channel);
        }
    }

    /// Nobody listens to this one any more.
    fn close(&mut self, channel: u32) {
        if self.talks.remove(&channel).is_some_and(|talk| talk.opening.is_none()) {
            // Never too long.
            let _ = Order::Close { channel }.encode(&mut self.typing);
        }
    }

    /// Puts into words what errands have to say, each a message in turn, as far as it can be typed soon.
    fn compose(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            self.talks.retain(|&channel, talk| {
                if self.typing.len() >= WINDOW {
                    return true;
                }
                match talk.next(channel).map(|order| order.encode(&mut self.typing)) {
                    None => true,
                    Some(Ok(())) => {
                        moved = true;
                        true
                    }
                    Some(Err(why)) => {
                        talk.task.failed(Error::usage(why));
                        false
                    }
                }
            });
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.lost("the controller ended the session");
    }
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agent")
            .field("talks", &self.talks.len())
            .field("typing", &self.typing.len())
            .finish_non_exhaustive()
    }
}

impl AsMut<Task> for Talk {
    fn as_mut(&mut self) -> &mut Task {
        &mut self.task
    }
}

impl Talk {
    fn new(errand: Errand, now: LabTime) -> Self {
        let Errand { name, command, terminal, limit, mouth, ear } = errand;
        Self { task: Task::new(name, limit, mouth, ear), asked: now, opening: Some((terminal, command)) }
    }

    fn overdue(&self, now: LabTime) -> bool {
        self.task.limit().is_some_and(|limit| self.asked.after(limit) <= now)
    }

    fn idle(&self) -> bool {
        let mouth = &self.task.mouth;
        self.opening.is_none() && mouth.bytes.is_empty() && !mouth.end && self.task.limit().is_none()
    }

    /// What it has to say next.
    fn next(&mut self, channel: u32) -> Option<Order> {
        let mouth = &mut self.task.mouth;
        if let Some((terminal, command)) = self.opening.take() {
            return Some(Order::Open { channel, terminal, command });
        }
        if !mouth.bytes.is_empty() {
            let length = mouth.bytes.len().min(PIECE);
            return Some(Order::Input { channel, bytes: mouth.bytes.drain(..length).collect() });
        }
        std::mem::take(&mut mouth.end).then_some(Order::EndInput { channel })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
