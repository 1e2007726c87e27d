//! A bundle that nobody vouches for, to a folder.

use super::manifest::{LARGEST_MANIFEST, MANIFEST, Manifest, Member, not_a_bundle, refused};
use super::pack::hex;
use crate::error::{Context, Error, Result};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A member is copied by pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// tar(1) fills archives up with zeros to a multiple of 10 KiB; others do to less.
const LONGEST_END: u64 = 64 << 10;

/// A bundle that was read, whole and unaltered. Its folder is gone with this value.
#[derive(Debug)]
pub struct Unpacked {
    /// What it says it holds, and does.
    pub manifest: Manifest,
    folder: tempfile::TempDir,
}

impl Unpacked {
    /// The folder of the run that was bundled.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// Where a member is.
    #[must_use]
    pub fn member(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Reads the bundle at `file` into a folder of its own within `place`, which only this user may enter.
///
/// # Errors
/// It cannot be read, is no bundle, or is not as it says: too large, cut short, altered, with members that are not listed, that
/// are no plain files, or whose names lead out of the folder. Nothing is left then.
pub fn unpack(file: &Path, place: &Path) -> Result<Unpacked> {
    let opened = fs::File::open(file).usage(|| format!("cannot read {}", file.display()))?;
    read(io::BufReader::new(opened), place).map_err(|error| error.during(&file.display().to_string()))
}

/// Reads a bundle into a folder of its own within `place`.
///
/// # Errors
/// As [`unpack`].
pub fn read(packed: impl Read, place: &Path) -> Result<Unpacked> {
    let mut builder = tempfile::Builder::new();
    let folder = builder.prefix(".bundle-").permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let folder = folder.tempdir_in(place).broken(|| format!("cannot make a folder in {}", place.display()))?;
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    // Raw: else the archive may have long names, which the library reads into memory whatever their size.
    let mut entries = archive.entries().map_err(|e| cut(&e))?.raw(true);
    let first = entries.next().ok_or_else(|| not_a_bundle("it is an empty archive"))?;
    let mut first = first.map_err(|e| not_a_bundle(&format!("it is no gzipped tar archive: {e}")))?;
    if &*first.path_bytes() != MANIFEST.as_bytes() {
        return Err(not_a_bundle(&format!("its first member is not {MANIFEST}")));
    }
    plain(first.header().entry_type(), MANIFEST)?;
    if first.size() > LARGEST_MANIFEST {
        return Err(refused(&format!("its {MANIFEST} has {} bytes; {LARGEST_MANIFEST} are the most", first.size())));
    }
    let mut bytes = Vec::new();
    first.by_ref().take(LARGEST_MANIFEST).read_to_end(&mut bytes).map_err(|e| cut(&e))?;
    drop(first);
    let manifest = Manifest::parse(&bytes)?;
    for member in &manifest.members {
        let entry = entries.next().ok_or_else(|| refused(&format!("it ends before {}", member.name)))?;
        let mut entry = entry.map_err(|e| cut(&e))?;
        if &*entry.path_bytes() != member.name.as_bytes() {
            let found = String::from_utf8_lossy(&entry.path_bytes()).escape_debug().to_string();
            return Err(refused(&format!("{} should follow, and \"{found}\" does", member.name)));
        }
        plain(entry.header().entry_type(), &member.name)?;
        if entry.size() != member.size {
            let (name, size) = (&member.name, entry.size());
            return Err(refused(&format!("{name} has {size} bytes and should have {}", member.size)));
        }
        copy(&mut entry, member, folder.path())?;
    }
    if let Some(more) = entries.next() {
        let name = more.map(|it| String::from_utf8_lossy(&it.path_bytes()).into_owned()).unwrap_or_default();
        return Err(refused(&format!("it has members that it does not list: {name:?}")));
    }
    end(archive.into_inner())?;
    Ok(Unpacked { manifest, folder })
}

/// Nothing but the zeros that fill an archive up may follow, and the check sum of all of it.
fn end(rest: impl Read) -> Result<()> {
    let mut bytes = Vec::new();
    rest.take(LONGEST_END).read_to_end(&mut bytes).map_err(|e| cut(&e))?;
    if bytes.len() as u64 == LONGEST_END || bytes.iter().any(|byte| *byte != 0) {
        return Err(refused("something follows its last member"));
    }
    Ok(())
}

/// Only plain files are members.
fn plain(kind: tar::EntryType, name: &str) -> Result<()> {
    if kind == tar::EntryType::Regular {
        return Ok(());
    }
    Err(refused(&format!("{name} is no plain file, but one of tar's kind {:?}", char::from(kind.as_byte()))))
}

/// Writes a member; its name was checked with the manifest.
fn copy(from: &mut impl Read, member: &Member, folder: &Path) -> Result<()> {
    let path = folder.join(&member.name);
    let cannot = || format!("cannot write {}", path.display());
    let parent = path.parent().ok_or_else(|| Error::broken(cannot()))?;
    DirBuilder::new().recursive(true).mode(0o700).create(parent).broken(cannot)?;
    let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).broken(cannot)?;
    let (mut hash, mut left) = (Sha256::new(), member.size);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let length = match from.read(&mut piece[..most]) {
            Ok(0) => return Err(refused(&format!("{} is cut short", member.name))),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cut(&error)),
        };
        hash.update(&piece[..length]);
        to.write_all(&piece[..length]).broken(cannot)?;
        left -= length as u64;
    }
    if hex(&hash.finalize()) != member.sha256 {
        return Err(refused(&format!("{} is not what its SHA-256 says", member.name)));
    }
    Ok(())
}

fn cut(error: &io::Error) -> Error {
    refused(&format!("it is cut short or damaged: {error}"))
}
