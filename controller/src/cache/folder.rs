//! Folders of the host: removed with care, and how much is free in them.

use crate::error::{Context, Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Removes a folder and all in it; one that is not there is fine. Nothing is removed if anything is mounted in it: what
/// would be removed then is not ours.
pub fn remove_folder(path: &Path) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").broken(|| "cannot read the mounts".to_owned())?;
    if let Some(mount) = mounted_in(path, &mounts) {
        return Err(Error::broken(format!("cannot remove {}: something is mounted in it", path.display()))
            .help(format!("sudo umount {}", mount.display())));
    }
    // A package may hold a folder that its owner may not write to.
    let removed = match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            make_writable(path);
            std::fs::remove_dir_all(path)
        }
        other => other,
    };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::broken(format!("cannot remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

/// A mount point below a folder. `mounts` is as proc_pid_mountinfo(5) describes it; of its escapes only a space's occurs.
fn mounted_in(folder: &Path, mounts: &str) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(|point| PathBuf::from(point.replace("\\040", " "))).find(|point| point.starts_with(&folder))
}

fn make_writable(folder: &Path) {
    let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// Bytes that are free to this user where the folder is.
pub fn free_bytes(folder: &Path) -> Result<u64> {
    let stat =
        nix::sys::statvfs::statvfs(folder).broken(|| format!("cannot ask how much is free in {}", folder.display()))?;
    Ok(stat.blocks_available() as u64 * stat.fragment_size() as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_in_a_folder_is_found_and_one_beside_it_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let line = |point: &str| format!("36 35 0:31 / {}{point} rw shared:1 - tmpfs tmpfs rw\n", here.display());
        assert_eq!(mounted_in(&here, &line("/dev/a\\040b")), Some(here.join("dev/a b")));
        assert_eq!(mounted_in(&here, &line("-beside")), None);
    }
}
