//! Puts a lab together, runs it from the first boot to the last power cut, and says what came of it.

use super::checkpoint::Plan;
use super::crowd;
use super::folder::Folder;
use super::guest::ask_kernel;
use super::hosts::{guests, nics};
use super::inputs::command_lines as command_lines_of;
use super::interrupt::Interrupt;
use super::kernels::Kernels;
use super::lab::{COMMAND_WITHIN, Lab};
use super::phases::Phases;
use super::provider;
use super::watch::{Pace, Watch};
use super::wires::Wires;
use super::world::World;
use super::{Found, Options};
use crate::cable::{Cable, LockstepCable, Port};
use crate::error::{Error, Result};
use crate::judge;
use crate::machine::vagrant::Project;
use crate::progress::Reporter;
use crate::remote::Session;
use crate::report::{CheckpointUse, EventWriter, PhaseKind};
use crate::runlog::belonging;
use crate::scenario::{Scenario, link_of};
use crate::time::lockstep::{Lockstep, PATIENCE};
use crate::timeline::{Clock, Event, Hand, KernelAccount, LabTime, Recorder};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Within which time what a kernel has traced must have come. A guest that does nothing says so every 0.1 s.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(3);

/// How long a frame takes from one machine to another in lockstep time at the least.
const LATENCY: Duration = Duration::from_millis(1);

/// What a lab leaves when it has ended.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Why it did not come to its end.
    pub(super) error: Option<Error>,
    /// Everything witnessed, in order.
    pub(super) timeline: Vec<Event>,
    /// Until when the lab was watched.
    pub(super) watched: LabTime,
    /// What the testimony of the hosts' kernels is worth: host and account, by boot.
    pub(super) accounts: Vec<(String, KernelAccount)>,
    /// QEMU's command line of each host's first boot.
    pub(super) command_lines: IndexMap<String, Vec<String>>,
    /// What was done with the lab's checkpoint.
    pub(super) checkpoint: Option<CheckpointUse>,
}

impl Carried {
    /// A lab that was never put together.
    pub(super) fn broken(error: Error) -> Self {
        Self { error: Some(error), ..Self::default() }
    }
}

/// Puts the lab together and runs it to its end.
///
/// # Errors
/// The lab could not be put together. What goes wrong later is in [`Carried`], beside what was witnessed.
#[allow(clippy::too_many_arguments)] // It is where everything meets.
pub(super) fn conduct(
    scenario: &Scenario,
    options: &Options,
    reporter: &Reporter,
    interrupt: &Interrupt,
    found: &Found,
    folder: &Folder,
    (clock, hand): (Clock, Option<Hand>),
    phases: &mut Phases,
) -> Result<Carried> {
    let (sink, source) = std::sync::mpsc::channel();
    let recorder = Recorder::new(clock.clone(), sink);
    let cards = (0..).zip(&scenario.hosts).flat_map(|(n, (name, host))| {
        nics(host, n).into_iter().map(|(link, mac)| {
            let on_it = host.addresses.iter().filter(move |(address, _)| link_of(*address) == usize::from(link));
            Port { host: name.clone(), link, mac, addresses: on_it.map(|(address, _)| *address).collect() }
        })
    });
    let ports: Vec<Port> = cards.collect();
    let capture = folder.file("wire.pcapng");
    let (wires, world) = match hand {
        None => (Wires::Real(Cable::start(recorder.clone(), &capture, &ports)?), None),
        Some(hand) => {
            let cable = LockstepCable::new(recorder.clone(), &capture, &ports, LATENCY)?;
            let lockstep = Lockstep::new(LATENCY, PATIENCE)?;
            let world = World::new(lockstep, cable, hand, recorder.clone(), interrupt.clone());
            (Wires::Lockstep(Arc::clone(&world)), Some(world))
        }
    };
    let mut project = None;
    let (guests, checkpoint) = match (&world, &found.vagrant) {
        (None, None) => (guests(scenario, found, folder, &recorder, options.witness)?, None),
        (None, Some(info)) => {
            let made =
                provider::guests(scenario, options, found, info, folder, &recorder, interrupt, reporter, phases)?;
            project = Some(made.1);
            (made.0, None)
        }
        (Some(world), _) => {
            let guests = crowd::guests(scenario, options, found, folder, &recorder, world)?;
            let hosts = crowd::described(scenario, options, found)?;
            (guests, Plan::new(options.checkpoints, &found.qemu, &hosts, interrupt))
        }
    };
    let pace = world.clone().map_or(Pace::Real, |world| Pace::Lockstep(world));
    let mut lab = Lab {
        scenario,
        own: &options.own,
        guests,
        wires,
        world,
        watch: Watch::new(source, clock.clone(), interrupt.clone())
            .at(pace)
            .end_within(options.within)
            .write_to(EventWriter::create(&folder.file("events.jsonl"))?),
        kernels: Kernels::default(),
        checkpoint,
        seed: options.seed,
        sighted: BTreeMap::new(),
        recorder,
        reporter,
        phases: std::mem::replace(phases, Phases::start()),
        boot_within: options.boot_within,
    };
    lab.phases.end("put the lab together", PhaseKind::Overhead);
    let mut command_lines = IndexMap::new();
    let lived = live(&mut lab, &mut command_lines, project.as_deref());
    lab.settle_outputs();
    // How the lab itself ends is nobody's evidence.
    let (timeline, watched) = (lab.watch.timeline(), clock.now());
    lab.tear_down();
    let Lab { wires, kernels, phases: used, watch, checkpoint, guests, .. } = lab;
    let checkpoint = checkpoint.and_then(|plan| plan.used());
    // It holds a timeline of its own, which may be long.
    drop(watch);
    *phases = used;
    let captured = wires.finish();
    // Recordings that lie in a project's folder are open by now.
    drop(guests);
    if let Some(Err(error)) = project.map(|project| project.close()) {
        tracing::warn!("while removing the machines: {error}");
    }
    phases.end("tear down", PhaseKind::Overhead);
    let (timeline, accounts, vouched) = kernels.testify(timeline, watched);
    phases.end("hear the kernels", PhaseKind::Overhead);
    let error = lived.and(captured.map(|_| ())).and(vouched).err();
    Ok(Carried { error, timeline, watched, accounts, command_lines, checkpoint })
}

/// The life of a lab: boot, steps, what the expectations still wait for, and the kernels' last word.
fn live(lab: &mut Lab<'_>, command_lines: &mut IndexMap<String, Vec<String>>, project: Option<&Project>) -> Result<()> {
    let hosts: Vec<String> = lab.scenario.hosts.keys().cloned().collect();
    lab.bring_up(&hosts, 0)?;
    *command_lines = command_lines_of(&lab.guests, project.map(|it| it.plan().site.as_path()));
    lab.carry_out_steps()?;
    settle(lab)?;
    last_word(lab)?;
    catch_up(lab)
}

/// Lets the kernels' testimony come to the present: what happened by now is evidence, and some of it may still be on its way.
fn catch_up(lab: &mut Lab<'_>) -> Result<()> {
    let alive: Vec<&str> = lab.guests.values().filter(|it| it.machine.is_on()).map(|it| it.name.as_str()).collect();
    let now = lab.recorder.clock().now();
    lab.watch.pass_time(now.after(CATCH_UP_WITHIN), |_| lab.kernels.behind(&alive, now).is_empty())?;
    for host in lab.kernels.behind(&alive, now) {
        tracing::warn!("the kernel of host '{host}' was not heard to the end");
    }
    lab.phases.end("hear the kernels to the end", PhaseKind::Overhead);
    Ok(())
}

/// Lets the time windows of expectations come to their end: "not seen within 5 s" needs 5 s, "seen within 5 s" ends when it was seen.
fn settle(lab: &mut Lab<'_>) -> Result<()> {
    let scenario = lab.scenario;
    let timeline = lab.watch.timeline();
    if let Some(open) = judge::undecided_until(scenario, &timeline, lab.recorder.clock().now()) {
        lab.reporter.began("settle", "waiting for the time windows of expectations to close");
        let clock = lab.recorder.clock().clone();
        lab.watch.pass_time(open, |events| {
            let mut events = events.to_vec();
            events.sort_by_key(|e| e.at);
            judge::undecided_until(scenario, &events, clock.now()).is_none()
        })?;
        lab.reporter.done("settle", "every time window is closed");
    }
    lab.phases.end("time windows of expectations", PhaseKind::Wait);
    Ok(())
}

/// Asks every kernel that is up what only it knows.
fn last_word(lab: &mut Lab<'_>) -> Result<()> {
    let asked: Vec<_> = lab
        .guests
        .values()
        .filter_map(|g| Some((g.name.clone(), g.session.clone()?, g.boot_ids.last()?.clone())))
        .collect();
    let side_by_side = lab.world.is_none();
    let words = lab.watch.perform(move || {
        if !side_by_side {
            let ask =
                |(host, session, boot_id): (_, Arc<Session>, _)| (ask_kernel(&session, COMMAND_WITHIN), host, boot_id);
            return Ok(asked.into_iter().map(ask).collect());
        }
        let asking: Vec<_> = asked
            .into_iter()
            .map(|(host, session, boot_id)| {
                std::thread::spawn(belonging(move || (ask_kernel(&session, COMMAND_WITHIN), host, boot_id)))
            })
            .collect();
        asking
            .into_iter()
            .map(|t| t.join().map_err(|_| Error::broken("a worker thread of the controller died")))
            .collect::<Result<Vec<_>>>()
    })?;
    for (word, host, boot_id) in words {
        let word = word.map_err(|e| e.during(&format!("asking host '{host}' at the end")))?;
        if word.boot_id != boot_id {
            return Err(Error::broken(format!("host '{host}' booted without anybody asking for it"))
                .detail(format!("boot id {boot_id} after the last boot, {} at the end", word.boot_id)));
        }
        lab.note(&host, word.carrier_event());
    }
    lab.phases.end("ask the kernels", PhaseKind::Overhead);
    Ok(())
}
