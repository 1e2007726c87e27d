//! One clock: a guest's time to the lab's.
//!
//! A frame that a guest hands to its network card comes to the switch a moment later, and one that the switch hands on
//! comes to the guest a moment later. So every frame sent says how far the lab's clock is ahead of the guest's *at most*, and every
//! frame received, *at least*. The flight recorder says the same, the other way round and more often: what was read from it
//! had happened, and the guest records what it was told of the lab's clock. What was possible at one time narrows down what is possible at another, but for what the
//! clocks may have drifted apart meanwhile. What lies between the bounds is possible; the middle is taken, and half the
//! distance is the error.

/// How far the two clocks may drift apart, in nanoseconds per second: the first that the bounds allow is taken. kvm-clock follows
/// `CLOCK_MONOTONIC_RAW`, from which the other is slewed by NTP: by 500 ppm at the very most (adjtimex(2)).
const DRIFTS: [u64; 3] = [2_000, 100_000, 600_000];

/// What a guest's clock goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The lab's own clock, in lockstep time.
    Labs,
    /// The host's own clock, which the lab's is, too.
    Hosts,
    /// Another one.
    Other,
}

impl Source {
    /// What is tried before [`DRIFTS`], in nanoseconds per second: where the two clocks are one, nothing is left but what the guest's kernel
    /// rounds. In lockstep that was 3 in a thousand seconds' measuring.
    fn drift(self) -> Option<u64> {
        match self {
            Self::Labs => Some(10),
            Self::Hosts => Some(100),
            Self::Other => None,
        }
    }
}

/// The lab's clock is ahead of the guest's by so many nanoseconds, at most or at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    /// At this guest time.
    pub(super) at: u64,
    /// By so much.
    pub(super) ahead: i64,
}

/// A guest's clock, for one boot.
#[derive(Debug, Clone)]
pub(super) struct GuestClock {
    points: Vec<Point>,
    /// Nanoseconds per second.
    drift: u64,
}

/// What is possible at a time.
#[derive(Debug, Clone, Copy)]
struct Point {
    at: u64,
    least: i64,
    most: i64,
}

/// A time on the lab's clock, and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    /// Nanoseconds since the lab began.
    pub(super) at: u64,
    /// Nanoseconds, to either side.
    pub(super) error: u64,
}

impl GuestClock {
    /// The clock of this source that fits these bounds. Needs one of either kind at least.
    ///
    /// # Errors
    /// The bounds contradict each other, by so many nanoseconds at worst; or there are none of a kind.
    pub(super) fn fit(most: &[Bound], least: &[Bound], source: Source) -> Result<Self, Unfit> {
        if most.is_empty() || least.is_empty() {
            return Err(Unfit::TooFew);
        }
        let mut fitted = Err(Unfit::TooFew);
        for drift in source.drift().into_iter().chain(DRIFTS) {
            fitted = Self::fit_with(drift, most, least);
            if fitted.is_ok() {
                break;
            }
        }
        fitted
    }

    fn fit_with(drift: u64, most: &[Bound], least: &[Bound]) -> Result<Self, Unfit> {
        let upper = most.iter().map(|bound| Point { at: bound.at, least: i64::MIN, most: bound.ahead });
        let lower = least.iter().map(|bound| Point { at: bound.at, least: bound.ahead, most: i64::MAX });
        let mut points: Vec<Point> = upper.chain(lower).collect();
        points.sort_by_key(|point| point.at);
        // What was possible a while ago, and what will be, says what is possible now.
        let mut last = points.first().copied();
        for point in &mut points {
            last = last.map(|last| point.narrow(&last, drift));
        }
        let mut next = points.last().copied();
        for point in points.iter_mut().rev() {
            next = next.map(|next| point.narrow(&next, drift));
        }
        let worst = points.iter().map(|point| point.least.saturating_sub(point.most)).max().unwrap_or_default();
        if worst > 0 { Err(Unfit::Contradiction(worst.cast_unsigned())) } else { Ok(Self { points, drift }) }
    }

    /// The clock that is ahead by something between `least` and `most`, always.
    pub(super) fn between(least: i64, most: i64) -> Self {
        Self { points: vec![Point { at: 0, least, most }], drift: 0 }
    }

    /// The time `at` of the guest.
    pub(super) fn place(&self, at: u64) -> Placed {
        let after = self.points.partition_point(|point| point.at <= at);
        let mut here = Point { at, least: i64::MIN, most: i64::MAX };
        for point in [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|n| self.points.get(n)) {
            here.narrow(point, self.drift);
        }
        let error = here.most.saturating_sub(here.least) / 2;
        let lab = at.cast_signed().saturating_add(here.least.saturating_add(error)).max(0);
        Placed { at: lab.cast_unsigned(), error: error.max(0).cast_unsigned() }
    }
}

impl Point {
    /// Excludes what is impossible because of what is possible at another time.
    fn narrow(&mut self, other: &Self, drift: u64) -> Self {
        let apart = u128::from(self.at.abs_diff(other.at)) * u128::from(drift) / 1_000_000_000;
        let apart = i64::try_from(apart).unwrap_or(i64::MAX);
        self.least = self.least.max(other.least.saturating_sub(apart));
        self.most = self.most.min(other.most.saturating_add(apart));
        *self
    }
}

/// Why no clock fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfit {
    /// Too few frames in a direction.
    TooFew,
    /// The bounds contradict each other by so many nanoseconds: frames were matched that are not the same, or a clock jumped.
    Contradiction(u64),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn bound(at: u64, ahead: i64) -> Bound {
        Bound { at, ahead }
    }

    #[test]
    fn the_middle_of_what_is_possible_is_taken() {
        let clock = GuestClock::fit(&[bound(10, 1_400), bound(30, 1_300)], &[bound(20, 1_100)], Source::Other).unwrap();
        assert_eq!(clock.place(20), Placed { at: 1_220, error: 100 });
    }

    #[test]
    fn far_from_any_frame_the_error_grows_with_the_drift() {
        let clock = GuestClock::fit(&[bound(0, 500)], &[bound(0, 300)], Source::Other).unwrap();
        let Placed { at, error } = clock.place(10 * SECOND);
        assert_eq!((at, error), (10 * SECOND + 400, 100 + 10 * DRIFTS[0]));
    }

    #[test]
    fn a_clock_that_is_the_host_s_or_the_lab_s_own_hardly_drifts() {
        let clock = GuestClock::fit(&[bound(0, 500)], &[bound(0, 300)], Source::Hosts).unwrap();
        assert_eq!(clock.place(900 * SECOND).error, 100 + 900 * 100);
        let clock = GuestClock::fit(&[bound(0, 500)], &[bound(0, 300)], Source::Labs).unwrap();
        assert_eq!(clock.place(7_200 * SECOND).error, 100 + 7_200 * 10);
        let clock =
            GuestClock::fit(&[bound(0, 500), bound(SECOND, 1_500)], &[bound(SECOND, 1_300)], Source::Hosts).unwrap();
        assert_eq!(clock.drift, DRIFTS[0], "unless the bounds say otherwise");
    }

    #[test]
    fn bounds_that_contradict_each_other_are_told_and_so_is_their_lack() {
        assert_eq!(GuestClock::fit(&[bound(0, 5)], &[], Source::Other).unwrap_err(), Unfit::TooFew);
        assert_eq!(GuestClock::fit(&[], &[bound(0, 5)], Source::Other).unwrap_err(), Unfit::TooFew);
        assert_eq!(
            GuestClock::fit(&[bound(0, 5)], &[bound(0, 8)], Source::Other).unwrap_err(),
            Unfit::Contradiction(3)
        );
    }

    #[test]
    fn a_clock_that_drifts_more_is_believed_with_a_greater_error() {
        let frames = |late: i64| [0, 10].map(|n| bound(n * SECOND, 50_000 * n.cast_signed() + late));
        let clock = GuestClock::fit(&frames(1_000), &frames(-1_000), Source::Other).unwrap();
        assert_eq!(clock.place(0), Placed { at: 0, error: 1_000 });
        assert_eq!(clock.place(10 * SECOND).at, 10 * SECOND + 500_000);
        assert!(clock.place(5 * SECOND).error > 100_000);
    }

    proptest! {
        /// The truth is never further away than the error says, for a clock that drifts as much as it may.
        #[test]
        fn the_error_holds(
            frames in prop::collection::vec((0..100 * SECOND, 1..500_000_i64, any::<bool>()), 2..60),
            asked in prop::collection::vec(0..100 * SECOND, 1..20),
            rate in -2_000..=2_000_i64,
        ) {
            let truth = |at: u64| 7_000_000_000 + rate * at.cast_signed() / 1_000_000_000;
            let of = |sent: bool| -> Vec<Bound> {
                let delay = |late: i64| if sent { late } else { -late };
                frames.iter().filter(|frame| frame.2 == sent).map(|(at, late, _)| bound(*at, truth(*at) + delay(*late))).collect()
            };
            let (most, least) = (of(true), of(false));
            prop_assume!(!most.is_empty() && !least.is_empty());
            let clock = GuestClock::fit(&most, &least, Source::Other).unwrap();
            let mut last = (0, 0);
            let mut asked = asked;
            asked.sort_unstable();
            for at in asked {
                let placed = clock.place(at);
                let real = (at.cast_signed() + truth(at)).cast_unsigned();
                prop_assert!(placed.at.abs_diff(real) <= placed.error + 2, "{placed:?} {real}");
                prop_assert!(placed.at + 2 >= last.1, "order is kept");
                last = (at, placed.at);
            }
        }
    }
}
