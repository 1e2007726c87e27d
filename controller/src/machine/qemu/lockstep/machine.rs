//! A machine in lockstep time, as the conductor knows machines.
//!
//! What a machine in real time tells by itself, over threads and pipes, this one tells when it is listened to ([`Ears`]): at a
//! boundary, where it stands still and all that it has said is in its files. So when it is heard does not depend on how busy this
//! computer is.

use super::config::Config;
use super::ears::Ears;
use super::monitor::Monitor;
use super::state;
use super::{Board, arguments, disk};
use crate::error::{Context, Error, Result};
use crate::machine::console::Tail;
use crate::machine::qemu::arguments::nic;
use crate::machine::recordings::Recordings;
use crate::machine::{Link, Machine};
use crate::process::{self, Child, DEATH};
use crate::timeline::{Ended, MachineEvent, Recorder, What};
use command_fds::CommandFdExt;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long QEMU may take to answer.
const PATIENCE: Duration = crate::machine::qemu::PATIENCE;

/// How much of QEMU's standard error is shown.
const WORDS_SHOWN: u64 = 4000;

/// Those who live on one clock, to whom a machine comes and whom it leaves.
pub trait Company: std::fmt::Debug + Send + Sync {
    /// A machine of this host was started, and its plugin greets over this socket.
    ///
    /// # Errors
    /// It does not.
    fn join(&self, host: &str, socket: UnixStream) -> Result<()>;

    /// Stops the machine of this host where it stands, so that its QEMU answers QMP. It goes on when it is told to over QMP.
    ///
    /// # Errors
    /// It is gone.
    fn pause(&self, host: &str) -> Result<()>;

    /// The machine of this host is dead.
    fn leave(&self, host: &str);
}

/// A machine that is a QEMU process in lockstep while its power is on. Dropping it cuts its power.
#[derive(Debug)]
pub struct LockstepMachine {
    config: Config,
    qemu: PathBuf,
    recorder: Recorder,
    company: Arc<dyn Company>,
    tail: Tail,
    life: Arc<Mutex<Option<Life>>>,
    recordings: Recordings,
    unplugged: BTreeSet<usize>,
    /// The plugin's other end, of a machine that was loaded and not switched on yet.
    loaded: Option<UnixStream>,
}

/// A QEMU process, from its start on.
#[derive(Debug)]
pub(super) struct Life {
    child: Child,
    pub(super) monitor: Monitor,
    stderr: File,
    pid_file: PathBuf,
    /// The guest has switched it off, or it was seen to be gone.
    pub(super) over: bool,
}

impl Life {
    /// How it ended, and its last words.
    pub(super) fn end(&mut self) -> (Option<Ended>, String) {
        self.over = true;
        let _ = std::fs::remove_file(&self.pid_file);
        (self.child.wait(DEATH), self.words())
    }

    fn words(&self) -> String {
        let length = self.stderr.metadata().map_or(0, |it| it.len());
        let from = length.saturating_sub(WORDS_SHOWN);
        let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let got = self.stderr.read_at(&mut bytes, from).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..got]).trim_end().to_owned()
    }
}

impl LockstepMachine {
    /// A machine whose power is off, and the ears that hear it.
    #[must_use]
    pub fn new(config: Config, qemu: PathBuf, recorder: Recorder, company: Arc<dyn Company>) -> (Self, Ears) {
        let (tail, life) = (Tail::default(), Arc::default());
        let ears = Ears::new(&config, tail.clone(), Arc::clone(&life));
        let recordings = Recordings::new(config.witnessed.then(|| config.private.clone()), &config.name);
        let (unplugged, loaded) = (BTreeSet::new(), None);
        (Self { config, qemu, recorder, company, tail, life, recordings, unplugged, loaded }, ears)
    }

    fn life(&self) -> MutexGuard<'_, Option<Life>> {
        lock(&self.life)
    }

    /// Starts QEMU and waits until it answers. Its guest stands still.
    fn begin(&mut self, restored: bool) -> Result<UnixStream> {
        let config = &self.config;
        let disk = match (restored, self.recordings.power_ons()) {
            (false, 0) => disk::copy(&config.base, &config.disk())?,
            // What was saved fills it.
            (true, 0) => disk::blank(&config.base, &config.disk())?,
            _ => disk::kept(&config.disk())?,
        };
        let fact = || format!("cannot prepare QEMU for '{}'", config.name);
        let (ours, theirs) = UnixStream::pair().broken(fact)?;
        let (asking, answering) = UnixStream::pair().broken(fact)?;
        let (theirs, answering) = (OwnedFd::from(theirs), OwnedFd::from(answering));
        let power_ons = u64::try_from(self.recordings.power_ons()).unwrap_or_default();
        let seed = config.seed(power_ons);
        let append = format!("{} deadpeer.seed={seed:016x}", config.append);
        let board = Board {
            name: config.name.clone(),
            memory: config.memory,
            kernel: Some((config.kernel.clone(), config.initrd.clone(), append)),
            links: config.links.clone(),
            disk: Some(disk),
            programs: Some(config.programs.clone()),
            recorder: self.recordings.fresh()?,
            console: Some(config.console_log()),
            agent: Some(config.agent()),
            seed,
            plugin: config.plugin.clone(),
            socket: theirs.as_raw_fd(),
            qmp: Some(answering.as_raw_fd()),
            restored,
        };
        let stderr = tempfile::tempfile().broken(fact)?;
        let mut command = Command::new(&self.qemu);
        command.args(arguments(&board)).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(stderr.try_clone().broken(fact)?).preserved_fds(vec![theirs, answering]);
        let child = process::spawn(command, |_| ())?;
        let pid = child.pid();
        let pid_file = config.pid_file();
        let monitor = Monitor::new(&config.name, asking, PATIENCE)?;
        *self.life() = Some(Life { child, monitor, stderr, pid_file: pid_file.clone(), over: false });
        tracing::info!(host = config.name, pid, "QEMU was started");
        std::fs::write(&pid_file, format!("{pid}\n")).broken(|| format!("cannot write {}", pid_file.display()))?;
        self.ask(Monitor::greet)?;
        Ok(ours)
    }

    fn note(&self, event: MachineEvent) {
        self.recorder.note(What::Machine { host: self.config.name.clone(), event });
    }

    /// Lets the machine go from where it stands still since its start.
    fn go(&mut self) -> Result<()> {
        let unplugged: Vec<usize> = self.unplugged.range(..self.config.links.len()).copied().collect();
        self.ask(|monitor| {
            unplugged.iter().try_for_each(|link| set_link(monitor, *link, false))?;
            monitor.tell("cont", Value::Null).map(drop)
        })
    }

    /// Pauses the machine, has QEMU do something, and lets it go on, done or not.
    fn paused(&mut self, work: impl FnOnce(&mut Monitor) -> Result<()>) -> Result<()> {
        self.company.pause(&self.config.name)?;
        self.ask(|monitor| {
            monitor.stopped()?;
            let done = work(monitor);
            monitor.tell("cont", Value::Null).and(done)
        })
    }

    fn ask(&mut self, work: impl FnOnce(&mut Monitor) -> Result<()>) -> Result<()> {
        let mut life = lock(&self.life);
        let life = life.as_mut().filter(|life| !life.over);
        let life = life.ok_or_else(|| Error::broken(format!("the machine of '{}' is off", self.config.name)))?;
        work(&mut life.monitor).map_err(|error| error.detail(life.words()))
    }
}

fn set_link(monitor: &mut Monitor, link: usize, up: bool) -> Result<()> {
    monitor.command("set_link", json!({ "name": nic(link), "up": up }))
}

pub(super) fn lock(life: &Mutex<Option<Life>>) -> MutexGuard<'_, Option<Life>> {
    life.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Machine for LockstepMachine {
    fn host(&self) -> &str {
        &self.config.name
    }

    /// Its links are the switch's own: `links` is empty.
    fn power_on(&mut self, _links: Vec<Link>) -> Result<()> {
        if self.is_on() && self.loaded.is_none() {
            return Err(Error::broken(format!("cannot power on '{}': it is on", self.config.name)));
        }
        let socket = match self.loaded.take() {
            Some(socket) => socket,
            None => self.begin(false)?,
        };
        self.note(MachineEvent::PoweredOn { pid: None });
        self.go()?;
        self.company.join(&self.config.name, socket).map_err(|error| {
            let words = self.life().as_ref().map(Life::words).unwrap_or_default();
            error.detail(words)
        })
    }

    fn power_off(&mut self) -> Result<Ended> {
        let fact = format!("the power of '{}' could not be cut", self.config.name);
        let how = match self.life().as_mut().filter(|life| !life.over) {
            None => return Err(Error::broken(fact).detail("it is off")),
            Some(life) => {
                life.child.kill(Signal::SIGKILL)?;
                life.end().0
            }
        };
        // Dead before it leaves: one that loses its coordinator ends by itself, which would be no power cut.
        self.company.leave(&self.config.name);
        match how {
            Some(how) if how == Ended::Signal("KILL".to_owned()) => {
                self.note(MachineEvent::PoweredOff { how: how.clone(), domain: None });
                Ok(how)
            }
            Some(how) => Err(Error::broken(fact)
                .detail("awaited: QEMU ended by SIGKILL while its guest ran, the proof of a power cut")
                .detail(format!("came: it {how}"))),
            None => Err(Error::broken(fact).detail(format!("awaited: the end of QEMU within {DEATH:?}"))),
        }
    }

    fn save(&mut self, into: &mut dyn Write) -> Result<()> {
        self.paused(|monitor| state::save(monitor, into))
    }

    fn load(&mut self, from: &mut dyn Read) -> Result<()> {
        let loaded = self.begin(true).and_then(|socket| {
            self.ask(|monitor| state::load(monitor, from))?;
            Ok(socket)
        });
        match loaded {
            Ok(socket) => self.loaded = Some(socket),
            Err(error) => {
                self.unload();
                return Err(error);
            }
        }
        Ok(())
    }

    fn unload(&mut self) {
        self.loaded = None;
        if let Some(mut life) = self.life().take() {
            // Dead with its drop, if not by this.
            let _ = life.child.kill(Signal::SIGKILL);
            life.end();
        }
        let _ = std::fs::remove_file(self.config.disk());
        self.recordings.undo();
    }

    fn reset(&mut self) -> Result<()> {
        self.paused(|monitor| monitor.command("system_reset", Value::Null))
    }

    fn set_carrier(&mut self, link: usize, up: bool) -> Result<()> {
        if self.is_on() {
            self.paused(|monitor| set_link(monitor, link, up))?;
        }
        if up {
            self.unplugged.remove(&link);
        } else {
            self.unplugged.insert(link);
        }
        self.note(MachineEvent::CarrierSet { up });
        Ok(())
    }

    fn control_address(&self) -> Result<SocketAddr> {
        Err(Error::broken(format!("'{}' is reached over its serial line, not over SSH", self.config.name)))
    }

    fn recordings(&self) -> &[PathBuf] {
        self.recordings.all()
    }

    fn program_disk(&self) -> Option<&Path> {
        Some(&self.config.programs)
    }

    fn console_tail(&self, lines: usize) -> String {
        self.tail.last(lines)
    }

    fn evidence(&self) -> String {
        match self.life().as_ref() {
            None => "it was never powered on".to_owned(),
            Some(life) => match life.child.ended() {
                None => format!("QEMU runs as process {}\n{}", life.child.pid(), life.words()),
                Some(how) => format!("QEMU {how}\n{}", life.words()),
            },
        }
    }

    fn pid(&self) -> Option<u32> {
        self.life().as_ref().filter(|life| life.child.ended().is_none()).map(|life| life.child.pid())
    }

    fn is_on(&self) -> bool {
        self.life().as_ref().is_some_and(|life| !life.over)
    }
}
