//! What a machine in lockstep time is made of, and where its files are.

use crate::machine::Mac;
use std::path::PathBuf;

/// What a machine in lockstep is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The host's name.
    pub name: String,
    /// Memory in MiB.
    pub memory: u32,
    /// The kernel.
    pub kernel: PathBuf,
    /// The initramfs, with this host's seed appended.
    pub initrd: PathBuf,
    /// The image's disk, raw; never written.
    pub base: PathBuf,
    /// Its program disk, this run's own.
    pub programs: PathBuf,
    /// The kernel command line, whole but for `deadpeer.seed=`, which the kernel mixes into its random numbers as it does with every word.
    pub append: String,
    /// The addresses of its link NICs, link 0 first.
    pub links: Vec<Mac>,
    /// The plugin's file.
    pub plugin: PathBuf,
    /// All the chance of its first boot, the same in all runs: one that is restored is no other.
    pub first_seed: u64,
    /// That of the power-on after it. Each that follows has the next number.
    pub seed: u64,
    /// The run's folder: `NAME.console.log` stays there, `NAME.pid` while QEMU lives.
    pub folder: PathBuf,
    /// The run's private folder, for flight recorders and what the agent says.
    pub private: PathBuf,
    /// Whether it has a flight recorder.
    pub witnessed: bool,
}

impl Config {
    pub(super) fn console_log(&self) -> PathBuf {
        self.folder.join(format!("{}.console.log", self.name))
    }

    pub(super) fn agent(&self) -> PathBuf {
        self.private.join(format!("{}.agent", self.name))
    }

    pub(super) fn disk(&self) -> PathBuf {
        self.private.join(format!("{}.disk", self.name))
    }

    pub(super) fn seed(&self, power_ons: u64) -> u64 {
        power_ons.checked_sub(1).map_or(self.first_seed, |later| self.seed.wrapping_add(later))
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pid", self.name))
    }
}
