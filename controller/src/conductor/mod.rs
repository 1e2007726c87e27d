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
mod steps;
mod watch;

pub use interrupt::Interrupt;
pub use log::RunLog;

use crate::error::{Error, Kind, Result};
use crate::image::{self, Image};
use crate::machine::qemu::{Accelerator, Choice};
use crate::progress::Reporter;
use crate::report::RunResult;
use crate::scenario::Scenario;
use crate::timeline::{Clock, Event};
use folder::Folder;
use phases::{Kind as PhaseKind, Phases};
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
    /// `events.jsonl`.
    pub timeline: Vec<Event>,
}

/// What is known of a run before its hosts boot.
#[derive(Debug, Default)]
struct Facts {
    image: Option<Image>,
    qemu: Option<crate::machine::qemu::Info>,
    accelerator: Option<(Accelerator, String)>,
}

/// Runs a scenario. An outcome is always returned once the run's folder exists: a lab that broke, or the user's
/// interrupt, is an outcome (*unknown*) with its error in the result.
///
/// # Errors
/// The folder cannot be made or not be written: then there is no run.
pub fn run(scenario: &Scenario, options: &Options, reporter: &Reporter, interrupt: &Interrupt) -> Result<Run> {
    let mut phases = Phases::start();
    let started = SystemTime::now();
    let clock = Clock::start();
    let folder = Folder::create(options.out.as_deref(), &scenario.name, &outcome::stamp(started))?;
    folder.write("scenario.yaml", scenario.source.as_bytes())?;
    let _log = RunLog::open(&folder.file("controller.log"), clock)?;
    let mut facts = Facts::default();
    let carried = prepare(scenario, options, reporter, interrupt, &mut facts, &mut phases)
        .and_then(|()| assemble::conduct(scenario, options, reporter, interrupt, &facts, &folder, clock, &mut phases));
    let carried = carried.unwrap_or_else(assemble::Carried::broken);
    if let Some(error) = carried.error.as_ref().filter(|e| e.kind != Kind::Interrupted) {
        tracing::error!("{error}");
    }
    outcome::conclude(scenario, &facts, carried, folder, started, phases)
}

/// Finds QEMU and what accelerates it, and makes sure of the image.
fn prepare(
    scenario: &Scenario,
    options: &Options,
    reporter: &Reporter,
    interrupt: &Interrupt,
    facts: &mut Facts,
    phases: &mut Phases,
) -> Result<()> {
    use crate::machine::qemu;
    let _ = scenario;
    let info = qemu::find()?;
    phases.end("find QEMU", PhaseKind::Overhead);
    let image = image::ensure(&options.image, reporter, &|| interrupt.raised())?;
    phases.end("image", if image.built { PhaseKind::Image } else { PhaseKind::Overhead });
    if interrupt.raised() {
        return Err(Error::interrupted());
    }
    facts.accelerator = Some(qemu::choose(options.accelerator, &info, &image.kernel, &image.initrd)?);
    phases.end("choose the accelerator", PhaseKind::Overhead);
    facts.qemu = Some(info);
    facts.image = Some(image);
    Ok(())
}
