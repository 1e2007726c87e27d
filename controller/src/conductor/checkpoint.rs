//! A lab's checkpoint: what it is called, and when it is restored and saved.
//!
//! A lab is *ready* at the first boundary at which all hosts are up and nothing would happen by itself for a moment: no host does anything, no
//! frame is on its way. Nothing of the scenario but its hosts has been told by then, so all runs with the same hosts share one. There a lab is
//! saved, and there a restored one begins; one that does neither waits for the same boundary. What comes after, the run's chance first of all,
//! is the same for all three.
//!
//! A checkpoint can only fail to be restored: then the lab boots, as if there had been none.

use super::guest::Guest;
use super::interrupt::Interrupt;
use super::journal::Journal;
use super::world::World;
use crate::checkpoint::{Found, State, Store};
use crate::error::{Context, Error, Kind, Result};
use crate::machine::qemu::Info;
use crate::report::{CheckpointUse, CheckpointUsed};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;
use twox_hash::xxhash3_128::Hasher;

/// For so long nothing may happen by itself where a lab is ready: a card that is about to send does it within a microsecond.
pub(super) const QUIET: Duration = Duration::from_millis(1);

/// A lab that is not quiet within this time, of its own, goes on all the same, and is not saved.
pub(super) const QUIET_WITHIN: Duration = Duration::from_secs(10);

/// What a run may do with checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Checkpoints {
    /// Restore the lab, or else save it.
    #[default]
    Use,
    /// Boot it, and save it if there is none.
    Save,
    /// Boot it.
    Ignore,
}

/// Firmware that a machine in lockstep executes before its kernel. What of it is there, beside QEMU, shapes a boot.
const FIRMWARE: [&str; 4] =
    ["qemu/bios-256k.bin", "seabios/bios-256k.bin", "qemu/linuxboot_dma.bin", "qemu/kvmvapic.bin"];

/// The checkpoint of a lab that did not begin yet.
#[derive(Debug)]
pub(super) struct Plan {
    store: Store,
    key: String,
    qemu: String,
    may: Checkpoints,
    interrupt: Interrupt,
    /// What was done.
    used: Option<CheckpointUsed>,
}

impl Plan {
    /// Of a lab whose hosts are described by `hosts`, with all that is the scenario's and the run's own. None, with a warning, if none can be
    /// kept.
    pub(super) fn new(may: Checkpoints, qemu: &Info, hosts: &[String], interrupt: &Interrupt) -> Option<Self> {
        if may == Checkpoints::Ignore {
            return None;
        }
        let made = key(qemu, hosts).and_then(|key| {
            let store = Store::open()?;
            let (qemu, interrupt) = (qemu.version.to_string(), interrupt.clone());
            Ok(Self { store, key, qemu, may, interrupt, used: None })
        });
        made.inspect_err(|error| tracing::warn!("no checkpoint can be kept: {error}")).ok()
    }

    /// What was done, for the result.
    pub(super) fn used(&self) -> Option<CheckpointUse> {
        self.used.map(|used| CheckpointUse { key: self.key.clone(), used })
    }

    /// Makes the machines what they were when the lab was saved, and gives what they had said. None: the lab is to boot.
    pub(super) fn restore(&mut self, guests: &mut IndexMap<String, Guest>) -> Option<Journal> {
        if self.may != Checkpoints::Use {
            return None;
        }
        let checkpoint = match self.store.find(&self.key) {
            Ok(Found::Whole(checkpoint)) => checkpoint,
            Ok(Found::Absent) => return None,
            Ok(Found::Damaged(what)) => return self.useless(&what),
            Err(error) => return self.useless(&error.to_string()),
        };
        let restored = checkpoint.lab().and_then(|lab| Journal::of_bytes(&lab)).and_then(|journal| {
            let states: Result<Vec<State>> = guests.keys().map(|host| checkpoint.state(host)).collect();
            load(guests, states?, &self.interrupt).map(|()| journal)
        });
        drop(checkpoint);
        match restored {
            Ok(journal) => {
                self.used = Some(CheckpointUsed::Restored);
                Some(journal)
            }
            Err(error) => {
                guests.values_mut().for_each(|guest| guest.machine.unload());
                // The next boundary tells of the interrupt.
                if self.interrupt.raised() { None } else { self.useless(&error.to_string()) }
            }
        }
    }

    fn useless(&self, why: &str) -> Option<Journal> {
        tracing::warn!("the lab's checkpoint cannot be used, and the hosts boot: {why}");
        self.discard();
        None
    }

    /// Has it made anew by the next run.
    pub(super) fn discard(&self) {
        if let Err(error) = self.store.remove(&self.key) {
            tracing::warn!("{error}");
        }
    }

    /// Saves a lab that is ready. That it cannot be saved is no fault of the run's.
    ///
    /// # Errors
    /// The user interrupted.
    pub(super) fn save(&mut self, guests: &mut IndexMap<String, Guest>, world: &World, journal: Journal) -> Result<()> {
        match self.try_save(guests, world, journal) {
            Ok(saved) => self.used = saved.then_some(CheckpointUsed::Saved),
            Err(_) if self.interrupt.raised() => return Err(Error::interrupted()),
            Err(error) if error.kind == Kind::Interrupted => return Err(error),
            Err(error) => tracing::warn!("no checkpoint of the lab was saved: {error}"),
        }
        Ok(())
    }

    /// False: there is one, or another controller is at it.
    fn try_save(&self, guests: &mut IndexMap<String, Guest>, world: &World, mut journal: Journal) -> Result<bool> {
        if matches!(self.store.find(&self.key)?, Found::Whole(_)) {
            return Ok(false);
        }
        let Some(mut draft) = self.store.draft(&self.key, &self.qemu)? else { return Ok(false) };
        for (host, guest) in guests {
            draft.state(host, |into| guest.machine.save(&mut Interruptible(into, &self.interrupt)))?;
        }
        // One that slept came up to the others when it was paused.
        journal.clocks = world.clocks()?;
        draft.finish(&journal.to_bytes()?)?;
        Ok(true)
    }
}

/// All machines at once: each is a process of its own.
fn load(guests: &mut IndexMap<String, Guest>, states: Vec<State>, interrupt: &Interrupt) -> Result<()> {
    std::thread::scope(|scope| {
        let loading: Vec<_> = guests
            .values_mut()
            .zip(states)
            .map(|(guest, mut state)| {
                scope.spawn(crate::runlog::belonging(move || {
                    let loaded = guest.machine.load(&mut Interruptible(&mut state, interrupt));
                    loaded.map_err(|e| e.during(&format!("restoring host '{}'", guest.name)))
                }))
            })
            .collect();
        let died = || Error::broken("a worker thread of the controller died");
        // All are waited for, so that none is loaded after it was taken back.
        let loaded: Vec<Result<()>> =
            loading.into_iter().map(|thread| thread.join().map_err(|_| died()).and_then(|it| it)).collect();
        loaded.into_iter().collect()
    })
}

/// Reading and writing that end when the user interrupts.
struct Interruptible<'a, T>(T, &'a Interrupt);

impl<T> Interruptible<'_, T> {
    fn look(&self) -> io::Result<()> {
        if self.1.raised() { Err(io::Error::other("the user interrupted")) } else { Ok(()) }
    }
}

impl<T: Read> Read for Interruptible<'_, T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.look()?;
        self.0.read(into)
    }
}

impl<T: Write> Write for Interruptible<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.look()?;
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a lab's checkpoint is called: a hash of its hosts, of QEMU, of the firmware, and of this controller, which holds all the rest.
fn key(qemu: &Info, hosts: &[String]) -> Result<String> {
    let mut digest = Sha256::new();
    digest.update(ourselves()?);
    digest.update(hash(&qemu.path)?);
    let program = qemu.path.canonicalize().broken(|| format!("cannot find {}", qemu.path.display()))?;
    let share = program.parent().and_then(Path::parent).map(|prefix| prefix.join("share")).unwrap_or_default();
    for name in FIRMWARE {
        digest.update(hash(&share.join(name)).unwrap_or_default());
    }
    hosts.iter().for_each(|host| digest.update(format!("{}:{host}", host.len())));
    Ok(digest.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

/// The hash of this very program.
fn ourselves() -> Result<[u8; 16]> {
    static HASH: OnceLock<[u8; 16]> = OnceLock::new();
    let hash = match HASH.get() {
        Some(known) => *known,
        None => hash(Path::new("/proc/self/exe"))?,
    };
    Ok(*HASH.get_or_init(|| hash))
}

/// A file's XXH3: it says whether it is the same file, not that nobody made it look so.
fn hash(path: &Path) -> Result<[u8; 16]> {
    let cannot = || format!("cannot read {}", path.display());
    let mut file = File::open(path).broken(cannot)?;
    let (mut hasher, mut piece) = (Hasher::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece).broken(cannot)? {
            0 => return Ok(hasher.finish_128().to_le_bytes()),
            length => hasher.write(&piece[..length]),
        }
    }
}
