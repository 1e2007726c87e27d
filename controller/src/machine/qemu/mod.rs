//! Machines that the controller runs itself, each a QEMU process.
//!
//! Power on is a new process, power off is SIGKILL and the wait status that proves it, carrier and reset go over
//! QMP. Nothing listens but the guest's SSH, on a port of 127.0.0.1 that the host's kernel chooses; everything
//! else is a socket pair that QEMU inherits.
//!
//! ```no_run
//! # use deadpeer::machine::{Machine, qemu::{Config, Info, Qemu}};
//! # fn f(config: Config, recorder: deadpeer::timeline::Recorder) -> deadpeer::error::Result<()> {
//! let mut server = Qemu::new(config, Info::qemu()?, &Info::qemu_img()?, recorder)?;
//! server.power_on(vec![])?; // ... the recorder gets `Booted` when the guest is up ...
//! server.power_off()?;
//! server.power_on(vec![])?; // the same disk, as the power cut left it
//! # Ok(()) }
//! ```

mod arguments;
mod disk;
mod find;
mod life;
pub mod lockstep;
mod probe;
mod usernet;
mod watch;

pub(super) use arguments::EMULATED_CPU;
pub use arguments::{RECORDER_MIB, Wiring, arguments, bare};
pub use find::{Info, NEWEST_MAJOR, OLDEST, Version};
pub use probe::{Chosen, Kvm, PROBE_DEADLINE, Probe};

use super::console::Tail;
use super::recordings::Recordings;
use super::{Accelerator, Link, Mac, Machine};
use crate::error::{Error, Result};
use crate::timeline::{Ended, MachineEvent, Recorder, What};
use life::Life;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How long QEMU may take to answer, unless a [`Config`] says otherwise. It answers within milliseconds, if not
/// starved: its first answer comes when its devices are made, after some 0.1 s.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long QEMU may take to end after its guest has shut down.
const AFTER_SHUTDOWN: Duration = Duration::from_secs(10);

/// What a machine is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The host's name: lower-case letters, digits and hyphens. Files in `folder` begin with it.
    pub name: String,
    /// Memory in MiB.
    pub memory: u32,
    /// The kernel: bzImage, or an ELF image with a PVH entry point, which boots quicker as nobody unpacks it.
    pub kernel: PathBuf,
    /// The initramfs, with this host's seed appended.
    pub initrd: PathBuf,
    /// The image's disk, raw; never written.
    pub base: PathBuf,
    /// The disk of this run, made by [`Qemu::new`]; must not exist before.
    pub overlay: PathBuf,
    /// The kernel command line, whole; `console=ttyS0` must be in it.
    pub append: String,
    /// Address of the control NIC.
    pub control_mac: Mac,
    /// How its instructions are executed.
    pub accelerator: Accelerator,
    /// The run's folder: `NAME.console.log` stays there, `NAME.pid` while QEMU lives.
    pub folder: PathBuf,
    /// Where the flight recorder's files are put, `NAME.N.recorder` for the N-th power-on; none: the machine has no
    /// flight recorder.
    pub recordings: Option<PathBuf>,
    /// How long QEMU may take to answer: [`PATIENCE`].
    pub patience: Duration,
}

impl Config {
    /// Where the console is written.
    #[must_use]
    pub fn console_log(&self) -> PathBuf {
        self.folder.join(format!("{}.console.log", self.name))
    }

    /// Where QEMU's process id is while it lives.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pid", self.name))
    }
}

/// A machine that is a QEMU process while its power is on. Dropping it cuts its power.
#[derive(Debug)]
pub struct Qemu {
    config: Config,
    qemu: Info,
    recorder: Recorder,
    tail: Tail,
    unplugged: BTreeSet<usize>,
    /// The process, once there was one; it may have ended.
    life: Option<Life>,
    control: Option<SocketAddr>,
    recordings: Recordings,
}

impl Qemu {
    /// A machine whose power is off, with a fresh disk.
    ///
    /// # Errors
    /// The disk cannot be made.
    pub fn new(config: Config, qemu: Info, qemu_img: &Info, recorder: Recorder) -> Result<Self> {
        disk::create(qemu_img, &config.base, &config.overlay)?;
        let (tail, unplugged) = (Tail::default(), BTreeSet::new());
        let recordings = Recordings::new(config.recordings.clone(), &config.name);
        Ok(Self { config, qemu, recorder, tail, unplugged, life: None, control: None, recordings })
    }

    /// The process, if power is on.
    fn on(&mut self, wanted: &str) -> Result<&mut Life> {
        let name = &self.config.name;
        match self.life.as_mut() {
            Some(life) if life.is_on() => Ok(life),
            Some(life) => Err(Error::broken(format!("cannot {wanted} '{name}': it is off")).detail(life.evidence())),
            None => Err(Error::broken(format!("cannot {wanted} '{name}': it was never powered on"))),
        }
    }
}

impl Machine for Qemu {
    fn host(&self) -> &str {
        &self.config.name
    }

    fn power_on(&mut self, links: Vec<Link>) -> Result<()> {
        if let Some(life) = &self.life {
            let name = &self.config.name;
            if life.is_on() {
                return Err(Error::broken(format!("cannot power on '{name}': it is on")));
            }
            if life.wait(AFTER_SHUTDOWN).is_none() {
                return Err(Error::broken(format!(
                    "cannot power on '{name}': its QEMU did not end after the guest's shutdown"
                ))
                .detail(format!("awaited: its end within {AFTER_SHUTDOWN:?}"))
                .detail(life.evidence()));
            }
        }
        self.control = None;
        let recorder = self.recordings.fresh()?;
        let life = Life::begin(&self.config, &self.qemu, self.recorder.clone(), self.tail.clone(), links, recorder)?;
        let life = self.life.insert(life);
        // One that does not get on its feet is not left lying around; the error was made before it is ended.
        self.control = Some(life.go(&self.unplugged).inspect_err(|_| drop(life.cut_power()))?);
        Ok(())
    }

    fn power_off(&mut self) -> Result<Ended> {
        self.on("power off")?.cut_power()
    }

    fn reset(&mut self) -> Result<()> {
        self.on("reset")?.reset()
    }

    fn set_carrier(&mut self, link: usize, up: bool) -> Result<()> {
        if let Some(life) = self.life.as_mut().filter(|life| life.is_on()) {
            life.set_carrier(link, up)?;
        }
        if up {
            self.unplugged.remove(&link);
        } else {
            self.unplugged.insert(link);
        }
        let event = MachineEvent::CarrierSet { up };
        self.recorder.note(What::Machine { host: self.config.name.clone(), event });
        Ok(())
    }

    fn control_address(&self) -> Result<SocketAddr> {
        self.control.filter(|_| self.is_on()).ok_or_else(|| {
            Error::broken(format!("'{}' cannot be reached: it is off", self.config.name)).detail(self.evidence())
        })
    }

    fn console_tail(&self, lines: usize) -> String {
        self.tail.last(lines)
    }

    fn evidence(&self) -> String {
        self.life.as_ref().map_or_else(|| "it was never powered on".to_owned(), Life::evidence)
    }

    fn recordings(&self) -> &[PathBuf] {
        self.recordings.all()
    }

    fn pid(&self) -> Option<u32> {
        self.life.as_ref().and_then(Life::pid)
    }

    fn is_on(&self) -> bool {
        self.life.as_ref().is_some_and(Life::is_on)
    }
}
