//! What a lab leaves with libvirt, and its removal: domains, disks, the storage pool, logs and the project's folder.
//!
//! Whoever ends a lab removes them: the controller itself; a guard, which outlives a controller that was killed; or, where the whole
//! computer went down, the next controller. Domains are told by the lab's own prefix, and no other is ever touched.

use super::plan::{HostPlan, Plan};
use super::virsh::Virsh;
use super::{elsewhere, ports, up};
use crate::cache::{self, remove_folder};
use crate::error::{Context, Error, Result};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The file in a project's folder that says all this.
const FILE: &str = "project.json";

/// The file that whoever uses a project has locked.
const LOCK: &str = "lock";

/// For how long libvirt may still make what a Vagrant that was killed had asked for.
const AFTERMATH: Duration = Duration::from_secs(3);

/// What a lab leaves with libvirt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// virsh's executable.
    pub virsh: PathBuf,
    /// Where libvirt is.
    pub uri: String,
    /// What the names of its domains begin with.
    pub prefix: String,
    /// Its storage pool.
    pub pool: String,
    /// Whether the machines are kept: then they are only switched off.
    pub kept: bool,
    /// The sockets of a connection to where libvirt is, if that is elsewhere.
    #[serde(default)]
    pub sockets: Option<PathBuf>,
    /// The project's folder there.
    #[serde(default)]
    pub there: Option<PathBuf>,
}

impl Remains {
    /// What the project in this folder leaves.
    ///
    /// # Errors
    /// Its folder does not say so.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).broken(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).broken(|| format!("cannot read {}", path.display()))
    }

    /// Writes it down, before there is anything.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        fs::write(&path, text).broken(|| format!("cannot write {}", path.display()))
    }

    fn libvirt(&self) -> Result<Virsh> {
        Virsh::at(&self.virsh, &self.uri).map_err(|error| self.left(error))
    }

    /// An error that leaves something, with what that is.
    pub(super) fn left(&self, error: Error) -> Error {
        error.detail(format!(
            "What is left at {} is tried to be removed by the next run, too: domains {}*, storage pool {}{}",
            self.uri,
            self.prefix,
            self.pool,
            self.there.as_ref().map(|folder| format!(", folder {}", folder.display())).unwrap_or_default()
        ))
    }

    /// The machines of this plan with the ports that they have, if they are there as they were kept: all of them, switched off.
    pub(super) fn kept_ports(&self, libvirt: &Virsh, plan: &Plan) -> Option<Vec<HostPlan>> {
        let there = || -> Result<Option<Vec<HostPlan>>> {
            if !self.kept || !up::is_complete(plan) {
                return Ok(None);
            }
            self.clean(libvirt, &plan.folder)?;
            libvirt.open_pool(&self.pool)?;
            let domains = libvirt.domains(&self.prefix)?;
            let mut wanted: Vec<String> = plan.hosts.iter().map(|host| plan.domain(&host.name)).collect();
            wanted.sort();
            let all = wanted.iter().all(|domain| domains.contains(domain)) && wanted.len() == domains.len();
            if all { ports::read(plan).map(Some) } else { Ok(None) }
        };
        there().unwrap_or_else(|error| {
            tracing::debug!("machines that were kept cannot be used: {error}");
            None
        })
    }

    /// Removes what is left of machines that cannot be used, but for the lock.
    pub(super) fn clear(&self, libvirt: &Virsh, folder: &Path) -> Result<()> {
        self.remove_from(libvirt)?;
        let entries = fs::read_dir(folder).broken(|| format!("cannot read {}", folder.display()))?;
        for entry in entries.flatten().filter(|entry| entry.file_name() != LOCK) {
            let path = entry.path();
            let removed = if path.is_dir() {
                remove_folder(&path)
            } else {
                fs::remove_file(&path).broken(|| format!("cannot remove {}", path.display()))
            };
            removed?;
        }
        Ok(())
    }

    /// Switches its machines off; removes them and all else, if they are not kept.
    ///
    /// # Errors
    /// What libvirt did not do; the rest is done.
    pub(super) fn clean(&self, libvirt: &Virsh, folder: &Path) -> Result<()> {
        if self.kept {
            return self.switch_off(libvirt).map(drop).map_err(|error| self.left(error));
        }
        self.remove(libvirt, folder)
    }

    /// As [`Remains::clean`], of machines that are not kept any more.
    pub(super) fn remove(&self, libvirt: &Virsh, folder: &Path) -> Result<()> {
        self.remove_from(libvirt).map_err(|error| self.left(error))?;
        remove_folder(folder)
    }

    /// Removes all that is where libvirt is, but for the project's folder, if that is here.
    fn remove_from(&self, libvirt: &Virsh) -> Result<()> {
        let mut first = None;
        let mut note = |done: Result<()>| first = first.take().or(done.err());
        let domains = self.switch_off(libvirt)?;
        for domain in &domains {
            note(libvirt.undefine(domain));
        }
        note(libvirt.forget_pool(&self.pool));
        match (&libvirt.ssh, &self.there) {
            (Some(ssh), Some(there)) => note(elsewhere::remove(ssh, there, &self.prefix)),
            _ => forget_logs(&self.prefix),
        }
        first.map_or(Ok(()), Err)
    }

    /// Removes machines that were kept. False if a controller uses them.
    ///
    /// # Errors
    /// What libvirt did not do.
    pub fn forget(&self, folder: &Path) -> Result<bool> {
        let Some(_ours) = take(folder)? else { return Ok(false) };
        self.remove(&self.libvirt()?, folder).map(|()| true)
    }

    /// Cuts the power of all machines; gives all domains.
    fn switch_off(&self, libvirt: &Virsh) -> Result<Vec<String>> {
        let domains = libvirt.domains(&self.prefix)?;
        for domain in &domains {
            if !libvirt.state(domain)?.starts_with("shut off")
                && let Err(error) = libvirt.destroy(domain)
                // It may have ended by itself meanwhile.
                && !libvirt.state(domain)?.starts_with("shut off")
            {
                return Err(error);
            }
        }
        Ok(domains)
    }

    /// As [`Remains::clean`], after a controller that was killed: what it had asked libvirt for may still come.
    pub(super) fn clean_up(&self, folder: &Path) -> Result<()> {
        self.forget_sockets();
        let libvirt = self.libvirt()?;
        let until = Instant::now() + AFTERMATH;
        while Instant::now() < until {
            for domain in self.switch_off(&libvirt)?.iter().filter(|_| !self.kept) {
                libvirt.undefine(domain)?;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.clean(&libvirt, folder)
    }

    /// Removes the sockets of a connection whose controller was killed.
    fn forget_sockets(&self) {
        if let Some(folder) = self.sockets.as_ref().filter(|it| it.exists()) {
            let _ = remove_folder(folder);
        }
    }
}

/// The folder of all projects of root's libvirt: QEMU's user can get to it.
const ROOTS: &str = "/var/lib/deadpeer/machines";

/// The folder of all projects; of the system's libvirt, if `system`.
pub(super) fn base(system: bool) -> Result<PathBuf> {
    if system { Ok(PathBuf::from(ROOTS)) } else { cache::folder("machines") }
}

/// The projects that were kept, and those that could not be removed: name, folder, and what they leave.
///
/// # Errors
/// There is no folder for them.
pub fn kept() -> Result<Vec<(String, PathBuf, Remains)>> {
    let mut all = Vec::new();
    for base in [base(false)?, base(true)?] {
        for entry in fs::read_dir(base).into_iter().flatten().flatten() {
            let (name, folder) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let remains = Remains::of(&folder).ok();
            // One that is not kept and is in use will be removed by whoever uses it.
            let here_to_stay = |it: &Remains| it.kept || matches!(take(&folder), Ok(Some(_)));
            all.extend(remains.filter(here_to_stay).map(|it| (name, folder, it)));
        }
    }
    all.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    Ok(all)
}

/// Where libvirt logs domains: root's, and the user's own.
fn log_folders() -> [PathBuf; 2] {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    ["/var/log/libvirt/qemu".into(), cache.join("libvirt/qemu/log")]
}

/// Where libvirt logs a domain.
pub(super) fn logs(domain: &str) -> [PathBuf; 2] {
    log_folders().map(|folder| folder.join(format!("{domain}.log")))
}

/// Removes the logs of the domains whose names begin with `prefix`: libvirt never does.
fn forget_logs(prefix: &str) {
    for entry in log_folders().iter().flat_map(fs::read_dir).flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Takes the project in this folder; none if somebody else has it.
pub(super) fn take(folder: &Path) -> Result<Option<Flock<File>>> {
    let path = folder.join(LOCK);
    let file =
        File::options().create(true).append(true).open(&path).broken(|| format!("cannot open {}", path.display()))?;
    Ok(Flock::lock(file, FlockArg::LockExclusiveNonblock).ok())
}

/// Removes what killed controllers left, in the folder of all projects.
pub(super) fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let folder = entry.path();
        let Ok(remains) = Remains::of(&folder) else { continue };
        if remains.kept {
            continue;
        }
        if let Ok(Some(_ours)) = take(&folder) {
            tracing::info!("removing {}, left by a controller that was killed", folder.display());
            remains.forget_sockets();
            if let Err(error) = remains.libvirt().and_then(|libvirt| remains.remove(&libvirt, &folder)) {
                tracing::warn!("cannot remove what {} left: {error}", folder.display());
            }
        }
    }
}
