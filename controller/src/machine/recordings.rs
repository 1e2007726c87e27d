//! The flight recorders of a machine: a file for each power-on.

use super::qemu::RECORDER_MIB;
use crate::error::{Context, Result};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Where they are put, and those that there are.
#[derive(Debug)]
pub(in crate::machine) struct Recordings {
    folder: Option<PathBuf>,
    host: String,
    power_ons: usize,
    files: Vec<PathBuf>,
}

impl Recordings {
    /// None yet. They will be `HOST.N.recorder` in the folder for the N-th power-on; without a folder there will be none.
    pub(in crate::machine) fn new(folder: Option<PathBuf>, host: &str) -> Self {
        Self { folder, host: host.to_owned(), power_ons: 0, files: Vec::new() }
    }

    /// A fresh one for the power-on that comes: what the last one holds may still be being read.
    pub(in crate::machine) fn fresh(&mut self) -> Result<Option<PathBuf>> {
        self.power_ons += 1;
        let Some(folder) = &self.folder else { return Ok(None) };
        let path = folder.join(format!("{}.{}.recorder", self.host, self.power_ons));
        let cannot = || format!("cannot make the flight recorder {}", path.display());
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path).broken(cannot)?;
        // Sparse: what is never recorded takes no room.
        file.set_len(RECORDER_MIB << 20).broken(cannot)?;
        self.files.push(path.clone());
        Ok(Some(path))
    }

    /// That power-on was none: takes the file back.
    pub(in crate::machine) fn undo(&mut self) {
        self.power_ons = self.power_ons.saturating_sub(1);
        if self.folder.is_some()
            && let Some(path) = self.files.pop()
        {
            let _ = std::fs::remove_file(path);
        }
    }

    /// For how many power-ons there were some, or would have been.
    pub(in crate::machine) fn power_ons(&self) -> usize {
        self.power_ons
    }

    /// All files, the first power-on's first.
    pub(in crate::machine) fn all(&self) -> &[PathBuf] {
        &self.files
    }
}
