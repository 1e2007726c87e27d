//! A lab as a Vagrant project: its folder, ports and storage, how its machines come up, and how all of it goes.
//!
//! Order: the folder is taken and what there will be is written down, so that a guard can remove it; then the storage pool, then, when the
//! first machine is switched on, `vagrant up` for all of them. Later power-ons are `virsh start`. Whoever drops a project removes it.
//!
//! A project that is *kept* stays when it ends, with its machines switched off, under a name that is a hash of everything that shapes it; the
//! next lab that is the same takes it, gives every machine a fresh disk and starts them without Vagrant.

use super::find::Info;
use super::remains::{Guard, Remains, sweep};
use super::vagrantfile::{HostPlan, Plan, vagrantfile};
use super::{place, ports, up};
use crate::cache::remove_folder;
use crate::error::{Context, Error, Result};
use crate::machine::qemu;
use crate::process;
use crate::timeline::Ended;
use nix::fcntl::Flock;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest path of a Unix socket (unix(7)), with the zero at its end.
const LONGEST_SOCKET: usize = 108;

/// How long qemu-img may take; it writes 200 KB.
const DISK_WITHIN: Duration = Duration::from_secs(60);

/// Asked whether the user wants to stop.
pub type Stop = Box<dyn Fn() -> bool + Send + Sync>;

/// What a project is made with.
pub struct Config {
    /// What makes the machines.
    pub info: Info,
    /// The tool that makes disks.
    pub qemu_img: qemu::Info,
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
    tunnels: BTreeMap<(String, usize), UdpSocket>,
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
        let mut plan = Plan {
            folder: folder.clone(),
            prefix: format!("deadpeer-{name}-"),
            pool: format!("deadpeer-{name}"),
            ..config.plan
        };
        plan.key = folder.join("key");
        socket_fits(&plan)?;
        let remains = Remains {
            virsh: config.info.virsh.program.clone(),
            uri: plan.uri.clone(),
            prefix: plan.prefix.clone(),
            pool: plan.pool.clone(),
            kept: config.keep,
        };
        let mut project = Self {
            plan,
            info: config.info,
            stop: config.stop,
            log: config.log,
            remains,
            tunnels: BTreeMap::new(),
            up: Mutex::default(),
            reused: false,
            guard: Mutex::default(),
            lock: Mutex::new(Some(lock)),
        };
        project.reused = project.is_there();
        if project.reused {
            project.plan.hosts = ports::read(&project.plan)?;
        } else {
            project.clear()?;
            ports::choose(&mut project.plan.hosts)?;
            ports::write(&project.plan)?;
        }
        project.remains.write(&project.plan.folder)?;
        project.guard = Mutex::new(config.controller.map(|it| Guard::post(&it, &project.plan.folder)).transpose()?);
        project.tunnels = ports::tunnels(&project.plan)?;
        project.furnish()?;
        if project.reused {
            project.fresh_disks(&config.qemu_img)?
        }
        Ok(project)
    }

    /// Whether the machines are there, as they were kept: all of them, switched off.
    fn is_there(&self) -> bool {
        let libvirt = &self.info.virsh;
        let there = || -> Result<bool> {
            if !up::endpoints_file(&self.plan).exists() {
                return Ok(false);
            }
            self.remains.clean(&self.plan.folder)?;
            libvirt.open_pool(&self.plan.pool)?;
            let domains = libvirt.domains(&self.plan.prefix)?;
            let mut wanted: Vec<String> = self.plan.hosts.iter().map(|host| self.plan.domain(&host.name)).collect();
            wanted.sort();
            Ok(wanted.iter().all(|domain| domains.contains(domain)) && wanted.len() == domains.len())
        };
        self.remains.kept && there().unwrap_or_default()
    }

    /// Removes what is left of machines that cannot be used, but for the lock.
    fn clear(&self) -> Result<()> {
        let libvirt = &self.info.virsh;
        for domain in libvirt.domains(&self.plan.prefix)? {
            if !libvirt.state(&domain)?.starts_with("shut off") {
                libvirt.destroy(&domain)?;
            }
            libvirt.undefine(&domain)?;
        }
        libvirt.forget_pool(&self.plan.pool)?;
        let entries =
            fs::read_dir(&self.plan.folder).broken(|| format!("cannot read {}", self.plan.folder.display()))?;
        for entry in entries.flatten().filter(|entry| entry.file_name() != "lock") {
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

    /// The Vagrantfile, Vagrant's own folder and the storage pool.
    fn furnish(&mut self) -> Result<()> {
        let folder = self.plan.folder.clone();
        // Root's libvirt has another user run QEMU, who can read nothing of root's.
        if let Some(owner) = self.info.owner.filter(|(user, _)| *user != 0) {
            for host in &mut self.plan.hosts {
                let name = host.kernel.parent().and_then(Path::file_name).unwrap_or_default();
                let copy = folder.join(format!("kernel.{}", name.to_string_lossy()));
                if !copy.exists() {
                    fs::copy(&host.kernel, &copy).broken(|| format!("cannot copy {}", host.kernel.display()))?;
                    chown(&copy, Some(owner.0), Some(owner.1))
                        .broken(|| format!("cannot hand over {}", copy.display()))?;
                }
                host.kernel = copy;
            }
        }
        self.hand_over(&folder)?;
        if self.reused {
            return self.forget_recordings();
        }
        let file = folder.join("Vagrantfile");
        fs::write(&file, vagrantfile(&self.plan)).broken(|| format!("cannot write {}", file.display()))?;
        up::home(&folder)?;
        let pool = folder.join("pool");
        DirBuilder::new().mode(0o700).create(&pool).broken(|| format!("cannot make {}", pool.display()))?;
        self.hand_over(&pool)?;
        self.info.virsh.make_pool(&self.plan.pool, &pool.to_string_lossy())
    }

    /// Removes what the kernels of the last lab recorded.
    fn forget_recordings(&self) -> Result<()> {
        let folder = &self.plan.folder;
        let entries = fs::read_dir(folder).broken(|| format!("cannot read {}", folder.display()))?;
        let recordings = entries.flatten().map(|entry| entry.path());
        for path in recordings.filter(|path| path.extension().is_some_and(|it| it == "recorder")) {
            fs::remove_file(&path).broken(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Gives every machine that was kept a disk on which nothing was ever written.
    fn fresh_disks(&self, qemu_img: &qemu::Info) -> Result<()> {
        for host in &self.plan.hosts {
            let disk = self.plan.folder.join("pool").join(format!("{}.img", self.plan.domain(&host.name)));
            let base = qemu_img_says(qemu_img, &disk)?;
            let mut command = Command::new(&qemu_img.path);
            command.args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"]).arg(base).arg(&disk);
            let out = process::output(command, DISK_WITHIN)?;
            if out.how != Ended::Exit(0) {
                return Err(
                    Error::broken(format!("cannot make the disk {}", disk.display())).detail(out.stderr.trim_end())
                );
            }
            self.hand_over(&disk)?;
        }
        Ok(())
    }

    /// Writes a file that a machine needs, readable by whoever runs QEMU alone.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give(&self, path: &Path, parts: &[&[u8]]) -> Result<()> {
        use std::io::Write;
        let fact = || format!("cannot write {}", path.display());
        let _ = fs::remove_file(path);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).broken(fact)?;
        parts.iter().try_for_each(|part| file.write_all(part)).broken(fact)?;
        self.hand_over(path)
    }

    /// Makes whoever runs QEMU the owner of something.
    pub(super) fn hand_over(&self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.info.owner else { return Ok(()) };
        chown(path, Some(user), Some(group)).broken(|| format!("cannot hand {} over to QEMU's user", path.display()))
    }

    /// Makes this file the flight recorder of a host that is switched on next.
    pub(super) fn record_to(&self, host: &str, file: &Path) -> Result<()> {
        self.hand_over(file)?;
        let link = self.plan.recorder(host);
        let _ = fs::remove_file(&link);
        symlink(file, &link).broken(|| format!("cannot make {}", link.display()))
    }

    /// The project's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.plan.folder
    }

    /// How this lab is planned.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan of a host.
    pub(super) fn host(&self, name: &str) -> Result<&HostPlan> {
        let found = self.plan.hosts.iter().find(|host| host.name == name);
        found.ok_or_else(|| Error::broken(format!("the project has no host '{name}'")))
    }

    /// The controller's end of a link's tunnel.
    pub(super) fn tunnel(&self, host: &str, link: usize) -> Result<OwnedFd> {
        let no_link = || Error::broken(format!("host '{host}' has no link {link}"));
        let port = self.host(host)?.links.get(link).ok_or_else(no_link)?.machine_port;
        let tunnel = self.tunnels.get(&(host.to_owned(), link)).ok_or_else(no_link)?;
        tunnel.connect((Ipv4Addr::LOCALHOST, port)).broken(|| format!("no cable for host '{host}'"))?;
        tunnel.try_clone().map(OwnedFd::from).broken(|| format!("no cable for host '{host}'"))
    }

    /// A host's machine is off: what is sent to it is lost from now on, though its QEMU may live until libvirt has ended it.
    pub(super) fn nobody_there(&self, host: &str) {
        for (_, tunnel) in self.tunnels.iter().filter(|((of, _), _)| of == host) {
            if let Err(error) = tunnel.connect((Ipv4Addr::LOCALHOST, ports::NOBODY)) {
                tracing::warn!("frames to '{host}', which is off, may be told as delivered: {error}");
            }
        }
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
        if self.remains.kept && up::endpoints_file(&self.plan).exists() {
            return self.remains.clean(&self.plan.folder);
        }
        self.remains.remove(&self.plan.folder)
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

/// The sockets at which the controller listens have names that are short enough.
fn socket_fits(plan: &Plan) -> Result<()> {
    let longest = plan.hosts.iter().map(|host| plan.console(&host.name).as_os_str().len()).max().unwrap_or_default();
    if longest < LONGEST_SOCKET {
        return Ok(());
    }
    Err(Error::usage(format!("the folder {} has too long a name for a socket in it", plan.folder.display()))
        .help("Set XDG_CACHE_HOME to a folder with a shorter path."))
}

/// The file on which a disk is based.
fn qemu_img_says(qemu_img: &qemu::Info, disk: &Path) -> Result<String> {
    let mut command = Command::new(&qemu_img.path);
    command.args(["info", "--output=json"]).arg(disk);
    let out = process::output(command, DISK_WITHIN)?;
    let told: Option<serde_json::Value> = serde_json::from_str(&out.stdout).ok();
    let base = told.as_ref().and_then(|told| told.get("backing-filename")?.as_str());
    base.map(str::to_owned).ok_or_else(|| {
        Error::broken(format!("the disk {} cannot be made afresh", disk.display()))
            .detail(format!("qemu-img {}:\n{}", out.how, out.stderr))
    })
}
