//! Checkpoints: labs that were booted once, and are kept ready to run.
//!
//! A checkpoint is a folder in the user's cache: `HOST.state` is all of a machine, its memory, disk and devices, as QEMU migrates it,
//! packed (LZ4); `lab.json` is what the machines had said until then (the conductor's); `manifest.json` holds the length and
//! XXH3 hash of each. Its *key* is a hash of everything that shapes it, so one that is stale is never found. What goes in is the conductor's
//! to say.
//!
//! Order: [`Store::find`] looks whether there is one, whole by its lengths; what is read from it is hashed on the way, and reading it to its
//! end fails if it is not what was written. [`Store::draft`] begins another, which is there all at once when it is finished.
//!
//! Exceptions: nobody waits here. What another controller is saving just now is absent, and is saved by that one alone.

mod manifest;
mod stream;

pub use manifest::Manifest;
pub use stream::State;

use crate::cache::{self, Building, Cache, Held, LockKind, free_bytes};
use crate::error::{Context, Error, Result};
use lz4_flex::frame::FrameEncoder;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use stream::Hashed;

/// So many are kept; the one that was used longest ago goes first. The catalogue needs a dozen.
const MOST: usize = 24;

/// None is saved where less than this is free, in bytes: one of three hosts takes about a third of it.
const SPACE_NEEDED: u64 = 1 << 30;

/// The checkpoints in a folder.
#[derive(Debug, Clone)]
pub struct Store(Cache);

/// What was found under a key.
#[derive(Debug)]
pub enum Found {
    /// Nothing that could be used now.
    Absent,
    /// A checkpoint, whole by its lengths.
    Whole(Box<Checkpoint>),
    /// One that is of no use, and what is wrong with it.
    Damaged(String),
}

/// A checkpoint that is there. While it lives, nobody removes it.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// Kept for its drop.
    _held: Held,
}

/// A checkpoint that is being saved. Dropped before it is finished, it leaves nothing.
#[derive(Debug)]
pub struct Draft {
    store: Store,
    building: Building,
    manifest: Manifest,
    /// Kept for its drop.
    _held: Held,
}

/// A checkpoint as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// What it says it holds, if it can be read.
    pub manifest: Option<Manifest>,
    /// Bytes that its files take.
    pub size: u64,
    /// How long ago it was used last.
    pub unused: Duration,
    /// What is wrong with it; nothing, if it is whole. It was not read.
    pub damage: Option<String>,
}

const LAB: &str = "lab.json";

fn state_file(host: &str) -> String {
    format!("{host}.state")
}

impl Store {
    /// Those of this user.
    ///
    /// # Errors
    /// There is no cache folder, and it cannot be made.
    pub fn open() -> Result<Self> {
        Self::in_folder(cache::folder("checkpoints")?)
    }

    /// Those in this folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn in_folder(folder: PathBuf) -> Result<Self> {
        Cache::open(folder).map(Self)
    }

    /// Looks for the checkpoint of a key. What controllers left that were killed while they saved is removed.
    ///
    /// # Errors
    /// The cache cannot be used.
    pub fn find(&self, key: &str) -> Result<Found> {
        self.0.sweep("");
        let folder = self.0.entry(key);
        if !folder.is_dir() {
            return Ok(Found::Absent);
        }
        let Some(held) = self.0.try_lock(key, LockKind::Use)? else { return Ok(Found::Absent) };
        Ok(match Manifest::read(&folder, key) {
            Ok(manifest) => {
                used_now(&folder);
                Found::Whole(Box::new(Checkpoint { folder, manifest, _held: held }))
            }
            Err(what) => Found::Damaged(what),
        })
    }

    /// Begins to save the checkpoint of a key; none if another controller is at it, or uses the one that is there.
    ///
    /// # Errors
    /// The cache cannot be written, or too little is free there.
    pub fn draft(&self, key: &str, qemu: &str) -> Result<Option<Draft>> {
        let Some(held) = self.0.try_lock(key, LockKind::Change)? else { return Ok(None) };
        let building = self.0.building(key, &held)?;
        let free = free_bytes(building.path())?;
        if free < SPACE_NEEDED {
            return Err(Error::broken(format!("only {} MiB are free in {}", free >> 20, building.path().display()))
                .help(format!("A checkpoint is saved where {} MiB are.", SPACE_NEEDED >> 20)));
        }
        let manifest = Manifest::new(key, qemu);
        Ok(Some(Draft { store: self.clone(), building, manifest, _held: held }))
    }

    /// Removes the checkpoint of a key. False: it is in use.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self, key: &str) -> Result<bool> {
        let Some(held) = self.0.try_lock(key, LockKind::Change)? else { return Ok(false) };
        self.0.forget(key, held).map(|()| true)
    }

    /// All that are there, the one that was used last first.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>> {
        self.0.sweep("");
        let now = SystemTime::now();
        let mut entries: Vec<Entry> = self.0.keys()?.into_iter().map(|key| self.entry(key, now)).collect();
        entries.sort_by(|a, b| (a.unused, &a.key).cmp(&(b.unused, &b.key)));
        Ok(entries)
    }

    fn entry(&self, key: String, now: SystemTime) -> Entry {
        let folder = self.0.entry(&key);
        let (manifest, damage) = match Manifest::read(&folder, &key) {
            Ok(manifest) => (Some(manifest), None),
            Err(what) => (None, Some(what)),
        };
        let used = folder.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let unused = now.duration_since(used).unwrap_or_default();
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let size = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
        Entry { key, manifest, size, unused, damage }
    }

    /// Removes those that were used longest ago, beyond the number that is kept. One that is in use stays.
    fn evict(&self) -> Result<()> {
        let entries = self.list()?;
        entries.iter().skip(MOST).try_for_each(|entry| self.remove(&entry.key).map(drop))
    }
}

impl Checkpoint {
    /// What the conductor wrote down of the lab.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn lab(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = self.hashed(LAB)?;
        reader.read_to_end(&mut bytes).broken(|| self.cannot_read(LAB))?;
        Ok(bytes)
    }

    /// A machine's state. Who reads it to its end without an error has read what was written.
    ///
    /// # Errors
    /// There is none of that host.
    pub fn state(&self, host: &str) -> Result<State> {
        Ok(State::new(self.hashed(&state_file(host))?))
    }

    fn hashed(&self, name: &str) -> Result<Hashed<File>> {
        let wanted = self.manifest.files.get(name);
        let wanted =
            wanted.ok_or_else(|| Error::broken(format!("{}: the manifest has none", self.cannot_read(name))))?;
        let file = File::open(self.folder.join(name)).broken(|| self.cannot_read(name))?;
        Ok(Hashed::awaiting(file, wanted.clone()))
    }

    fn cannot_read(&self, name: &str) -> String {
        format!("cannot read the checkpoint's {}", self.folder.join(name).display())
    }
}

impl Draft {
    /// Has a machine's state written, by `write`.
    ///
    /// # Errors
    /// That of `write`, or the file's.
    pub fn state(&mut self, host: &str, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let name = state_file(host);
        let cannot = || cannot_write(self.building.path(), &name);
        let file = File::create_new(self.building.path().join(&name)).broken(cannot)?;
        let mut packed = FrameEncoder::new(Hashed::new(file));
        write(&mut packed).map_err(|error| error.during(&cannot()))?;
        let hashed = packed.finish().broken(cannot)?;
        self.manifest.files.insert(name, hashed.sum());
        Ok(())
    }

    /// The checkpoint is complete, with what the conductor wrote down of the lab: puts it into the cache, in place of another of its key.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self, lab: &[u8]) -> Result<()> {
        let folder = self.building.path().to_owned();
        let file = File::create_new(folder.join(LAB)).broken(|| cannot_write(&folder, LAB))?;
        let mut hashed = Hashed::new(file);
        hashed.write_all(lab).broken(|| cannot_write(&folder, LAB))?;
        self.manifest.files.insert(LAB.to_owned(), hashed.sum());
        self.manifest.write(&folder)?;
        used_now(&folder);
        let cache = &self.store.0;
        cache.remove_entry(&self.manifest.key)?;
        self.building.finish(&cache.entry(&self.manifest.key))?;
        self.store.evict()
    }
}

/// Notes when a checkpoint was used, which only decides how long it is kept.
fn used_now(folder: &Path) {
    let _ = File::open(folder).and_then(|it| it.set_modified(SystemTime::now()));
}

fn cannot_write(folder: &Path, name: &str) -> String {
    format!("cannot write the checkpoint's {}", folder.join(name).display())
}

#[cfg(test)]
mod tests;
