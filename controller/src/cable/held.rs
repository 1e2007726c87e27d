//! Frames that a rule holds back, until their time.

use crate::timeline::LabTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Frames held back, the one due first on top.
#[derive(Debug, Default)]
pub(super) struct Held {
    frames: BinaryHeap<Reverse<Late>>,
    taken: u64,
}

/// A frame for one port. Ordered by time, then by arrival: frames that are delayed alike keep their order. No two
/// have the same `arrival`, so the fields after it never decide.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Late {
    due: LabTime,
    arrival: u64,
    port: usize,
    bytes: Arc<[u8]>,
}

impl Held {
    /// Holds a frame for `port` until `due`.
    pub(super) fn hold(&mut self, due: LabTime, port: usize, bytes: Arc<[u8]>) {
        self.taken += 1;
        self.frames.push(Reverse(Late { due, arrival: self.taken, port, bytes }));
    }

    /// When the next frame is due.
    pub(super) fn next_due(&self) -> Option<LabTime> {
        self.frames.peek().map(|Reverse(late)| late.due)
    }

    /// The next frame that is due at `now`, and its port.
    pub(super) fn take_due(&mut self, now: LabTime) -> Option<(usize, Arc<[u8]>)> {
        self.next_due().filter(|due| *due <= now)?;
        self.frames.pop().map(|Reverse(late)| (late.port, late.bytes))
    }

    /// How many are held.
    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold(held: &mut Held, due: u64, byte: u8) {
        held.hold(LabTime(due), 0, Arc::from([byte]));
    }

    fn due(held: &mut Held, now: u64) -> Vec<u8> {
        std::iter::from_fn(|| held.take_due(LabTime(now))).map(|(_, bytes)| bytes[0]).collect()
    }

    #[test]
    fn frames_come_at_their_time_and_not_before() {
        let mut held = Held::default();
        hold(&mut held, 30, 3);
        hold(&mut held, 10, 1);
        hold(&mut held, 20, 2);
        assert_eq!(held.next_due(), Some(LabTime(10)));
        assert!(due(&mut held, 9).is_empty());
        assert_eq!(due(&mut held, 20), [1, 2]);
        assert_eq!((held.len(), held.next_due()), (1, Some(LabTime(30))));
    }

    #[test]
    fn frames_due_at_once_keep_the_order_of_their_arrival() {
        let mut held = Held::default();
        for byte in [9, 3, 7, 1] {
            hold(&mut held, 5, byte);
        }
        assert_eq!(due(&mut held, 5), [9, 3, 7, 1]);
    }
}
