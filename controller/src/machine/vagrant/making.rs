//! How a machine is made from a box of somebody else's: Vagrant brings it up and furnishes it over SSH, and it is switched off in order.
//!
//! That life is none of the lab's, and nothing of it is in the run's timeline. What it leaves is a disk that knows how to become a host of a
//! lab; every life in the lab begins with it. Of machines that are kept, a snapshot is taken of that disk.

use super::life::{Ears, Life, Starting};
use super::plan::HostPlan;
use super::watch::Watch;
use super::{Project, Vagrant, up};
use crate::error::{Error, Result};
use crate::machine::console::Tail;
use crate::machine::recordings::Recordings;
use crate::runlog::belonging;
use crate::timeline::{Clock, Recorder};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// What Vagrant runs in the machine.
pub(super) const SCRIPT: &str = include_str!("files/furnish");

/// That script in a project's folder.
pub(super) const SCRIPT_FILE: &str = "furnish";

/// How long a machine that Vagrant has halted may take to be gone.
const OFF_WITHIN: Duration = Duration::from_secs(40);

/// How long Vagrant may take to say why a machine is gone: it ends one itself that it could not bring up.
const VAGRANTS_WORD: Duration = Duration::from_secs(20);

/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(50);

/// Lines of a console that an error shows.
const LINES: usize = 15;

/// A machine that is being made.
struct Making<'a> {
    host: &'a str,
    domain: &'a str,
    life: Life,
    tail: Tail,
}

/// Furnishes those of the project's machines that come from boxes of somebody else's. None of a project that was kept needs it. Whether
/// there was anything to do.
///
/// # Errors
/// Vagrant did not bring one up or furnish it, one ended, did not end in order, or the user interrupts.
pub fn make<'m>(project: &Arc<Project>, machines: &'m [Vagrant]) -> Result<bool> {
    let foreign = |machine: &&Vagrant| project.plan.host(&machine.host).is_ok_and(HostPlan::is_foreign);
    let machines: Vec<&'m Vagrant> = machines.iter().filter(foreign).collect();
    if machines.is_empty() || project.reused {
        return Ok(false);
    }
    let hosts: Vec<&str> = machines.iter().map(|machine| machine.host.as_str()).collect();
    // What they send is nobody's evidence either: until a machine of the lab is plugged in, its cable leads nowhere.
    hosts.iter().for_each(|host| project.site.nobody_there(&project.plan, host));
    // Heard by nobody: it is no part of what will be judged.
    let (sink, _source) = std::sync::mpsc::channel();
    let recorder = Recorder::new(Clock::start(), sink);
    up::furnish(project, &hosts)?;
    // Side by side, as they are started.
    let making: Vec<Making<'_>> = std::thread::scope(|scope| {
        let begin = |machine: &'m Vagrant| {
            let (host, domain, ears) = (&*machine.host, &*machine.domain, &machine.ears);
            let recorder = recorder.clone();
            scope.spawn(belonging(move || Making::begin(project, host, domain, ears, recorder)))
        };
        let beginning: Vec<_> = machines.iter().copied().map(begin).collect();
        let begun = |it: ScopedJoinHandle<'_, _>| {
            it.join().map_err(|_| Error::broken("a worker thread of the controller died"))?
        };
        beginning.into_iter().map(begun).collect::<Result<_>>()
    })?;
    await_vagrant(project, &making, |it| {
        (!it.life.watch.is_on()).then(|| it.error("ended while it was being furnished"))
    })?;
    let endpoints = up::ask_endpoints(project, &hosts)?;
    up::halt(project, &hosts)?;
    await_vagrant(project, &making, |_| None)?;
    up::done(project);
    for it in &making {
        it.is_off(&it.life.watch)?;
        if project.is_kept() {
            project.info.virsh.take_snapshot(it.domain)?;
        }
    }
    // Last of all: who finds this takes them for made.
    up::note_endpoints(project, &endpoints)?;
    Ok(true)
}

/// Waits until Vagrant has done what it was told, unless a machine is not as it should be, or the user interrupts.
fn await_vagrant(project: &Project, making: &[Making<'_>], wrong: impl Fn(&Making<'_>) -> Option<Error>) -> Result<()> {
    let mut since = None;
    while !up::go(project).map_err(|error| with_consoles(error, making))? {
        if let Some(error) = making.iter().find_map(&wrong)
            && since.get_or_insert_with(Instant::now).elapsed() > VAGRANTS_WORD
        {
            return Err(error);
        }
        if (project.stop)() {
            return Err(Error::interrupted());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

impl<'a> Making<'a> {
    fn begin(project: &Arc<Project>, host: &'a str, domain: &'a str, ears: &Ears, recorder: Recorder) -> Result<Self> {
        let folder = &project.plan.folder;
        let name = format!("{host}.making");
        let recordings = project.plan.host(host)?.recorder.then(|| folder.clone());
        if let Some(recording) = Recordings::new(recordings, &name).fresh()? {
            project.site.record_to(&project.plan, host, &recording)?;
        }
        let starting = Starting {
            host,
            domain,
            by_vagrant: true,
            console_log: folder.join(format!("{name}.console.log")),
            pid_file: folder.join(format!("{name}.pid")),
        };
        let tail = Tail::default();
        let life = Life::begin(project, ears, &starting, recorder, tail.clone())?;
        Ok(Self { host, domain, life, tail })
    }

    fn error(&self, what: &str) -> Error {
        let fact = format!("the machine of '{}', which is made from a box, {what}", self.host);
        Error::broken(fact).detail(self.life.watch.evidence()).detail(self.said())
    }

    fn said(&self) -> String {
        format!("'{}' printed last:\n{}", self.host, self.tail.last(LINES))
    }

    /// What was written to its disk is on it: it was switched off in order.
    fn is_off(&self, watch: &Watch) -> Result<()> {
        match watch.wait(OFF_WITHIN) {
            Some((standing, _)) if standing == "shut off (shutdown)" => Ok(()),
            _ => Err(self.error("was furnished, and did not shut down then")),
        }
    }
}

/// An error of Vagrant's, with what the machines printed.
fn with_consoles(error: Error, making: &[Making<'_>]) -> Error {
    making.iter().fold(error, |error, it| error.detail(it.said()))
}
