//! QEMU in lockstep time: the plugin's file, and whether this host's QEMU takes it.

pub use super::arguments::{Board, lockstep as arguments};

use crate::embedded::lockstep_plugin;
use crate::error::{Context, Result};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Puts the plugin into a folder, which nobody else may write to: QEMU executes what it finds there. Where it is.
///
/// # Errors
/// It cannot be written, or is there already.
pub fn install(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("lockstep.so");
    let cannot = || format!("cannot write the lockstep plugin {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o500).open(&path).broken(cannot)?;
    file.write_all(lockstep_plugin()).broken(cannot)?;
    Ok(path)
}
