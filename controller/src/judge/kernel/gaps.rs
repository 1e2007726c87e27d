//! Where a host's kernel has no word: it had no witness, it could not be brought to tell, or what its trace held was lost before
//! anybody read it.

use super::words;
use crate::judge::view::{View, Window};
use crate::timeline::{KernelFact, LabTime, MachineEvent};

/// A time in which a host ran.
struct Life {
    from: LabTime,
    /// The first instant after it.
    until: LabTime,
}

/// Why something may have happened in `window` on `host` that its kernel did not tell, as a clause; none if all was told.
/// `needs`: whether it could be a system call of this name.
pub(super) fn gap(view: &View<'_>, host: &str, window: &Window, needs: impl Fn(&str) -> bool) -> Option<String> {
    between(view, host, window.from?, window.until(view), needs)
}

/// As [`gap`], from one instant to just before another.
pub(super) fn between(
    view: &View<'_>,
    host: &str,
    from: LabTime,
    until: LabTime,
    needs: impl Fn(&str) -> bool,
) -> Option<String> {
    if view.kernel(host).next().is_none() {
        return Some(format!("the kernel of {host} had no witness"));
    }
    for life in lives(view, host).iter().filter(|life| life.from < until && from < life.until) {
        let mut told = view.kernel(host).filter(|(at, _)| life.from <= *at && *at < life.until).peekable();
        if told.peek().is_none() {
            return Some(format!("the kernel of {host} had no witness from {} s on", life.from));
        }
        let silence = told.find_map(|(_, event)| match &event.fact {
            KernelFact::Untold { what, why, call } if call.as_deref().is_none_or(&needs) => {
                Some(format!("the kernel of {host} could not be brought to tell of all that ({what}: {why})"))
            }
            _ => None,
        });
        if silence.is_some() {
            return silence;
        }
    }
    view.kernel(host).find_map(|(at, event)| {
        let KernelFact::Lost { events, place, since } = &event.fact else { return None };
        let touches = *since < until && from <= at;
        let words = || format!("{host} lost {} in {place}, between {since} s and {at} s", words::lost(*events));
        touches.then(words)
    })
}

/// The life that a host has at `at`, or had at last before it; none if it is off then.
pub(super) fn life_at(view: &View<'_>, host: &str, at: LabTime) -> Option<LabTime> {
    lives(view, host).iter().find(|life| life.from <= at && at < life.until).map(|life| life.from)
}

fn lives(view: &View<'_>, host: &str) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    let mut on = false;
    for (at, event) in view.machine(host) {
        use MachineEvent as M;
        let begins = matches!(event, M::PoweredOn { .. } | M::Reset { .. });
        let ends = matches!(event, M::PoweredOff { .. } | M::Died { .. } | M::ShutDown { .. });
        if let (true, true, Some(life)) = (on, begins || ends, lives.last_mut()) {
            life.until = at;
        }
        if begins {
            lives.push(Life { from: at, until: LabTime(u64::MAX) });
        }
        on = begins || (on && !ends);
    }
    lives
}
