//! The conductor carries out a run: it is the only room that knows all the others.
//!
//! A run: the folder is made, image and machines are found, the hosts boot side by side, the steps are carried out in order, the
//! hosts' kernels are asked for what only they know, all machines end, the timeline is judged. Whatever goes wrong on the way
//! ends the run as *unknown*, with everything that was witnessed until then in its folder, and with nothing left running.

mod assemble;
mod folder;
mod guest;
mod interrupt;
mod lab;
mod log;
mod outcome;
mod phases;
mod sightings;
mod steps;
mod watch;

pub use interrupt::Interrupt;
pub use log::RunLog;

use crate::error::{Error, Kind, Result};
use crate::image::{self, Image};
use crate::machine::Choice;
use crate::machine::qemu::{Chosen, Info, Probe};
use crate::progress::Reporter;
use crate::report::{PhaseKind, RunResult};

use crate::scenario::Scenario;
use crate::timeline::{Clock, Event};
use folder::Folder;
use phases::Phases;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How a scenario is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The run's folder; one under `runs/` if none.
    pub out: Option<PathBuf>,
    /// What the guests boot.
    pub image: image::Spec,
    /// Which accelerator.
    pub accelerator: Choice,
    /// Within which time a guest must have booted.
    pub boot_within: Duration,
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
    image: Image,
    accelerator: Chosen,
}

/// Runs a scenario. An outcome is always returned once the run's folder exists: a lab that broke, or the user's
/// interrupt, is an outcome (*unknown*) with its error in the result.
///
/// # Errors
/// The folder cannot be made or not be written: then there is no run.
pub fn run(scenario: &Scenario, options: &Options, reporter: &Reporter, interrupt: &Interrupt) -> Result<Run> {
    let mut phases = Phases::start();
    let (started, clock) = (SystemTime::now(), Clock::start());
    let folder = Folder::create(options.out.as_deref(), &scenario.name, &outcome::stamp(started))?;
    folder.write("scenario.yaml", scenario.source.as_bytes())?;
    let _log = RunLog::open(&folder.file("controller.log"), clock)?;
    let found = not_yet(scenario).and_then(|()| find(options, reporter, interrupt, &mut phases));
    let carried = match &found {
        Ok(found) => assemble::conduct(scenario, options, reporter, interrupt, found, &folder, clock, &mut phases),
        Err(error) => Err(error.clone()),
    }
    .unwrap_or_else(assemble::Carried::broken);
    if let Some(error) = carried.error.as_ref().filter(|e| e.kind != Kind::Interrupted) {
        // For the run's log; the terminal is told by whoever asked for the run.
        tracing::info!("{error}");
    }
    outcome::conclude(scenario, options, found.ok().as_ref(), carried, folder, started, phases)
}

/// Refuses what scenarios can say already and no run can do yet.
fn not_yet(scenario: &Scenario) -> Result<()> {
    match scenario.hosts.values().any(|host| host.kernel.is_some()) {
        true => Err(Error::broken("`kernel` is not yet carried out")),
        false => Ok(()),
    }
}

/// Finds QEMU and what accelerates it, and makes sure of the image.
fn find(options: &Options, reporter: &Reporter, interrupt: &Interrupt, phases: &mut Phases) -> Result<Found> {
    let (qemu, qemu_img) = (Info::qemu()?, Info::qemu_img()?);
    if let Some(note) = qemu.note() {
        tracing::warn!("{note}");
    }
    phases.end("find QEMU", PhaseKind::Overhead);
    let image = image::ensure(&options.image, reporter, &|| interrupt.raised())?;
    phases.end("image", if image.built { PhaseKind::Image } else { PhaseKind::Overhead });
    let probe = Probe::new(&image.kernel, &image.initrd, &image::cache_folder()?);
    let accelerator = probe.choose(options.accelerator, &qemu, reporter)?;
    tracing::info!("{}", accelerator.why);
    phases.end("choose the accelerator", PhaseKind::Overhead);
    if interrupt.raised() {
        return Err(Error::interrupted());
    }
    Ok(Found { qemu, qemu_img, image, accelerator })
}
