//! Times, memory and counts.

use super::{Kind, Wrong};
use crate::scenario::units;
use schemars::{Schema, json_schema};
use std::time::Duration;

/// A time, longer than zero: "10 ms".
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Time;

impl Kind for Time {
    type Value = Duration;
    const WHAT: &'static str = "a time";

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^\d+(\.\d+)? ?(ns|us|ms|s|min|h)$",
            "examples": ["50 ms", "10 s", "2 min"],
        })
    }

    fn read(text: &str) -> Result<Duration, Wrong> {
        let fact = format!("{text:?} is no time");
        let time = units::time(text).map_err(|wrong| Wrong::new(fact, wrong.label).help(wrong.help))?;
        match time.is_zero() {
            true => Err(Wrong::new("no time at all", "must be longer than zero")),
            false => Ok(time),
        }
    }
}

/// Least memory, in MiB, with which the image boots.
const LEAST_MEMORY: u32 = 128;

/// Most memory, in MiB.
const MOST_MEMORY: u32 = 8192;

/// An amount of memory: "256 MiB".
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Memory;

impl Kind for Memory {
    type Value = u32;
    const WHAT: &'static str = "an amount of memory";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\d+ ?(MiB|GiB)$", "examples": ["256 MiB", "1 GiB"] })
    }

    fn read(text: &str) -> Result<u32, Wrong> {
        let fact = format!("{text:?} is no amount of memory");
        let mib = units::memory(text).map_err(|wrong| Wrong::new(fact, wrong.label).help(wrong.help))?;
        let label = match mib {
            LEAST_MEMORY..=MOST_MEMORY => return Ok(mib),
            0..LEAST_MEMORY => "too little to boot with",
            _ => "more than a lab should need",
        };
        Err(Wrong::new(format!("a host cannot have {text}"), label)
            .help(format!("from {LEAST_MEMORY} MiB to {} GiB", MOST_MEMORY / 1024)))
    }
}

/// How many of something.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number;

impl Kind for Number {
    type Value = usize;
    const WHAT: &'static str = "a number";

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }

    fn read(text: &str) -> Result<usize, Wrong> {
        let wrong = || Wrong::new(format!("{text:?} is no number of anything"), "a whole number must stand here");
        whole(text).ok_or_else(|| wrong().help("as in `3`, or `{ at-least: 1, at-most: 4 }`"))
    }
}

/// An exit status: 0 to 255 (POSIX gives `wait` its low eight bits).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExitStatus;

impl Kind for ExitStatus {
    type Value = i32;
    const WHAT: &'static str = "an exit status";

    fn schema() -> Schema {
        json_schema!({ "type": "integer", "minimum": 0, "maximum": 255 })
    }

    fn read(text: &str) -> Result<i32, Wrong> {
        let status = whole(text).and_then(|n| u8::try_from(n).ok());
        status.map(i32::from).ok_or_else(|| {
            Wrong::new(format!("{text:?} is no exit status"), "not a number from 0 to 255")
                .help("a program that a signal ended has no exit status: `ended: { signal: KILL }`")
        })
    }
}

/// A number of at most nine plain digits.
fn whole(text: &str) -> Option<usize> {
    let plain = text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
