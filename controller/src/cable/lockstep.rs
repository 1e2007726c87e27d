//! The cable in lockstep time: the same switch, without a thread, a socket or a queue.
//!
//! Every frame takes the cable's latency from network card to network card: half of it to the switch, which is where it is judged, captured
//! and recorded, and half from there. So a frame that was sent at *t* is in the capture and on the timeline at *t* + latency/2, and is
//! delivered at *t* + latency, and by as much later as a rule delays it, and as the run's [`Chance`] has it. All frames take equally long to the switch, and they come here in
//! the order in which they were sent: so capture and timeline are in the order of time. Their last frames may be up to half a latency
//! ahead of the boundary at which the machines stand.
//!
//! What is told between two boundaries (a link that is pulled out, a machine that is gone, other rules) is so for all frames that are sent
//! after the boundary at which it was told. A frame that was sent before, and is on its way, is judged as if nothing had been told:
//! here as in real time, where the switch takes all that has been sent before it obeys.
//!
//! Who gets a frame is decided when it is at the switch, even if a rule delays it. Real time looks once more when the delay is over; here
//! a delayed frame is for the machine that is in the port when the delay begins, whatever becomes of the link, and if that machine goes
//! before the frame comes, it is lost with it.

use super::Summary;
use super::capture::Capture;
use super::core::{Arrival, Core, Hands};
use super::fate::Fate;
use super::port::{Port, Ports};
use super::status::{Counts, Status};
use crate::error::{Error, Result};
use crate::scenario::Rule;
use crate::time::lockstep::chance::Chance;
use crate::time::lockstep::{Delivery, Port as Nic, Sent, Wire};
use crate::timeline::{LabTime, Recorder};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A switch between machines in lockstep. It does nothing by itself: it is told what changes at a boundary, and asked what becomes of
/// each frame ([`Wire::carry`]).
///
/// ```
/// # fn main() -> deadpeer::error::Result<()> {
/// use deadpeer::cable::{LockstepCable, Port};
/// use deadpeer::timeline::{Clock, Recorder};
/// use std::time::Duration;
/// let (sink, events) = std::sync::mpsc::channel();
/// let folder = tempfile::tempdir().unwrap();
/// let port = Port { host: "client".to_owned(), link: 0, mac: [2, 0, 0, 0, 0, 1], addresses: Vec::new() };
/// let recorder = Recorder::new(Clock::lockstep(Duration::ZERO).0, sink);
/// let capture = folder.path().join("wire.pcapng");
/// let mut cable = LockstepCable::new(recorder, &capture, &[port], Duration::from_millis(1))?;
/// cable.set_link("client", false)?; // and `cable.plug("client", 0, nic)` when a machine is switched on
/// assert_eq!(cable.finish()?.counts.frames, 0);
/// # Ok(())
/// # }
/// ```
pub struct LockstepCable {
    path: PathBuf,
    recorder: Recorder,
    ports: Ports,
    core: Core,
    status: Arc<Status>,
    ends: Vec<End>,
    /// The port of every network card that ever was in one: what a machine sent comes here when it may be gone already.
    places: HashMap<Nic, usize>,
    latency: Duration,
    chance: Option<Chance>,
    delayed: Delayed,
}

/// What is at a port.
#[derive(Debug)]
struct End {
    /// The network card of the machine that is there.
    nic: Option<Nic>,
    /// Whether there is a link at all: false while the cable is pulled out.
    linked: bool,
    /// Whether that network card has not come to life yet.
    asleep: bool,
}

impl End {
    /// The network card that would get a frame now.
    fn awake(&self) -> Option<Nic> {
        self.nic.filter(|_| self.linked && !self.asleep)
    }
}

/// Frames that a rule delays: when each will be delivered, and by which port. Only to count those that never are.
#[derive(Debug, Default)]
struct Delayed(Vec<(LabTime, usize)>);

impl Delayed {
    /// Forgets those that were delivered by now, and those for this port, or for any; how many these are.
    fn lose(&mut self, now: LabTime, port: Option<usize>) -> usize {
        self.0.retain(|(due, _)| *due > now);
        let before = self.0.len();
        self.0.retain(|(_, to)| port.is_some_and(|port| port != *to));
        before - self.0.len()
    }
}

impl LockstepCable {
    /// A switch with these ports, no machine at any of them and no rules, that records to `recorder` and captures to the file `capture`. A
    /// frame takes `latency` from one network card to another. The recorder's clock is the lab's: it stands at the boundary whenever
    /// anything is told here. Nothing in the capture depends on anything but that clock's date, the ports, what is told, and the frames.
    ///
    /// # Errors
    /// If a host is on a link twice or an address is, or if the capture cannot be written.
    pub fn new(recorder: Recorder, capture: &Path, ports: &[Port], latency: Duration) -> Result<Self> {
        let status = Arc::new(Status::default());
        let known = Ports::new(ports)?;
        let pcapng = Capture::create(capture, ports, Vec::new())?;
        Ok(Self {
            path: capture.to_owned(),
            core: Core::new(recorder.clone(), pcapng, ports, Arc::clone(&status)),
            recorder,
            ports: known,
            status,
            ends: ports.iter().map(|_| End { nic: None, linked: true, asleep: false }).collect(),
            places: HashMap::new(),
            latency,
            chance: None,
            delayed: Delayed::default(),
        })
    }

    /// With a latency that sways, as this chance has it: it is the shortest then.
    #[must_use]
    pub fn swaying(mut self, chance: Chance) -> Self {
        self.sway(chance);
        self
    }

    /// From now on the latency sways so.
    pub fn sway(&mut self, chance: Chance) {
        self.chance = Some(chance);
    }

    /// Puts a machine's network card at a host's port on a link, in place of the one that is there: a machine that is switched on anew is
    /// another one. It has a link ([`LockstepCable::set_link`]). What was on its way to the one before is not for it.
    ///
    /// # Errors
    /// If there is no such host on that link, or if that network card is at another port.
    pub fn plug(&mut self, host: &str, link: u8, machine: Nic) -> Result<()> {
        let port = self.ports.on_link(host, link)?;
        if *self.places.entry(machine).or_insert(port) != port {
            return Err(Error::broken(format!(
                "the network card for {host} on link {link} is at another port of the cable"
            )));
        }
        if self.ends[port].nic.replace(machine) != Some(machine) {
            self.lose(port);
        }
        self.ends[port].linked = true;
        self.core.replugged(port);
        Ok(())
    }

    /// A host's machine is gone: what comes for it is lost, until another one is plugged in. What it has sent still arrives.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn machine_gone(&mut self, host: &str) -> Result<()> {
        for port in self.ports.of(host)? {
            self.ends[port].nic = None;
            self.lose(port);
        }
        Ok(())
    }

    /// Pulls a host's cables out of the switch (`up` false), or puts the same ones in again. Without a link, frames to and from the
    /// host are lost, and the capture says why. The guest itself learns of it by its carrier alone, which is
    /// the machine's to take away (QMP `set_link`).
    ///
    /// # Errors
    /// If there is no such host.
    pub fn set_link(&mut self, host: &str, up: bool) -> Result<()> {
        self.ports.of(host)?.into_iter().for_each(|port| self.ends[port].linked = up);
        Ok(())
    }

    /// Hands nothing to a host's port from now on, until its machine has sent a frame by it: it boots, and there is no network card yet that
    /// could take one.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn sleep(&mut self, host: &str) -> Result<()> {
        self.ports.of(host)?.into_iter().for_each(|port| self.ends[port].asleep = true);
        Ok(())
    }

    /// Replaces the rules. Frames that are delayed already stay so for as long as the rule of their time said.
    ///
    /// # Errors
    /// If a rule names a host that is not on the cable.
    pub fn set_rules(&mut self, rules: Vec<Rule>) -> Result<()> {
        self.ports.know(&rules)?;
        self.core.set_rules(rules);
        Ok(())
    }

    /// How many frames came in so far, and what became of them.
    #[must_use]
    pub fn frames(&self) -> Counts {
        self.status.counts()
    }

    /// What went wrong with the capture, if anything did. [`Wire::carry`] has told it, and carries nothing any more.
    #[must_use]
    pub fn fault(&self) -> Option<Error> {
        self.status.first_fault()
    }

    /// Ends it. Frames that are delayed still are never delivered.
    ///
    /// # Errors
    /// [`LockstepCable::fault`].
    pub fn finish(mut self) -> Result<Summary> {
        self.status.late(self.delayed.lose(self.recorder.clock().now(), None));
        match self.fault() {
            Some(fault) => Err(fault),
            None => Ok(Summary { path: self.path, counts: self.status.counts() }),
        }
    }

    /// Delayed frames that were for the machine at this port are lost with it.
    fn lose(&mut self, port: usize) {
        self.status.late(self.delayed.lose(self.recorder.clock().now(), Some(port)));
    }
}

impl Wire for LockstepCable {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let port = *self.places.get(&frame.from).ok_or_else(|| {
            Error::broken(format!(
                "a frame that was sent at {} is from a network card at no port of the cable",
                frame.at
            ))
        })?;
        let end = &mut self.ends[port];
        // The last words of a machine that is gone do not say that the one after it is awake.
        end.asleep &= end.nic != Some(frame.from);
        let to_switch = self.latency / 2;
        let arrival = Arrival { port, at: frame.at.after(to_switch), bytes: Arc::clone(&frame.bytes) };
        let mut post = Post {
            ends: &self.ends,
            now: arrival.at,
            from_switch: self.latency - to_switch,
            chance: self.chance,
            deliveries: Vec::new(),
            delayed: &mut self.delayed,
            status: &self.status,
        };
        self.core.forward(&arrival, &mut post);
        let deliveries = post.deliveries;
        self.fault().map_or(Ok(deliveries), Err)
    }
}

/// Where one frame goes from the switch.
struct Post<'a> {
    ends: &'a [End],
    /// When it is at the switch.
    now: LabTime,
    /// How long it takes from there.
    from_switch: Duration,
    /// By how much longer.
    chance: Option<Chance>,
    deliveries: Vec<Delivery>,
    delayed: &'a mut Delayed,
    status: &'a Status,
}

impl Post<'_> {
    /// When what leaves the switch at this time is at the network card in a port.
    fn arrives(&self, port: usize, left: LabTime) -> LabTime {
        let at = left.after(self.from_switch);
        at.after(self.chance.map_or(Duration::ZERO, |chance| chance.way(port, at)))
    }
}

impl Hands for Post<'_> {
    fn linked(&self, port: usize) -> bool {
        self.ends[port].linked
    }

    fn hand_on(&mut self, port: usize, bytes: &Arc<[u8]>) -> Fate {
        let Some(to) = self.ends[port].awake() else { return Fate::NoLink };
        self.deliveries.push(Delivery { to, at: self.arrives(port, self.now), bytes: Arc::clone(bytes) });
        Fate::Sent
    }

    fn hold(&mut self, port: usize, until: LabTime, bytes: &Arc<[u8]>) {
        let Some(to) = self.ends[port].awake() else { return self.status.late(1) };
        let at = self.arrives(port, until);
        self.deliveries.push(Delivery { to, at, bytes: Arc::clone(bytes) });
        self.delayed.0.push((at, port));
    }
}
