//! A file written whole or not at all.

use crate::error::{Context, Result};
use std::io::Write;
use std::path::Path;

/// Writes `bytes` to `file`, in place of what is there: whoever reads it finds the old or the new, never a part.
///
/// # Errors
/// The folder cannot be written to, or the disk is full: then the old file is as it was.
pub(super) fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(folder).broken(cannot)?;
    fresh.write_all(bytes).broken(cannot)?;
    // A temporary file is for its owner alone; a run's files are for whoever may read the folder.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fresh.as_file().set_permissions(mode).broken(cannot)?;
    fresh.persist(file).broken(cannot)?;
    Ok(())
}
