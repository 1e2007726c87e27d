//! `--seeds FIRST..LAST`: a run with each seed, and how each is run again.

use super::RunArgs;
use crate::error::{Error, Result};
use crate::own::Placed;
use crate::remote::quote;
use crate::scenario::{Scenario, Time};
use std::ops::RangeInclusive;

/// The most seeds of one command: some hours of runs.
const MOST: u64 = 1000;

/// Reads a range of seeds, both ends of which belong to it.
pub(super) fn parse(text: &str) -> Result<RangeInclusive<u64>, String> {
    let form = || "a range is two numbers, the first seed and the last, as in 1..50".to_owned();
    let (first, last) = text.split_once("..").ok_or_else(form)?;
    let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        true => digits.parse().map_err(|_| format!("a seed is at most {}", u64::MAX)),
        false => Err(form()),
    };
    let (first, last): (u64, u64) = (number(first)?, number(last)?);
    match last.checked_sub(first) {
        None => Err(format!("no seed is in it, as {first} is more than {last}")),
        Some(more) if more >= MOST => Err(format!("it holds more than {MOST} seeds, the most of one command")),
        Some(_) => Ok(first..=last),
    }
}

/// A seed means nothing to a run in real time.
///
/// # Errors
/// Wrong usage: a scenario would run in real time.
pub(super) fn all_in_lockstep(args: &RunArgs, scenarios: &[(Scenario, Vec<Placed>)]) -> Result<()> {
    let in_real_time = |(scenario, own): &&(Scenario, Vec<Placed>)| args.options(own).time_of(scenario) == Time::Real;
    match scenarios.iter().find(in_real_time) {
        None => Ok(()),
        Some((scenario, _)) => {
            Err(Error::usage(format!("--seeds is for lockstep time, and {} is to run in real time", scenario.name))
                .help("In real time chance has no seed: count what comes with --repeat N. Or add --time lockstep."))
        }
    }
}

/// The command that runs this scenario, named so, with this seed.
pub(super) fn again(args: &RunArgs, named: &str, seed: u64) -> String {
    let mut words = vec!["controller", "run", named, "--time", "lockstep"];
    for (option, values) in [("--kernel", args.kernel.as_slice()), ("--program", &args.programs)] {
        words.extend(values.iter().flat_map(|value| [option, value]));
    }
    let seed = seed.to_string();
    words.extend(["--seed", &seed]);
    let plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte));
    words.into_iter().map(|word| if plain(word) { word.to_owned() } else { quote(word) }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_a_range() {
        assert_eq!(parse("1..50").unwrap(), 1..=50);
        assert_eq!(parse("7..7").unwrap().count(), 1);
        assert_eq!(parse("0..999").unwrap().count(), 1000);
        assert_eq!(parse(&format!("{0}..{0}", u64::MAX)).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_range_says_why() {
        for text in ["", "7", "..", "1..", "..7", "1...7", "1..=7", "-1..7", "+1..7", "1-7", "one..two", " 1..7"] {
            assert!(parse(text).unwrap_err().starts_with("a range is two numbers"), "{text:?}");
        }
        assert_eq!(parse("3..1").unwrap_err(), "no seed is in it, as 3 is more than 1");
        assert_eq!(parse("1..1001").unwrap_err(), "it holds more than 1000 seeds, the most of one command");
        assert_eq!(parse("0..18446744073709551616").unwrap_err(), "a seed is at most 18446744073709551615");
        assert!(parse("0..18446744073709551615").unwrap_err().contains("more than 1000"));
    }
}
