//! A world that is saved and heard again: where its machines stand, and what they said until then.

use super::super::journal::{Entry, Frame, Heard, Journal};
use super::{Inner, World};
use crate::error::{Error, Result};
use crate::time::lockstep::{OwnClock, Port, Sent, Wire};
use std::collections::BTreeMap;
use std::time::Duration;

impl World {
    /// Whether nothing would happen for so long.
    pub(in super::super) fn quiet(&self, span: Duration) -> bool {
        self.inner().lockstep.quiet(span)
    }

    /// What was heard since the lab began: once, and none if something happened that cannot be heard again. From now on nothing is written
    /// down.
    pub(in super::super) fn journal(&self) -> Option<Journal> {
        let mut inner = self.inner();
        let journal = inner.journal.take()?;
        Some(Journal { now: inner.lockstep.now(), ..journal })
    }

    /// Where the machine of each host stands.
    ///
    /// # Errors
    /// One is off.
    pub(in super::super) fn clocks(&self) -> Result<BTreeMap<String, OwnClock>> {
        let mut inner = self.inner();
        let hosts = inner.hosts().into_iter();
        hosts
            .map(|host| {
                let machine = inner.machine(&host)?;
                let clock = inner.lockstep.own_clock(machine);
                let clock = clock.ok_or_else(|| Error::broken(format!("the machine of '{host}' is gone")))?;
                Ok((host, clock))
            })
            .collect()
    }

    /// Hears a lab again that was saved: its machines were restored, and have joined.
    ///
    /// # Errors
    /// They do not stand where they were saved, or what they said cannot be heard.
    pub(in super::super) fn hear_again(&self, journal: &Journal) -> Result<()> {
        self.inner().hear_again(journal)
    }
}

impl Inner {
    /// A frame as it is written down.
    pub(super) fn frame(&self, sent: &Sent) -> Option<Frame> {
        let (host, _) = self.stations.iter().find(|(_, it)| it.machine == Some(sent.from.machine))?;
        Some(Frame { host: host.clone(), nic: sent.from.nic, at: sent.at, bytes: sent.bytes.to_vec() })
    }

    /// As [`Inner::go_on`], boundary by boundary, with machines that have done it already.
    fn hear_again(&mut self, journal: &Journal) -> Result<()> {
        self.journal = None;
        let mut clocks = Vec::new();
        for (host, clock) in &journal.clocks {
            clocks.push((self.machine(host)?, *clock));
        }
        self.lockstep.resume(journal.now, &clocks)?;
        for Entry { at, frames, heard } in &journal.entries {
            for Frame { host, nic, at, bytes } in frames {
                let from = Port { machine: self.machine(host)?, nic: *nic };
                // Where it was delivered it is in that machine.
                self.cable()?.carry(&Sent { from, at: *at, bytes: bytes.as_slice().into() })?;
            }
            self.hand.set(*at);
            for host in self.hosts() {
                if let Some(Heard { console, .. }) = heard.get(&host) {
                    self.station(&host)?.ears.again(console)?;
                }
                self.hear(&host)?;
            }
            for (host, looked) in &mut self.looks {
                if let Some(Heard { records, .. }) = heard.get(host) {
                    looked.look(*records)?;
                }
            }
        }
        self.hand.set(journal.now);
        Ok(())
    }
}
