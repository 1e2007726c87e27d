//! What the switch tells the rest of the controller while it works, in real time from a thread of its own.

use crate::error::Error;
use crate::timeline::Verdict;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many frames came in so far, and what became of them. Each frame is counted once, by its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Frames that came in.
    pub frames: u64,
    /// Handed on at once.
    pub passed: u64,
    /// Dropped by a rule.
    pub dropped: u64,
    /// Held back by a rule.
    pub delayed: u64,
    /// Handed to nobody.
    pub lost: u64,
    /// Frames held back that never arrived: their destination was gone when the time came, or the lab was over.
    /// A frame held for two destinations counts for each.
    pub late: u64,
}

/// Counts, and the first thing that went wrong. Shared between the switch and its handle.
#[derive(Debug, Default)]
pub(super) struct Status(Mutex<(Counts, Option<Error>)>);

impl Status {
    fn lock(&self) -> MutexGuard<'_, (Counts, Option<Error>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A frame came in.
    pub(super) fn count(&self, verdict: Verdict) {
        let counts = &mut self.lock().0;
        counts.frames += 1;
        match verdict {
            Verdict::Passed => counts.passed += 1,
            Verdict::Dropped => counts.dropped += 1,
            Verdict::Delayed(_) => counts.delayed += 1,
            Verdict::Lost => counts.lost += 1,
        }
    }

    /// Frames held back will not arrive.
    pub(super) fn late(&self, frames: usize) {
        self.lock().0.late += frames as u64;
    }

    /// Something went wrong that makes the run's outcome unknown. The first is kept: what follows may be its consequence.
    pub(super) fn fault(&self, error: Error) {
        self.lock().1.get_or_insert(error);
    }

    /// The counts so far.
    pub(super) fn counts(&self) -> Counts {
        self.lock().0
    }

    /// What went wrong, if anything did.
    pub(super) fn first_fault(&self) -> Option<Error> {
        self.lock().1.clone()
    }
}
