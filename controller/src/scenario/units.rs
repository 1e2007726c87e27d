//! Quantities as people write them: "10 ms", "2 min", "256 MiB". A bare number is refused: of what?

use std::time::Duration;

/// A unit of time: its name, its nanoseconds.
const TIMES: [(&str, u128); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What people also write, and what they mean.
const MEANT: [(&str, &str); 19] = [
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("S", "s"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
    ("µs", "us"),
    ("usec", "us"),
    ("microseconds", "us"),
    ("nanoseconds", "ns"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
];

/// A factor that makes every decimal number of at most twelve places whole.
const EVERY_DECIMAL: u128 = 1_000_000_000_000;

/// Longest time that a scenario may name.
pub(super) const LONGEST_TIME: Duration = Duration::from_secs(24 * 3600);

/// What is wrong with a quantity: the words for the caret, and what helps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) label: String,
    pub(super) help: String,
}

fn wrong(label: impl Into<String>, help: impl Into<String>) -> Wrong {
    Wrong { label: label.into(), help: help.into() }
}

/// Reads a time: "10 ms", "1.5 s", "2 min".
pub(super) fn time(text: &str) -> Result<Duration, Wrong> {
    let (number, unit) = split(text);
    if unit.is_empty() && parse_decimal(number, EVERY_DECIMAL).is_some() {
        return Err(wrong("a number without a unit", format!("add a unit: `{number} s`, or `{number} ms`")));
    }
    let Some((_, factor)) = TIMES.iter().find(|(name, _)| *name == unit) else {
        if number.is_empty() {
            return Err(wrong("not a time", "a time is a number and a unit: `50 ms`, `10 s`, `2 min`"));
        }
        let help = match MEANT.iter().find(|(alias, _)| *alias == unit) {
            Some((_, name)) => format!("did you mean `{number} {name}`?"),
            None => "units of time are `ns`, `us`, `ms`, `s`, `min` and `h`".to_owned(),
        };
        return Err(wrong(format!("`{unit}` is no unit of time"), help));
    };
    let nanos = parse_decimal(number, *factor)
        .ok_or_else(|| wrong("not a time", "a time is a number and a unit: `50 ms`, `10 s`, `2 min`"))?;
    match u64::try_from(nanos).map(Duration::from_nanos) {
        Ok(time) if time <= LONGEST_TIME => Ok(time),
        _ => Err(wrong("longer than a day", "the longest time is `24 h`")),
    }
}

/// Reads a time as scenarios write it, for whoever else takes one from a user: "90 s", "2 min".
///
/// # Errors
/// It is none; in words, with what helps.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    time(text).map_err(|wrong| format!("{}: {}", wrong.label, wrong.help))
}

/// Reads an amount of memory, in MiB: "256 MiB", "1 GiB".
pub(super) fn memory(text: &str) -> Result<u32, Wrong> {
    let (number, unit) = split(text);
    let form = "memory is a whole number and a unit: `256 MiB`, `1 GiB`";
    let factor = match unit {
        "MiB" => 1,
        "GiB" => 1024,
        "" if number.parse::<u32>().is_ok() => {
            return Err(wrong("a number without a unit", format!("add a unit: `{number} MiB`")));
        }
        "MB" | "M" | "mib" | "mb" | "m" => {
            return Err(wrong(format!("`{unit}` is no unit here"), format!("did you mean `{number} MiB`?")));
        }
        "GB" | "G" | "gib" | "gb" | "g" => {
            return Err(wrong(format!("`{unit}` is no unit here"), format!("did you mean `{number} GiB`?")));
        }
        _ => return Err(wrong("not an amount of memory", form)),
    };
    let amount = number.parse::<u32>().ok().and_then(|n| n.checked_mul(factor));
    amount.ok_or_else(|| wrong("not an amount of memory", form))
}

/// A time as [`time`] reads it, in the largest unit that keeps it whole.
#[must_use]
pub fn show_time(time: Duration) -> String {
    let nanos = time.as_nanos();
    let whole = TIMES.iter().rev().find(|(_, factor)| nanos >= *factor && nanos.is_multiple_of(*factor));
    match whole {
        Some((unit, factor)) => format!("{} {unit}", nanos / factor),
        None => "0 s".to_owned(),
    }
}

/// The number and the unit of a quantity, with or without a space between them.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+')).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// `number` times `factor`, exactly; none if it is no plain decimal number or has no whole result.
fn parse_decimal(number: &str, factor: u128) -> Option<u128> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str| !s.is_empty() && s.len() <= 12 && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let value = (whole.parse::<u128>().ok()? * scale + part.parse::<u128>().ok()?) * factor;
    value.is_multiple_of(scale).then_some(value / scale)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_exactly() {
        assert_eq!(time("10 ms"), Ok(Duration::from_millis(10)));
        assert_eq!(time("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(time("0.1 s"), Ok(Duration::from_millis(100)));
        assert_eq!(time("1.5 min"), Ok(Duration::from_secs(90)));
        assert_eq!(time("24 h"), Ok(LONGEST_TIME));
        assert_eq!(time("0 s"), Ok(Duration::ZERO));
    }

    #[test]
    fn a_bare_number_is_told_to_take_a_unit() {
        assert_eq!(time("10").unwrap_err().help, "add a unit: `10 s`, or `10 ms`");
        assert_eq!(memory("256").unwrap_err().help, "add a unit: `256 MiB`");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for bad in [
            "",
            "s",
            "ten s",
            "-1 s",
            "1e3 s",
            "1,5 s",
            "10 parsecs",
            "1.2.3 s",
            "25 h",
            "+5 s",
            "1 s 2",
            ".",
            "1.5 ns",
        ] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert_eq!(time("5 seconds").unwrap_err().help, "did you mean `5 s`?");
        assert_eq!(time("5 m").unwrap_err().help, "did you mean `5 min`?");
    }

    #[test]
    fn reads_memory() {
        assert_eq!(memory("256 MiB"), Ok(256));
        assert_eq!(memory("2 GiB"), Ok(2048));
        assert_eq!(memory("256 MB").unwrap_err().help, "did you mean `256 MiB`?");
        for bad in ["", "-1 MiB", "1.5 GiB", "lots", "99999999999 GiB", "1 KiB"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shows_a_time_as_it_can_be_read_again() {
        for text in ["50 ms", "10 s", "90 s", "2 min", "1 h", "1 ns", "1500 us"] {
            assert_eq!(show_time(time(text).unwrap()), text);
        }
        assert_eq!(show_time(Duration::from_secs(120)), "2 min");
    }
}
