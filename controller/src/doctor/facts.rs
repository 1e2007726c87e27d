//! What was seen on a host: plain values, nothing judged.

use crate::error::Error;
use crate::machine::qemu::Kvm;
use std::path::PathBuf;

/// Everything that the examination goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The computer and its operating system.
    pub system: System,
    /// The user who runs the controller.
    pub user: User,
    /// The emulator.
    pub qemu: Result<Program, Trouble>,
    /// The disk tool.
    pub qemu_img: Result<Program, Trouble>,
    /// What an accelerator did.
    pub acceleration: Acceleration,
    /// Whether QEMU can do lockstep time, and if not, why.
    pub lockstep: Result<(), Trouble>,
    /// What building an image takes and is not there: tool, and the Debian package that brings it.
    pub lacking: Vec<(&'static str, &'static str)>,
    /// Where images are kept.
    pub cache: Cache,
    /// The images there; an error where they cannot be listed.
    pub images: Result<Vec<CachedImage>, Trouble>,
    /// Vagrant, where it is there; runs on the controller's own machines need none.
    pub vagrant: Option<Vagrant>,
    /// Where the story is shown.
    pub terminal: Terminal,
}

/// Vagrant and what it makes machines with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vagrant {
    /// Its version; an error where it does not say it.
    pub version: Result<String, Trouble>,
    /// The version of its plugin vagrant-libvirt; none where it has no such plugin.
    pub plugin: Option<String>,
    /// Where libvirt is asked: where `LIBVIRT_DEFAULT_URI` says, else `qemu:///session`, for root `qemu:///system`.
    pub uri: String,
    /// What libvirt there says of itself.
    pub libvirt: Result<Libvirt, Trouble>,
}

/// A libvirt that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libvirt {
    /// Its version.
    pub version: String,
    /// The version of the QEMU that it would run; none where it finds none that it can use.
    pub qemu: Option<String>,
}

/// The computer and its operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// `PRETTY_NAME` of os-release(5).
    pub name: Option<String>,
    /// The kernel's name and release, as in `Linux 6.1.0-37-amd64`.
    pub kernel: String,
    /// The processor's architecture as Rust names it: `x86_64`.
    pub architecture: &'static str,
    /// Cores that the controller may use.
    pub cores: usize,
    /// Memory in MiB: all, and what is available for new programs (`MemAvailable` of proc_meminfo(5)).
    pub memory: Option<(u64, u64)>,
}

/// The user who runs the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name; the number in digits where there is none.
    pub name: String,
    /// Is it root?
    pub root: bool,
}

/// A program that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// What a user should know about this version.
    pub note: Option<String>,
}

/// Why something cannot be used, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub fact: String,
    /// What helps.
    pub help: Option<String>,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self { fact: error.fact, help: error.help }
    }
}

/// What an accelerator did when it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceleration {
    /// KVM was tried, or cannot be.
    Kvm(Kvm),
    /// It could not be tried, and why: "no guest kernel is built yet". With what makes it possible.
    Untried(Trouble),
}

/// Where images are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// The folder; it may not exist yet.
    pub folder: PathBuf,
    /// Why nothing can be written there, if so.
    pub read_only: Option<String>,
    /// Space for this user, in MiB.
    pub free: Option<u64>,
    /// Kind of the file system, as in mount(8): `ext4`.
    pub file_system: Option<String>,
}

/// An image in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedImage {
    /// Its suite.
    pub suite: String,
    /// Size on disk in MiB.
    pub size: u64,
    /// What is wrong with it, if anything is.
    pub damage: Option<String>,
}

/// Where the story is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Columns, where standard output is a terminal.
    pub columns: Option<usize>,
    /// It shows colours.
    pub colour: bool,
    /// It shows the letters with which boxes are drawn.
    pub unicode: bool,
}
