//! The lab's clock: nanoseconds since the lab began, from one monotonic source: the computer's own in real time, the coordinator of
//! all machines in lockstep time.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point on the lab's clock: nanoseconds since the lab began.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct LabTime(pub u64);

impl LabTime {
    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: LabTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time plus `by`.
    #[must_use]
    pub fn after(self, by: Duration) -> LabTime {
        LabTime(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for LabTime {
    /// Seconds with milliseconds, as `12.345`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1_000_000_000, self.0 / 1_000_000 % 1_000);
        f.pad_integral(true, "", &text)
    }
}

/// One clock for all witnesses; all clones are one. The wall-clock time of its zero is kept so that captures carry dates.
#[derive(Debug, Clone)]
pub struct Clock {
    source: Source,
    wall: Duration,
}

#[derive(Debug, Clone)]
enum Source {
    /// The process's monotonic time, since this instant.
    Real(Instant),
    /// What the coordinator of lockstep time set last.
    Lockstep(Arc<AtomicU64>),
}

/// Sets a clock of lockstep time.
#[derive(Debug)]
pub struct Hand(Arc<AtomicU64>);

impl Hand {
    /// It is `now` on the lab's clock.
    pub fn set(&self, now: LabTime) {
        self.0.store(now.0, Ordering::Release);
    }
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { source: Source::Real(Instant::now()), wall }
    }

    /// A clock that stands at its zero until its hand is set. `wall` is the date of its zero, since the Unix epoch.
    #[must_use]
    pub fn lockstep(wall: Duration) -> (Self, Hand) {
        let now = Arc::new(AtomicU64::new(0));
        (Self { source: Source::Lockstep(Arc::clone(&now)), wall }, Hand(now))
    }

    /// Now, on the lab's clock.
    #[must_use]
    pub fn now(&self) -> LabTime {
        match &self.source {
            Source::Real(zero) => LabTime(u64::try_from(zero.elapsed().as_nanos()).unwrap_or(u64::MAX)),
            Source::Lockstep(now) => LabTime(now.load(Ordering::Acquire)),
        }
    }

    /// The wall-clock time of `at`, as the time since the Unix epoch. Steps of the host's wall clock during the
    /// run do not show: only the zero was read from it.
    #[must_use]
    pub fn wall(&self, at: LabTime) -> Duration {
        self.wall + Duration::from_nanos(at.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_seconds_and_milliseconds() {
        assert_eq!(LabTime(12_345_678_901).to_string(), "12.345");
        assert_eq!(format!("{:>8}", LabTime(1_000_000)), "   0.001");
    }

    #[test]
    fn a_clock_of_lockstep_time_stands_where_it_was_set() {
        let (clock, hand) = Clock::lockstep(Duration::from_secs(7));
        let other = clock.clone();
        assert_eq!(clock.now(), LabTime(0));
        hand.set(LabTime(1_000));
        assert_eq!((other.now(), clock.wall(other.now())), (LabTime(1_000), Duration::from_nanos(7_000_001_000)));
    }

    #[test]
    fn wall_time_advances_with_lab_time() {
        let clock = Clock::start();
        assert_eq!(clock.wall(LabTime(5)) - clock.wall(LabTime(0)), Duration::from_nanos(5));
    }
}
