//! Where the machines of a project run, and what that changes: this computer, or [one elsewhere](super::elsewhere).

use super::plan::{HostPlan, Plan};
use super::ports;
use crate::error::{Context, Error, Result};
use nix::sys::socket::{getsockopt, sockopt};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where machines run. Names are those of files in the project's folder there.
pub(super) trait Site: Debug + Send + Sync {
    /// Whether that is this computer.
    fn is_here(&self) -> bool;

    /// Finds free ports for all machines.
    fn choose_ports(&self, hosts: &mut [HostPlan]) -> Result<()>;

    /// Opens what leads to the machines' ports and sockets, and from them. No machine runs yet.
    fn open(&self, plan: &Plan) -> Result<()>;

    /// The controller's end of a cable, for the switch.
    fn cable(&self, plan: &Plan, host: &str, link: usize) -> Result<OwnedFd>;

    /// A host's machine is off: what is sent to it is lost from now on, though its QEMU may live until libvirt has ended it.
    fn nobody_there(&self, plan: &Plan, host: &str);

    /// Makes a folder there, which whoever runs QEMU owns.
    fn make_folder(&self, name: &str) -> Result<PathBuf>;

    /// Writes a file there, readable by whoever runs QEMU alone.
    fn give(&self, name: &str, parts: &[&[u8]]) -> Result<()>;

    /// Where QEMU finds this kernel.
    fn kernel(&self, kernel: &Path) -> Result<PathBuf>;

    /// Has QEMU connect to a socket at which we listen in our own folder.
    fn admit(&self, socket: &Path) -> Result<()>;

    /// Makes this file the flight recorder of a host that is switched on next.
    fn record_to(&self, plan: &Plan, host: &str, file: &Path) -> Result<()>;

    /// The process of a host's QEMU, which has connected.
    fn process(&self, plan: &Plan, host: &str, qmp: &UnixStream) -> Result<u32>;

    /// A process's state, as proc_pid_stat(5) has it; none if it is gone. All that came of it until then has come to us.
    fn state(&self, pid: u32) -> Result<Option<char>>;

    /// A process's command line, a zero after each word; none if it cannot be read.
    fn command_line(&self, pid: u32) -> Option<Vec<u8>>;

    /// What libvirt logged of a domain.
    fn log(&self, domain: &str) -> String;
}

/// This computer.
#[derive(Debug)]
pub(super) struct Here {
    folder: PathBuf,
    /// Whom QEMU runs as, where it is not this user: user and group.
    owner: Option<(u32, u32)>,
    tunnels: Mutex<BTreeMap<(String, usize), UdpSocket>>,
}

impl Here {
    pub(super) fn new(folder: &Path, owner: Option<(u32, u32)>) -> Self {
        Self { folder: folder.to_owned(), owner, tunnels: Mutex::default() }
    }

    fn tunnels(&self) -> MutexGuard<'_, BTreeMap<(String, usize), UdpSocket>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes whoever runs QEMU the owner of something.
    fn hand_over(&self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.owner else { return Ok(()) };
        chown(path, Some(user), Some(group)).broken(|| format!("cannot hand {} over to QEMU's user", path.display()))
    }
}

impl Site for Here {
    fn is_here(&self) -> bool {
        true
    }

    fn choose_ports(&self, hosts: &mut [HostPlan]) -> Result<()> {
        ports::choose(hosts)
    }

    fn open(&self, plan: &Plan) -> Result<()> {
        self.hand_over(&self.folder)?;
        *self.tunnels() = ports::tunnels(plan)?;
        Ok(())
    }

    fn cable(&self, plan: &Plan, host: &str, link: usize) -> Result<OwnedFd> {
        let no_link = || Error::broken(format!("host '{host}' has no link {link}"));
        let port = plan.host(host)?.links.get(link).ok_or_else(no_link)?.machine_port;
        let tunnels = self.tunnels();
        let tunnel = tunnels.get(&(host.to_owned(), link)).ok_or_else(no_link)?;
        tunnel.connect((Ipv4Addr::LOCALHOST, port)).broken(|| format!("no cable for host '{host}'"))?;
        tunnel.try_clone().map(OwnedFd::from).broken(|| format!("no cable for host '{host}'"))
    }

    fn nobody_there(&self, _: &Plan, host: &str) {
        for (_, tunnel) in self.tunnels().iter().filter(|((of, _), _)| of == host) {
            if let Err(error) = tunnel.connect((Ipv4Addr::LOCALHOST, ports::NOBODY)) {
                tracing::warn!("frames to '{host}', which is off, may be told as delivered: {error}");
            }
        }
    }

    fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        DirBuilder::new().mode(0o700).create(&path).broken(|| format!("cannot make {}", path.display()))?;
        self.hand_over(&path)?;
        Ok(path)
    }

    fn give(&self, name: &str, parts: &[&[u8]]) -> Result<()> {
        let path = self.folder.join(name);
        private_file(&path, parts)?;
        self.hand_over(&path)
    }

    fn kernel(&self, kernel: &Path) -> Result<PathBuf> {
        // Root's libvirt has another user run QEMU, who can read nothing of root's.
        if self.owner.is_none_or(|(user, _)| user == 0) {
            return Ok(kernel.to_owned());
        }
        let copy = self.folder.join(kernel_name(kernel));
        if !copy.exists() {
            fs::copy(kernel, &copy).broken(|| format!("cannot copy {}", kernel.display()))?;
            self.hand_over(&copy)?;
        }
        Ok(copy)
    }

    fn admit(&self, socket: &Path) -> Result<()> {
        self.hand_over(socket)
    }

    fn record_to(&self, plan: &Plan, host: &str, file: &Path) -> Result<()> {
        self.hand_over(file)?;
        let link = plan.recorder(host);
        let _ = fs::remove_file(&link);
        symlink(file, &link).broken(|| format!("cannot make {}", link.display()))
    }

    fn process(&self, _: &Plan, host: &str, qmp: &UnixStream) -> Result<u32> {
        let fact = || format!("cannot hear QEMU of '{host}'");
        let peer = getsockopt(qmp, sockopt::PeerCredentials).broken(fact)?;
        u32::try_from(peer.pid()).broken(fact)
    }

    fn state(&self, pid: u32) -> Result<Option<char>> {
        Ok(deadpeer_guest::relay::state(pid))
    }

    fn command_line(&self, pid: u32) -> Option<Vec<u8>> {
        fs::read(format!("/proc/{pid}/cmdline")).ok()
    }

    fn log(&self, domain: &str) -> String {
        let log = super::remains::logs(domain).into_iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// What a copy of this kernel is called: by its image.
pub(super) fn kernel_name(kernel: &Path) -> String {
    format!("kernel.{}", kernel.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy())
}

/// Writes a file that its owner alone can read.
pub(super) fn private_file(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let fact = || format!("cannot write {}", path.display());
    let _ = fs::remove_file(path);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).broken(fact)?;
    parts.iter().try_for_each(|part| file.write_all(part)).broken(fact)
}
