//! Whether an image in the cache is what was built.
//!
//! Hashing a whole disk costs about a second, so every use compares what the file system tells (size, inode, times of change)
//! with what it told when the hashes were last right, and only a difference makes it hash again. Files are read-only; writing to
//! one all the same changes its `ctime`, which no program can set back.

use super::lockfile::Lock;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// File that holds what the file system told when the hashes were last right.
const STAMP: &str = "stamp.json";

/// Name of the lock file within an image's folder.
pub(super) const LOCK: &str = "lock.json";

/// What the file system tells of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    bytes: u64,
    inode: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

/// Looks whether the image in `folder` is what its lock file says.
///
/// # Errors
/// It is not; the fact says in which way.
pub(super) fn check(folder: &Path) -> Result<Lock> {
    let lock = read_lock(folder)?;
    let told = lock
        .artefacts
        .keys()
        .map(|name| Ok((name.clone(), ask(&folder.join(name))?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let stamp = fs::read(folder.join(STAMP))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<BTreeMap<String, Told>>(&bytes).ok());
    if stamp.as_ref() == Some(&told) {
        return Ok(lock);
    }
    for (name, artefact) in &lock.artefacts {
        let bytes = told.get(name).map_or(0, |t| t.bytes);
        if bytes != artefact.bytes {
            return Err(Error::broken(format!("{name} has {bytes} bytes instead of {}", artefact.bytes)));
        }
        if hash(&folder.join(name))? != artefact.sha256 {
            return Err(Error::broken(format!("{name} was altered: its SHA-256 is not the one in {LOCK}")));
        }
    }
    let text = serde_json::to_vec(&told).broken(|| format!("cannot write {STAMP}"))?;
    // Without the stamp the next use hashes again, and that is all.
    if let Err(error) = fs::write(folder.join(STAMP), text) {
        tracing::debug!("cannot write {STAMP}: {error}");
    }
    Ok(lock)
}

/// Reads an image's lock file.
pub(super) fn read_lock(folder: &Path) -> Result<Lock> {
    let path = folder.join(LOCK);
    let bytes = fs::read(&path).broken(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).broken(|| format!("{} is not what was written", path.display()))
}

fn ask(path: &Path) -> Result<Told> {
    let data = fs::metadata(path).broken(|| format!("cannot look at {}", path.display()))?;
    Ok(Told {
        bytes: data.len(),
        inode: data.ino(),
        changed: (data.ctime(), data.ctime_nsec()),
        modified: (data.mtime(), data.mtime_nsec()),
    })
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).broken(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).broken(|| format!("cannot read {}", path.display()))? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Bytes in hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::image::lockfile::Artefact;

    fn image() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("disk"), "0123456789").unwrap();
        let artefact = Artefact { bytes: 10, sha256: hash(&folder.path().join("disk")).unwrap() };
        let lock = Lock {
            key: "k".into(),
            suite: "s".into(),
            kernel_release: "6".into(),
            disk: vec![],
            kernel: vec![],
            artefacts: [("disk".to_owned(), artefact)].into(),
            tools: BTreeMap::new(),
        };
        fs::write(folder.path().join(LOCK), serde_json::to_vec(&lock).unwrap()).unwrap();
        folder
    }

    #[test]
    fn an_intact_image_is_hashed_once() {
        let image = image();
        assert!(check(image.path()).is_ok());
        assert!(image.path().join(STAMP).exists());
        assert!(check(image.path()).is_ok());
    }

    #[test]
    fn one_cut_short_is_found_out() {
        let image = image();
        check(image.path()).unwrap();
        fs::write(image.path().join("disk"), "01234").unwrap();
        assert!(check(image.path()).unwrap_err().fact.contains("5 bytes instead of 10"));
    }

    #[test]
    fn one_altered_at_the_same_size_is_found_out_and_stays_found_out() {
        let image = image();
        check(image.path()).unwrap();
        fs::write(image.path().join("disk"), "0123456780").unwrap();
        for _ in 0..2 {
            assert!(check(image.path()).unwrap_err().fact.contains("altered"));
        }
    }

    #[test]
    fn a_missing_file_and_a_broken_lock_file_are_found_out() {
        let first = image();
        fs::remove_file(first.path().join("disk")).unwrap();
        assert!(check(first.path()).is_err());
        let second = image();
        fs::write(second.path().join(LOCK), "{").unwrap();
        assert!(check(second.path()).unwrap_err().fact.contains("is not what was written"));
    }
}
