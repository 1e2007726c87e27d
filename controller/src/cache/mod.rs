//! The user's cache: a folder per entry, a lock per key, and leftovers of builders that died. Images are kept so, and checkpoints.
//!
//! `KEY/` is an entry, whole; `KEY.lock` is locked (flock(2)) shared while an entry is used and exclusively
//! while it is built or removed; `.building-KEY/` is a build under way. The kernel drops a lock when its holder
//! dies, however it dies, so a building folder that is found by whoever holds the lock belongs to nobody.

mod folder;

pub use folder::{free_bytes, remove_folder};

use crate::error::{Context, Error, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock that somebody else holds is tried again, and the caller asked whether the user interrupted.
const TICK: Duration = Duration::from_millis(50);

/// What the name of a folder begins with in which an entry is built; the key follows.
const BUILDING: &str = ".building-";

/// Likewise of one that is being removed.
const DOOMED: &str = ".doomed-";

/// Where entries of a kind are kept: `$XDG_CACHE_HOME/deadpeer/KIND`, or `~/.cache/deadpeer/KIND` (XDG Base Directory
/// Specification: a relative path in the variable is not valid, and is ignored).
///
/// # Errors
/// When neither the variable nor a home folder is known.
pub fn folder(kind: &str) -> Result<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("deadpeer").join(kind))
        .ok_or_else(|| {
            Error::usage("there is no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path")
                .help("export XDG_CACHE_HOME=/some/folder")
        })
}

/// A held lock of a key. Dropping it lets go.
#[derive(Debug)]
pub struct Held(Flock<File>);

/// The cache in one folder.
#[derive(Debug, Clone)]
pub struct Cache(PathBuf);

impl Cache {
    /// Opens the cache folder, making it (mode 700) if it is missing.
    pub fn open(folder: PathBuf) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .broken(|| format!("cannot make the cache folder {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Where the entry of a key is, if it is there.
    pub fn entry(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    /// The keys of all entries that are there, sorted.
    pub fn keys(&self) -> Result<Vec<String>> {
        let cannot = || format!("cannot read the cache folder {}", self.0.display());
        let mut keys = Vec::new();
        for entry in std::fs::read_dir(&self.0).broken(cannot)? {
            let entry = entry.broken(cannot)?;
            if let (Ok(name), true) = (entry.file_name().into_string(), entry.path().is_dir())
                && !name.starts_with('.')
            {
                keys.push(name);
            }
        }
        keys.sort();
        Ok(keys)
    }

    /// Waits for a key's lock. `waiting` is called once if somebody else holds it.
    pub fn lock(
        &self,
        key: &str,
        kind: LockKind,
        interrupted: &dyn Fn() -> bool,
        waiting: &mut dyn FnMut(),
    ) -> Result<Held> {
        let mut told = false;
        loop {
            if let Some(held) = self.try_lock(key, kind)? {
                return Ok(held);
            }
            if !told {
                waiting();
                told = true;
            }
            // flock(2) itself would wait, but could not be told of an interrupt.
            std::thread::sleep(TICK);
            if interrupted() {
                return Err(Error::interrupted());
            }
        }
    }

    /// Takes a key's lock if nobody holds it against us.
    pub fn try_lock(&self, key: &str, kind: LockKind) -> Result<Option<Held>> {
        let path = self.lock_file(key);
        let how = match kind {
            LockKind::Use => FlockArg::LockSharedNonblock,
            LockKind::Change => FlockArg::LockExclusiveNonblock,
        };
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)
                .broken(|| format!("cannot open {}", path.display()))?;
            let inode = |meta: std::io::Result<std::fs::Metadata>| meta.map(|it| it.ino()).ok();
            let opened = inode(file.metadata());
            match Flock::lock(file, how) {
                // Whoever forgot the key meanwhile has taken the file away: that lock is worth nothing.
                Ok(_) if inode(path.metadata()) != opened => {}
                Ok(held) => return Ok(Some(Held(held))),
                Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, e)) => return Err(Error::broken(format!("cannot lock {}: {e}", path.display()))),
            }
        }
    }

    fn lock_file(&self, key: &str) -> PathBuf {
        self.0.join(format!("{key}.lock"))
    }

    /// Removes the entry of a key and its lock, which the caller holds exclusively: of a key that may never be asked for again.
    pub fn forget(&self, key: &str, held: Held) -> Result<()> {
        self.remove(key)?;
        let lock = self.lock_file(key);
        std::fs::remove_file(&lock).broken(|| format!("cannot remove {}", lock.display()))?;
        drop(held);
        Ok(())
    }

    /// A fresh folder for building a key's entry, which the caller holds exclusively. What dead builders left, of this
    /// entry or another, is removed.
    pub fn building(&self, key: &str, held: &Held) -> Result<Building> {
        self.sweep(key);
        let path = self.0.join(format!("{BUILDING}{key}"));
        remove_folder(&path)?;
        DirBuilder::new().mode(0o700).create(&path).broken(|| format!("cannot make {}", path.display()))?;
        let lock = held.0.try_clone().broken(|| format!("cannot share the lock of {key}"))?;
        Ok(Building { path, lock, finished: false })
    }

    /// Removes what is left of builds of entries, but for one, whose builders are gone. What cannot be removed is not in our way.
    pub fn sweep(&self, own: &str) {
        for entry in std::fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let key = [BUILDING, DOOMED].iter().find_map(|prefix| name.strip_prefix(prefix));
            let Some(key) = key.filter(|key| *key != own) else { continue };
            let Ok(Some(held)) = self.try_lock(key, LockKind::Change) else { continue };
            let removed = remove_folder(&entry.path());
            let forgotten = match self.entry(key).exists() {
                true => Ok(()),
                false => self.forget(key, held),
            };
            if let Err(e) = removed.and(forgotten) {
                tracing::warn!("{e}");
            }
        }
    }

    /// Removes the entry of a key, which the caller holds exclusively, and what a dead builder of it left.
    pub fn remove(&self, key: &str) -> Result<()> {
        remove_folder(&self.0.join(format!("{BUILDING}{key}")))?;
        self.remove_entry(key)
    }

    /// Removes the entry of a key, which the caller holds exclusively.
    pub fn remove_entry(&self, key: &str) -> Result<()> {
        // Renamed first: an entry that is half removed must not be found.
        let doomed = self.0.join(format!("{DOOMED}{key}"));
        remove_folder(&doomed)?;
        match std::fs::rename(self.entry(key), &doomed) {
            Ok(()) => remove_folder(&doomed),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::broken(format!("cannot remove {}: {e}", self.entry(key).display()))),
        }
    }
}

/// What a lock is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// To use an entry: together with others who do.
    Use,
    /// To build or remove it: alone.
    Change,
}

/// A folder in which an entry is being built. Dropped, it is removed, unless the entry was finished.
#[derive(Debug)]
pub struct Building {
    path: PathBuf,
    lock: File,
    finished: bool,
}

impl Building {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock under which it is built, for tools to hold as long as they live.
    pub fn lock(&self) -> &File {
        &self.lock
    }

    /// Makes the folder the entry of its key: all at once, by renaming it.
    pub fn finish(mut self, entry: &Path) -> Result<()> {
        let what = || format!("cannot rename {} to {}", self.path.display(), entry.display());
        std::fs::rename(&self.path, entry).broken(what)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if !self.finished
            && let Err(e) = remove_folder(&self.path)
        {
            tracing::warn!("{e}");
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("images")).unwrap();
        (folder, cache)
    }

    #[test]
    fn the_cache_folder_is_the_users_alone() {
        let (_folder, cache) = cache();
        assert_eq!(std::fs::metadata(&cache.0).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn many_may_use_an_image_and_one_may_change_it() {
        let (_folder, cache) = cache();
        let one = cache.try_lock("k", LockKind::Use).unwrap();
        let two = cache.try_lock("k", LockKind::Use).unwrap();
        assert!(one.is_some() && two.is_some());
        assert!(cache.try_lock("k", LockKind::Change).unwrap().is_none());
        assert!(cache.try_lock("other", LockKind::Change).unwrap().is_some());
        drop((one, two));
        let change = cache.try_lock("k", LockKind::Change).unwrap();
        assert!(change.is_some());
        assert!(cache.try_lock("k", LockKind::Use).unwrap().is_none());
    }

    #[test]
    fn a_key_that_is_forgotten_leaves_nothing_and_its_old_lock_is_worth_nothing() {
        let (_folder, cache) = cache();
        std::fs::create_dir(cache.entry("k")).unwrap();
        let waiting = File::open(cache.lock_file("k")).err();
        assert!(waiting.is_some(), "no lock file before the first lock");
        let held = cache.try_lock("k", LockKind::Change).unwrap().unwrap();
        cache.forget("k", held).unwrap();
        assert_eq!(std::fs::read_dir(&cache.0).unwrap().count(), 0);
        assert!(cache.try_lock("k", LockKind::Change).unwrap().is_some());
    }

    #[test]
    fn waiting_for_a_lock_is_told_once_and_can_be_interrupted() {
        let (_folder, cache) = cache();
        let _held = cache.try_lock("k", LockKind::Change).unwrap().unwrap();
        let (asked, mut told) = (std::cell::Cell::new(0), 0);
        let interrupted = || {
            asked.set(asked.get() + 1);
            asked.get() == 3
        };
        let error = cache.lock("k", LockKind::Use, &interrupted, &mut || told += 1).unwrap_err();
        assert_eq!((error.kind, told), (crate::error::Kind::Interrupted, 1));
    }

    #[test]
    fn an_unfinished_build_leaves_nothing_and_a_finished_one_its_image() {
        let (_folder, cache) = cache();
        let held = cache.try_lock("k", LockKind::Change).unwrap().unwrap();
        let building = cache.building("k", &held).unwrap();
        let path = building.path().to_owned();
        std::fs::create_dir(path.join("sub")).unwrap();
        std::fs::set_permissions(path.join("sub"), std::fs::Permissions::from_mode(0o500)).unwrap();
        drop(building);
        assert!(!path.exists());
        std::fs::create_dir(&path).unwrap(); // a builder that died left this
        let building = cache.building("k", &held).unwrap();
        building.finish(&cache.entry("k")).unwrap();
        assert_eq!(cache.keys().unwrap(), ["k"]);
        cache.remove("k").unwrap();
        assert!(cache.keys().unwrap().is_empty());
    }

    #[test]
    fn what_dead_builders_of_other_images_left_is_swept_and_what_living_ones_build_is_not() {
        let (_folder, cache) = cache();
        let living = cache.try_lock("living", LockKind::Change).unwrap().unwrap();
        let living = cache.building("living", &living).unwrap();
        let (dead, doomed) = (cache.0.join(".building-dead"), cache.0.join(".doomed-dead"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::create_dir(&doomed).unwrap();
        let held = cache.try_lock("k", LockKind::Change).unwrap().unwrap();
        let _building = cache.building("k", &held).unwrap();
        assert!(!dead.exists() && !doomed.exists());
        assert!(living.path().exists());
    }
}
