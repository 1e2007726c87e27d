//! The chance that a run in lockstep time has beside its machines' own: small offsets of time, all of them out of the run's seed.
//!
//! In real time no two machines begin at one moment, and no cable is equally quick twice; on that hangs how a race ends. Here the clocks
//! of machines would stand to each other, and frames to the clocks, as exactly as never in life. So a seed gives:
//!
//! - each machine, whenever it is switched on, up to [`BOOT`] in which it waits for its first instruction: its timer interrupts come at
//!   other moments than those of the others;
//! - each way to a network card a latency that sways: up to [`SWAY`] more than the shortest, anew every [`GRAIN`], and on a straight line
//!   between. A frame takes longer than the one before it by less than it was sent later, so none overtakes another; and none is quicker
//!   than the shortest latency, which the lab's boundaries rest on.
//!
//! Nothing is drawn: an offset is a function of the seed and of what it is for, so that no offset depends on another.

use crate::timeline::LabTime;
use std::time::Duration;

/// The most that a machine waits when it is switched on: more than two of its kernel's ticks (4 ms).
pub const BOOT: Duration = Duration::from_millis(10);

/// The most that a frame takes longer than the shortest latency.
pub const SWAY: Duration = Duration::from_micros(50);

/// How long the latency of a way moves in one direction. Longer than [`SWAY`], so that frames keep their order.
pub const GRAIN: Duration = Duration::from_micros(100);

/// The chance of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    seed: u64,
}

/// What an offset is for.
#[derive(Debug, Clone, Copy)]
enum For {
    Boot = 1,
    Way = 2,
}

impl Chance {
    /// That of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// How long the machine of the host with this number waits when it is switched on for the `power_on`th time.
    #[must_use]
    pub fn boot(&self, host: usize, power_on: usize) -> Duration {
        Duration::from_nanos(self.up_to(BOOT, For::Boot, host, power_on as u64))
    }

    /// By how much a frame takes longer to the network card with this number that would be there at this time.
    #[must_use]
    pub fn way(&self, card: usize, at: LabTime) -> Duration {
        let grain = nanos(GRAIN);
        let (number, since) = (at.0 / grain, at.0 % grain);
        let [from, to] = [number, number + 1].map(|number| self.up_to(SWAY, For::Way, card, number));
        Duration::from_nanos((from * (grain - since) + to * since) / grain)
    }

    /// From nothing to `most`, in nanoseconds.
    fn up_to(&self, most: Duration, what: For, which: usize, number: u64) -> u64 {
        let words = [what as u64, which as u64, number];
        words.into_iter().fold(mixed(self.seed), |state, word| mixed(state ^ word)) % (nanos(most) + 1)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A number whose every bit hangs on all of `number`'s: SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(number: u64) -> u64 {
    let mut it = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    it ^ (it >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_numbers_are_those_of_the_paper_and_so_the_same_everywhere() {
        // The reference implementation's first outputs of state 0.
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mixed(0x9e37_79b9_7f4a_7c15), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn seeds_hosts_and_power_ons_have_offsets_of_their_own_all_over_the_range() {
        let offsets = (0..10).flat_map(|seed| {
            let chance = Chance::new(seed);
            (0..3).flat_map(move |host| (0..3).map(move |power_on| chance.boot(host, power_on)))
        });
        let offsets: BTreeSet<Duration> = offsets.collect();
        assert_eq!(offsets.len(), 90);
        assert!(offsets.iter().all(|offset| *offset <= BOOT));
        assert!(offsets.first() < Some(&(BOOT / 10)) && offsets.last() > Some(&(BOOT * 9 / 10)));
    }

    proptest! {
        #[test]
        fn a_frame_is_never_quicker_than_the_shortest_latency_and_never_overtakes(
            seed: u64, card in 0_usize..8, at in 0_u64..u64::MAX / 2, later in 0_u64..1_000_000,
        ) {
            let chance = Chance::new(seed);
            let [first, second] = [at, at + later].map(|at| (LabTime(at), chance.way(card, LabTime(at))));
            prop_assert!(first.1 <= SWAY && second.1 <= SWAY);
            prop_assert!(first.0.after(first.1) <= second.0.after(second.1));
        }

        #[test]
        fn the_next_nanosecond_is_no_jump(seed: u64, at in 0_u64..u64::MAX / 2) {
            let chance = Chance::new(seed);
            let [first, second] = [at, at + 1].map(|at| chance.way(0, LabTime(at)));
            prop_assert!(first.abs_diff(second) <= Duration::from_nanos(1));
        }
    }
}
