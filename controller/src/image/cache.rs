//! The cache: a folder per image, a lock per key, and leftovers of builders that died.
//!
//! `images/KEY/` is an image, whole; `images/KEY.lock` is locked (flock(2)) shared while an image is used and exclusively
//! while it is built or removed; `images/.building-KEY/` is a build under way. The kernel drops a lock when its holder
//! dies, however it dies, so a building folder that is found by whoever holds the lock belongs to nobody.

use crate::error::{Context, Error, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock that somebody else holds is tried again, and the caller asked whether the user interrupted.
const TICK: Duration = Duration::from_millis(50);

/// Where images are kept: `$XDG_CACHE_HOME/deadpeer/images`, or `~/.cache/deadpeer/images` (XDG Base Directory
/// Specification: a relative path in the variable is not valid, and is ignored).
///
/// # Errors
/// When neither the variable nor a home folder is known.
pub fn cache_folder() -> Result<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("deadpeer/images"))
        .ok_or_else(|| {
            Error::usage("there is no cache folder: neither XDG_CACHE_HOME nor HOME is an absolute path")
                .help("export XDG_CACHE_HOME=/some/folder")
        })
}

/// A held lock of a key. Dropping it lets go.
#[derive(Debug)]
pub(super) struct Held(#[allow(dead_code)] Flock<File>);

/// The cache in one folder.
#[derive(Debug, Clone)]
pub(super) struct Cache(PathBuf);

impl Cache {
    /// Opens the cache folder, making it (mode 700) if it is missing.
    pub(super) fn open(folder: PathBuf) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .broken(|| format!("cannot make the cache folder {}", folder.display()))?;
        Ok(Self(folder))
    }

    /// Where the image of a key is, if it is there.
    pub(super) fn image(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    /// The keys of all images that are there, sorted.
    pub(super) fn keys(&self) -> Result<Vec<String>> {
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
    pub(super) fn lock(
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
    pub(super) fn try_lock(&self, key: &str, kind: LockKind) -> Result<Option<Held>> {
        let path = self.0.join(format!("{key}.lock"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .broken(|| format!("cannot open {}", path.display()))?;
        let how = match kind {
            LockKind::Use => FlockArg::LockSharedNonblock,
            LockKind::Change => FlockArg::LockExclusiveNonblock,
        };
        match Flock::lock(file, how) {
            Ok(held) => Ok(Some(Held(held))),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, e)) => Err(Error::broken(format!("cannot lock {}: {e}", path.display()))),
        }
    }

    /// A fresh folder for building a key's image, which the caller holds exclusively. What a dead builder left is removed.
    pub(super) fn building(&self, key: &str) -> Result<Building> {
        let path = self.0.join(format!(".building-{key}"));
        remove_folder(&path)?;
        DirBuilder::new().mode(0o700).create(&path).broken(|| format!("cannot make {}", path.display()))?;
        Ok(Building(Some(path)))
    }

    /// Removes the image of a key, which the caller holds exclusively, and what a dead builder of it left.
    pub(super) fn remove(&self, key: &str) -> Result<()> {
        remove_folder(&self.0.join(format!(".building-{key}")))?;
        self.remove_image(key)
    }

    /// Removes the image of a key, which the caller holds exclusively.
    pub(super) fn remove_image(&self, key: &str) -> Result<()> {
        // Renamed first: an image that is half removed must not be found.
        let doomed = self.0.join(format!(".doomed-{key}"));
        remove_folder(&doomed)?;
        match std::fs::rename(self.image(key), &doomed) {
            Ok(()) => remove_folder(&doomed),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Error::broken(format!("cannot remove {}: {e}", self.image(key).display()))),
        }
    }
}

/// What a lock is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LockKind {
    /// To use an image: together with others who do.
    Use,
    /// To build or remove it: alone.
    Change,
}

/// A folder in which an image is being built. Dropped, it is removed, unless the image was finished.
#[derive(Debug)]
pub(super) struct Building(Option<PathBuf>);

impl Building {
    /// The folder.
    pub(super) fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new("."))
    }

    /// Makes the folder the image of its key: all at once, by renaming it.
    pub(super) fn finish(mut self, image: &Path) -> Result<()> {
        let path = self.path().to_owned();
        std::fs::rename(&path, image).broken(|| format!("cannot rename {} to {}", path.display(), image.display()))?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(e) = remove_folder(&path)
        {
            tracing::warn!("{e}");
        }
    }
}

/// Removes a folder and all in it; one that is not there is fine.
pub(super) fn remove_folder(path: &Path) -> Result<()> {
    // A package may hold a folder that its owner may not write to.
    let removed = match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            make_writable(path);
            std::fs::remove_dir_all(path)
        }
        other => other,
    };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::broken(format!("cannot remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

fn make_writable(folder: &Path) {
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// Bytes that are free to this user where the folder is.
pub(super) fn free_bytes(folder: &Path) -> Result<u64> {
    let stat =
        nix::sys::statvfs::statvfs(folder).broken(|| format!("cannot ask how much is free in {}", folder.display()))?;
    Ok(stat.blocks_available() as u64 * stat.fragment_size() as u64)
}
