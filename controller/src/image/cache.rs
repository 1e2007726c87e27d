//! The images in the user's cache folder: found, built where they are missing, listed, removed.
//!
//! `$XDG_CACHE_HOME/deadpeer/images/KEY/` is an image, `KEY.lock` beside it is locked (flock(2)): shared by those who use the image,
//! exclusively by the one who builds or removes it. `KEY.building` is work in progress; since only the holder of the exclusive lock
//! works there, one that is there when the lock is taken was left by a builder that died.

use super::{Image, Spec, build, intact};
use crate::error::{Context, Error, Result};
use crate::progress::Reporter;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Name of an image's line of progress.
pub(super) const LINE: &str = "image";

/// A lock on an image's key; shared, while the image is used.
pub(super) type Held = Flock<File>;

/// An image in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Debian's suite.
    pub suite: String,
    /// Release of its kernel.
    pub kernel_release: String,
    /// What it takes on disk, in bytes.
    pub bytes: u64,
    /// When it was built.
    pub built: SystemTime,
    /// None if it is intact; else what is wrong with it.
    pub damage: Option<String>,
}

/// The folder of everything that Deadpeer caches, made if need be: `$XDG_CACHE_HOME/deadpeer`, or `~/.cache/deadpeer`, mode 700.
///
/// # Errors
/// It cannot be made, or neither variable is set.
pub fn cache_folder() -> Result<PathBuf> {
    let folder = |variable: &str| std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    let path = base
        .ok_or_else(|| Error::broken("there is no cache folder: neither XDG_CACHE_HOME nor HOME is set"))?
        .join("deadpeer");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&path)
        .broken(|| format!("cannot make the cache folder {}", path.display()))?;
    Ok(path)
}

fn images() -> Result<PathBuf> {
    let path = cache_folder()?.join("images");
    DirBuilder::new().recursive(true).mode(0o700).create(&path).broken(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

/// See [`super::ensure`].
pub(super) fn ensure(spec: &Spec, reporter: &Reporter, interrupted: &dyn Fn() -> bool) -> Result<Image> {
    spec.check()?;
    let (images, key) = (images()?, spec.key());
    let folder = images.join(&key);
    let shared = lock(&images, &key, FlockArg::LockSharedNonblock, reporter, interrupted)?;
    if let Ok(found) = intact::check(&folder) {
        return Ok(image(&folder, found, false, shared));
    }
    // Both may want to build: neither can while the other holds its share.
    drop(shared);
    let exclusive = lock(&images, &key, FlockArg::LockExclusiveNonblock, reporter, interrupted)?;
    let working = images.join(format!("{key}.building"));
    clear(&working)?;
    let (found, built) = match intact::check(&folder) {
        // The other one built it meanwhile.
        Ok(found) => (found, false),
        Err(damage) => {
            if folder.exists() {
                tracing::warn!("the cached image {key} is damaged ({}); building it anew", damage.fact);
                clear(&folder)?;
            }
            let done = build::build(spec, &key, &working, reporter, interrupted);
            let moved = done.and_then(|()| {
                fs::rename(&working, &folder).broken(|| format!("cannot put the image into {}", folder.display()))
            });
            if let Err(error) = moved {
                clear(&working)?;
                return Err(error);
            }
            (intact::check(&folder)?, true)
        }
    };
    exclusive.relock(FlockArg::LockShared).broken(|| format!("cannot keep the image {key}"))?;
    Ok(image(&folder, found, built, exclusive))
}

fn image(folder: &Path, lock: super::Lock, built: bool, held: Held) -> Image {
    Image {
        key: lock.key,
        kernel: folder.join(build::KERNEL),
        initrd: folder.join(build::INITRD),
        disk: folder.join(build::DISK),
        lock: folder.join(intact::LOCK),
        kernel_release: lock.kernel_release,
        built,
        _held: held,
    }
}

/// Takes the lock of a key; while somebody else has it, says so and waits.
fn lock(images: &Path, key: &str, how: FlockArg, reporter: &Reporter, interrupted: &dyn Fn() -> bool) -> Result<Held> {
    let path = images.join(format!("{key}.lock"));
    let mut waiting = false;
    let mut file =
        File::options().create(true).append(true).open(&path).broken(|| format!("cannot open {}", path.display()))?;
    loop {
        match Flock::lock(file, how) {
            Ok(held) => {
                if waiting {
                    reporter.done(LINE, "the other controller is done with the image");
                }
                return Ok(held);
            }
            Err((back, Errno::EWOULDBLOCK | Errno::EINTR)) => file = back,
            Err((_, error)) => return Err(Error::broken(format!("cannot lock {}: {error}", path.display()))),
        }
        if interrupted() {
            return Err(Error::interrupted());
        }
        if !waiting {
            reporter.began(LINE, "waiting for another controller that is building this image");
            waiting = true;
        }
        // flock(2) cannot wait with a deadline, and the interrupt must be seen.
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Removes a folder that may not be there. Folders in it may be closed to us (a build's tree keeps its permissions).
fn clear(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_up(folder);
            fs::remove_dir_all(folder).broken(|| format!("cannot remove {}", folder.display()))
        }
    }
}

fn open_up(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).for_each(|e| open_up(&e.path()));
}

/// The images in the cache, by key.
///
/// # Errors
/// The cache folder cannot be read.
pub fn list() -> Result<Vec<Entry>> {
    let images = images()?;
    let entries = fs::read_dir(&images).broken(|| format!("cannot read {}", images.display()))?;
    let mut list: Vec<Entry> = entries
        .flatten()
        .filter(|e| e.path().is_dir() && e.path().extension().is_none())
        .map(|e| entry(&e.path()))
        .collect();
    list.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(list)
}

fn entry(folder: &Path) -> Entry {
    let key = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let lock = intact::read_lock(folder).ok();
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    Entry {
        suite: lock
            .as_ref()
            .map_or_else(|| key.rsplit_once('-').map_or(&key[..], |(suite, _)| suite).to_owned(), |l| l.suite.clone()),
        kernel_release: lock.map(|l| l.kernel_release).unwrap_or_default(),
        bytes: files.filter_map(|f| f.metadata().ok()).map(|m| std::os::unix::fs::MetadataExt::blocks(&m) * 512).sum(),
        built: fs::metadata(folder.join(intact::LOCK)).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH),
        damage: intact::check(folder).err().map(|e| e.fact),
        key,
    }
}

/// Removes the images of a suite, or those whose key begins with `selector`, or all. Returns the keys of those removed.
///
/// # Errors
/// None fits (wrong usage); or one is in use or cannot be removed.
pub fn remove(selector: Option<&str>) -> Result<Vec<String>> {
    let images = images()?;
    let fits = |e: &Entry| selector.is_none_or(|s| e.suite == s || (!s.is_empty() && e.key.starts_with(s)));
    let chosen: Vec<String> = list()?.into_iter().filter(fits).map(|e| e.key).collect();
    if let (Some(selector), true) = (selector, chosen.is_empty()) {
        return Err(Error::usage(format!("no image fits '{selector}'")).help("controller image list"));
    }
    for key in &chosen {
        let path = images.join(format!("{key}.lock"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .broken(|| format!("cannot open {}", path.display()))?;
        let _held = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
            Error::broken(format!("the image {key} is in use")).help("Wait for the run that uses it, then try again.")
        })?;
        clear(&images.join(format!("{key}.building")))?;
        clear(&images.join(key))?;
    }
    Ok(chosen)
}
