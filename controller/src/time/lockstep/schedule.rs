//! How far all may run, and what is delivered when: lockstep time without any machine. Pure.
//!
//! *How far.* What a machine does next cannot be before the earliest of: what it said itself, what is to be delivered to it, and what is
//! on the wire; and what it sends then takes at least the shortest latency. So until the earliest of these times plus that
//! latency nobody can be reached by anything that is not known already (a conservative time window: Chandy and Misra 1979).
//!
//! *When.* Frames go to the wire in the order of their time; of equal times in the order in which the machines joined, and of one
//! machine as it sent them. What is to be delivered is held back here until the boundary that it comes before: between two boundaries a
//! machine holds nothing that is not in its own memory, so that its state can be saved.

use super::protocol::{Item, Line};
use super::{INSTRUCTION, Reported};
use crate::error::{Error, Result};
use crate::timeline::LabTime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A NIC of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// The machine, by its number.
    pub machine: super::Id,
    /// Its NIC, by its number.
    pub nic: u8,
}

/// A frame that a machine sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// By which NIC.
    pub from: Port,
    /// When it left.
    pub at: LabTime,
    /// The frame, without its check sum.
    pub bytes: Arc<[u8]>,
}

/// A frame that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// To which NIC. A machine that is gone gets nothing.
    pub to: Port,
    /// When. At least the shortest latency after it was sent.
    pub at: LabTime,
    /// The frame, without its check sum.
    pub bytes: Arc<[u8]>,
}

/// What lies between the machines.
pub trait Wire {
    /// A frame comes, in the order of time. Gives who gets it, and when.
    ///
    /// # Errors
    /// The lab cannot go on without this frame: it could not be captured, say.
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>>;
}

/// What is known of the machines and of what is under way between them.
#[derive(Debug)]
pub(super) struct Schedule {
    now: LabTime,
    latency: Duration,
    /// What each machine said of itself; none: it is gone, or has not reported yet.
    next: Vec<Option<Option<LabTime>>>,
    /// Who may be delivered to.
    there: Vec<bool>,
    /// Sent and not given to the wire: by time, then by machine, then by their order.
    sent: BTreeMap<(LabTime, usize, u64), Sent>,
    /// To be delivered: by machine, then by time, then by their order.
    held: BTreeMap<(usize, LabTime, u64), Item<LabTime>>,
    /// Counts both.
    count: u64,
}

impl Schedule {
    /// A schedule at time zero, without machines.
    pub(super) fn new(latency: Duration) -> Self {
        let (next, there) = (Vec::new(), Vec::new());
        let (sent, held) = (BTreeMap::new(), BTreeMap::new());
        Self { now: LabTime::default(), latency, next, there, sent, held, count: 0 }
    }

    /// The boundary at which all stand.
    pub(super) fn now(&self) -> LabTime {
        self.now
    }

    /// One more machine: its number.
    pub(super) fn join(&mut self) -> usize {
        self.next.push(None);
        self.there.push(true);
        self.next.len() - 1
    }

    /// A machine is gone, and with it what was to be delivered to it.
    pub(super) fn leave(&mut self, machine: usize) {
        if let (Some(next), Some(there)) = (self.next.get_mut(machine), self.there.get_mut(machine)) {
            (*next, *there) = (None, false);
        }
        self.held.retain(|(to, ..), _| *to != machine);
    }

    /// A machine reports.
    pub(super) fn report(&mut self, machine: usize, report: Reported) {
        self.next[machine] = Some(report.next);
        for Item { at, line, bytes } in report.sent {
            // Nothing but frames comes from a machine.
            let Line::Nic(nic) = line else { continue };
            self.count += 1;
            let from = Port { machine: super::Id(machine), nic };
            self.sent.insert((at, machine, self.count), Sent { from, at, bytes });
        }
    }

    /// Something is to be delivered to a machine, or now if its time is past.
    pub(super) fn deliver(&mut self, machine: usize, at: LabTime, line: Line, bytes: Arc<[u8]>) {
        if !self.there.get(machine).copied().unwrap_or(false) {
            return;
        }
        let at = at.max(self.now);
        self.count += 1;
        self.held.insert((machine, at, self.count), Item { at, line, bytes });
    }

    /// Whether nothing happens by itself for so long, and nothing is under way.
    pub(super) fn quiet(&self, span: Duration) -> bool {
        let until = self.now.after(span);
        let asleep = |(next, there): (&Option<Option<LabTime>>, &bool)| match next {
            Some(next) => next.is_none_or(|next| next > until),
            None => !there,
        };
        self.held.is_empty() && self.sent.is_empty() && self.next.iter().zip(&self.there).all(asleep)
    }

    /// It is `now` in a lab that was saved when it was quiet.
    pub(super) fn resume(&mut self, now: LabTime) {
        self.now = now;
    }

    /// How far all may run: `limit` at most, and never back.
    pub(super) fn boundary(&self, limit: LabTime) -> LabTime {
        let by_themselves = self.next.iter().flatten().flatten().copied();
        let delivered = self.held.keys().map(|(_, at, _)| *at);
        // A frame that was sent while this boundary was overrun.
        let under_way = self.sent.keys().map(|(at, ..)| *at);
        let earliest = by_themselves.chain(delivered).chain(under_way).min();
        // One instruction less: by so much may a machine overrun its boundary.
        let reach = self.latency.saturating_sub(INSTRUCTION);
        earliest.map_or(limit, |earliest| earliest.max(self.now).after(reach).min(limit)).max(self.now)
    }

    /// Will nothing happen in a machine until then? It need not run to that boundary: there it would be what it is now.
    pub(super) fn sleeps(&self, machine: usize, until: LabTime) -> bool {
        let by_itself = self.next.get(machine).copied().flatten();
        by_itself.is_some_and(|next| next.is_none_or(|next| next > until)) && self.first_due(machine, until).is_none()
    }

    /// Takes out what a machine is to be delivered until then, in its order.
    pub(super) fn due(&mut self, machine: usize, until: LabTime) -> Vec<Item<LabTime>> {
        let mut due = Vec::new();
        while let Some(key) = self.first_due(machine, until) {
            due.extend(self.held.remove(&key));
        }
        due
    }

    fn first_due(&self, machine: usize, until: LabTime) -> Option<(usize, LabTime, u64)> {
        self.held.range((machine, LabTime(0), 0)..=(machine, until, u64::MAX)).next().map(|(key, _)| *key)
    }

    /// All have come to this boundary: what was sent before it goes to the wire.
    ///
    /// # Errors
    /// The wire fails, or is quicker than the shortest latency.
    pub(super) fn reach(&mut self, boundary: LabTime, wire: &mut dyn Wire) -> Result<()> {
        self.now = boundary;
        while let Some(entry) = self.sent.first_entry().filter(|entry| entry.key().0 <= boundary) {
            let frame = entry.remove();
            for Delivery { to, at, bytes } in wire.carry(&frame)? {
                if at < frame.at.after(self.latency) {
                    return Err(Error::broken(format!(
                        "a frame that was sent at {} cannot be delivered at {at}: no link is quicker than {:?}",
                        frame.at, self.latency
                    )));
                }
                self.deliver(to.machine.0, at, Line::Nic(to.nic), bytes);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
