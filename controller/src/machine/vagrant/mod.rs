//! Machines that Vagrant makes and libvirt runs, through the plugin vagrant-libvirt.
//!
//! A lab is one Vagrant project ([`Project`]): the first power-on of its machines is `vagrant up`, all of them at once; later ones are
//! `virsh start`. A machine from a box of somebody else's is [made](making) before, and started so from the first power-on on. A power cut is `virsh destroy`, reset and carrier are `virsh reset` and `virsh domif-setlink`. Nothing is asked of the
//! network of this computer: a link NIC is a UDP tunnel of libvirt's between two ports of 127.0.0.1, one of which is the switch's, and SSH is
//! forwarded by QEMU itself.
//!
//! What a machine does is heard as from a QEMU of our own: its console and a QMP connection lead to sockets at which we listen, and its
//! flight recorder is a file. Where libvirt is one of [another computer](elsewhere), all that is brought here over SSH.
//!
//! Order: what QEMU says comes at once; how it ended libvirt says, once its process is gone.
//!
//! Exception: the process is not our child, so there is no wait status. The proof of a power cut is libvirt's word for it (`shut off
//! (destroyed)`), the process's absence, and QEMU's own word that a signal ended it.

mod boxes;
mod elsewhere;
mod find;
mod furnish;
mod guard;
mod life;
mod making;
mod place;
mod plan;
mod ports;
mod project;
mod remains;
mod site;
mod up;
mod vagrantfile;
mod virsh;
mod watch;

pub use boxes::with_version;
pub use find::{Hypervisor, Info, Versions, is_elsewhere, look_elsewhere, usual_uri};
pub use guard::guard;
pub use making::make;
pub use plan::{Boots, HostPlan, LinkPlan, Plan};
pub use project::{Config, Project, Stop};
pub use remains::{Remains, kept};
pub use vagrantfile::vagrantfile;
pub use virsh::Virsh;

use super::console::Tail;
use super::recordings::Recordings;
use super::{Link, Machine};
use crate::error::{Error, Result};
use crate::timeline::{Ended, MachineEvent, Recorder, What};
use life::{Ears, Life};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long libvirt may take to end a QEMU whose guest has shut down.
const AFTER_SHUTDOWN: Duration = Duration::from_secs(20);

/// How long a QEMU may take to be gone once libvirt is told to destroy it: it asks for ten seconds, and then kills.
const DEATH: Duration = Duration::from_secs(40);

/// A machine of a project. Dropping it cuts its power.
#[derive(Debug)]
pub struct Vagrant {
    host: String,
    domain: String,
    project: Arc<Project>,
    ears: Ears,
    recorder: Recorder,
    tail: Tail,
    unplugged: BTreeSet<usize>,
    /// The process, once there was one; it may have ended.
    life: Option<Life>,
    recordings: Recordings,
    /// The run's folder: `NAME.console.log` stays there, `NAME.pid` while QEMU lives.
    folder: PathBuf,
}

impl Vagrant {
    /// The machine of this host, whose power is off.
    ///
    /// # Errors
    /// The project has no such host, or nothing can listen in its folder.
    pub fn new(project: Arc<Project>, host: &str, folder: &Path, recorder: Recorder) -> Result<Self> {
        let plan = project.plan();
        let recordings = plan.host(host)?.recorder.then(|| plan.folder.clone());
        Ok(Self {
            host: host.to_owned(),
            domain: plan.domain(host),
            ears: Ears::open(&project, host)?,
            recorder,
            tail: Tail::default(),
            unplugged: BTreeSet::new(),
            life: None,
            recordings: Recordings::new(recordings, host),
            folder: folder.to_owned(),
            project,
        })
    }

    /// The process, if power is on.
    fn on(&self, wanted: &str) -> Result<&Life> {
        let host = &self.host;
        match &self.life {
            Some(life) if life.watch.is_on() => Ok(life),
            Some(life) => {
                Err(Error::broken(format!("cannot {wanted} '{host}': it is off")).detail(life.watch.evidence()))
            }
            None => Err(Error::broken(format!("cannot {wanted} '{host}': it was never powered on"))),
        }
    }

    fn begin(&mut self) -> Result<()> {
        if let Some(recording) = self.recordings.fresh()? {
            self.project.site.record_to(self.project.plan(), &self.host, &recording)?;
        }
        // A box of somebody else's was made a machine of the lab before (`make`).
        let foreign = self.project.plan().host(&self.host)?.is_foreign();
        let by_vagrant = self.life.is_none() && !self.project.reused && !foreign;
        self.life = None;
        let (console_log, pid_file) =
            ["console.log", "pid"].map(|it| self.folder.join(format!("{}.{it}", self.host))).into();
        let starting = life::Starting { host: &self.host, domain: &self.domain, by_vagrant, console_log, pid_file };
        let life = Life::begin(&self.project, &self.ears, &starting, self.recorder.clone(), self.tail.clone())?;
        self.life = Some(life);
        Ok(())
    }
}

impl Machine for Vagrant {
    fn host(&self) -> &str {
        &self.host
    }

    fn power_on(&mut self, _: Vec<Link>) -> Result<()> {
        let host = &self.host;
        if let Some(life) = &self.life {
            if life.watch.is_on() {
                return Err(Error::broken(format!("cannot power on '{host}': it is on")));
            }
            if life.watch.wait(AFTER_SHUTDOWN).is_none() {
                return Err(Error::broken(format!(
                    "cannot power on '{host}': its QEMU did not end after the guest's shutdown"
                ))
                .detail(format!("awaited: its end within {AFTER_SHUTDOWN:?}"))
                .detail(life.watch.evidence()));
            }
        }
        self.begin()
    }

    fn cable(&self, link: usize) -> Result<Option<OwnedFd>> {
        self.project.site.cable(self.project.plan(), &self.host, link).map(Some)
    }

    fn power_off(&mut self) -> Result<Ended> {
        let life = self.on("power off")?;
        let fact = || format!("the power of '{}' could not be cut", self.host);
        if !life.watch.cut_power() {
            return Err(Error::broken(fact()).detail("its guest had shut down before").detail(life.watch.evidence()));
        }
        let destroyed = self.project.info.virsh.destroy(&self.domain);
        let ended = life.watch.wait(DEATH);
        match (destroyed, ended) {
            (Ok(()), Some((standing, how))) if standing == virsh::DESTROYED => Ok(how),
            (_, Some((standing, _))) => Err(Error::broken(fact())
                .detail(format!("awaited: its domain {}, the proof of a power cut", virsh::DESTROYED))
                .detail(format!("came: {standing}"))
                .detail(life.watch.evidence())),
            (Err(error), None) => Err(error.during(&fact())),
            (Ok(()), None) => Err(Error::broken(fact())
                .detail(format!("awaited: the end of its QEMU; came: nothing within {DEATH:?}"))
                .detail(life.watch.evidence())),
        }
    }

    fn reset(&mut self) -> Result<()> {
        self.on("reset")?;
        self.project.info.virsh.reset(&self.domain)
    }

    fn set_carrier(&mut self, link: usize, up: bool) -> Result<()> {
        let links = &self.project.plan().host(&self.host)?.links;
        let count = links.len();
        let mac = links
            .get(link)
            .ok_or_else(|| Error::usage(format!("'{}' has no link {link}: it has {count}", self.host)))?
            .mac;
        self.project.info.virsh.set_link(&self.domain, mac, up, self.is_on())?;
        if up {
            self.unplugged.remove(&link);
        } else {
            self.unplugged.insert(link);
        }
        self.recorder.note(What::Machine { host: self.host.clone(), event: MachineEvent::CarrierSet { up } });
        Ok(())
    }

    fn control_address(&self) -> Result<SocketAddr> {
        if !self.is_on() {
            return Err(Error::broken(format!("'{}' cannot be reached: it is off", self.host)).detail(self.evidence()));
        }
        self.project.endpoint(&self.host)
    }

    fn console_tail(&self, lines: usize) -> String {
        self.tail.last(lines)
    }

    fn evidence(&self) -> String {
        self.life.as_ref().map_or_else(|| "it was never powered on".to_owned(), |life| life.watch.evidence())
    }

    fn recordings(&self) -> &[PathBuf] {
        self.recordings.all()
    }

    fn pid(&self) -> Option<u32> {
        self.life.as_ref().and_then(|life| life.watch.pid()).filter(|_| self.project.site.is_here())
    }

    fn command_line(&self) -> Option<Vec<u8>> {
        self.project.site.command_line(self.life.as_ref()?.watch.pid()?)
    }

    fn is_here(&self) -> bool {
        self.project.site.is_here()
    }

    fn is_on(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.watch.is_on())
    }
}

impl Drop for Vagrant {
    /// Whoever drops a machine cuts its power, and leaves its cables plugged in.
    fn drop(&mut self) {
        if self.is_on()
            && let Err(error) = self.power_off()
        {
            tracing::warn!("while ending '{}': {error}", self.host);
        }
        for link in std::mem::take(&mut self.unplugged) {
            let mac =
                self.project.plan().host(&self.host).ok().and_then(|host| host.links.get(link)).map(|link| link.mac);
            if let Some(Err(error)) = mac.map(|mac| self.project.info.virsh.set_link(&self.domain, mac, true, false)) {
                tracing::debug!("{error}");
            }
        }
    }
}
