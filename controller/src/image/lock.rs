//! `lock.json`: every package and version and hash that went into an image, and every artefact that came out.

use super::recipe::hex;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The file's name in an image's folder.
pub(super) const FILE: &str = "lock.json";

/// An image's lock: what went in, what came out. Holds no times and no names of hosts: the same inputs give the same
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The image's key.
    pub key: String,
    /// Debian's suite.
    pub suite: String,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// The kernel as `uname -r` says it.
    pub kernel_release: String,
    /// Every package that was unpacked, by name.
    pub packages: Vec<Package>,
    /// What came out, by file name.
    pub artefacts: BTreeMap<String, Artefact>,
    /// The tools on the host that built it, with their versions.
    pub tools: BTreeMap<String, String>,
}

/// A package that went in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// SHA-256 of its .deb file, hexadecimal: what Debian's signed lists say, checked by apt.
    pub sha256: String,
}

/// A file that came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artefact {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

impl Lock {
    /// Reads the lock file in an image's folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read_to_string(&path).broken(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).broken(|| format!("{} is not a lock file", path.display()))
    }

    /// Its text: JSON, one field or package a line.
    pub(super) fn to_text(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self).broken(|| "cannot write a lock".to_owned())?;
        text.push('\n');
        Ok(text)
    }
}

/// The packages that the unpack hook listed: a line each of name, version, architecture and hash.
pub(super) fn packages(listed: &str) -> Result<Vec<Package>> {
    let mut packages = listed
        .lines()
        .map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [name, version, architecture, sha256] if sha256.len() == 64 => Ok(Package {
                name: name.to_owned(),
                version: version.to_owned(),
                architecture: architecture.to_owned(),
                sha256: sha256.to_owned(),
            }),
            _ => Err(Error::broken("the list of unpacked packages has a line of another form").detail(line)),
        })
        .collect::<Result<Vec<_>>>()?;
    if packages.is_empty() {
        return Err(Error::broken("mmdebstrap unpacked no packages"));
    }
    packages.sort();
    Ok(packages)
}

/// Size and hash of a file.
pub(super) fn measure(path: &Path) -> Result<Artefact> {
    let cannot = |e: std::io::Error| Error::broken(format!("cannot read {}: {e}", path.display()));
    let mut file = File::open(path).map_err(cannot)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match file.read(&mut buffer).map_err(cannot)? {
            0 => return Ok(Artefact { size, sha256: hex(&hash.finalize()) }),
            n => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_from_the_hooks_list() {
        let sum = "a".repeat(64);
        let listed = format!("strace 6.13+ds-1 amd64 {sum}\nbase-files 13 all {sum}\n");
        let packages = packages(&listed).unwrap();
        assert_eq!(packages[0].name, "base-files");
        assert_eq!((packages[1].version.as_str(), packages[1].architecture.as_str()), ("6.13+ds-1", "amd64"));
    }

    #[test]
    fn a_list_without_hashes_or_packages_is_refused() {
        assert_eq!(packages("strace 6.13 amd64\n").unwrap_err().detail.unwrap(), "strace 6.13 amd64");
        assert_eq!(packages("").unwrap_err().fact, "mmdebstrap unpacked no packages");
    }

    #[test]
    fn a_lock_comes_back_as_it_was_written_and_unknown_fields_are_refused() {
        let lock = Lock {
            key: "trixie-0123".into(),
            suite: "trixie".into(),
            architecture: "amd64".into(),
            kernel_release: "6.12".into(),
            packages: packages(&format!("a 1 all {}\n", "b".repeat(64))).unwrap(),
            artefacts: BTreeMap::from([("kernel".into(), Artefact { size: 3, sha256: "c".into() })]),
            tools: BTreeMap::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), lock.to_text().unwrap()).unwrap();
        assert_eq!(Lock::read(folder.path()).unwrap(), lock);
        let more = lock.to_text().unwrap().replacen('{', "{\"more\": 1,", 1);
        std::fs::write(folder.path().join(FILE), more).unwrap();
        assert!(Lock::read(folder.path()).is_err());
    }

    #[test]
    fn a_file_is_measured_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let measured = measure(file.path()).unwrap();
        assert_eq!(measured.size, 3);
        // FIPS 180-2, appendix B.1
        assert_eq!(measured.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
