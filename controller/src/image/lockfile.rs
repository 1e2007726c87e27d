//! `lock.json`: every package, version and hash that went into an image, and what came out.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What went into an image, and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The image's key.
    pub key: String,
    /// Debian's suite.
    pub suite: String,
    /// Release of the kernel.
    pub kernel_release: String,
    /// Packages of the disk.
    pub disk: Vec<Package>,
    /// Packages that the kernel and the initramfs were taken from.
    pub kernel: Vec<Package>,
    /// What came out, by file name.
    pub artefacts: BTreeMap<String, Artefact>,
    /// Versions of the tools that built it. They shape the bytes as well.
    pub tools: BTreeMap<String, String>,
}

/// A Debian package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `amd64`, or `all`.
    pub architecture: String,
    /// SHA-256 of the .deb, in hexadecimal.
    pub sha256: String,
}

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

/// Reads what the hook `customize` wrote: fields of apt's records, each record ended by "end".
pub(super) fn packages_of_records(text: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = text.split("end\n").filter_map(record).collect();
    packages.sort();
    packages
}

fn record(text: &str) -> Option<Package> {
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
    Some(Package {
        name: field("Package")?,
        version: field("Version")?,
        architecture: field("Architecture")?,
        sha256: field("SHA256")?,
    })
}

/// Reads what the hook `list-debs` wrote: sha256sum(1) of files named `NAME_VERSION_ARCHITECTURE.deb`, in which apt writes a
/// version's colon as `%3a`.
pub(super) fn packages_of_debs(text: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = text
        .lines()
        .filter_map(|line| {
            let (sha256, file) = line.split_once(char::is_whitespace)?;
            let mut parts = file.trim_start().strip_suffix(".deb")?.splitn(3, '_');
            let (name, version, architecture) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Package {
                name: name.to_owned(),
                version: version.replace("%3a", ":"),
                architecture: architecture.to_owned(),
                sha256: sha256.to_owned(),
            })
        })
        .collect();
    packages.sort();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_apts_records() {
        let text = "Package strace\nVersion 6.13+ds-1\nArchitecture amd64\nSHA256 ab\nend\nPackage less\nArchitecture amd64\nVersion 1:2\nSHA256 cd\nend\n";
        let packages = packages_of_records(text);
        assert_eq!(packages.len(), 2);
        assert_eq!((packages[0].name.as_str(), packages[0].version.as_str()), ("less", "1:2"));
        assert_eq!(packages[1].sha256, "ab");
    }

    #[test]
    fn reads_sums_of_debs() {
        let packages =
            packages_of_debs("ab  libcap2_1%3a2.75-10+b3_amd64.deb\ncd  linux-base_4.12.1_all.deb\nnonsense\n");
        assert_eq!(packages.len(), 2);
        assert_eq!((packages[0].version.as_str(), packages[0].architecture.as_str()), ("1:2.75-10+b3", "amd64"));
    }
}
