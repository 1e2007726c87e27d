//! A lab in lockstep time: its machines, its cable and all ears, moved on together, a boundary at a time.
//!
//! Nothing here acts by itself. Whoever waits, the conductor or a session of his, lets the world go on ([`Grant`], [`Drive`]); at the
//! next boundary, where all machines stand still, it hears what they said, has their agents answer, reads the flight recorders, and says
//! what became of whom, in the order of the hosts. So whatever comes of it depends on what was done before, and when, and on nothing else.

mod saved;

use super::interrupt::Interrupt;
use super::journal::{Entry, Journal};
use super::watch::Grant;
use crate::cable::{LockstepCable, Summary};
use crate::error::{Error, Result};
use crate::machine::qemu::lockstep::{Company, Ears};
use crate::remote::{Agent, Drive, Session};
use crate::scenario::Rule;
use crate::time::lockstep::chance::Chance;
use crate::time::lockstep::{Delivery, Departure, Id, Lockstep, Port, Sent, Wire};
use crate::timeline::{Ended, Hand, LabTime, MachineEvent, Recorder, What};
use crate::witness::kernel::Look;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// How far who waits for an answer lets the world go on at once, where nothing happens.
const STRIDE: Duration = Duration::from_secs(1);

/// Why programs and callers of a host are lost whose machine is gone.
const GONE: &str = "the machine is gone";

/// The same of a host that boots again.
const REBOOTS: &str = "the machine was reset";

/// All machines of a lab, and what is between them and the controller. Cheap to share.
pub(super) struct World(Mutex<Inner>);

struct Inner {
    itself: Weak<World>,
    lockstep: Lockstep,
    /// The run's, since the lab was ready: until then all runs are the same.
    chance: Option<Chance>,
    cable: Option<LockstepCable>,
    hand: Hand,
    recorder: Recorder,
    interrupt: Interrupt,
    stations: IndexMap<String, Station>,
    /// The flight recorders that are being written.
    looks: BTreeMap<String, Looked>,
    /// All that was heard, as long as the lab may be saved.
    journal: Option<Journal>,
}

/// A host's place in the world.
struct Station {
    /// The link of each of its NICs.
    links: Vec<u8>,
    ears: Ears,
    /// How often its machine was switched on.
    power_ons: usize,
    machine: Option<Id>,
    agent: Option<Agent>,
    /// Until the conductor takes it.
    session: Option<Session>,
}

/// A flight recorder, and how many of its records were read.
struct Looked {
    look: Look,
    records: u64,
}

impl Looked {
    /// Reads on, until so many were read at most; whether there were some.
    fn look(&mut self, until: u64) -> Result<bool> {
        let before = std::mem::replace(&mut self.records, self.look.look_until(until)?);
        Ok(self.records != before)
    }
}

/// The cable, and what is written down of what comes to it.
struct Noting<'a> {
    cable: &'a mut LockstepCable,
    noted: Option<&'a mut Vec<Sent>>,
}

impl Wire for Noting<'_> {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        if let Some(noted) = &mut self.noted {
            noted.push(frame.clone());
        }
        self.cable.carry(frame)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl World {
    pub(super) fn new(
        lockstep: Lockstep,
        cable: LockstepCable,
        hand: Hand,
        recorder: Recorder,
        interrupt: Interrupt,
    ) -> Arc<Self> {
        let (stations, looks) = (IndexMap::new(), BTreeMap::new());
        let cable = Some(cable);
        Arc::new_cyclic(|itself| {
            let itself = itself.clone();
            let (chance, journal) = (None, Some(Journal::default()));
            let inner = Inner { itself, lockstep, chance, cable, hand, recorder, interrupt, stations, looks, journal };
            Self(Mutex::new(inner))
        })
    }

    /// One more host, whose machine is off; its NICs are on these links.
    pub(super) fn add(&self, host: &str, links: Vec<u8>, ears: Ears) {
        let station = Station { links, ears, power_ons: 0, machine: None, agent: None, session: None };
        self.inner().stations.insert(host.to_owned(), station);
    }

    /// The control channel to a host whose machine is on; once for each time that it was switched on.
    ///
    /// # Errors
    /// It was taken already, or the machine is off.
    pub(super) fn session(&self, host: &str) -> Result<Session> {
        let taken = self.inner().stations.get_mut(host).and_then(|station| station.session.take());
        taken.ok_or_else(|| Error::broken(format!("host '{host}' has no control channel: it is off")))
    }

    /// From now on this flight recorder is looked into at each boundary, in place of the host's last one.
    pub(super) fn look(&self, host: &str, look: Look) {
        self.inner().looks.insert(host.to_owned(), Looked { look, records: 0 });
    }

    /// As [`crate::cable::Cable::set_link`].
    pub(super) fn set_link(&self, host: &str, up: bool) -> Result<()> {
        self.inner().cable()?.set_link(host, up)
    }

    /// As [`crate::cable::Cable::sleep`].
    pub(super) fn sleep(&self, host: &str) -> Result<()> {
        self.inner().cable()?.sleep(host)
    }

    /// As [`crate::cable::Cable::set_rules`].
    pub(super) fn set_rules(&self, rules: Vec<Rule>) -> Result<()> {
        self.inner().cable()?.set_rules(rules)
    }

    /// The lab is ready: from now on frames and boots take a little longer, by chance.
    pub(super) fn take_chance(&self, chance: Chance) -> Result<()> {
        let mut inner = self.inner();
        inner.chance = Some(chance);
        inner.cable()?.sway(chance);
        Ok(())
    }

    /// The lab is over: ends the cable.
    pub(super) fn finish(&self) -> Result<Summary> {
        let cable = self.inner().cable.take();
        cable.ok_or_else(|| Error::broken("the cable was ended twice"))?.finish()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant for World {
    fn grant(&self, limit: LabTime) -> Result<()> {
        self.inner().go_on(limit)
    }
}

/// Lets the world go on for a session that waits; it does not keep it.
#[derive(Debug)]
struct Stride(Weak<World>);

impl Drive for Stride {
    fn drive(&self) -> Result<()> {
        let world = self.0.upgrade().ok_or_else(|| Error::broken("the lab is over"))?;
        let mut inner = world.inner();
        let limit = inner.lockstep.now().after(STRIDE);
        inner.go_on(limit)
    }
}

impl Company for World {
    fn join(&self, host: &str, socket: UnixStream) -> Result<()> {
        let mut inner = self.inner();
        let number = inner.stations.get_index_of(host).unwrap_or_default();
        let power_on = inner.station(host)?.power_ons;
        let later = inner.chance.map_or(Duration::ZERO, |chance| chance.boot(number, power_on));
        let machine = inner.lockstep.join(host, socket, later)?;
        let itself = inner.itself.clone();
        let station = inner.station(host)?;
        station.power_ons += 1;
        station.machine = Some(machine);
        station.anew(&itself);
        let links = station.links.clone();
        let cable = inner.cable()?;
        for (nic, link) in (0..).zip(links) {
            cable.plug(host, link, Port { machine, nic })?;
        }
        cable.sleep(host)
    }

    fn pause(&self, host: &str) -> Result<()> {
        let mut inner = self.inner();
        let machine = inner.machine(host)?;
        inner.lockstep.pause(machine)
    }

    fn leave(&self, host: &str) {
        let mut inner = self.inner();
        // What it said last is heard before it is forgotten. That something cannot be read is told by who waits for it.
        if let Err(error) = inner.hear(host) {
            tracing::warn!("{error}");
        }
        if let Some(machine) = inner.forget(host) {
            inner.lockstep.leave(machine);
        }
    }
}

impl Station {
    /// A control channel for the boot that comes, in place of that of the last one.
    fn anew(&mut self, world: &Weak<World>) {
        if let Some(mut agent) = self.agent.take() {
            agent.lost(REBOOTS);
        }
        let (session, agent) = Session::over(Arc::new(Stride(world.clone())));
        (self.agent, self.session) = (Some(agent), Some(session));
    }
}

impl Inner {
    fn cable(&mut self) -> Result<&mut LockstepCable> {
        self.cable.as_mut().ok_or_else(|| Error::broken("the cable is ended"))
    }

    fn station(&mut self, host: &str) -> Result<&mut Station> {
        self.stations.get_mut(host).ok_or_else(|| Error::broken(format!("the lab has no host '{host}'")))
    }

    fn note(&self, host: &str, event: MachineEvent) {
        self.recorder.note(What::Machine { host: host.to_owned(), event });
    }

    /// To the next boundary, and what is to be heard there.
    fn go_on(&mut self, limit: LabTime) -> Result<()> {
        if self.interrupt.raised() {
            return Err(Error::interrupted());
        }
        let Some(cable) = self.cable.as_mut() else { return Err(Error::broken("the cable is ended")) };
        let mut noted = self.journal.is_some().then(Vec::new);
        let gone = self.lockstep.advance(limit, &mut Noting { cable, noted: noted.as_mut() })?;
        let now = self.lockstep.now();
        self.hand.set(now);
        let frames = noted.unwrap_or_default().iter().filter_map(|sent| self.frame(sent)).collect();
        let mut entry = Entry { at: now, frames, heard: BTreeMap::new() };
        for host in self.hosts() {
            let console = self.hear(&host)?;
            if !console.is_empty() {
                entry.heard.entry(host).or_default().console = console;
            }
        }
        for (host, looked) in &mut self.looks {
            if looked.look(u64::MAX)? {
                entry.heard.entry(host.clone()).or_default().records = looked.records;
            }
        }
        if !gone.is_empty() {
            self.journal = None;
        }
        if let Some(journal) = self.journal.as_mut().filter(|_| !entry.frames.is_empty() || !entry.heard.is_empty()) {
            journal.entries.push(entry);
        }
        gone.into_iter().for_each(|departure| self.departed(&departure));
        Ok(())
    }

    fn hosts(&self) -> Vec<String> {
        self.stations.keys().cloned().collect()
    }

    fn machine(&mut self, host: &str) -> Result<Id> {
        self.station(host)?.machine.ok_or_else(|| Error::broken(format!("the machine of '{host}' is off")))
    }

    /// Hears a host, and has what its agent is to be told typed. Gives what was on its console.
    fn hear(&mut self, host: &str) -> Result<Vec<u8>> {
        let now = self.lockstep.now();
        let Some(station) = self.stations.get_mut(host) else { return Ok(Vec::new()) };
        let Some(machine) = station.machine else { return Ok(Vec::new()) };
        let mut events = station.ears.hypervisor()?;
        if events.iter().any(|event| matches!(event, MachineEvent::Reset { .. })) {
            station.anew(&self.itself);
            self.journal = None;
        }
        // Its departure is told with the boundary at which it is missed.
        events.retain(|event| matches!(event, MachineEvent::Reset { .. }));
        let (told, console) = station.ears.console()?;
        events.extend(told);
        let said = station.ears.agent()?;
        let broken = |e: Error| e.during(&format!("talking to the agent of host '{host}'"));
        let typed =
            station.agent.as_mut().map_or_else(|| Ok(Vec::new()), |agent| agent.turn(now, &said)).map_err(broken)?;
        if !typed.is_empty() || !said.is_empty() {
            // Whoever has talked to an agent cannot be heard again without it.
            self.journal = None;
        }
        if !typed.is_empty() {
            self.lockstep.type_in(machine, now, &typed);
        }
        events.into_iter().for_each(|event| self.note(host, event));
        Ok(console)
    }

    /// A host's machine is no more: its number.
    fn forget(&mut self, host: &str) -> Option<Id> {
        if let Some(cable) = self.cable.as_mut() {
            // There is such a host, or it would not have joined.
            let _ = cable.machine_gone(host);
        }
        let station = self.stations.get_mut(host)?;
        if let Some(mut agent) = station.agent.take() {
            agent.lost(GONE);
        }
        station.session = None;
        station.machine.take()
    }

    /// A machine left by itself.
    fn departed(&mut self, departure: &Departure) {
        let host =
            self.stations.iter().find(|(_, it)| it.machine == Some(departure.machine)).map(|(host, _)| host.clone());
        let Some(host) = host else { return };
        let ended = self.stations.get_mut(&host).map(|station| station.ears.end());
        self.forget(&host);
        self.note(
            &host,
            match ended {
                _ if departure.orderly => MachineEvent::ShutDown { reason: "guest-shutdown".to_owned() },
                Some((Some(how), words)) => MachineEvent::Died { how, words },
                _ => MachineEvent::Died { how: Ended::Lost("its QEMU does not end".to_owned()), words: String::new() },
            },
        );
    }
}
