//! Where two runs part: two timelines, or two files. Pure.
//!
//! A kernel tells its own time; where that lies on the lab's clock is worked out afterwards, from all that the run saw. So one
//! difference moves events that came before it. Kernels are therefore compared by their own time first, each by itself, and what
//! parts earliest is told.

use crate::timeline::{Event, LabTime, What};

/// What tells of a difference in itself: a kernel, by its host, or all that is stamped with the lab's clock.
type Voice<'a> = Option<&'a str>;

/// Where two timelines part first in time: each side's event.
pub(super) fn of_timelines(first: &[Event], second: &[Event]) -> Option<String> {
    let by_voice = voices(first, second).into_iter().filter_map(|voice| {
        let of = |side: &'_ [Event]| side.iter().filter(|it| self::voice(it) == voice).cloned().collect::<Vec<_>>();
        parting(&of(first), &of(second), |a, b| a.what == b.what && (voice.is_some() || a.at == b.at))
    });
    if let Some(sides) = by_voice.min_by_key(earliest) {
        return Some(format!("  from {} ns on:\n{}", earliest(&sides).0, told(&sides)));
    }
    let sides = parting(first, second, PartialEq::eq)?;
    Some(format!(
        "  in nothing but where events lie on the lab's clock, from {} ns on:\n{}",
        earliest(&sides).0,
        told(&sides)
    ))
}

/// The events of both sides that differ; none, where a side has no more.
type Sides = [Option<Event>; 2];

fn parting(first: &[Event], second: &[Event], same: impl Fn(&Event, &Event) -> bool) -> Option<Sides> {
    (0..first.len().max(second.len()))
        .map(|n| [first.get(n), second.get(n)])
        .find(|sides| !matches!(sides, [Some(a), Some(b)] if same(a, b)))
        .map(|sides| sides.map(|side| side.cloned()))
}

fn voice(event: &Event) -> Voice<'_> {
    if let What::Kernel(event) = &event.what { Some(&event.host) } else { None }
}

fn voices<'a>(first: &'a [Event], second: &'a [Event]) -> Vec<Voice<'a>> {
    let mut voices: Vec<_> = first.iter().chain(second).map(voice).collect();
    voices.sort_unstable();
    voices.dedup();
    voices
}

fn earliest(sides: &Sides) -> LabTime {
    sides.iter().flatten().map(|event| event.at).min().unwrap_or_default()
}

fn told(sides: &Sides) -> String {
    let side = |event: &Option<Event>| match event {
        None => "nothing more".to_owned(),
        Some(event) => {
            let json = serde_json::to_string(event).unwrap_or_else(|error| error.to_string());
            format!("at {} ns, {}: {json}", event.at.0, who(event))
        }
    };
    format!("    first:  {}\n    second: {}", side(&sides[0]), side(&sides[1]))
}

fn who(event: &Event) -> String {
    match &event.what {
        What::Step { .. } => "a step".to_owned(),
        What::Program { host, .. } => format!("a program on host '{host}'"),
        What::Machine { host, .. } => format!("the machine of host '{host}'"),
        What::Wire(frame) => format!("a frame from host '{}'", frame.from),
        What::Kernel(event) => format!("the kernel of host '{}'", event.host),
    }
}

/// Where two files part.
pub(super) fn of_files(first: &[u8], second: &[u8]) -> Option<String> {
    let at = (0..first.len().max(second.len())).find(|n| first.get(*n) != second.get(*n))?;
    let line = first.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let around = |side: &[u8]| {
        side.iter()
            .skip(at.saturating_sub(20))
            .take(60)
            .flat_map(|b| b.escape_ascii())
            .map(char::from)
            .collect::<String>()
    };
    Some(format!(
        "from byte {at} on (line {line}), of {} and {}:\n    first:  {}\n    second: {}",
        first.len(),
        second.len(),
        around(first),
        around(second)
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::timeline::{KernelEvent, MachineEvent};

    fn machine(at: u64, up: bool) -> Event {
        Event { at: LabTime(at), what: What::Machine { host: "a".into(), event: MachineEvent::CarrierSet { up } } }
    }

    fn kernel(at: u64, host: &str, guest_time: u64) -> Event {
        let line = format!(r#"{{"host":"{host}","guest_time":{guest_time},"event":"began","kernel":"6.1"}}"#);
        let event: KernelEvent = serde_json::from_str(&line).unwrap();
        Event { at: LabTime(at), what: What::Kernel(Box::new(event)) }
    }

    #[test]
    fn the_first_difference_in_time_is_told_on_each_side() {
        let first = [machine(1, true), machine(5, true)];
        assert_eq!(of_timelines(&first, &first), None);
        let told = of_timelines(&first, &[machine(1, true), machine(4, false)]).unwrap();
        assert!(told.starts_with("  from 4 ns on:\n"), "{told}");
        assert!(told.contains("first:  at 5 ns, the machine of host 'a': {\"at\":5"), "{told}");
        assert!(told.contains("second: at 4 ns, the machine of host 'a': {\"at\":4"), "{told}");
        let told = of_timelines(&first, &first[..1]).unwrap();
        assert!(told.ends_with("second: nothing more"), "{told}");
    }

    #[test]
    fn a_kernel_s_event_that_only_moved_on_the_lab_s_clock_hides_no_real_difference() {
        let first = [kernel(10, "a", 7), kernel(20, "b", 17), machine(30, true)];
        let told = of_timelines(&first, &[kernel(11, "a", 7), kernel(21, "b", 18), machine(31, true)]).unwrap();
        assert!(told.starts_with("  from 20 ns on:\n    first:  at 20 ns, the kernel of host 'b'"), "{told}");
        let told = of_timelines(&first, &[kernel(11, "a", 7), kernel(21, "b", 17), machine(31, true)]).unwrap();
        assert!(told.starts_with("  from 30 ns on:\n    first:  at 30 ns, the machine of host 'a'"), "{told}");
        let told = of_timelines(&first, &[kernel(10, "a", 7), kernel(19, "b", 17), machine(30, true)]).unwrap();
        assert!(told.starts_with("  in nothing but where events lie on the lab's clock, from 19 ns on:"), "{told}");
    }

    #[test]
    fn the_first_byte_that_differs_is_told() {
        assert_eq!(of_files(b"same\n", b"same\n"), None);
        let told = of_files(b"one\ntwo\n", b"one\ntww\n").unwrap();
        assert!(told.starts_with("from byte 6 on (line 2), of 8 and 8:"), "{told}");
        assert!(of_files(b"one", b"one\n").is_some(), "one is longer");
    }
}
