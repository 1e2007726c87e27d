//! What a bundle says of itself, and how large it may be.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the names of bundles end with.
pub const ENDING: &str = ".deadpeer.tar.gz";

/// The first member's name.
pub(super) const MANIFEST: &str = "bundle.json";

/// What `format` says.
const FORMAT: &str = "deadpeer-bundle";

/// The newest version that this controller reads, and the one that it writes.
const VERSION: u32 = 1;

/// The largest manifest, in bytes.
pub(super) const LARGEST_MANIFEST: u64 = 1 << 20;

/// The most members.
const MOST_MEMBERS: usize = 512;

/// The largest file of a run, and the largest program, in bytes. A capture of an hour of bulk transfer is smaller.
const LARGEST: u64 = 256 << 20;

/// The largest file of an image, in bytes.
const LARGEST_OF_IMAGE: u64 = 1 << 30;

/// All members together, in bytes.
const LARGEST_OF_ALL: u64 = 2 << 30;

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What this is.
    format: String,
    /// Version of this shape, and of what the members' names mean.
    version: u32,
    /// The controller that wrote it.
    pub controller: String,
    /// The other members, in the order in which they follow.
    pub members: Vec<Member>,
    /// The members that are the user's own programs, by the names of the scenario's.
    pub programs: BTreeMap<String, String>,
    /// The images that are in it, by their keys.
    pub images: Vec<String>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name: two or three plain words with slashes between, as in `run/result.json`.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    pub(super) fn new() -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            controller: env!("CARGO_PKG_VERSION").to_owned(),
            members: Vec::new(),
            programs: BTreeMap::new(),
            images: Vec::new(),
        }
    }

    /// Reads a manifest that nobody vouches for.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
            controller: String,
        }
        let no_manifest = |e: serde_json::Error| not_a_bundle(&format!("its {MANIFEST} cannot be read: {e}"));
        let head: Head = serde_json::from_slice(bytes).map_err(no_manifest)?;
        if head.format != FORMAT {
            return Err(not_a_bundle(&format!("its {MANIFEST} is of another format")));
        }
        if head.version > VERSION {
            return Err(Error::usage("the bundle is of a newer format than this controller reads")
                .detail(format!("version {}; this controller reads up to {VERSION}", head.version))
                .help(format!("Use controller {:?} or a later one.", head.controller)));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(no_manifest)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.members.len() > MOST_MEMBERS {
            return Err(refused(&format!("it has {} members; {MOST_MEMBERS} are the most", self.members.len())));
        }
        let mut all = 0_u64;
        for (n, member) in self.members.iter().enumerate() {
            let Some(limit) = limit(&member.name) else {
                return Err(refused(&format!("a member has a name of no form that is known: {:?}", member.name)));
            };
            if member.size > limit {
                let (name, size) = (&member.name, member.size);
                return Err(refused(&format!("{name} has {size} bytes; {limit} are the most")));
            }
            if self.members[..n].iter().any(|other| other.name == member.name) {
                return Err(refused(&format!("it has two members {}", member.name)));
            }
            all = all.saturating_add(member.size);
        }
        if all > LARGEST_OF_ALL {
            return Err(refused(&format!("unpacked it has {all} bytes; {LARGEST_OF_ALL} are the most")));
        }
        if let Some(missing) = self.programs.values().find(|name| !self.members.iter().any(|it| it.name == **name)) {
            return Err(refused(&format!("it names a program {missing:?} and does not have it")));
        }
        Ok(())
    }
}

/// How large a member of this name may be; none if there is no such name.
pub(super) fn limit(name: &str) -> Option<u64> {
    match name.split('/').collect::<Vec<_>>()[..] {
        ["run", file] if is_plain(file) => Some(LARGEST),
        ["programs", program, file] if is_plain(program) && is_plain(file) => Some(LARGEST),
        ["images", key, file] if is_plain(key) && is_plain(file) => Some(LARGEST_OF_IMAGE),
        _ => None,
    }
}

/// Whether a name is one that any file system takes, and that leads nowhere: letters, digits and `-_.+`, not beginning with a dot or a
/// hyphen, 80 at most.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    (1..=80).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['.', '-'])
}

/// It is something else.
pub(super) fn not_a_bundle(why: &str) -> Error {
    Error::usage("this is no bundle").detail(why).help("`controller bundle RUN` makes one.")
}

/// It claims to be one, and is not as one is made.
pub(super) fn refused(why: &str) -> Error {
    Error::usage("the bundle is refused").detail(why).help(
        "It was damaged on its way, or not made by `controller bundle`. Nothing of it was run, and nothing was written outside \
         the folder it was read into, which is gone.",
    )
}
