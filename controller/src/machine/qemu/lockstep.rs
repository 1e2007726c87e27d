//! QEMU in lockstep time: the plugin's file, a machine's disks, and whether a QEMU can do it.

mod config;
mod disk;
mod ears;
mod machine;
mod monitor;
mod programs;
mod state;

pub use super::arguments::{Board, Disk, PROGRAMS_MIB, lockstep as arguments};
pub use config::Config;
pub use disk::copy as disk;
pub use ears::Ears;
pub use machine::{Company, LockstepMachine};
pub use programs::{program_disk, put_on_disk};

use super::Info;
use crate::embedded::lockstep_plugin;
use crate::error::{Context, Error, Result};
use crate::process;
use crate::time::lockstep::{Delivery, Lockstep, Sent, Wire};
use crate::timeline::LabTime;
use command_fds::CommandFdExt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The date of the lab's zero, since the Unix epoch: that of every machine's clock when it is switched on first.
pub const DATE: Duration = Duration::from_secs(1_767_225_600);

/// How long QEMU may take to start when it is tried: it takes 0.1 s.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(5);

/// How far a machine is let run when QEMU is tried, on its own clock, and in what steps.
const PROBE_STEP: Duration = Duration::from_millis(1);
const PROBE_STEPS: u32 = 5;

/// Puts the plugin into a folder, which nobody else may write to: QEMU executes what it finds there. Where it is.
///
/// # Errors
/// It cannot be written, or is there already.
pub fn install(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("lockstep.so");
    let cannot = || format!("cannot write the lockstep plugin {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&path).broken(cannot)?;
    file.write_all(lockstep_plugin()).broken(cannot)?;
    Ok(path)
}

/// Tries whether this QEMU can do lockstep time: starts a machine that has nothing to boot with the plugin, and grants it a few
/// boundaries, while its firmware looks for a disk. QEMU may take `patience` for each.
///
/// # Errors
/// It cannot; the fact says why, in the plugin's words if it said any.
pub fn probe(qemu: &Info, patience: Duration) -> Result<()> {
    let fact = || "cannot try lockstep time".to_owned();
    let folder = tempfile::tempdir().broken(fact)?;
    let errors = folder.path().join("stderr");
    let (ours, theirs) = UnixStream::pair().broken(fact)?;
    let theirs = OwnedFd::from(theirs);
    let board = Board {
        name: "probe".to_owned(),
        memory: 32,
        kernel: None,
        links: vec![[0x02, 0xde, 0xad, 0, 0, 1]],
        disk: None,
        programs: None,
        recorder: None,
        console: Some(folder.path().join("console")),
        agent: None,
        seed: 0,
        plugin: install(folder.path())?,
        socket: theirs.as_raw_fd(),
        qmp: None,
        restored: false,
    };
    let mut command = Command::new(&qemu.path);
    command.args(arguments(&board)).env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(&errors).broken(fact)?).preserved_fds(vec![theirs]);
    let child = process::spawn(command, |_| ())?;
    let kept = run(ours, patience);
    drop(child);
    kept.map_err(|error| {
        let words = std::fs::read_to_string(&errors).unwrap_or_default();
        let why = plugin_s_words(&words).unwrap_or(&error.fact);
        Error::broken(format!("QEMU {} cannot do lockstep time: {why}", qemu.version)).detail(words.trim_end())
    })
}

/// Lets the machine run that is at the other end, a few steps.
fn run(socket: UnixStream, patience: Duration) -> Result<()> {
    let mut lockstep = Lockstep::new(PROBE_STEP, patience)?;
    lockstep.join("probe", socket, Duration::ZERO)?;
    let end = LabTime::default().after(PROBE_STEP * PROBE_STEPS);
    while lockstep.now() < end {
        if let [gone, ..] = &lockstep.advance(end, &mut NoWire)?[..] {
            return Err(Error::broken(format!("it ended after {} boundaries, at {}", lockstep.boundaries(), gone.at)));
        }
    }
    Ok(())
}

/// The line that the plugin wrote last among what QEMU said.
fn plugin_s_words(stderr: &str) -> Option<&str> {
    stderr.lines().rev().find_map(|line| line.strip_prefix("lockstep: "))
}

/// Takes every frame, and brings none.
struct NoWire;

impl Wire for NoWire {
    fn carry(&mut self, _: &Sent) -> Result<Vec<Delivery>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::machine::qemu::OLDEST;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_plugin_s_file_is_there_once_and_nobody_else_s() {
        let folder = tempfile::tempdir().unwrap();
        let path = install(folder.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), lockstep_plugin());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o500);
        assert!(install(folder.path()).unwrap_err().fact.starts_with("cannot write the lockstep plugin"));
    }

    #[test]
    fn a_qemu_that_ends_at_once_cannot_do_it() {
        let qemu = Info { path: "/bin/false".into(), version: OLDEST };
        let error = probe(&qemu, PROBE_PATIENCE).unwrap_err();
        let why = "QEMU of 'probe' ended before its lockstep plugin greeted";
        assert_eq!(error.fact, format!("QEMU 7.2.0 cannot do lockstep time: {why}"));
    }

    #[test]
    fn the_plugin_s_own_words_are_the_reason() {
        let stderr = "qemu: warning: hub 0\nlockstep: made for others\nqemu: Could not load plugin lockstep.so\n";
        assert_eq!(plugin_s_words(stderr), Some("made for others"));
        assert_eq!(plugin_s_words("qemu: -plugin: invalid option\n"), None);
    }
}
