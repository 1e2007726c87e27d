//! Expectations: what is claimed about the timeline.

use super::{Flow, KernelClaim};
use std::fmt;
use std::time::Duration;

/// A claim about the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Its name.
    pub name: String,
    /// What is claimed.
    pub claim: Claim,
    /// What a student learns when it held.
    pub held: String,
    /// What a student learns when it did not hold.
    pub not_held: String,
    /// Line in the scenario's file, from 1.
    pub line: usize,
}

/// What is claimed.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// A program printed (or never printed) a line that contains a text.
    Printed {
        /// The program.
        program: String,
        /// The text.
        text: String,
        /// True: at least one such line. False: none.
        seen: bool,
        /// When.
        when: Moment,
    },
    /// A program ended so, or was still running at the end.
    Ended {
        /// The program.
        program: String,
        /// How.
        how: ProgramEnd,
        /// When.
        when: Moment,
    },
    /// Segments were seen or not seen on the wire.
    Segment(SegmentClaim),
    /// A host's boot id at the end differs from (true) or equals (false) that of its first boot.
    BootIdChanged {
        /// The host.
        host: String,
        /// What is claimed.
        changed: bool,
    },
    /// A host's carrier was lost (true), or never lost (false), as its own kernel counts.
    CarrierLost {
        /// The host.
        host: String,
        /// What is claimed.
        lost: bool,
    },
    /// Something happened so often, as a host's own kernel tells.
    Kernel(KernelClaim),
    /// So many processes that a program forked had ended and were not waited for: they are zombies.
    Zombies {
        /// The program.
        program: String,
        /// How many.
        count: Count,
        /// When this step began; at the end of the run, if none.
        before: Option<usize>,
    },
}

/// How many of something: within bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// At least so many.
    pub at_least: usize,
    /// At most so many; any number, if none.
    pub at_most: Option<usize>,
}

impl Count {
    /// One or more.
    pub const SOME: Self = Self { at_least: 1, at_most: None };

    /// Not one.
    pub const NONE: Self = Self::exactly(0);

    /// Just so many.
    #[must_use]
    pub const fn exactly(count: usize) -> Self {
        Self { at_least: count, at_most: Some(count) }
    }

    /// Whether `count` is within the bounds.
    #[must_use]
    pub fn holds(self, count: usize) -> bool {
        self.at_least <= count && !self.is_exceeded(count)
    }

    /// Whether `count` is too many, so that no more of them can make it right.
    #[must_use]
    pub fn is_exceeded(self, count: usize) -> bool {
        self.at_most.is_some_and(|most| most < count)
    }

    /// Whether a noun after it stands in the plural.
    #[must_use]
    pub fn is_plural(self) -> bool {
        ![Self::SOME, Self::NONE].contains(&self) && self.at_most != Some(1)
    }

    /// Whether it says more than "some" or "none", and leaves more than one number open: a race, whose outcome is counted
    /// over repeated runs.
    #[must_use]
    pub fn is_range(self) -> bool {
        self != Self::SOME && self.at_most != Some(self.at_least)
    }
}

impl fmt::Display for Count {
    /// What stands before a noun: "no", "at least one", "exactly 3", "1 to 4".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (0, Some(0)) => write!(f, "no"),
            (1, None) => write!(f, "at least one"),
            (least, None) => write!(f, "at least {least}"),
            (least, Some(most)) if least == most => write!(f, "exactly {most}"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
        }
    }
}

/// A claim about segments on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentClaim {
    /// Which segments.
    pub flow: Flow,
    /// How many.
    pub count: Count,
    /// The segment must answer another one.
    pub answering: Option<Answering>,
    /// When.
    pub when: Moment,
}

/// The segment that another one answers. A RST answers the segment whose acknowledgement number is its own
/// sequence number (RFC 9293, 3.10.7.1), on the same connection, sent before it by the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// Which segments may be the one answered.
    pub flow: Flow,
    /// The answered segment was sent after this step began.
    pub after: Option<usize>,
}

/// When something must have happened. Steps by index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moment {
    /// After this step began.
    pub after: Option<usize>,
    /// Before this step began.
    pub before: Option<usize>,
    /// Within this time after step `after` began (after the lab's start, if none).
    pub within: Option<Duration>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It exited with this status.
    Exit(i32),
    /// A signal ended it; the name is without SIG.
    Signal(String),
    /// It exited or was ended, however.
    Any,
    /// It had not ended when the run did.
    Running,
    /// It died with its host: nobody could tell how.
    WithHost,
}
