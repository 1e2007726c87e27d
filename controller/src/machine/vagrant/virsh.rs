//! libvirt, spoken to through `virsh`: each command with a deadline, each failure with libvirt's own words.

use super::elsewhere::{self, Ssh};
use super::find::is_elsewhere;
use crate::error::{Error, Result};
use crate::machine::{Mac, mac_text};
use crate::process::{self, Output};
use crate::timeline::Ended;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// How long libvirt may take for one of its short actions. It answers within a tenth of a second, if not starved; before its first domain
/// it looks at what QEMU can do, which takes seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A domain that is off, and was cut off (virsh(1), `domstate --reason`).
pub(super) const DESTROYED: &str = "shut off (destroyed)";

/// What the one snapshot of a domain is called.
const SNAPSHOT: &str = "furnished";

/// A libvirt.
#[derive(Debug, Clone)]
pub struct Virsh {
    /// The executable.
    pub program: PathBuf,
    /// Where libvirt is, for whoever connects from here.
    pub uri: String,
    /// The way to the computer that it is on, if that is not this one.
    pub(super) ssh: Option<Arc<Ssh>>,
}

impl Virsh {
    /// The libvirt at `uri`, spoken to through this executable.
    ///
    /// # Errors
    /// It is on another computer, to which there is no way.
    pub(super) fn at(program: &Path, uri: &str) -> Result<Self> {
        let program = program.to_owned();
        if !is_elsewhere(uri) {
            return Ok(Self { program, uri: uri.to_owned(), ssh: None });
        }
        let (ssh, uri) = elsewhere::connect(uri)?;
        Ok(Self { program, uri, ssh: Some(ssh) })
    }

    /// That the way to it is lost, if it is.
    pub(super) fn lost(&self) -> Option<Error> {
        self.ssh.as_ref().and_then(|ssh| ssh.lost())
    }

    /// The command line of `words`.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--connect", &self.uri, "--quiet"]).args(words);
        command
    }

    /// What it says to `words`.
    pub(super) fn ask(&self, words: &[&str]) -> Result<Output> {
        process::output(self.command(words), PATIENCE)
    }

    /// As [`Virsh::ask`]; that it fails is an error.
    pub(super) fn tell(&self, words: &[&str]) -> Result<String> {
        let out = self.ask(words)?;
        if out.how == Ended::Exit(0) {
            return Ok(out.stdout);
        }
        Err(Error::broken(format!("libvirt did not do `virsh {}`: virsh {}", words.join(" "), out.how))
            .detail(out.stderr.trim_end().to_owned()))
    }

    /// The domains whose names begin with `prefix`, running or not.
    pub(super) fn domains(&self, prefix: &str) -> Result<Vec<String>> {
        let names = self.tell(&["list", "--all", "--name"])?;
        Ok(names.lines().map(str::trim).filter(|name| name.starts_with(prefix)).map(str::to_owned).collect())
    }

    /// How a domain stands, and why: `running (booted)`, `shut off (destroyed)`.
    pub(super) fn state(&self, domain: &str) -> Result<String> {
        self.tell(&["domstate", domain, "--reason"]).map(|text| text.trim().to_owned())
    }

    /// Cuts a domain's power.
    pub(super) fn destroy(&self, domain: &str) -> Result<()> {
        self.tell(&["destroy", domain]).map(drop)
    }

    /// Presses a domain's reset button.
    pub(super) fn reset(&self, domain: &str) -> Result<()> {
        self.tell(&["reset", domain]).map(drop)
    }

    /// Plugs or unplugs the cable of a domain's NIC: now, where it is running, and whenever it starts (which forgets what was set while
    /// it ran).
    pub(super) fn set_link(&self, domain: &str, mac: Mac, up: bool, running: bool) -> Result<()> {
        let (mac, state) = (mac_text(mac), if up { "up" } else { "down" });
        self.tell(&["domif-setlink", domain, &mac, state, "--config"])?;
        if running {
            self.tell(&["domif-setlink", domain, &mac, state])?;
        }
        Ok(())
    }

    /// Forgets a domain.
    pub(super) fn undefine(&self, domain: &str) -> Result<()> {
        self.tell(&["undefine", domain, "--snapshots-metadata", "--nvram"]).map(drop)
    }

    /// Takes a snapshot of a domain that is off.
    pub(super) fn take_snapshot(&self, domain: &str) -> Result<()> {
        self.tell(&["snapshot-create-as", domain, SNAPSHOT]).map(drop)
    }

    /// Makes a domain that is off what it was when the snapshot was taken.
    pub(super) fn revert_to_snapshot(&self, domain: &str) -> Result<()> {
        self.tell(&["snapshot-revert", domain, SNAPSHOT]).map(drop)
    }

    /// Makes a volume anew, as it was when nothing had been written on it: based on the same one.
    pub(super) fn renew_volume(&self, pool: &str, volume: &str) -> Result<()> {
        let told = self.tell(&["vol-dumpxml", volume, "--pool", pool])?;
        let base = between(&told, "<backingStore>", "</backingStore>").and_then(|it| between(it, "<path>", "</path>"));
        let size = between(&told, "<capacity unit='bytes'>", "</capacity>");
        let (Some(base), Some(size)) = (base, size) else {
            return Err(Error::broken(format!("the disk {volume} cannot be made afresh")).detail(told));
        };
        self.tell(&["vol-delete", volume, "--pool", pool])?;
        let based = ["--backing-vol", base, "--backing-vol-format", "qcow2"];
        self.tell(&[&["vol-create-as", pool, volume, size, "--format", "qcow2"], &based[..]].concat()).map(drop)
    }

    /// Makes a storage pool of a folder, and opens it.
    pub(super) fn make_pool(&self, pool: &str, folder: &str) -> Result<()> {
        self.tell(&["pool-define-as", pool, "dir", "--target", folder])?;
        self.tell(&["pool-start", pool]).map(drop)
    }

    /// Opens a storage pool, if it is not open.
    pub(super) fn open_pool(&self, pool: &str) -> Result<()> {
        let open = self.tell(&["pool-list", "--name"])?;
        if open.lines().any(|name| name.trim() == pool) { Ok(()) } else { self.tell(&["pool-start", pool]).map(drop) }
    }

    /// Closes and forgets a storage pool, if there is one. Its files stay.
    pub(super) fn forget_pool(&self, pool: &str) -> Result<()> {
        let all = self.tell(&["pool-list", "--all", "--name"])?;
        if !all.lines().any(|name| name.trim() == pool) {
            return Ok(());
        }
        // One that is closed already is told so by an error.
        let closed = self.ask(&["pool-destroy", pool])?;
        if closed.how != Ended::Exit(0) {
            tracing::debug!("virsh pool-destroy {pool}: {}", closed.stderr.trim());
        }
        self.tell(&["pool-undefine", pool]).map(drop)
    }
}

/// What stands between two words, the first time.
pub(super) fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0.trim())
}
