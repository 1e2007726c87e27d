//! The running lab: cable, guests, and how a host comes up and goes down.

use super::checkpoint::Plan;
use super::deploy;
use super::guest::{Guest, HostKeys, KernelWord, ask_kernel};
use super::kernels::Kernels;
use super::phases::Phases;
use super::watch::{Mark, Watch};
use super::wires::Wires;
use super::world::World;
use crate::error::{Error, Result};
use crate::machine::Link;
use crate::own::Placed;
use crate::progress::Reporter;
use crate::remote::Session;
use crate::report::PhaseKind;
use crate::runlog::belonging;
use crate::scenario::Scenario;
use crate::timeline::{Event, LabTime, MachineEvent, Recorder, What};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Within which time a control channel must answer once the guest has said that it is up.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// Within which time our own small commands and uploads must be done.
pub(super) const COMMAND_WITHIN: Duration = Duration::from_secs(20);

/// How long a machine that is to end may live on until what its kernel traced is saved. That takes a tenth of a second at most, if
/// this computer is not busy; in lockstep time, a second.
const HEAR_WITHIN: Duration = Duration::from_millis(1500);

/// While a lab runs, a guest's clock is known to some milliseconds only.
const HEARD_BEYOND: Duration = Duration::from_millis(5);

/// Last lines of a console that an error shows.
const CONSOLE_LINES: usize = 12;

/// The running lab.
pub(super) struct Lab<'a> {
    pub(super) scenario: &'a Scenario,
    /// The user's own programs, in the places of the scenario's.
    pub(super) own: &'a [Placed],
    pub(super) guests: IndexMap<String, Guest>,
    pub(super) wires: Wires,
    /// In lockstep time.
    pub(super) world: Option<Arc<World>>,
    pub(super) watch: Watch,
    pub(super) kernels: Kernels,
    /// In lockstep time, unless it is to be ignored.
    pub(super) checkpoint: Option<Plan>,
    /// All chance there is in lockstep time.
    pub(super) seed: u64,
    /// When that came which a step waited for, by the step's number.
    pub(super) sighted: BTreeMap<usize, LabTime>,
    pub(super) recorder: Recorder,
    pub(super) reporter: &'a Reporter,
    pub(super) phases: Phases,
    /// Within which time a guest must have booted.
    pub(super) boot_within: Duration,
}

/// A control channel that was opened.
pub(super) struct Opened {
    pub(super) session: Arc<Session>,
    pub(super) word: KernelWord,
}

impl Lab<'_> {
    /// The guest of this name; the scenario was checked, so that it exists.
    pub(super) fn guest(&mut self, host: &str) -> Result<&mut Guest> {
        self.guests.get_mut(host).ok_or_else(|| Error::broken(format!("the lab has no host '{host}'")))
    }

    /// Records what the controller itself learned about a host.
    pub(super) fn note(&self, host: &str, event: MachineEvent) {
        self.recorder.note(What::Machine { host: host.to_owned(), event });
    }

    /// Switches these hosts on, all at once, and waits until every control channel answers and every program that
    /// steps from `from` on start is there.
    ///
    /// # Errors
    /// A machine that does not start or dies, a boot or a login that does not come to its end in time.
    pub(super) fn bring_up(&mut self, hosts: &[String], from: usize) -> Result<()> {
        let mark = self.watch.mark();
        let mut links: Vec<(&String, Link)> = Vec::new();
        for host in hosts {
            self.reporter.began(host, "booting");
            self.watch.guard(host);
            let nics = self.guest(host)?.nics.clone();
            if let Wires::Real(cable) = &self.wires {
                let machine = self.guests.get(host).map(|guest| &guest.machine);
                for (nic, (link, mac)) in nics.into_iter().enumerate() {
                    match machine.map_or(Ok(None), |machine| machine.cable(nic))? {
                        Some(socket) => cable.plug_in(host, link, socket)?,
                        None => links.push((host, Link { mac, end: cable.plug(host, link)? })),
                    }
                }
            }
            self.wires.sleep(host)?;
            let plugged = !self.guest(host)?.unplugged;
            self.wires.set_link(host, plugged)?;
        }
        let restored = self.restore();
        self.switch_on(hosts, links)?;
        for (name, guest) in self.guests.iter().filter(|(name, _)| hosts.contains(name)) {
            if let Some(file) = guest.machine.recordings().last() {
                let here = guest.machine.is_here();
                self.kernels.listen(name, file, here, &self.recorder, self.world.as_deref())?;
            }
        }
        restored.iter().try_for_each(|journal| self.hear_again(journal))?;
        self.await_boots(hosts, mark, from)
    }

    /// Switches these hosts on, all at once: a machine takes a tenth of a second to get on its feet, and none waits for another. In
    /// lockstep time one after the other, as they are numbered by their order.
    fn switch_on(&mut self, hosts: &[String], mut links: Vec<(&String, Link)>) -> Result<()> {
        if self.world.is_some() {
            return hosts.iter().try_for_each(|host| {
                let guest = self.guest(host)?;
                guest.forget_boot();
                guest.machine.power_on(Vec::new())
            });
        }
        std::thread::scope(|scope| {
            let guests = self.guests.iter_mut().filter(|(name, _)| hosts.contains(name));
            let starting: Vec<_> = guests
                .map(|(name, guest)| {
                    let own = links.extract_if(.., |(host, _)| *host == name).map(|(_, link)| link).collect();
                    scope.spawn(belonging(move || {
                        guest.forget_boot();
                        guest.machine.power_on(own)
                    }))
                })
                .collect();
            starting
                .into_iter()
                .try_for_each(|t| t.join().map_err(|_| Error::broken("a worker thread of the controller died"))?)
        })
    }

    /// Waits until these hosts, whose machines are starting, are up and their control channels answer.
    pub(super) fn await_boots(&mut self, hosts: &[String], mark: Mark, from: usize) -> Result<()> {
        if let Some(world) = self.world.clone() {
            return self.await_boots_in(&world, hosts, mark, from);
        }
        let began = self.recorder.clock().now();
        let (tell, deployed) = sync_channel(hosts.len().max(1));
        let mut opening = Vec::new();
        let mut waiting: Vec<String> = hosts.to_vec();
        while !waiting.is_empty() {
            let booted = self.next_boot(&mut waiting, mark, began)?;
            opening.push((booted.host.clone(), self.open(&booted, from, tell.clone())?));
        }
        for (host, opened) in opening {
            let opened = self.watch.result(&opened).map_err(|e| self.with_consoles(e, std::slice::from_ref(&host)))?;
            self.answers(&host, opened)?;
        }
        let kind = if from == 0 { PhaseKind::Boot } else { PhaseKind::Reboot };
        self.phases.end(format!("boot {}", hosts.join(", ")), kind);
        drop(tell);
        self.await_deployed(&deployed)?;
        self.are_up(hosts, began);
        Ok(())
    }

    /// The next host that has booted; it is waited for no more.
    pub(super) fn next_boot(&mut self, waiting: &mut Vec<String>, mark: Mark, began: LabTime) -> Result<Booted> {
        let left = self.boot_within.saturating_sub(self.recorder.clock().now().since(began));
        let names = waiting.iter().map(|h| format!("'{h}'")).collect::<Vec<_>>().join(" and ");
        let booted = self
            .watch
            .event(mark, left, &format!("host {names} to boot"), |e| booted(e, waiting))
            .map_err(|e| self.with_consoles(e, waiting))?;
        waiting.retain(|h| *h != booted.host);
        self.guest(&booted.host)?.boot_ids.push(booted.boot_id.clone());
        self.reporter.now(&booted.host, "logging in", None);
        Ok(booted)
    }

    pub(super) fn answers(&mut self, host: &str, opened: Opened) -> Result<()> {
        self.note(host, opened.word.carrier_event());
        self.guest(host)?.session = Some(opened.session);
        Ok(())
    }

    pub(super) fn are_up(&mut self, hosts: &[String], began: LabTime) {
        for host in hosts {
            let took = self.recorder.clock().now().since(began);
            self.reporter.done(host, format!("up after {:.1} s", took.as_secs_f64()));
        }
        self.phases.end(format!("deploy to {}", hosts.join(", ")), PhaseKind::Overhead);
    }

    /// Opens the control channel of a booted guest on a thread of its own, then brings the user's own programs there.
    fn open(
        &mut self,
        booted: &Booted,
        from: usize,
        deployed: std::sync::mpsc::SyncSender<Result<()>>,
    ) -> Result<Receiver<Result<Opened>>> {
        let recorder = self.recorder.clone();
        let needed = deploy::needed(self.scenario, self.own, &booted.host, from);
        let guest = self.guest(&booted.host)?;
        let (host, boot_id) = (booted.host.clone(), booted.boot_id.clone());
        let (done, opened) = sync_channel(1);
        let (address, keys, going_down) =
            (guest.machine.control_address()?, guest.keys.clone(), guest.going_down.clone());
        std::thread::spawn(belonging(move || {
            let session = match login(&host, address, &keys, recorder, going_down) {
                Ok(session) => session,
                Err(error) => return drop(done.send(Err(error))),
            };
            // Side by side: neither needs the other, and both wait for the guest more than they work.
            std::thread::scope(|scope| {
                scope.spawn(belonging(|| deployed.send(deploy::deploy(&session, &host, &needed, None))));
                let word = confirm(&session, &host, &boot_id);
                let _ = done.send(word.map(|word| Opened { session: session.clone(), word }));
            });
        }));
        Ok(opened)
    }

    /// Waits for all uploads: until every thread has let go of its end of the channel.
    fn await_deployed(&mut self, deployed: &Receiver<Result<()>>) -> Result<()> {
        loop {
            match deployed.recv_timeout(Duration::from_millis(5)) {
                Ok(result) => result?,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    self.watch.pass_time(LabTime(0), |_| true)?;
                }
            }
        }
    }

    /// Lets what a host's kernel has traced by now be saved, before the machine ends: else nobody could say what did not
    /// happen until now.
    pub(super) fn hear_until_now(&mut self, host: &str) -> Result<()> {
        let began = self.recorder.clock().now();
        let now = began.after(HEARD_BEYOND);
        let kernels = &self.kernels;
        self.watch.pass_time(began.after(HEAR_WITHIN), |_| kernels.behind(&[host], now).is_empty())?;
        if !self.kernels.behind(&[host], now).is_empty() {
            tracing::warn!("the kernel of host '{host}' was not heard to the end before that came");
        }
        Ok(())
    }

    /// Cuts a host's power.
    pub(super) fn power_off(&mut self, host: &str) -> Result<()> {
        self.hear_until_now(host)?;
        self.watch.unguard(host);
        let guest = self.guest(host)?;
        guest.let_go();
        guest.machine.power_off()?;
        guest.session = None;
        Ok(())
    }

    /// Plugs or unplugs a host's cables, all of them: its carrier goes, and nothing comes through.
    pub(super) fn set_carrier(&mut self, host: &str, up: bool) -> Result<()> {
        let guest = self.guest(host)?;
        for nic in 0..guest.nics.len() {
            guest.machine.set_carrier(nic, up)?;
        }
        guest.unplugged = !up;
        self.wires.set_link(host, up)
    }

    /// Has the programs that go on tell what they printed and was not kept. A host that is gone has told it already.
    pub(super) fn settle_outputs(&self) {
        for program in self.guests.values().flat_map(|guest| guest.programs.values()) {
            if let Err(error) = program.settle() {
                tracing::debug!("{error}");
            }
        }
    }

    /// Adds the last lines of these hosts' consoles to an error.
    fn with_consoles(&self, mut error: Error, hosts: &[String]) -> Error {
        for host in hosts {
            let tail = self.guests.get(host).map(|g| g.machine.console_tail(CONSOLE_LINES)).unwrap_or_default();
            let tail = if tail.trim().is_empty() { "(nothing)".to_owned() } else { tail };
            error = error.detail(format!("last lines of {host}'s console:\n{tail}"));
        }
        error
    }

    /// Ends everything, in whatever state it is: sessions closed, machines killed and reaped. Never fails; tells what did.
    pub(super) fn tear_down(&mut self) {
        for guest in self.guests.values_mut() {
            self.watch.unguard(&guest.name);
            guest.let_go();
            guest.programs.clear();
            if guest.machine.is_on()
                && let Err(error) = guest.machine.power_off()
            {
                tracing::warn!("while ending '{}': {error}", guest.name);
            }
            guest.session = None;
        }
    }
}

/// What a guest said on its console when it was up.
pub(super) struct Booted {
    pub(super) host: String,
    pub(super) boot_id: String,
}

fn booted(event: &Event, waiting: &[String]) -> Option<Booted> {
    match &event.what {
        What::Machine { host, event: MachineEvent::Booted { boot_id, .. } } if waiting.contains(host) => {
            Some(Booted { host: host.clone(), boot_id: boot_id.clone() })
        }
        _ => None,
    }
}

/// Logs in.
fn login(
    host: &str,
    address: std::net::SocketAddr,
    keys: &HostKeys,
    recorder: Recorder,
    going_down: Arc<AtomicBool>,
) -> Result<Arc<Session>> {
    let name = host.to_owned();
    let on_lost = move |why: String| {
        if !going_down.load(Ordering::SeqCst) {
            recorder.note(What::Machine { host: name.clone(), event: MachineEvent::ControlLost { why } });
        }
    };
    Session::connect(address, &keys.client, &keys.host.public(), CONNECT_WITHIN, on_lost)
        .map(Arc::new)
        .map_err(|e| e.during(&format!("logging in to host '{host}'")))
}

/// Has the kernel confirm over SSH the boot id that the console told: they must be one machine.
pub(super) fn confirm(session: &Session, host: &str, boot_id: &str) -> Result<KernelWord> {
    let word = ask_kernel(session, COMMAND_WITHIN).map_err(|e| e.during(&format!("asking host '{host}'")))?;
    if word.boot_id == boot_id {
        return Ok(word);
    }
    let over_ssh = &word.boot_id;
    Err(Error::broken(format!("host '{host}' says two boot ids: {boot_id} on its console, {over_ssh} over SSH")))
}
