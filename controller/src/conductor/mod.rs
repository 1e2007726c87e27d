//! The conductor carries out a run: it is the only room that knows all the others.
//!
//! A run: the folder is made, image and machines are found, the hosts boot side by side, the steps are carried out in order, the
//! hosts' kernels are asked for what only they know, all machines end, the timeline is judged. Whatever goes wrong on the way
//! ends the run as *unknown*, with everything that was witnessed until then in its folder, and with nothing left running.

mod assemble;
mod batch;
mod boot;
mod checkpoint;
mod crowd;
mod deploy;
mod folder;
mod guest;
mod hosts;
mod inputs;
mod interrupt;
mod journal;
mod kernels;
mod lab;
mod outcome;
mod phases;
mod provider;
mod sightings;
mod steps;
mod watch;
mod wires;
mod world;

pub use batch::{Job, run_all, share_out};
pub use checkpoint::Checkpoints;
pub use inputs::{computer, guest_programs};
pub use interrupt::Interrupt;
pub use provider::Provider;

use crate::error::{Error, Kind, Result};
use crate::image::{self, Image};
use crate::machine::Choice;
use crate::machine::qemu::{Chosen, Info, Probe, lockstep};
use crate::machine::vagrant;
use crate::own::Placed;
use crate::progress::Reporter;
use crate::report::{Inputs, PhaseKind, RunResult};
use crate::runlog::RunLog;
use crate::scenario::{BoxName, Host, Scenario, Time};
use crate::timeline::{Clock, Event};
use folder::Folder;
use indexmap::IndexMap;
use phases::Phases;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, SystemTime};

/// How a scenario is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The run's folder; one under `runs/` if none.
    pub out: Option<PathBuf>,
    /// The Debian suite that all hosts boot, image and kernel; what the scenario says of each, or else the default, if none.
    pub kernel: Option<String>,
    /// The box that all hosts are made from, whatever the scenario says; the scenario has been told of it
    /// ([`Scenario::use_box`]).
    pub boxed: Option<BoxName>,
    /// The user's own programs that take the places of the scenario's.
    pub own: Vec<Placed>,
    /// Who makes the machines.
    pub provider: Provider,
    /// Which accelerator.
    pub accelerator: Choice,
    /// Within which time a guest must have booted.
    pub boot_within: Duration,
    /// Within which time the run must be over. Each wait has a limit of its own; this is one for all of them together.
    pub within: Duration,
    /// Which time the lab lives on; what the scenario says, if none.
    pub time: Option<Time>,
    /// All chance there is in lockstep time.
    pub seed: u64,
    /// What is done with checkpoints in lockstep time.
    pub checkpoints: Checkpoints,
    /// Have the guests' kernels testify. Without, there is no kernel evidence, and nothing that costs time for it.
    pub witness: bool,
    /// What these hosts boot, whatever their suite: images that are not the cache's.
    pub images: BTreeMap<String, Image>,
}

impl Default for Options {
    /// A folder under `runs/`, the default suite, and whichever accelerator works.
    fn default() -> Self {
        let (boot_within, within) = (Duration::from_secs(90), Duration::from_secs(3600));
        Self {
            out: None,
            kernel: None,
            boxed: None,
            own: Vec::new(),
            provider: Provider::default(),
            accelerator: Choice::default(),
            boot_within,
            within,
            time: None,
            seed: 0,
            checkpoints: Checkpoints::default(),
            witness: true,
            images: BTreeMap::new(),
        }
    }
}

impl Options {
    /// Which time a run of this scenario lives on: what the user says, then what the scenario says, then the default.
    #[must_use]
    pub fn time_of(&self, scenario: &Scenario) -> Time {
        self.time.or(scenario.time).unwrap_or_default()
    }

    /// The seed of such a run; none in real time.
    fn seed_of(&self, scenario: &Scenario) -> Option<u64> {
        (self.time_of(scenario) == Time::Lockstep).then_some(self.seed)
    }
}

/// What a run leaves: its result and its timeline. The folder holds both.
#[derive(Debug)]
pub struct Run {
    /// `result.json`.
    pub result: RunResult,
    /// The error that ended it, if the lab broke or the user interrupted.
    pub error: Option<Error>,

    /// `events.jsonl`.
    pub timeline: Vec<Event>,
}

/// What a run stands on, found before its hosts boot.
#[derive(Debug)]
struct Found {
    qemu: Info,
    qemu_img: Info,
    /// What makes the machines, if it is not QEMU alone.
    vagrant: Option<vagrant::Info>,
    /// By host, in the scenario's order; of one that is made from a box, in [`Found::boxes`] instead.
    images: IndexMap<String, Image>,
    /// By host, each with its version.
    boxes: IndexMap<String, BoxName>,
    accelerator: Chosen,
}

/// Runs a scenario. An outcome is always returned once the run's folder exists: a lab that broke, or the user's
/// interrupt, is an outcome (*unknown*) with its error in the result.
///
/// # Errors
/// The folder cannot be made or not be written: then there is no run.
pub fn run(scenario: &Scenario, options: &Options, reporter: &Reporter, interrupt: &Interrupt) -> Result<Run> {
    let mut phases = Phases::start();
    let started = SystemTime::now();
    let time = options.time_of(scenario);
    let (clock, hand) = match time {
        Time::Real => (Clock::start(), None),
        Time::Lockstep => {
            let (clock, hand) = Clock::lockstep(lockstep::DATE);
            (clock, Some(hand))
        }
    };
    if let Time::Lockstep = time {
        phases = Phases::start_on(clock.clone());
    }
    let folder = Folder::create(options.out.as_deref(), &scenario.name, &outcome::stamp(started))?;
    folder.write("scenario.yaml", scenario.source.as_bytes())?;
    let _log = RunLog::open(&folder.file("controller.log"), clock.clone())?;
    let found = find(scenario, options, reporter, interrupt, &mut phases);
    let lasted = clock.clone();
    let carried = match &found {
        Ok(found) => {
            let times = (clock, hand);
            assemble::conduct(scenario, options, reporter, interrupt, found, &folder, times, &mut phases)
        }
        Err(error) => Err(error.clone()),
    }
    .unwrap_or_else(assemble::Carried::broken);
    if let Some(error) = carried.error.as_ref().filter(|e| e.kind != Kind::Interrupted) {
        // For the run's log; the terminal is told by whoever asked for the run.
        tracing::info!("{error}");
    }
    let virtual_time = matches!(time, Time::Lockstep).then(|| lasted.now());
    outcome::conclude(scenario, options, found.ok().as_ref(), carried, folder, (started, virtual_time), phases)
}

/// Makes sure of everything that runs need before the first of several begins, so that it is built or tried once, and
/// what is missing is told once.
///
/// # Errors
/// QEMU is missing, an image cannot be built, the accelerator asked for does not work, or the user interrupts.
pub fn prepare(jobs: &[Job<'_>], reporter: &Reporter, interrupt: &Interrupt) -> Result<()> {
    let mut prepared = BTreeSet::new();
    for Job { scenario, options } in jobs {
        let known = prepared.len();
        prepared.extend(scenario.hosts.values().map(|host| match &host.boxed {
            Some(boxed) => boxed.to_string(),
            None => spec(host, options).suite,
        }));
        if prepared.len() > known {
            find(scenario, options, reporter, interrupt, &mut Phases::start())?;
        }
    }
    Ok(())
}

/// What a run would be made with, were it made now.
///
/// # Errors
/// As [`prepare`].
pub fn foresee(scenario: &Scenario, options: &Options, reporter: &Reporter, interrupt: &Interrupt) -> Result<Inputs> {
    let found = find(scenario, options, reporter, interrupt, &mut Phases::start())?;
    Ok(inputs::inputs(scenario, options, Some(&found), &IndexMap::new(), Path::new("/")))
}

/// Which image a host boots: what the user says, then what the scenario says, then the default.
fn spec(host: &Host, options: &Options) -> image::Spec {
    let suite = options.kernel.as_ref().or(host.kernel.as_ref());
    suite.map_or_else(image::Spec::default, |suite| image::Spec { suite: suite.clone() })
}

/// Finds QEMU and what accelerates it, and makes sure of every host's image.
fn find(
    scenario: &Scenario,
    options: &Options,
    reporter: &Reporter,
    interrupt: &Interrupt,
    phases: &mut Phases,
) -> Result<Found> {
    let (qemu, qemu_img) = (Info::qemu()?, Info::qemu_img()?);
    if let Some(note) = qemu.note() {
        // The user is told once, however many runs there are; every run's log is.
        static TOLD: Once = Once::new();
        tracing::debug!("{note}");
        TOLD.call_once(|| tracing::warn!("{note}"));
    }
    phases.end("find QEMU", PhaseKind::Overhead);
    let vagrant = options.provider.find(options.time_of(scenario), reporter)?;
    if vagrant.is_some() {
        phases.end("find Vagrant and libvirt", PhaseKind::Overhead);
    }
    let mut images: IndexMap<String, Image> = IndexMap::new();
    let mut boxes = IndexMap::new();
    for (name, host) in &scenario.hosts {
        if let Some(boxed) = &host.boxed {
            boxes.insert(name.clone(), provider::boxed(name, boxed, vagrant.as_ref())?);
            continue;
        }
        if let Some(image) = options.images.get(name) {
            images.insert(name.clone(), image.clone());
            continue;
        }
        let spec = spec(host, options);
        let image = match images.values().find(|image| image.contents.suite == spec.suite) {
            Some(image) => image.clone(),
            None => image::ensure(&spec, reporter, &|| interrupt.raised())?,
        };
        images.insert(name.clone(), image);
    }
    let built = images.values().any(|image| image.built);
    phases.end("image", if built { PhaseKind::Image } else { PhaseKind::Overhead });
    let (qemu, accelerator) = match vagrant.as_ref().and_then(|it| it.elsewhere.as_ref()) {
        Some(there) => (there.qemu.clone(), provider::accelerator_of(there, options.accelerator)?),
        None if images.is_empty() && options.accelerator == Choice::Tcg => (qemu, Chosen::tcg_as_asked()),
        None => {
            let first = match images.first() {
                Some((_, image)) => image.clone(),
                // Where all come from boxes, whether KVM works is tried with an image all the same.
                None => image::ensure(&image::Spec::default(), reporter, &|| interrupt.raised())?,
            };
            if first.built && images.is_empty() {
                phases.end("image", PhaseKind::Image);
            }
            let probe = Probe::new(&first.kernel, &first.initrd, &image::cache_folder()?);
            let chosen = probe.choose(options.accelerator, &qemu, reporter)?;
            (qemu, chosen)
        }
    };
    tracing::info!("{}", accelerator.why);
    phases.end("choose the accelerator", PhaseKind::Overhead);
    if interrupt.raised() {
        return Err(Error::interrupted());
    }
    Ok(Found { qemu, qemu_img, vagrant, images, boxes, accelerator })
}
