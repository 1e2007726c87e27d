//! The disk of a machine in lockstep: a file that is the memory of an NVDIMM.

use crate::error::{Context, Result};
use crate::machine::qemu::arguments::Disk;
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The step in which the length of an NVDIMM grows: its memory is mapped in pages of that size by host and guest.
const DISK_STEP: u64 = 2 << 20;

/// Makes a machine's disk: a copy of `base` (raw) that is its own to write to, and which nobody else may read. Holes stay holes, and
/// where the file system can it shares what is not written to. An overlay would need QEMU's block layer, which works beside the
/// machine, in the host's time.
///
/// # Errors
/// The copy is there already, the base is not, or the disk is full.
pub fn copy(base: &Path, copy: &Path) -> Result<Disk> {
    let cannot = || cannot_make(copy);
    let (mut from, mut to, disk) = make(base, copy)?;
    let mut at = 0;
    while let Some(data) = extent(&from, at).broken(cannot)? {
        from.seek(SeekFrom::Start(data.start)).broken(cannot)?;
        to.seek(SeekFrom::Start(data.start)).broken(cannot)?;
        // copy_file_range(2), where both file systems can.
        std::io::copy(&mut (&from).take(data.end - data.start), &mut to).broken(cannot)?;
        at = data.end;
    }
    Ok(disk)
}

/// Makes a machine's disk as [`copy`] does, but for what is on it.
///
/// # Errors
/// As there.
pub(super) fn blank(base: &Path, copy: &Path) -> Result<Disk> {
    make(base, copy).map(|(_, _, disk)| disk)
}

/// The disk of a machine that was on before.
///
/// # Errors
/// It is gone.
pub(super) fn kept(file: &Path) -> Result<Disk> {
    let length = file.metadata().broken(|| format!("cannot find the disk {}", file.display()))?.len();
    Ok(Disk { file: file.to_owned(), mib: length >> 20 })
}

fn make(base: &Path, copy: &Path) -> Result<(File, File, Disk)> {
    let cannot = || cannot_make(copy);
    let from = File::open(base).broken(|| format!("cannot read the disk image {}", base.display()))?;
    let to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy).broken(cannot)?;
    let whole = from.metadata().broken(cannot)?.len().next_multiple_of(DISK_STEP);
    to.set_len(whole).broken(cannot)?;
    Ok((from, to, Disk { file: copy.to_owned(), mib: whole >> 20 }))
}

fn cannot_make(copy: &Path) -> String {
    format!("cannot make the disk {}", copy.display())
}

/// The next part of a file that is no hole, from there on.
fn extent(file: &File, from: u64) -> std::io::Result<Option<Range<u64>>> {
    let seek = |offset: u64, what| -> nix::Result<u64> {
        let offset = i64::try_from(offset).map_err(|_| Errno::EOVERFLOW)?;
        lseek(file, offset, what)?.try_into().map_err(|_| Errno::EOVERFLOW)
    };
    match seek(from, Whence::SeekData) {
        Ok(start) => Ok(Some(start..seek(start, Whence::SeekHole)?)),
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn a_disk_is_a_copy_with_the_same_holes() {
        let folder = tempfile::tempdir().unwrap();
        let (base, copy) = (folder.path().join("base"), folder.path().join("copy"));
        let mut file = File::create(&base).unwrap();
        for (at, bytes) in [(0, "begin"), (3 << 20, "middle"), ((5 << 20) - 3, "end")] {
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(bytes.as_bytes()).unwrap();
        }
        let disk = super::copy(&base, &copy).unwrap();
        assert_eq!(disk, Disk { file: copy.clone(), mib: 6 });
        let mut whole = std::fs::read(&base).unwrap();
        whole.resize(6 << 20, 0);
        assert!(std::fs::read(&copy).unwrap() == whole);
        let (base, copy) = (base.metadata().unwrap(), copy.metadata().unwrap());
        assert!(copy.blocks() <= base.blocks(), "{} blocks of {}", copy.blocks(), base.blocks());
        assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_disk_is_never_made_over_another_nor_of_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (base, copy) = (folder.path().join("base"), folder.path().join("copy"));
        assert!(super::copy(&base, &copy).unwrap_err().fact.starts_with("cannot read the disk image"));
        std::fs::write(&base, "base").unwrap();
        std::fs::write(&copy, "somebody's").unwrap();
        assert!(super::copy(&base, &copy).unwrap_err().fact.starts_with("cannot make the disk"));
        assert_eq!(std::fs::read(&copy).unwrap(), b"somebody's");
    }

    #[test]
    fn one_to_be_filled_is_as_long_and_one_that_was_on_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (base, copy) = (folder.path().join("base"), folder.path().join("copy"));
        std::fs::write(&base, "base").unwrap();
        let disk = blank(&base, &copy).unwrap();
        assert_eq!(disk, Disk { file: copy.clone(), mib: 2 });
        assert_eq!(copy.metadata().unwrap().blocks(), 0);
        assert_eq!(kept(&copy).unwrap(), disk);
        assert!(kept(&base.with_extension("gone")).unwrap_err().fact.starts_with("cannot find the disk"));
    }
}
