//! Expectations against a timeline: which claims held, which did not, and why.
//!
//! In: a [`Scenario`] and everything that was witnessed. Out: one [`Judged`] per expectation, in the scenario's
//! order, and from them the run's [`Outcome`]. Nothing here reads a file, a clock or a machine, so the same
//! `events.jsonl` always gets the same judgement.
//!
//! A claim that something *was* seen holds as soon as it was seen, even if the lab broke later. A claim that
//! something was *not* seen holds only if the time it speaks of was watched to its end: a run that broke off
//! proves no absence. The same goes for what a host's kernel told, where that kernel's trace has a gap. What can be judged neither way is `held: None`, which makes the run *unknown*.
//!
//! ```
//! use deadpeer::judge::{outcome, judge, Outcome};
//! # fn example(scenario: &deadpeer::scenario::Scenario, timeline: &[deadpeer::timeline::Event]) {
//! let judged = judge(scenario, timeline);
//! if outcome(&judged) == Outcome::Fail {
//!     for claim in judged.iter().filter(|j| j.held == Some(false)) {
//!         println!("line {}: {}: {}", claim.line, claim.claim, claim.why);
//!     }
//! }
//! # }
//! ```

mod answer;
mod closest;
mod ended;
mod errno;
mod flow;
mod host;
mod kernel;
mod printed;
mod segments;
mod turned;
mod verdict;
mod view;
mod words;

pub use errno::{Errno, errnos_in};
pub use flow::fits;
pub use kernel::event as kernel_event;
pub use turned::{Turned, turned_around};
pub use verdict::{Evidence, Judged, Outcome, outcome};
pub use words::frame;

use crate::scenario::{Claim, Expectation, Scenario};
use crate::timeline::{Event, LabTime};
use verdict::Finding;
use view::View;

/// Judges every expectation of `scenario` against `timeline`, whose last event is taken as the end of watching.
#[must_use]
pub fn judge(scenario: &Scenario, timeline: &[Event]) -> Vec<Judged> {
    judge_at(scenario, timeline, LabTime(0))
}

/// As [`judge`], for a lab that was watched until `watched`, although its last event may be older.
#[must_use]
pub fn judge_at(scenario: &Scenario, timeline: &[Event], watched: LabTime) -> Vec<Judged> {
    let view = View::new(scenario, timeline, watched);
    scenario.expectations.iter().map(|e| find(&view, e).judged(e, scenario)).collect()
}

/// Until when the lab has to be watched before every claim can be judged; none if all that can be judged is.
///
/// Only a claim with a `within` can ask for more: "no RST within 10 s" is open until those 10 s are over, and
/// "a RST within 10 s" until one came. `watched` is the time until which the lab was watched so far.
#[must_use]
pub fn undecided_until(scenario: &Scenario, timeline: &[Event], watched: LabTime) -> Option<LabTime> {
    let view = View::new(scenario, timeline, watched);
    scenario.expectations.iter().filter_map(|e| find(&view, e).open_until).max()
}

fn find(view: &View<'_>, expectation: &Expectation) -> Finding {
    match &expectation.claim {
        Claim::Printed { program, text, seen, when } => printed::find(view, program, text, *seen, when),
        Claim::Ended { program, how, when } => ended::find(view, program, how, when),
        Claim::Segment(claim) => segments::find(view, claim),
        Claim::BootIdChanged { host, changed } => host::boot_id(view, host, *changed),
        Claim::CarrierLost { host, lost } => host::carrier(view, host, *lost),
        Claim::Kernel(claim) => kernel::find(view, claim),
        Claim::Zombies { program, count, before } => kernel::zombies(view, program, *count, *before),
    }
}
