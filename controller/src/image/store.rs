//! What the rest of the controller asks of images: have one, list them, remove one.

use super::lock::Lock;
use super::verify::{self, Found};
use super::{DISK, INITRD, KERNEL, PROGRESS, build, lock, recipe};
use crate::cache::{self, Cache, Held, LockKind};
use crate::error::{Error, Result};
use crate::progress::Reporter;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The suites that an image can be made of, the default first.
const SUITES: [&str; 4] = ["trixie", "bookworm", "bullseye", "sid"];

/// Where images are kept.
///
/// # Errors
/// As [`cache::folder`].
pub fn cache_folder() -> Result<PathBuf> {
    cache::folder("images")
}

/// Which image is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Debian's suite: it decides the kernel.
    pub suite: String,
}

impl Default for Spec {
    fn default() -> Self {
        Self { suite: SUITES[0].to_owned() }
    }
}

/// An image, whole and unaltered. While a value of it (or a clone) lives, the image cannot be removed or rebuilt.
#[derive(Debug, Clone)]
pub struct Image {
    /// What it is called: the suite, and a hash of everything that shapes it.
    pub key: String,
    /// The kernel, for QEMU's `-kernel`.
    pub kernel: PathBuf,
    /// The initramfs. A host's is this one's bytes and its [`seed`](fn@super::seed)'s.
    pub initrd: PathBuf,
    /// The disk: a raw ext4 file system, read-only. A run writes to an overlay of it.
    pub disk: PathBuf,
    /// The lock file.
    pub lock: PathBuf,
    /// What the lock file says.
    pub contents: Lock,
    /// As `uname -r` says it in the guest.
    pub kernel_release: String,
    /// Whether it was built just now.
    pub built: bool,
    /// Kept for its drop: lets go of the image. None for one that is not in the cache.
    _held: Option<Arc<Held>>,
}

/// An image in the cache, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is called.
    pub key: String,
    /// Debian's suite.
    pub suite: String,
    /// Its kernel, where that is known.
    pub kernel_release: Option<String>,
    /// How many bytes its files take up on the disk of this host.
    pub size: u64,
    /// How long ago it was built.
    pub age: Duration,
    /// What is wrong with it; nothing if it is as it was built.
    pub damage: Option<String>,
    /// Whether this version of Deadpeer would use it. If not, it is of another version's recipe.
    pub current: bool,
    /// Its folder.
    pub folder: PathBuf,
}

/// The image wanted: out of the cache, or built into it.
///
/// Of two controllers that want the same image at once, one builds and the other waits and uses the result. An image
/// that was altered since it was built is built anew.
///
/// # Errors
/// When the suite is not known, a tool or space is missing, packages cannot be fetched, or the user interrupts:
/// `interrupted` is asked every 50 ms. Nothing is left behind then.
pub fn ensure(spec: &Spec, reporter: &Reporter, interrupted: &dyn Fn() -> bool) -> Result<Image> {
    if !SUITES.contains(&spec.suite.as_str()) {
        return Err(unknown_suite(&spec.suite));
    }
    let cache = Cache::open(cache_folder()?)?;
    let key = recipe::key(&spec.suite);
    let folder = cache.entry(&key);
    let mut built = false;
    let waited = Cell::new(false);
    let mut waiting = || {
        reporter.began(PROGRESS, "waiting for another controller that builds the guest image");
        waited.set(true);
    };
    loop {
        let held = cache.lock(&key, LockKind::Use, interrupted, &mut waiting)?;
        if let Found::Intact(contents) = verify::look(&folder) {
            if waited.get() && !built {
                reporter.done(PROGRESS, "guest image built by another controller");
            }
            return Ok(Image { built, ..image(key, &folder, *contents, Some(held)) });
        }
        drop(held);
        let held = cache.lock(&key, LockKind::Change, interrupted, &mut waiting)?;
        // While we had no lock, somebody else may have built it.
        let what = match verify::look(&folder) {
            Found::Intact(_) => continue,
            Found::Absent => "building the guest image".to_owned(),
            Found::Damaged(what) => format!("building the guest image anew: {what}"),
        };
        if built {
            return Err(Error::broken("the guest image does not stay as it is built").detail(what));
        }
        reporter.began(PROGRESS, &what);
        tracing::info!(key, "{what}");
        build_into(&cache, &key, &held, &spec.suite, reporter, interrupted)?;
        built = true;
    }
}

fn image(key: String, folder: &Path, contents: Lock, held: Option<Held>) -> Image {
    Image {
        kernel: folder.join(KERNEL),
        initrd: folder.join(INITRD),
        disk: folder.join(DISK),
        lock: folder.join(lock::FILE),
        kernel_release: contents.kernel_release.clone(),
        contents,
        built: false,
        _held: held.map(Arc::new),
        key,
    }
}

/// The image of this key, if the cache has it intact.
///
/// # Errors
/// It has not, or the image is being changed just now.
pub fn of_key(key: &str) -> Result<Image> {
    let cache = Cache::open(cache_folder()?)?;
    let folder = cache.entry(key);
    let busy = || Error::broken(format!("image {key} is being built or removed just now"));
    let held = cache.try_lock(key, LockKind::Use)?.ok_or_else(busy)?;
    match verify::look(&folder) {
        Found::Intact(contents) => Ok(image(key.to_owned(), &folder, *contents, Some(held))),
        Found::Absent => Err(Error::usage(format!("image {key} is not in the cache any more"))
            .help("Run the scenario again: that builds the image that is made today.")),
        Found::Damaged(what) => Err(Error::broken(format!("image {key} was altered since it was built")).detail(what)),
    }
}

/// An image that came from somebody else, in a folder that is not the cache's: it is as its own lock file says, and its key is what
/// they call it. It never enters the cache, where others would trust it.
///
/// # Errors
/// It is not whole.
pub fn unpacked(key: &str, folder: &Path) -> Result<Image> {
    match verify::look_unstamped(folder) {
        Found::Intact(contents) if [KERNEL, INITRD, DISK].iter().all(|it| contents.artefacts.contains_key(*it)) => {
            Ok(image(key.to_owned(), folder, *contents, None))
        }
        Found::Intact(_) | Found::Absent => {
            Err(Error::usage(format!("image {key} lacks a kernel, an initramfs or a disk")))
        }
        Found::Damaged(what) => Err(Error::usage(format!("image {key} is not whole")).detail(what)),
    }
}

fn build_into(
    cache: &Cache,
    key: &str,
    held: &Held,
    suite: &str,
    reporter: &Reporter,
    interrupted: &dyn Fn() -> bool,
) -> Result<()> {
    let start = Instant::now();
    let done = cache.building(key, held).and_then(|building| {
        build::build(key, suite, &building, reporter, interrupted)?;
        cache.remove_entry(key)?;
        building.finish(&cache.entry(key))
    });
    match &done {
        Ok(()) => reporter.done(PROGRESS, format!("guest image built in {:.0} s", start.elapsed().as_secs_f64())),
        Err(error) => reporter.failed(PROGRESS, error.fact.clone()),
    }
    done
}

fn unknown_suite(suite: &str) -> Error {
    let nearest = SUITES.into_iter().max_by(|a, b| strsim::jaro(a, suite).total_cmp(&strsim::jaro(b, suite)));
    Error::usage(format!("no such Debian suite: {suite}"))
        .detail(format!("known are {}", SUITES.join(", ")))
        .help(format!("--kernel {}", nearest.unwrap_or(SUITES[0])))
}

/// The images in the cache, and whether each is intact.
///
/// # Errors
/// When the cache folder cannot be read. One that is not there holds no images.
pub fn list() -> Result<Vec<Entry>> {
    let folder = cache_folder()?;
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let cache = Cache::open(folder)?;
    let current = SUITES.map(recipe::key);
    cache.keys()?.into_iter().map(|key| entry(&cache, key, &current)).collect()
}

fn entry(cache: &Cache, key: String, current: &[String]) -> Result<Entry> {
    let folder = cache.entry(&key);
    let (contents, damage) = match verify::look(&folder) {
        Found::Intact(contents) => (Some(*contents), None),
        Found::Absent => (None, Some("it was removed just now".to_owned())),
        Found::Damaged(what) => (Lock::read(&folder).ok(), Some(what)),
    };
    let built = folder.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Entry {
        suite: contents.as_ref().map_or_else(
            || key.rsplit_once('-').map_or(key.as_str(), |(suite, _)| suite).to_owned(),
            |contents| contents.suite.clone(),
        ),
        kernel_release: contents.map(|contents| contents.kernel_release),
        size: size_on_disk(&folder),
        age: SystemTime::now().duration_since(built).unwrap_or_default(),
        damage,
        current: current.contains(&key),
        folder,
        key,
    })
}

fn size_on_disk(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.metadata().ok()?.blocks() * 512)).sum()
}

/// Removes the images whose key or suite is `selector`, or all of them for `all`; gives their keys.
///
/// # Errors
/// When no image is meant, or one is in use by a run.
pub fn remove(selector: &str) -> Result<Vec<String>> {
    let entries = list()?;
    let keys: Vec<String> = entries
        .iter()
        .filter(|entry| selector == "all" || entry.key == selector || entry.suite == selector)
        .map(|entry| entry.key.clone())
        .collect();
    if keys.is_empty() && selector != "all" {
        let there: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let there = if there.is_empty() {
            "the cache holds none".to_owned()
        } else {
            format!("there are {}", there.join(", "))
        };
        return Err(Error::usage(format!("no such image: {selector}")).detail(there).help("controller image list"));
    }
    let cache = Cache::open(cache_folder()?)?;
    for key in &keys {
        let Some(_held) = cache.try_lock(key, LockKind::Change)? else {
            return Err(Error::broken(format!("image {key} is in use by a controller that is running"))
                .help("wait until it has ended, and try again"));
        };
        cache.remove(key)?;
    }
    Ok(keys)
}
