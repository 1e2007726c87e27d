//! Where a host's kernel has no word: it had no witness, or what its trace held was lost before anybody read it.

use crate::judge::view::{View, Window};
use crate::timeline::{KernelEvent, KernelFact, LabTime, MachineEvent};

/// A time in which a host ran.
struct Life {
    from: LabTime,
    /// The first instant after it.
    until: LabTime,
}

/// Why something may have happened in `window` on `host` that its kernel did not tell, as a clause; none if all was told.
pub(super) fn gap(view: &View<'_>, host: &str, window: &Window) -> Option<String> {
    between(view, host, window.from?, window.until(view))
}

/// As [`gap`], from one instant to just before another.
pub(super) fn between(view: &View<'_>, host: &str, from: LabTime, until: LabTime) -> Option<String> {
    if view.kernel(host).next().is_none() {
        return Some(format!("the kernel of {host} had no witness"));
    }
    for life in lives(view, host).iter().filter(|life| life.from < until && from < life.until) {
        if !view.kernel(host).any(|(at, _)| life.from <= at && at < life.until) {
            return Some(format!("the kernel of {host} had no witness from {} s on", life.from));
        }
    }
    view.kernel(host).find_map(|(at, event)| {
        let KernelFact::Lost { events, place, since } = &event.fact else { return None };
        let began = before_loss(view, event, at, *since);
        let touches = began < until && from <= at;
        let words = || format!("{host} lost {events} events in {place}, between {began} s and {at} s");
        touches.then(words)
    })
}

/// The life that a host has at `at`, or had at last before it; none if it is off then.
pub(super) fn life_at(view: &View<'_>, host: &str, at: LabTime) -> Option<LabTime> {
    lives(view, host).iter().find(|life| life.from <= at && at < life.until).map(|life| life.from)
}

/// When the last event before a loss was told, which was noticed at `noticed`: nothing is missing before it.
fn before_loss(view: &View<'_>, loss: &KernelEvent, noticed: LabTime, since: u64) -> LabTime {
    let began = life_at(view, &loss.host, noticed).unwrap_or_default();
    let mut before = view.kernel(&loss.host).filter(|(at, event)| {
        began <= *at && *at <= noticed && event.guest_time <= since && !matches!(event.fact, KernelFact::Lost { .. })
    });
    before.next_back().map_or(began, |(at, _)| at)
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
