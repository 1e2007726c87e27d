//! Makes a box: an uncompressed tar archive, as what is large in it hardly gets smaller.

use super::super::lock::measure;
use super::super::tool::{self, Tool};
use super::super::{Image, PROGRESS};
use super::contents::{self, Content, Contents, TIME};
use crate::cache::{self, Cache, LockKind};
use crate::error::{Context, Error, Result};
use crate::progress::Reporter;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Names of a cached box's files in its folder.
const BOX: &str = "deadpeer.box";
const SUM: &str = "sha256";

/// A box, packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// What Vagrant is to call it: `deadpeer/SUITE`.
    pub name: String,
    /// Its version: the controller's, and a number that stands for what is in it.
    pub version: String,
    /// Where it is, in the cache.
    pub file: PathBuf,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it was packed just now.
    pub fresh: bool,
}

/// Name and version that the box of this image has, packed or not.
///
/// # Errors
/// The image cannot be read.
pub fn identity(image: &Image) -> Result<(String, String)> {
    let fingerprint = contents::fingerprint(image, &contents::contents(image)?)?;
    Ok((format!("deadpeer/{}", image.contents.suite), contents::version(&fingerprint)))
}

/// The box of an image: out of the cache, or packed into it.
///
/// # Errors
/// qemu-img is missing or fails, there is no space, or the user interrupts. Nothing is left behind then.
pub fn packed(image: &Image, reporter: &Reporter, interrupted: &dyn Fn() -> bool) -> Result<Packed> {
    packed_in(cache::folder("boxes")?, image, reporter, interrupted)
}

fn packed_in(folder: PathBuf, image: &Image, reporter: &Reporter, interrupted: &dyn Fn() -> bool) -> Result<Packed> {
    let cache = Cache::open(folder)?;
    let suite = &image.contents.suite;
    let contents = contents::contents(image)?;
    let fingerprint = contents::fingerprint(image, &contents)?;
    let key = contents::key(suite, &fingerprint);
    let held = cache.lock(&key, LockKind::Change, interrupted, &mut || {
        reporter.began(PROGRESS, "waiting for another controller that packs the box");
    })?;
    let entry = cache.entry(&key);
    let found = |fresh| {
        let file = entry.join(BOX);
        let sum = std::fs::read_to_string(entry.join(SUM)).ok()?;
        let measured = measure(&file).ok().filter(|it| it.sha256 == sum)?;
        let version = contents::version(&fingerprint);
        Some(Packed { name: format!("deadpeer/{suite}"), version, file, sha256: sum, size: measured.size, fresh })
    };
    if let Some(packed) = found(false) {
        return Ok(packed);
    }
    let start = Instant::now();
    reporter.began(PROGRESS, "packing the box");
    let building = cache.building(&key, &held)?;
    let file = building.path().join(BOX);
    let done = pack(&contents, &file, building.path(), interrupted)
        .and_then(|()| {
            let sum = building.path().join(SUM);
            std::fs::write(&sum, measure(&file)?.sha256).broken(|| format!("cannot write {}", sum.display()))?;
            cache.remove_entry(&key)?;
            building.finish(&entry)
        })
        .and_then(|()| found(true).ok_or_else(|| Error::broken("the box does not stay as it is packed")));
    match &done {
        Ok(_) => reporter.done(PROGRESS, format!("box packed in {:.1} s", start.elapsed().as_secs_f64())),
        Err(error) => reporter.failed(PROGRESS, error.fact.clone()),
    }
    done.map_err(|error| error.during("packing the box"))
}

/// Packs a box into `file`; `scratch` is a folder for files in between.
fn pack(contents: &Contents, file: &Path, scratch: &Path, interrupted: &dyn Fn() -> bool) -> Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let mut archive = tar::Builder::new(BufWriter::new(File::create(file).broken(cannot)?));
    for (name, content) in contents {
        match content {
            Content::Bytes(bytes) => append(&mut archive, name, bytes.len() as u64, &bytes[..]).broken(cannot)?,
            Content::File(path) => append_file(&mut archive, name, path)?,
            Content::Disk(path) => {
                let converted = scratch.join(name);
                convert(path, &converted, interrupted)?;
                append_file(&mut archive, name, &converted)?;
                std::fs::remove_file(&converted).broken(|| format!("cannot remove {}", converted.display()))?;
            }
        }
        if interrupted() {
            return Err(Error::interrupted());
        }
    }
    archive.into_inner().and_then(|mut written| written.flush()).broken(cannot)
}

/// A raw disk as qcow2, always with the same bytes: one coroutine (`-m 1`) allocates clusters in the order of the disk.
fn convert(disk: &Path, to: &Path, interrupted: &dyn Fn() -> bool) -> Result<()> {
    if !tool::missing(&["qemu-img"]).is_empty() {
        return Err(Error::broken("qemu-img is missing, which makes a box's disk")
            .help("sudo apt-get install --no-install-recommends qemu-utils"));
    }
    Tool::new("qemu-img")
        .args([
            "convert",
            "-f",
            "raw",
            "-O",
            "qcow2",
            "-o",
            "compat=1.1,cluster_size=65536,lazy_refcounts=off",
            "-m",
            "1",
        ])
        .arg(disk)
        .arg(to)
        .run(interrupted, &mut tool::ignore)
        .map(drop)
}

fn append_file(archive: &mut tar::Builder<impl Write>, name: &str, path: &Path) -> Result<()> {
    let cannot = || format!("cannot pack {}", path.display());
    let file = File::open(path).broken(cannot)?;
    let size = file.metadata().broken(cannot)?.len();
    append(archive, name, size, file).broken(cannot)
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, size: u64, from: impl Read) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(TIME);
    header.set_cksum();
    archive.append(&header, from)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::super::lock::{self, Lock};
    use super::super::super::{DISK, INITRD, KERNEL, unpacked};
    use super::*;
    use std::collections::BTreeMap;

    /// An image with the smallest of everything.
    fn image(folder: &Path) -> Image {
        let mut artefacts = BTreeMap::new();
        for (name, content) in [(KERNEL, &b"kernel"[..]), (INITRD, b"init"), (DISK, &[7; 1 << 20])] {
            std::fs::write(folder.join(name), content).unwrap();
            artefacts.insert(name.to_owned(), measure(&folder.join(name)).unwrap());
        }
        let lock = Lock {
            key: "trixie-0".into(),
            suite: "trixie".into(),
            architecture: "amd64".into(),
            kernel_release: "6".into(),
            packages: Vec::new(),
            artefacts,
            tools: BTreeMap::new(),
        };
        std::fs::write(folder.join(lock::FILE), lock.to_text().unwrap()).unwrap();
        unpacked("trixie-0", folder).unwrap()
    }

    fn packed_into(folder: &Path, image: &Image) -> Packed {
        packed_in(folder.to_owned(), image, &Reporter::silent(), &|| false).unwrap()
    }

    #[test]
    fn packing_twice_gives_the_same_bytes_and_the_cache_the_same_box() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = packed_into(one.path(), &image);
        assert!(first.fresh && first.name == "deadpeer/trixie");
        let second = packed_into(two.path(), &image);
        assert_eq!(first.sha256, second.sha256);
        assert_eq!(std::fs::read(&first.file).unwrap(), std::fs::read(&second.file).unwrap());
        assert_eq!(packed_into(one.path(), &image), Packed { fresh: false, ..first });
    }

    #[test]
    fn a_box_that_was_altered_is_packed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let image = image(folder.path());
        let boxes = tempfile::tempdir().unwrap();
        let first = packed_into(boxes.path(), &image);
        std::fs::write(&first.file, "rubbish").unwrap();
        assert_eq!(packed_into(boxes.path(), &image), first);
    }

    #[test]
    fn another_disk_makes_another_version() {
        let folder = tempfile::tempdir().unwrap();
        let boxes = tempfile::tempdir().unwrap();
        let first = packed_into(boxes.path(), &image(folder.path()));
        let other = image(folder.path());
        std::fs::write(folder.path().join(DISK), [8; 1 << 20]).unwrap();
        let mut other = other;
        other.contents.artefacts.insert(DISK.into(), measure(&other.disk).unwrap());
        assert_ne!(packed_into(boxes.path(), &other).version, first.version);
    }

    #[test]
    fn the_archive_holds_what_vagrant_looks_for() {
        let folder = tempfile::tempdir().unwrap();
        let boxes = tempfile::tempdir().unwrap();
        let packed = packed_into(boxes.path(), &image(folder.path()));
        let mut archive = tar::Archive::new(File::open(packed.file).unwrap());
        let mut names = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            names.push(entry.path().unwrap().display().to_string());
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            match names.last().unwrap().as_str() {
                "box.img" => assert_eq!(&bytes[..4], b"QFI\xfb"),
                "initrd" => assert!(bytes.starts_with(b"init070701")),
                "metadata.json" => {
                    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                    assert_eq!((&json["provider"], &json["format"]), (&"libvirt".into(), &"qcow2".into()));
                }
                _ => {}
            }
        }
        assert_eq!(names, ["metadata.json", "Vagrantfile", "kernel", "initrd", "box.img"]);
    }
}
