//! Where a host's kernel has no word: it had no witness, it could not be brought to tell, or what its trace held was lost before
//! anybody read it.

use super::words;
use crate::judge::view::{View, Window};
use crate::timeline::{KernelFact, LabTime, MachineEvent, ProgramEvent};
use std::collections::BTreeSet;

/// A time in which a host ran.
struct Life {
    from: LabTime,
    /// The first instant after it.
    until: LabTime,
}

/// What could have been missed.
#[derive(Clone, Copy)]
pub(super) struct Missed<'a> {
    /// It would have happened on this host,
    pub(super) host: &'a str,
    /// to this program, if it is about one,
    pub(super) program: Option<&'a str>,
    /// by a system call of a name that this fits, if it is one.
    pub(super) call: &'a dyn Fn(&str) -> bool,
}

/// Why something may have happened in `window` that the host's kernel did not tell, as a clause; none if all was told.
pub(super) fn gap(view: &View<'_>, missed: Missed<'_>, window: &Window) -> Option<String> {
    between(view, missed, window.from?, window.until(view))
}

/// As [`gap`], from one instant to just before another.
pub(super) fn between(view: &View<'_>, missed: Missed<'_>, from: LabTime, until: LabTime) -> Option<String> {
    let Missed { host, program, call: needs } = missed;
    if view.kernel(host).next().is_none() {
        return Some(format!("the kernel of {host} had no witness"));
    }
    for life in lives(view, host).iter().filter(|life| life.from < until && from < life.until) {
        let mut told = view.kernel(host).filter(|(at, _)| life.from <= *at && *at < life.until).peekable();
        if told.peek().is_none() {
            return Some(format!("the kernel of {host} had no witness from {} s on", life.from));
        }
        let silence = told.find_map(|(_, event)| match &event.fact {
            KernelFact::Untold { what, why, call } if call.as_deref().is_none_or(needs) => {
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
        let touches = *since < until && from <= at && !program.is_some_and(|it| is_over(view, host, it, *since, at));
        let words = || format!("{host} lost {} in {place}, between {since} s and {at} s", words::lost(*events));
        touches.then(words)
    })
}

/// Whether from one instant to another nothing could happen to a program any more, for all of its processes had ended and were waited for.
fn is_over(view: &View<'_>, host: &str, program: &str, from: LabTime, until: LabTime) -> bool {
    // A loss may begin before the host's life does, as far as the clocks can tell.
    let Some(life) = lives(view, host).into_iter().rfind(|life| life.from <= until && from < life.until) else {
        return false;
    };
    let mut alive = BTreeSet::new();
    for (at, event) in view.program(program).filter(|(at, _)| life.from <= *at && *at <= until) {
        if let ProgramEvent::Started { pid, .. } = event {
            if from <= at {
                return false;
            }
            alive.insert(*pid);
        }
    }
    for (_, event) in view.kernel(host).filter(|(at, _)| life.from <= *at && *at <= from) {
        let of_it = event.process.as_ref().filter(|process| process.program.as_deref() == Some(program));
        match (&event.fact, of_it) {
            // One that was lost may have been a fork.
            (KernelFact::Lost { .. }, _) => return false,
            (KernelFact::Forked { child_pid }, Some(_)) => drop(alive.insert(*child_pid)),
            // Not before: even a zombie can be sent a signal.
            (KernelFact::Reaped { child_pid }, _) => drop(alive.remove(child_pid)),
            _ => {}
        }
    }
    alive.is_empty()
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
