//! A lab as a Vagrant project: its folder, ports and storage, how its machines come up, and how all of it goes.
//!
//! Order: the folder is taken and what there will be is written down, so that a guard can remove it; then the storage pool, then, when the
//! first machine is switched on, `vagrant up` for all of them (but for those from boxes of somebody else's, which are [made](super::making) before). Later power-ons are `virsh start`. Whoever drops a project removes it.
//!
//! A project that is *kept* stays when it ends, with its machines switched off, under a name that is a hash of everything that shapes it; the
//! next lab that is the same takes it, gives every machine a fresh disk and starts them without Vagrant.

use super::elsewhere::{self, There};
use super::find::Info;
use super::guard::Guard;
use super::plan::Plan;
use super::remains::{Remains, sweep};
use super::site::{Here, Site};
use super::virsh::Virsh;
use super::{place, ports, up};
use crate::error::{Error, Result};
use nix::fcntl::Flock;
use std::fmt;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The longest path of a Unix socket (unix(7)), with the zero at its end.
const LONGEST_SOCKET: usize = 108;

/// Asked whether the user wants to stop.
pub type Stop = Box<dyn Fn() -> bool + Send + Sync>;

/// What a project is made with.
pub struct Config {
    /// What makes the machines.
    pub info: Info,
    /// The machines; whatever ports they name, others are found.
    pub plan: Plan,
    /// Keep the machines for the next lab that is the same.
    pub keep: bool,
    /// Our own executable, which guards the machines against our being killed; none: nobody does.
    pub controller: Option<PathBuf>,
    /// Where what Vagrant says is kept.
    pub log: PathBuf,
    /// Whether the user wants to stop.
    pub stop: Stop,
}

/// A lab as a Vagrant project.
pub struct Project {
    pub(super) plan: Plan,
    pub(super) info: Info,
    pub(super) stop: Stop,
    pub(super) log: PathBuf,
    remains: Remains,
    /// Where the machines run.
    pub(super) site: Box<dyn Site>,
    /// `vagrant up`, once it was begun; a project that was kept needs none.
    pub(super) up: Mutex<Option<up::Up>>,
    /// It was kept, and its machines are there.
    pub(super) reused: bool,
    guard: Mutex<Option<Guard>>,
    lock: Mutex<Option<Flock<File>>>,
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Project {
    /// Makes the project, or takes one that was kept.
    ///
    /// # Errors
    /// The folder cannot be made, a box is missing, a port is in use, or libvirt does not do its part.
    pub fn prepare(config: Config) -> Result<Self> {
        let base = place::base(&config.info)?;
        sweep(&base);
        super::boxes::present(&config.plan)?;
        let (folder, name, lock) = if config.keep { place::kept(&base, &config.plan)? } else { place::fresh(&base)? };
        let ssh = config.info.virsh.ssh.clone();
        let there = ssh.as_ref().map(|ssh| elsewhere::folder(ssh, &name)).transpose()?;
        let plan = Plan {
            folder: folder.clone(),
            site: there.clone().unwrap_or_else(|| folder.clone()),
            connect: config.info.virsh.uri.clone(),
            disk_owner: ssh.as_ref().filter(|_| config.info.owner.is_none()).and_then(|ssh| ssh.user),
            prefix: format!("deadpeer-{name}-"),
            pool: format!("deadpeer-{name}"),
            key: folder.join("key"),
            ..config.plan
        };
        socket_fits(&plan)?;
        let remains = Remains {
            virsh: config.info.virsh.program.clone(),
            uri: plan.uri.clone(),
            prefix: plan.prefix.clone(),
            pool: plan.pool.clone(),
            kept: config.keep,
            sockets: ssh.as_ref().map(|ssh| ssh.folder().to_owned()),
            there: there.clone(),
        };
        let kept = remains.kept_ports(&config.info.virsh, &plan);
        if kept.is_none() {
            remains.clear(&config.info.virsh, &folder)?;
        }
        remains.write(&folder)?;
        let guard = config.controller.map(|it| Guard::post(&it, &folder)).transpose()?;
        let owner = config.info.owner;
        let site: Result<Box<dyn Site>> = match (&ssh, &there) {
            (Some(ssh), Some(there)) => There::lodge(ssh, there, owner).map(|it| Box::new(it) as _),
            _ => Ok(Box::new(Here::new(&folder, owner))),
        };
        let site = match site {
            Ok(site) => site,
            // The guard has nothing to do when this has worked.
            Err(error) => {
                if remains.remove(&config.info.virsh, &folder).is_ok() {
                    guard.into_iter().for_each(Guard::dismiss);
                }
                return Err(error);
            }
        };
        let mut project = Self {
            plan,
            info: config.info,
            stop: config.stop,
            log: config.log,
            remains,
            site,
            up: Mutex::default(),
            reused: kept.is_some(),
            guard: Mutex::new(guard),
            lock: Mutex::new(Some(lock)),
        };
        match kept {
            Some(hosts) => project.plan.hosts = hosts,
            None => {
                project.site.choose_ports(&mut project.plan.hosts)?;
                ports::write(&project.plan)?;
            }
        }
        project.site.open(&project.plan)?;
        project.lay_out()?;
        Ok(project)
    }

    /// The project's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.plan.folder
    }

    /// Whether its machines are kept when it ends.
    pub(super) fn is_kept(&self) -> bool {
        self.remains.kept
    }

    /// How this lab is planned.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where Vagrant says that a host's SSH is. Waits for Vagrant.
    pub(super) fn endpoint(&self, host: &str) -> Result<SocketAddr> {
        up::endpoint(self, host)
    }

    /// Removes everything, or switches the machines off that are kept.
    ///
    /// # Errors
    /// What libvirt did not do. The guard, or the next controller, tries again.
    pub fn close(&self) -> Result<()> {
        let Some(lock) = own(&self.lock).take() else { return Ok(()) };
        // A Vagrant that still works is ended first: nothing may come after this.
        *own(&self.up) = None;
        let done = self.settle();
        drop(lock);
        // Where something is left, the guard tries once more: it is not told that all is done.
        if let Some(guard) = own(&self.guard).take().filter(|_| done.is_ok()) {
            guard.dismiss();
        }
        done
    }

    fn settle(&self) -> Result<()> {
        let again = self.info.virsh.lost().is_some().then(|| Virsh::at(&self.remains.virsh, &self.remains.uri));
        let libvirt = again.transpose().map_err(|error| self.remains.left(error))?;
        let libvirt = libvirt.as_ref().unwrap_or(&self.info.virsh);
        if self.remains.kept && up::is_complete(&self.plan) {
            return self.remains.clean(libvirt, &self.plan.folder);
        }
        self.remains.remove(libvirt, &self.plan.folder)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!("while removing the machines of {}: {error}", self.plan.folder.display());
        }
    }
}

fn own<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sockets, here and where QEMU is, have names that are short enough.
fn socket_fits(plan: &Plan) -> Result<()> {
    for (folder, variable) in [(&plan.folder, "XDG_CACHE_HOME"), (&plan.site, "XDG_CACHE_HOME, where libvirt is,")] {
        let length = |host: &str| folder.join(format!("{host}.console")).as_os_str().len();
        if plan.hosts.iter().any(|host| length(&host.name) >= LONGEST_SOCKET) {
            return Err(Error::usage(format!(
                "the folder {} has too long a name for a socket in it",
                folder.display()
            ))
            .help(format!("Set {variable} to a folder with a shorter path.")));
        }
    }
    Ok(())
}
