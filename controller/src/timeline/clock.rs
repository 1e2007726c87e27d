//! The lab's clock: nanoseconds since the lab began, from one monotonic source.

use serde::{Deserialize, Serialize};
use std::fmt;
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

/// One clock for all witnesses. The wall-clock time of its zero is kept so that captures carry real dates.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: Instant,
    wall: Duration,
}

impl Clock {
    /// A clock whose zero is now.
    #[must_use]
    pub fn start() -> Self {
        Self { zero: Instant::now(), wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// Now, on the lab's clock.
    #[must_use]
    pub fn now(&self) -> LabTime {
        LabTime(u64::try_from(self.zero.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The wall-clock time of `at`, as the time since the Unix epoch. Steps of the host's wall clock during the
    /// run do not show: only the zero was read from it.
    #[must_use]
    pub fn wall(&self, at: LabTime) -> Duration {
        self.wall + Duration::from_nanos(at.0)
    }

    /// The instant of `at` in the process's own monotonic time, for deadlines.
    #[must_use]
    pub fn instant(&self, at: LabTime) -> Instant {
        self.zero + Duration::from_nanos(at.0)
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
    fn wall_time_advances_with_lab_time() {
        let clock = Clock::start();
        assert_eq!(clock.wall(LabTime(5)) - clock.wall(LabTime(0)), Duration::from_nanos(5));
    }
}
