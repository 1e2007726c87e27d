//! `manifest.json`: what a checkpoint holds.

use super::stream::Sum;
use crate::error::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The file's name in a checkpoint's folder.
const FILE: &str = "manifest.json";

/// What a checkpoint holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its key.
    pub key: String,
    /// The version of QEMU that it is of.
    pub qemu: String,
    /// Its other files by name.
    pub files: BTreeMap<String, Sum>,
}

impl Manifest {
    pub(super) fn new(key: &str, qemu: &str) -> Self {
        Self { key: key.to_owned(), qemu: qemu.to_owned(), files: BTreeMap::new() }
    }

    /// The hosts whose machines it holds.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.files.keys().filter_map(|name| name.strip_suffix(".state"))
    }

    /// That of the checkpoint in `folder`, if it is `key`'s and every file is as long as it says; else what is wrong.
    pub(super) fn read(folder: &Path, key: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(folder.join(FILE)).map_err(|e| format!("{FILE}: {e}"))?;
        let manifest: Self = serde_json::from_str(&text).map_err(|e| format!("{FILE}: {e}"))?;
        if manifest.key != key {
            return Err(format!("it is that of the key {}", manifest.key));
        }
        for (name, sum) in &manifest.files {
            let length = folder.join(name).metadata().map_err(|e| format!("{name}: {e}"))?.len();
            if length != sum.bytes {
                return Err(format!("{name} has {length} bytes instead of {}", sum.bytes));
            }
        }
        Ok(manifest)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let cannot = || format!("cannot write {}", folder.join(FILE).display());
        let text = serde_json::to_string_pretty(self).broken(cannot)?;
        std::fs::write(folder.join(FILE), text).broken(cannot)
    }
}
