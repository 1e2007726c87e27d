//! The kernel witness, on the controller's side: what the hosts' kernels traced, as events on the lab's clock.
//!
//! A guest's witness copies raw pages of its kernel's trace buffers into the flight recorder
//! ([`deadpeer_guest::recorder`]), and the kernel's own descriptions of them. Everything else is done here. A [`KernelWitness`]
//! reads one recorder, from power-on on; it notes events as they come, at provisional times. When the lab is over, [`testify`]
//! puts all of them in their place: guest times are mapped to the lab's clock by the frames that guest and switch both saw,
//! and what the kernels say is held against the wire.
//!
//! From bytes to events: `format` (the kernel's descriptions) and `page` (the trace buffer's pages) → `decode` (one trace
//! event) → `recording` (all of them, in order; a `boot` each) → `story` (processes, `calls`, `sockets`) → `told` (events) → `place`
//! (`matching`, `clock`; `blind`: what it could not tell) → `check`.

mod arguments;
mod blind;
mod boot;
mod calls;
mod check;
mod clock;
mod decode;
mod descriptors;
mod format;
mod matching;
mod names;
mod page;
mod place;
mod processes;
mod reading;
mod recording;
mod sockets;
mod story;
#[cfg(test)]
mod tests;
mod told;

pub use reading::{KernelWitness, Look, Testimony};

use crate::error::{Error, Result};
use crate::timeline::{Event, KernelAccount, LabTime, What};
use clock::Source;
use reading::Clock;

/// What all the kernels said.
#[derive(Debug, Default)]
pub struct Testified {
    /// Their events, in order of time.
    pub events: Vec<Event>,
    /// What their testimony is worth, by boot: the host, and the account.
    pub accounts: Vec<(String, KernelAccount)>,
    /// Why it cannot be vouched for, if it cannot.
    pub doubt: Option<Error>,
}

/// Puts everything that the kernels said in its place. `timeline` is what the other witnesses saw; the lab was watched until
/// `watched`.
#[must_use]
pub fn testify(testimonies: Vec<Testimony>, timeline: &[Event], watched: LabTime) -> Testified {
    let mut events = Vec::new();
    let mut accounts = Vec::new();
    let mut doubt = None;
    let mut others: Vec<Event> = timeline.iter().filter(|e| !matches!(e.what, What::Kernel(_))).cloned().collect();
    others.sort_by_key(|event| event.at);
    for testimony in testimonies {
        if let (Some(damage), None) = (testimony.damage(), &doubt) {
            doubt = Some(damage);
        }
        let (host, boots, clock) = testimony.into_boots();
        for boot in boots {
            let source = match clock {
                Clock::Labs => Source::Labs,
                Clock::Here => boot.clock(),
                Clock::Elsewhere => Source::Other,
            };
            let (placed, account) = place::place(&host, boot, source, &others, watched);
            events.extend(placed);
            accounts.push((host.clone(), account));
        }
    }
    events.sort_by_key(|placed| placed.at);
    let doubt = doubt.or_else(|| check::check(&events, &others).err());
    let events = events.into_iter().map(|it| Event { at: it.at, what: What::Kernel(Box::new(it.event)) }).collect();
    Testified { events, accounts, doubt }
}

/// As [`testify`], of the recorder files of a run that is over: for tests, and for whoever reads an old run again.
///
/// # Errors
/// A file cannot be read.
pub fn read_recording(host: &str, file: &std::path::Path) -> Result<Testimony> {
    reading::read_whole(host, file)
}
