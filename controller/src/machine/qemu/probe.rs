//! Which accelerator really works on this host.
//!
//! A `/dev/kvm` can exist, open and make machines, and still be useless: guests hang or die with "emulation
//! failure". So a guest is really booted with it, against a deadline, and must say
//! [`deadpeer_guest::PROBE_OK`]. What came of it is remembered for as long as nothing changes that could change it:
//! until the host boots again, or another QEMU or guest kernel is used.

mod cache;
#[cfg(test)]
mod tests;

use super::{Info, arguments};
use crate::error::{Context, Error, Result};
use crate::machine::console::{self, Tail};
use crate::machine::{Accelerator, Choice};
use crate::process::{self, Change};
use crate::progress::Reporter;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a guest may take to boot with KVM. Where KVM works it takes less than one second.
pub const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// Memory of the guest that tries KVM, in MiB.
const PROBE_MEMORY: u32 = 256;

/// The command line of the kernel that tries KVM, without the word that makes the initramfs answer.
const PROBE_PARAMETERS: &str = "console=ttyS0 quiet mitigations=off cryptomgr.notests";

/// What is needed to try an accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// KVM's device; `/dev/kvm`.
    pub device: PathBuf,
    /// A guest kernel.
    pub kernel: PathBuf,
    /// An initramfs that heeds [`deadpeer_guest::PROBE_WORD`].
    pub initrd: PathBuf,
    /// Where the answer is remembered; its folder must exist.
    pub cache: PathBuf,
    /// How long the guest may take: [`PROBE_DEADLINE`].
    pub deadline: Duration,
}

/// What can be said of KVM on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kvm", rename_all = "kebab-case")]
pub enum Kvm {
    /// A guest booted with it.
    Works {
        /// How long the boot took, in milliseconds.
        millis: u64,
    },
    /// There is no device.
    Missing {
        /// The device.
        device: String,
    },
    /// The device is there, and we may not use it.
    Closed {
        /// The device.
        device: String,
        /// Why it cannot be opened.
        why: String,
        /// True: it is the permissions.
        forbidden: bool,
    },
    /// The device opens, but a guest does not boot with it.
    Broken {
        /// The device.
        device: String,
        /// What came instead: one clause.
        what: String,
        /// QEMU's and the guest's last words.
        words: String,
    },
}

/// Which accelerator it is to be, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The accelerator.
    pub accelerator: Accelerator,
    /// Why, in a sentence for the user.
    pub why: String,
    /// What would help to get a quicker one, if anything does.
    pub help: Option<String>,
}

impl Chosen {
    /// TCG, as the user asked: nothing need be tried.
    pub(crate) fn tcg_as_asked() -> Self {
        Self { accelerator: Accelerator::Tcg, why: "TCG, as asked for".to_owned(), help: None }
    }
}

impl fmt::Display for Kvm {
    /// The finding, in a clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kvm::Works { millis } => {
                write!(f, "a guest boots with it in {}.{:02} s", millis / 1000, millis % 1000 / 10)
            }
            Kvm::Missing { device } => write!(f, "{device} does not exist"),
            Kvm::Closed { device, why, .. } => write!(f, "{device} cannot be opened: {why}"),
            Kvm::Broken { device, what, .. } => write!(f, "{device} opens, but {what}"),
        }
    }
}

impl Kvm {
    /// What would make KVM usable, if anything a user can do.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Kvm::Works { .. } => None,
            Kvm::Missing { .. } => Some(
                "turn on virtualization in the firmware (on a virtual host: nested virtualization), then\n\
                 sudo modprobe -a kvm_intel kvm_amd"
                    .to_owned(),
            ),
            Kvm::Closed { forbidden: true, .. } => {
                Some("sudo usermod --append --groups kvm \"$USER\", then log in again".to_owned())
            }
            Kvm::Closed { .. } | Kvm::Broken { .. } => {
                Some("on a virtual host: ask whoever runs it for nested virtualization that works".to_owned())
            }
        }
    }
}

impl Probe {
    /// A probe with this guest, its answer remembered in this folder.
    #[must_use]
    pub fn new(kernel: &Path, initrd: &Path, cache_folder: &Path) -> Self {
        Self {
            device: "/dev/kvm".into(),
            kernel: kernel.to_owned(),
            initrd: initrd.to_owned(),
            cache: cache_folder.join("accelerator.json"),
            deadline: PROBE_DEADLINE,
        }
    }

    /// The accelerator to use.
    ///
    /// # Errors
    /// KVM is asked for and does not work, or the probe itself cannot be run.
    pub fn choose(&self, choice: Choice, qemu: &Info, progress: &Reporter) -> Result<Chosen> {
        if choice == Choice::Tcg {
            return Ok(Chosen::tcg_as_asked());
        }
        let kvm = self.kvm(qemu, progress)?;
        match (&kvm, choice) {
            (Kvm::Works { .. }, _) => {
                Ok(Chosen { accelerator: Accelerator::Kvm, why: format!("KVM: {kvm}"), help: None })
            }
            (_, Choice::Kvm) => {
                let words = if let Kvm::Broken { words, .. } = &kvm { words.as_str() } else { "" };
                let instead = "or leave the accelerator to Deadpeer: TCG works everywhere";
                let help = kvm.help().map_or_else(|| instead.to_owned(), |help| format!("{help}\n{instead}"));
                Err(Error::broken(format!("KVM does not work here: {kvm}")).detail(words).help(help))
            }
            _ => Ok(Chosen { accelerator: Accelerator::Tcg, why: format!("{kvm}: using TCG"), help: kvm.help() }),
        }
    }

    /// What can be said of KVM: remembered, or found out now.
    ///
    /// # Errors
    /// The probe itself cannot be run.
    pub fn kvm(&self, qemu: &Info, progress: &Reporter) -> Result<Kvm> {
        // Who may open the device changes from user to user, and is quick to see: never remembered.
        if let Some(closed) = self.closed() {
            return Ok(closed);
        }
        let key = cache::key(self, qemu);
        if let Some(known) = cache::recall(&self.cache, &key) {
            tracing::debug!(?known, "KVM was tried before");
            return Ok(known);
        }
        progress.began("accelerator", "trying KVM with a guest");
        let kvm = self.boot(qemu).inspect_err(|e| progress.failed("accelerator", e.fact.clone()))?;
        progress.done("accelerator", format!("KVM: {kvm}"));
        cache::remember(&self.cache, &key, &kvm);
        Ok(kvm)
    }

    /// Why the device cannot be used, if that shows without a guest.
    fn closed(&self) -> Option<Kvm> {
        let device = self.device.display().to_string();
        match OpenOptions::new().read(true).write(true).open(&self.device) {
            Ok(_) => None,
            Err(e) if e.kind() == ErrorKind::NotFound => Some(Kvm::Missing { device }),
            Err(e) => {
                let forbidden = e.kind() == ErrorKind::PermissionDenied;
                Some(Kvm::Closed { device, why: e.to_string(), forbidden })
            }
        }
    }

    /// Boots the guest with KVM.
    fn boot(&self, qemu: &Info) -> Result<Kvm> {
        let fact = || "cannot try KVM".to_owned();
        let folder = tempfile::tempdir().broken(fact)?;
        let errors = folder.path().join("stderr");
        let (console, console_theirs) = pipe2(OFlag::O_CLOEXEC).broken(fact)?;
        let mut command = Command::new(&qemu.path);
        let append = format!("{PROBE_PARAMETERS} {}", deadpeer_guest::PROBE_WORD);
        command.args(arguments::bare(Accelerator::Kvm, PROBE_MEMORY, &self.kernel, &self.initrd, &append));
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(console_theirs);
        command.stderr(File::create(&errors).broken(fact)?);

        /// What can come instead of silence.
        enum Seen {
            Ok,
            Ended(String),
        }
        let (tell, seen) = channel();
        let tell_end = tell.clone();
        let tail = Tail::default();
        let on_line = move |line: &str| {
            if line.contains(deadpeer_guest::PROBE_OK) {
                let _ = tell.send(Seen::Ok);
            }
        };
        let console_done = console::read(File::from(console), &folder.path().join("console"), tail.clone(), on_line)?;
        let start = Instant::now();
        let child = process::spawn(command, move |change| {
            if let Change::Ended(how) = change {
                // What it said before it ended counts.
                let _ = console_done.recv_timeout(Duration::from_secs(2));
                let _ = tell_end.send(Seen::Ended(how.to_string()));
            }
        })?;
        let what = match seen.recv_timeout(self.deadline) {
            Ok(Seen::Ok) => {
                return Ok(Kvm::Works { millis: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX) });
            }
            Ok(Seen::Ended(how)) => format!("QEMU {how} before a guest had booted"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                format!("a guest did not get through its boot within {:?}", self.deadline)
            }
        };
        drop(child);
        let words = [std::fs::read_to_string(&errors).unwrap_or_default(), tail.last(5)].join("\n");
        let words: Vec<&str> = words.trim().lines().take(10).collect();
        Ok(Kvm::Broken { device: self.device.display().to_string(), what, words: words.join("\n") })
    }
}
