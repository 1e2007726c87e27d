//! A program that prints very much in one step is shown with its first lines, and the number of the others.

use std::collections::HashMap;

/// So many lines of a program are shown in a step.
pub(super) const SHOWN: usize = 40;

/// What programs printed in a step so far.
#[derive(Default)]
pub(super) struct Chatter(HashMap<String, (usize, usize)>);

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is shown.
    Shown,
    /// It is the first that is not: a row is to stand for it, and for those that follow.
    First,
    /// It is one of so many that the row with this number stands for.
    Among(usize, usize),
}

impl Chatter {
    /// A new step has begun.
    pub(super) fn begin(&mut self) {
        self.0.clear();
    }

    /// The place of one more line of `program`, while there are `rows` rows.
    pub(super) fn line(&mut self, program: &str, rows: usize) -> Place {
        let (count, row) = self.0.entry(program.to_owned()).or_default();
        *count += 1;
        match *count {
            0..=SHOWN => Place::Shown,
            count if count == SHOWN + 1 => {
                *row = rows;
                Place::First
            }
            count => Place::Among(*row, count - SHOWN),
        }
    }
}

/// What the row says that stands for so many lines.
pub(super) fn text(program: &str, count: usize) -> String {
    let lines = if count == 1 { "line" } else { "lines" };
    format!("{count} more {lines} of {program}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_of_each_program_are_shown_in_each_step() {
        let mut chatter = Chatter::default();
        for _ in 0..2 {
            chatter.begin();
            for _ in 0..SHOWN {
                assert_eq!(chatter.line("loud", 7), Place::Shown);
            }
            assert_eq!(chatter.line("loud", 7), Place::First);
            assert_eq!(chatter.line("quiet", 8), Place::Shown);
            assert_eq!(chatter.line("loud", 9), Place::Among(7, 2));
        }
    }
}
