//! How hosts come up in lockstep time: they boot, or are restored; then the run's chance comes to them, and then all that is the scenario's.

use super::checkpoint::{Plan, QUIET, QUIET_WITHIN};
use super::deploy;
use super::guest::stir;
use super::journal::Journal;
use super::lab::{COMMAND_WITHIN, Lab, Opened, confirm};
use super::watch::Mark;
use super::world::World;
use crate::error::Result;
use crate::report::PhaseKind;
use crate::time::lockstep::chance::Chance;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A host is given its chance up to so much later than it could be, by chance: so its clock's ticks come at other moments of the run.
const OFFSET_AT_MOST: u64 = 10_000_000;

/// The offset is a number of instructions of this many nanoseconds.
const INSTRUCTION: u64 = 4;

impl Lab<'_> {
    /// Restores the lab from its checkpoint, if it has one and was not on yet: its machines are loaded then, and stand still. What they had
    /// said.
    pub(super) fn restore(&mut self) -> Option<Journal> {
        if !self.is_fresh() {
            return None;
        }
        let restored = self.checkpoint.as_mut()?.restore(&mut self.guests)?;
        self.phases.end("load the checkpoint", PhaseKind::Restore);
        Some(restored)
    }

    /// Hears a lab again that was restored, up to where it was saved.
    pub(super) fn hear_again(&mut self, journal: &Journal) -> Result<()> {
        let Some(world) = &self.world else { return Ok(()) };
        if let Err(error) = world.hear_again(journal) {
            self.checkpoint.iter().for_each(Plan::discard);
            return Err(error.during("restoring the lab from its checkpoint"));
        }
        self.watch.mark();
        Ok(())
    }

    /// No host has booted yet.
    fn is_fresh(&self) -> bool {
        self.guests.values().all(|guest| guest.boot_ids.is_empty())
    }

    /// Waits until these hosts, whose machines are starting, are up. All of a lab's first boots end at once, at the boundary at which a
    /// restored lab begins.
    pub(super) fn await_boots_in(
        &mut self,
        world: &Arc<World>,
        hosts: &[String],
        mark: Mark,
        from: usize,
    ) -> Result<()> {
        let fresh = self.is_fresh();
        let began = self.recorder.clock().now();
        let mut boot_ids = Vec::new();
        let mut waiting = hosts.to_vec();
        while !waiting.is_empty() {
            let booted = self.next_boot(&mut waiting, mark, began)?;
            boot_ids.push((booted.host, booted.boot_id));
        }
        match fresh {
            true => self.become_ready(world, hosts)?,
            false => self.phases.end(format!("boot {}", hosts.join(", ")), PhaseKind::Reboot),
        }
        for (host, boot_id) in boot_ids {
            let session = Arc::new(world.session(&host)?);
            self.give_chance(&host, &session)?;
            let (named, open) = (host.clone(), Arc::clone(&session));
            let word = self.watch.perform(move || confirm(&open, &named, &boot_id))?;
            self.answers(&host, Opened { session, word })?;
        }
        self.phases.end(format!("log in to {}", hosts.join(", ")), PhaseKind::Overhead);
        for host in hosts {
            let needed = deploy::needed(self.scenario, self.own, host, from);
            let guest = self.guest(host)?;
            let (named, session) = (host.clone(), guest.session()?);
            let disk = guest.machine.program_disk().map(Path::to_owned);
            self.watch.perform(move || deploy::deploy(&session, &named, &needed, disk.as_deref()))?;
        }
        self.are_up(hosts, began);
        Ok(())
    }

    /// Lets the lab come to the boundary at which it is ready, and saves it there, if it is to be saved.
    fn become_ready(&mut self, world: &World, hosts: &[String]) -> Result<()> {
        let until = self.recorder.clock().now().after(QUIET_WITHIN);
        self.watch.pass_time(until, |_| world.quiet(QUIET))?;
        let hosts = hosts.join(", ");
        let (journal, quiet) = (world.journal(), world.quiet(QUIET));
        let (what, kind) = match self.checkpoint.as_ref().is_some_and(|plan| plan.used().is_some()) {
            true => (format!("restore {hosts}"), PhaseKind::Restore),
            false => (format!("boot {hosts}"), PhaseKind::Boot),
        };
        self.phases.end(what, kind);
        if let (Some(plan), Some(journal), true) = (&mut self.checkpoint, journal, quiet) {
            plan.save(&mut self.guests, world, journal)?;
            self.phases.end("save the checkpoint", PhaseKind::Save);
        }
        world.take_chance(Chance::new(self.seed))
    }

    /// Gives a host that has booted the chance that the run's seed has for it.
    fn give_chance(&mut self, host: &str, session: &Arc<crate::remote::Session>) -> Result<()> {
        let boot = self.guest(host)?.boot_ids.len();
        let chance: [u8; 32] = Sha256::digest(format!("seed {}, host {host}, boot {boot}", self.seed)).into();
        let offset = Sha256::digest(chance)[..8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let offset = Duration::from_nanos(offset % OFFSET_AT_MOST / INSTRUCTION * INSTRUCTION);
        self.watch.pass_time(self.recorder.clock().now().after(offset), |_| false)?;
        let (named, session) = (host.to_owned(), Arc::clone(session));
        self.watch.perform(move || {
            stir(&session, chance, COMMAND_WITHIN).map_err(|e| e.during(&format!("giving host '{named}' its chance")))
        })
    }
}
