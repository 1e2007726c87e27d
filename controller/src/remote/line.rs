//! What a session and its programs hold to have errands carried out, and how they wait for what comes of them.

use super::desk::{Desk, Order, gone};
use super::drive::Drive;
use super::errand::Errand;
use super::upload::hex_sha256;
use crate::error::{Error, Result};
use deadpeer_guest::attend::Mark;
use rand_core::{OsRng, RngCore};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// A line to whoever carries errands out.
#[derive(Clone)]
pub(super) struct Line {
    desk: Desk,
    next: Arc<AtomicU32>,
    /// None: time passes by itself.
    drive: Option<Arc<dyn Drive>>,
}

impl Line {
    pub(super) fn new(desk: Desk, drive: Option<Arc<dyn Drive>>) -> Self {
        Self { desk, next: Arc::default(), drive }
    }

    /// Hands in an errand; its number.
    pub(super) fn go(&self, errand: Errand) -> Result<u32> {
        if errand.command.contains('\0') {
            return Err(Error::usage("a command must not contain a NUL byte"));
        }
        let id = self.number();
        self.desk.order(Order::Go(id, errand))?;
        Ok(id)
    }

    /// What an ear answers to whoever waits for it.
    pub(super) fn answer<T>(&self, awaited: &Receiver<Result<T>>) -> Result<T> {
        self.wait(awaited)?.ok_or_else(gone)?
    }

    /// Has an errand's ear tell what it kept back; returns when it has.
    pub(super) fn settle(&self, id: u32) -> Result<()> {
        let (answer, answered) = channel();
        self.desk.order(Order::Settle(id, answer))?;
        // Without an answer the session is over: then the ear has told all.
        self.wait(&answered).map(drop)
    }

    /// Gives an errand more to read. False: it is over.
    pub(super) fn say(&self, id: u32, bytes: Vec<u8>) -> Result<bool> {
        let (answer, answered) = channel();
        self.desk.order(Order::Say(id, bytes, answer))?;
        // Without an answer the session is over: then the errand is as well.
        Ok(self.wait(&answered)?.unwrap_or(false))
    }

    /// Ends the session.
    pub(super) fn quit(&self) {
        // Refused only if it is over already.
        let _ = self.desk.order(Order::Quit);
    }

    /// What no program prints by accident. In real time nobody can guess it either; where time is driven nothing may be drawn by
    /// lot.
    pub(super) fn mark(&self) -> Mark {
        let text = match &self.drive {
            None => format!("{:016x}", OsRng.next_u64()),
            Some(_) => hex_sha256(format!("the mark of start {}", self.number()).as_bytes()).split_off(48),
        };
        Mark::read(&text).unwrap_or_else(|| unreachable!("hexadecimal digits are a mark"))
    }

    /// One that no other call gets.
    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits for an answer; none if whoever should give it is gone.
    fn wait<T>(&self, awaited: &Receiver<T>) -> Result<Option<T>> {
        let Some(drive) = &self.drive else { return Ok(awaited.recv().ok()) };
        loop {
            match awaited.try_recv() {
                Ok(answer) => return Ok(Some(answer)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => drive.drive()?,
            }
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("desk", &self.desk).field("driven", &self.drive.is_some()).finish_non_exhaustive()
    }
}
