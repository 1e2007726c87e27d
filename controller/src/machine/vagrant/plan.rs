//! A lab as Vagrant is told of it: machines, their ports, and where their files are.

use crate::error::{Error, Result};
use crate::machine::{Accelerator, Mac};
use std::path::{Path, PathBuf};

/// A lab as Vagrant is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The project's folder, where the Vagrantfile is put. It holds the names below; no path of it needs quoting in Ruby.
    pub folder: PathBuf,
    /// The folder where QEMU finds what the machines need: the same, but where libvirt is elsewhere. No path of it needs quoting either.
    pub site: PathBuf,
    /// Where libvirt is, as the user says it.
    pub uri: String,
    /// The same for whoever connects from here: another one, where libvirt is elsewhere.
    pub connect: String,
    /// Who owns the disks, where that is neither who owns them here nor root: a user of another computer, user and group.
    pub disk_owner: Option<(u32, u32)>,
    /// What the names of domains begin with; the host's name follows.
    pub prefix: String,
    /// The storage pool for the disks.
    pub pool: String,
    /// QEMU.
    pub emulator: PathBuf,
    /// How instructions are executed.
    pub accelerator: Accelerator,
    /// The private key for logging in.
    pub key: PathBuf,
    /// Within which time a machine must let Vagrant log in, in seconds.
    pub boot_seconds: u64,
    /// The machines.
    pub hosts: Vec<HostPlan>,
}

/// A machine as Vagrant is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPlan {
    /// The host's name.
    pub name: String,
    /// The box that its disk comes from.
    pub box_name: String,
    /// The box's version, which is that of the image in it.
    pub box_version: String,
    /// Memory in MiB.
    pub memory: u32,
    /// What it boots.
    pub boots: Boots,
    /// Address of the control NIC.
    pub control_mac: Mac,
    /// The port of 127.0.0.1 that leads to the guest's SSH.
    pub ssh_port: u16,
    /// The port of 127.0.0.1 at which QEMU itself has it: the same, but where libvirt is elsewhere.
    pub machine_ssh_port: u16,
    /// The link NICs, link 0 first.
    pub links: Vec<LinkPlan>,
    /// Whether it has a flight recorder.
    pub recorder: bool,
}

/// What a machine boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boots {
    /// The kernel of an image of ours, with this command line; its initramfs has the host's seed behind it.
    Kernel {
        /// The kernel's file.
        kernel: PathBuf,
        /// The kernel command line.
        append: String,
    },
    /// What is in a box of somebody else's, by the boot loader on its disk; the seed is on a drive beside it.
    Box,
}

impl HostPlan {
    /// It is made from a box of somebody else's.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.boots == Boots::Box
    }
}

/// A link NIC: its address, and the two ends of its tunnel, ports of 127.0.0.1 where the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkPlan {
    /// The NIC's address.
    pub mac: Mac,
    /// The switch's end.
    pub switch_port: u16,
    /// QEMU's end.
    pub machine_port: u16,
}

/// Names of a host's files, as QEMU finds them.
impl Plan {
    /// The plan of this host.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self, name: &str) -> Result<&HostPlan> {
        let found = self.hosts.iter().find(|host| host.name == name);
        found.ok_or_else(|| Error::broken(format!("the project has no host '{name}'")))
    }

    /// The same file in our own folder.
    pub(super) fn here(&self, file: &Path) -> PathBuf {
        self.folder.join(file.file_name().unwrap_or_default())
    }

    /// The initramfs with the host's seed.
    #[must_use]
    pub fn initrd(&self, host: &str) -> PathBuf {
        self.site.join(format!("{host}.initrd"))
    }

    /// The drive with the seed of a host that boots what is in its box.
    #[must_use]
    pub fn seed(&self, host: &str) -> PathBuf {
        self.site.join(format!("{host}.seed"))
    }

    /// The socket to which its console leads.
    #[must_use]
    pub fn console(&self, host: &str) -> PathBuf {
        self.site.join(format!("{host}.console"))
    }

    /// The socket to which its QMP leads.
    #[must_use]
    pub fn qmp(&self, host: &str) -> PathBuf {
        self.site.join(format!("{host}.qmp"))
    }

    /// As [`Plan::qmp`], as an argument of QEMU's, which no other process has.
    #[must_use]
    pub fn qmp_device(&self, host: &str) -> String {
        format!("socket,id=deadpeer,path={}", self.qmp(host).display())
    }

    /// The flight recorder's memory: a link to the one of this power-on.
    #[must_use]
    pub fn recorder(&self, host: &str) -> PathBuf {
        self.site.join(format!("{host}.recorder"))
    }

    /// The domain's name.
    #[must_use]
    pub fn domain(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }
}
