//! The program disk: how programs of the user's own come to a machine in lockstep time.
//!
//! The disk is the programs one after the other, each at the beginning of a page, and zeroes. It says nothing of itself: whoever
//! writes it knows what is where, and the guest is told.
//!
//! It is empty when its machine is switched on, or put back into a state in which it was saved, and written to before the guest is told
//! to read it, while the machine stands still. So a saved state holds none of it, and its programs may be others in every run.

use crate::error::{Context, Error, Result};
use crate::machine::qemu::arguments::PROGRAMS_MIB;
use deadpeer_guest::PROGRAM_DISK_PAGE;
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Size of the disk in bytes.
const SIZE: u64 = PROGRAMS_MIB << 20;

/// Makes a machine's program disk, a file that nobody else may read, with nothing on it: it takes no room.
///
/// # Errors
/// The file is there already, or cannot be written.
pub fn program_disk(path: &Path) -> Result<()> {
    let cannot = || format!("cannot make the program disk {}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).broken(cannot)?;
    file.set_len(SIZE).broken(cannot)
}

/// Puts programs on a disk. Where each begins.
///
/// # Errors
/// They have no room on it, or it cannot be written to.
pub fn put_on_disk(path: &Path, programs: &[&[u8]]) -> Result<Vec<u64>> {
    let (places, end) = places(programs);
    if end > SIZE {
        let fact = format!("the programs of a host have no room on its program disk of {PROGRAMS_MIB} MiB");
        return Err(Error::broken(fact).detail(format!("together they take {end} bytes")));
    }
    let cannot = || format!("cannot write to the program disk {}", path.display());
    let file = OpenOptions::new().write(true).open(path).broken(cannot)?;
    programs.iter().zip(&places).try_for_each(|(program, at)| file.write_all_at(program, *at)).broken(cannot)?;
    Ok(places)
}

/// Where programs begin, and where the last one's last page ends.
fn places(programs: &[&[u8]]) -> (Vec<u64>, u64) {
    programs.iter().fold((Vec::new(), 0), |(mut places, end), program| {
        places.push(end);
        (places, (end + program.len() as u64).next_multiple_of(PROGRAM_DISK_PAGE))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    fn disk() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        program_disk(&path).unwrap();
        (folder, path)
    }

    #[test]
    fn a_new_disk_is_of_one_size_empty_and_nobody_else_s() {
        let (_folder, path) = disk();
        let meta = path.metadata().unwrap();
        assert_eq!((meta.len(), meta.blocks(), meta.permissions().mode() & 0o777), (SIZE, 0, 0o600));
        assert!(program_disk(&path).unwrap_err().fact.starts_with("cannot make the program disk"));
    }

    #[test]
    fn programs_begin_with_a_page_each() {
        let (_folder, path) = disk();
        let programs: [&[u8]; 4] = [b"first", &[7; 4096], &[8; 4097], b"fourth"];
        for _ in 0..2 {
            assert_eq!(put_on_disk(&path, &programs).unwrap(), [0, 4096, 8192, 16384]);
            let disk = std::fs::read(&path).unwrap();
            for (program, at) in programs.iter().zip([0, 4096, 8192, 16384]) {
                assert_eq!(&disk[at..at + program.len()], *program);
            }
            assert!(disk[5..4096].iter().chain(&disk[16390..]).all(|byte| *byte == 0));
        }
        assert_eq!(path.metadata().unwrap().len(), SIZE);
    }

    #[test]
    fn what_has_no_room_is_refused_and_nothing_of_it_written() {
        let (_folder, path) = disk();
        let half = vec![1; 64 << 20];
        let error = put_on_disk(&path, &[&half, b"x", &half]).unwrap_err();
        assert_eq!(error.fact, "the programs of a host have no room on its program disk of 128 MiB");
        assert_eq!(path.metadata().unwrap().blocks(), 0);
    }
}
