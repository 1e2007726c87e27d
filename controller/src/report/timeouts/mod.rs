//! `docs/observed-timeouts.md`: how long Linux waits, as its kernels did it: each time-out with its formula, what the textbook says, and
//! what runs showed.
//!
//! Every figure is measured in the timelines of runs that leave the kernel's defaults as they are; formulas and the textbook's figures
//! are what they are compared with. What no run showed is marked as such, or left out.

mod measure;
mod page;
mod rows;
mod series;

pub use page::timeouts;

use crate::timeline::{Event, MachineEvent, What};

/// A run as its folder tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Timed {
    /// The name of the scenario that was run.
    pub scenario: String,
    /// Its timeline.
    pub events: Vec<Event>,
}

impl Timed {
    /// The kernel of the host whose time-outs these are, the client: `6.12.118+deb13-cloud-amd64`.
    fn kernel(&self) -> Option<&str> {
        self.events.iter().find_map(|event| match &event.what {
            What::Machine { host, event: MachineEvent::Booted { kernel, .. } } if host == CLIENT => {
                Some(kernel.as_str())
            }
            _ => None,
        })
    }
}

/// In every scenario of the catalogue the host that is left waiting.
const CLIENT: &str = "client";
