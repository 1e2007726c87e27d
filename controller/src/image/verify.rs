//! Whether an image in the cache is still what was built: cheaply each time, thoroughly when anything looks touched.
//!
//! After an image was hashed whole, a *stamp* keeps what the file system says of its files: inode, size, time of the
//! last change of content and of the inode. The latter (`ctime`) cannot be set by a program, so a file altered since,
//! even to the same size and with its old time put back, shows. When anything differs (a copied or restored cache does),
//! everything is hashed again and compared with the lock file, which the stamp itself vouches for.

use super::lock::{self, Lock};
use crate::error::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The stamp's name in an image's folder.
pub(super) const FILE: &str = "verified.json";

/// What is known of an image since it was last hashed whole.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    /// SHA-256 of the lock file.
    lock: String,
    /// By file name: the lock file and every artefact.
    files: BTreeMap<String, Seen>,
}

/// What the file system says of a file; times in seconds and nanoseconds since 1970.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// How an image was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// As it was built.
    Intact(Box<Lock>),
    /// It is not there.
    Absent,
    /// It is not as it was built, and this is what is wrong.
    Damaged(String),
}

/// Looks at the image in `folder`.
pub(super) fn look(folder: &Path) -> Found {
    if !folder.is_dir() {
        return Found::Absent;
    }
    match compare(folder) {
        Ok(lock) => Found::Intact(Box::new(lock)),
        Err(what) => Found::Damaged(what),
    }
}

/// Writes the stamp of an image that was just built or found good.
pub(super) fn stamp(folder: &Path, lock: &Lock) -> Result<()> {
    let stamp = Stamp { lock: lock::measure(&folder.join(lock::FILE))?.sha256, files: see(folder, lock)? };
    let text = serde_json::to_string_pretty(&stamp).broken(|| "cannot write a stamp".to_owned())?;
    // Whole or not at all: a stamp cut short would call a good image damaged.
    let fresh = tempfile::NamedTempFile::new_in(folder).broken(|| format!("cannot write in {}", folder.display()))?;
    std::fs::write(fresh.path(), text).broken(|| format!("cannot write {}", fresh.path().display()))?;
    fresh.persist(folder.join(FILE)).map(drop).broken(|| format!("cannot write in {}", folder.display()))
}

fn compare(folder: &Path) -> Result<Lock, String> {
    let said = |e: crate::error::Error| e.fact;
    let text = std::fs::read_to_string(folder.join(FILE)).map_err(|e| format!("{FILE}: {e}"))?;
    let stamp: Stamp = serde_json::from_str(&text).map_err(|e| format!("{FILE}: {e}"))?;
    let lock = Lock::read(folder).map_err(said)?;
    if see(folder, &lock).map_err(said)? == stamp.files {
        return Ok(lock);
    }
    if lock::measure(&folder.join(lock::FILE)).map_err(said)?.sha256 != stamp.lock {
        return Err(format!("{} was altered", lock::FILE));
    }
    whole(folder, &lock)?;
    // Good, but touched. A cache that cannot be written to is looked at whole each time.
    let _ = self::stamp(folder, &lock);
    Ok(lock)
}

/// Looks at an image that has a lock file and no stamp, as it did not come out of this cache.
pub(super) fn look_unstamped(folder: &Path) -> Found {
    let looked = Lock::read(folder).map_err(|e| e.fact).and_then(|lock| {
        whole(folder, &lock)?;
        Ok(lock)
    });
    looked.map_or_else(Found::Damaged, |lock| Found::Intact(Box::new(lock)))
}

/// Compares every artefact with what the lock file says of it.
fn whole(folder: &Path, lock: &Lock) -> Result<(), String> {
    let said = |e: crate::error::Error| e.fact;
    for (name, wanted) in &lock.artefacts {
        let found = lock::measure(&folder.join(name)).map_err(said)?;
        if found.size != wanted.size {
            return Err(format!("{name} has {} bytes instead of {}", found.size, wanted.size));
        }
        if found.sha256 != wanted.sha256 {
            return Err(format!("{name} was altered: its SHA-256 is {} instead of {}", found.sha256, wanted.sha256));
        }
    }
    Ok(())
}

fn see(folder: &Path, lock: &Lock) -> Result<BTreeMap<String, Seen>> {
    lock.artefacts
        .keys()
        .map(String::as_str)
        .chain([lock::FILE])
        .map(|name| {
            let meta = folder.join(name).symlink_metadata().broken(|| format!("cannot look at {name}"))?;
            let seen = Seen {
                inode: meta.ino(),
                size: meta.len(),
                modified: (meta.mtime(), meta.mtime_nsec()),
                changed: (meta.ctime(), meta.ctime_nsec()),
            };
            Ok((name.to_owned(), seen))
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::fs;

    fn image() -> (tempfile::TempDir, Lock) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("disk"), "0123456789").unwrap();
        let lock = Lock {
            key: "k".into(),
            suite: "s".into(),
            architecture: "amd64".into(),
            kernel_release: "6".into(),
            packages: Vec::new(),
            artefacts: BTreeMap::from([("disk".into(), lock::measure(&folder.path().join("disk")).unwrap())]),
            tools: BTreeMap::new(),
        };
        fs::write(folder.path().join(lock::FILE), lock.to_text().unwrap()).unwrap();
        stamp(folder.path(), &lock).unwrap();
        (folder, lock)
    }

    fn damage(folder: &Path) -> String {
        match look(folder) {
            Found::Damaged(what) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_stamped_is_intact() {
        let (folder, lock) = image();
        assert_eq!(look(folder.path()), Found::Intact(Box::new(lock)));
        assert_eq!(look(&folder.path().join("other")), Found::Absent);
    }

    #[test]
    fn an_artefact_cut_short_is_found() {
        let (folder, _) = image();
        fs::write(folder.path().join("disk"), "01234").unwrap();
        assert_eq!(damage(folder.path()), "disk has 5 bytes instead of 10");
    }

    #[test]
    fn an_artefact_altered_to_the_same_size_and_time_is_found() {
        let (folder, _) = image();
        let disk = folder.path().join("disk");
        let time = fs::metadata(&disk).unwrap().modified().unwrap();
        fs::write(&disk, "012345678X").unwrap();
        fs::File::options().write(true).open(&disk).unwrap().set_modified(time).unwrap();
        assert!(damage(folder.path()).starts_with("disk was altered: its SHA-256 is "));
    }

    #[test]
    fn a_missing_artefact_stamp_or_lock_is_found() {
        for name in ["disk", FILE, lock::FILE] {
            let (folder, _) = image();
            fs::remove_file(folder.path().join(name)).unwrap();
            let what = damage(folder.path());
            assert!(what.contains(name), "{what}");
        }
    }

    #[test]
    fn an_altered_lock_is_found() {
        let (folder, mut lock) = image();
        lock.suite = "other".into();
        fs::write(folder.path().join(lock::FILE), lock.to_text().unwrap()).unwrap();
        assert_eq!(damage(folder.path()), "lock.json was altered");
    }

    #[test]
    fn a_touched_but_equal_image_is_hashed_once_and_stamped_anew() {
        let (folder, _) = image();
        let disk = folder.path().join("disk");
        let before = fs::read_to_string(folder.path().join(FILE)).unwrap();
        fs::remove_file(&disk).unwrap();
        fs::write(&disk, "0123456789").unwrap();
        assert!(matches!(look(folder.path()), Found::Intact(_)));
        assert_ne!(fs::read_to_string(folder.path().join(FILE)).unwrap(), before);
    }
}
