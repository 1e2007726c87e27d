//! What this host has and lacks for running scenarios, each with the command that mends it.
//!
//! Order: [`Facts::collect`] looks at the host, and judges nothing; [`examine`] judges, and looks at nothing. So every
//! judgement is tested on hosts that nobody has to own.
//!
//! Exception: what is missing for building an image is no obstacle while an intact image is in the cache; it is
//! a warning then. Vagrant is nobody's obstacle: where it is lacking, that is as it should be; where it cannot be used, a warning.
//!
//! The JSON of a [`Diagnosis`] is a public interface: `{"ready": bool, "findings": [{"id", "state", "fact", "mend"}]}`,
//! where `state` is `ok`, `warning` or `missing`, `fact` is a sentence without full stop, and `mend` is what to type or
//! do (lines), or null. Every finding of [`IDS`] is there once, in that order.

mod collect;
mod examine;
mod facts;
#[cfg(test)]
mod tests;
mod vagrant;

pub use collect::{available_memory, total_memory};
pub use examine::examine;
pub use facts::{Acceleration, Cache, CachedImage, Facts, Libvirt, Program, System, Terminal, Trouble, User, Vagrant};

use serde::Serialize;
use std::fmt;

/// What is examined, in this order.
pub const IDS: [&str; 13] = [
    "system",
    "cores",
    "memory",
    "qemu",
    "qemu-img",
    "accelerator",
    "lockstep",
    "image-tools",
    "cache",
    "images",
    "vagrant",
    "libvirt",
    "terminal",
];

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Runs are possible, but something could be better.
    Warning,
    /// Without this no run is possible.
    Missing,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Missing => "missing",
        })
    }
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which: one of [`IDS`].
    pub id: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found: a sentence without full stop.
    pub fact: String,
    /// What mends it: a command to type or a thing to do, in one or more lines.
    pub mend: Option<String>,
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Runs are possible: nothing is missing.
    pub ready: bool,
    /// In the order of [`IDS`].
    pub findings: Vec<Finding>,
}

impl fmt::Display for Diagnosis {
    /// For people: a line per finding, under it what mends it; at the end whether runs are possible.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{:<7}  {}", finding.state, finding.fact)?;
            for line in finding.mend.iter().flat_map(|mend| mend.lines()) {
                writeln!(f, "{:<7}    {line}", "")?;
            }
        }
        match self.findings.iter().filter(|finding| finding.state == State::Missing).count() {
            0 => writeln!(f, "\nready: controller run crash-reboot"),
            1 => writeln!(f, "\nnot ready: one thing is missing"),
            n => writeln!(f, "\nnot ready: {n} things are missing"),
        }
    }
}
