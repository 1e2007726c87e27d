//! How much of what a program prints is kept: the first lines and the last, so that a flood fills neither memory nor disk.
//!
//! Beyond the quota lines are counted and let go; the program is not slowed down, as one that nobody reads would be.

use crate::timeline::ProgramEvent;
use std::collections::VecDeque;

/// So many lines of a program are told as they come.
pub const MOST_LINES: usize = 20_000;

/// Likewise in bytes, newlines not counted.
pub const MOST_BYTES: usize = 2 * 1024 * 1024;

/// Of the lines that are not, the last so many are kept...
pub const LAST_LINES: usize = 50;

/// ... if they are no longer than this together, in bytes.
pub const LAST_BYTES: usize = 64 * 1024;

/// What one program may still print, and what it printed beyond.
#[derive(Debug, Default)]
pub(super) struct Quota {
    lines: usize,
    bytes: usize,
    beyond: Option<Beyond>,
}

/// What was not told.
#[derive(Debug, Default)]
struct Beyond {
    lines: u64,
    bytes: u64,
    last: VecDeque<String>,
    last_bytes: usize,
}

impl Quota {
    /// What is told of a line that was printed: itself, once that no more will be told, or nothing.
    pub(super) fn admit(&mut self, text: String) -> Option<ProgramEvent> {
        if let Some(beyond) = &mut self.beyond {
            beyond.take(text);
            return None;
        }
        if self.lines < MOST_LINES && self.bytes + text.len() <= MOST_BYTES {
            self.lines += 1;
            self.bytes += text.len();
            return Some(ProgramEvent::Line { text });
        }
        self.beyond.insert(Beyond::default()).take(text);
        Some(ProgramEvent::Muted)
    }

    /// What was not told since this was asked last, if anything.
    pub(super) fn settle(&mut self) -> Option<ProgramEvent> {
        let beyond = self.beyond.as_mut().filter(|beyond| beyond.lines > 0)?;
        let Beyond { lines, bytes, last, .. } = std::mem::take(beyond);
        Some(ProgramEvent::NotKept { lines, bytes, last: last.into() })
    }
}

impl Beyond {
    fn take(&mut self, text: String) {
        self.lines += 1;
        self.bytes += text.len() as u64;
        self.last_bytes += text.len();
        self.last.push_back(text);
        while self.last.len() > LAST_LINES || self.last_bytes > LAST_BYTES {
            self.last_bytes -= self.last.pop_front().map_or(0, |line| line.len());
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_told_and_of_the_others_the_number_and_the_last() {
        let mut quota = Quota::default();
        for n in 0..MOST_LINES {
            assert_eq!(quota.admit(n.to_string()), Some(ProgramEvent::Line { text: n.to_string() }));
        }
        assert_eq!(quota.settle(), None);
        assert_eq!(quota.admit("one more".to_owned()), Some(ProgramEvent::Muted));
        for n in 0..1_000_000 {
            assert_eq!(quota.admit(format!("{n:06}")), None);
        }
        let Some(ProgramEvent::NotKept { lines, bytes, last }) = quota.settle() else { panic!("nothing beyond") };
        assert_eq!((lines, bytes), (1_000_001, 6_000_008));
        assert_eq!((last.len(), last.last().map(String::as_str)), (LAST_LINES, Some("999999")));
        assert_eq!(quota.settle(), None, "told once");
        assert_eq!(quota.admit("after that".to_owned()), None);
        let again = ProgramEvent::NotKept { lines: 1, bytes: 10, last: vec!["after that".to_owned()] };
        assert_eq!(quota.settle(), Some(again));
    }

    #[test]
    fn long_lines_count_by_their_length_and_one_that_is_too_long_to_be_kept_is_still_counted() {
        let mut quota = Quota::default();
        let long = "x".repeat(MOST_BYTES / 2);
        assert!(matches!(quota.admit(long.clone()), Some(ProgramEvent::Line { .. })));
        assert!(matches!(quota.admit(long.clone()), Some(ProgramEvent::Line { .. })));
        assert_eq!(quota.admit("x".to_owned()), Some(ProgramEvent::Muted));
        assert_eq!(quota.admit(long), None);
        let bytes = 1 + MOST_BYTES as u64 / 2;
        assert_eq!(quota.settle(), Some(ProgramEvent::NotKept { lines: 2, bytes, last: Vec::new() }));
    }
}
