//! Where the wall time of a run went.
//!
//! Every moment belongs to one phase: a boot and a wait are the scenario's own; all the rest is the
//! controller's overhead.

use std::time::{Duration, Instant};

/// Whose time a phase is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Building the image: the first run only.
    Image,
    /// Power on until the control channel answers.
    Boot,
    /// Something the scenario waits for.
    Wait,
    /// The controller's own.
    Overhead,
}

/// One phase that has ended.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) took: Duration,
}

/// A stopwatch that never stops: what one phase leaves, the next begins.
#[derive(Debug)]
pub(super) struct Phases {
    began: Instant,
    lap: Instant,
    ended: Vec<Phase>,
}

impl Phases {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, lap: now, ended: Vec::new() }
    }

    /// The time since the last call was `name`'s.
    pub(super) fn end(&mut self, name: impl Into<String>, kind: Kind) -> Duration {
        let now = Instant::now();
        let took = now - self.lap;
        self.lap = now;
        self.ended.push(Phase { name: name.into(), kind, took });
        took
    }

    pub(super) fn all(&self) -> &[Phase] {
        &self.ended
    }

    /// Since the start.
    pub(super) fn wall(&self) -> Duration {
        self.began.elapsed()
    }
}
