//! The program disk: how programs of the user's own come to a machine in lockstep time.
//!
//! The disk is the programs one after the other, each at the beginning of a page, and zeroes. It says nothing of itself: whoever
//! wrote it knows what is where ([`places`]), and the guest is told.

use crate::error::{Context, Error, Result};
use crate::machine::qemu::arguments::PROGRAMS_MIB;
use deadpeer_guest::PROGRAM_DISK_PAGE;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Size of the disk in bytes.
const SIZE: u64 = PROGRAMS_MIB << 20;

/// Where on the disk programs of these lengths begin, and behind them the end.
pub fn places(lengths: impl IntoIterator<Item = usize>) -> Vec<u64> {
    let mut places = vec![0];
    places.extend(lengths.into_iter().scan(0, |end: &mut u64, length| {
        *end = (*end + length as u64).next_multiple_of(PROGRAM_DISK_PAGE);
        Some(*end)
    }));
    places
}

/// Makes a machine's program disk, a file that nobody else may read, with these programs on it. What is not written to takes no room.
///
/// # Errors
/// Wrong usage: they have no room on it. Or the file is there already, or cannot be written.
pub fn program_disk(path: &Path, programs: &[&[u8]]) -> Result<()> {
    let places = places(programs.iter().map(|program| program.len()));
    if places.last().is_some_and(|end| *end > SIZE) {
        let together: usize = programs.iter().map(|program| program.len()).sum();
        return Err(Error::usage(format!("{together} bytes of programs have no room on a disk of {PROGRAMS_MIB} MiB")));
    }
    let cannot = || format!("cannot make the program disk {}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).broken(cannot)?;
    file.set_len(SIZE).broken(cannot)?;
    programs.iter().zip(places).try_for_each(|(program, at)| file.write_all_at(program, at)).broken(cannot)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn programs_begin_with_a_page_each() {
        assert_eq!(places([]), [0]);
        assert_eq!(places([1, 4096, 4097, 0]), [0, 4096, 8192, 16384, 16384]);
    }

    #[test]
    fn a_disk_is_of_one_size_and_holds_each_program_at_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let programs: [&[u8]; 3] = [b"first", &[7; 5000], b"third"];
        program_disk(&path, &programs).unwrap();
        let meta = path.metadata().unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (PROGRAMS_MIB << 20, 0o600));
        assert!(meta.blocks() < 200, "{} blocks", meta.blocks());
        let disk = std::fs::read(&path).unwrap();
        for (program, at) in programs.iter().zip([0, 4096, 12288]) {
            assert_eq!(&disk[at..at + program.len()], *program);
        }
        assert!(disk[5..4096].iter().chain(&disk[12293..]).all(|byte| *byte == 0));
        assert!(program_disk(&path, &[]).unwrap_err().fact.starts_with("cannot make the program disk"));
    }

    #[test]
    fn what_has_no_room_is_refused_before_anything_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let half = vec![1; 64 << 20];
        let error = program_disk(&path, &[&half, &[1], &half]).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert_eq!(error.fact, "134217729 bytes of programs have no room on a disk of 128 MiB");
        assert!(!path.exists());
        program_disk(&path, &[&half, &half]).unwrap();
    }
}
