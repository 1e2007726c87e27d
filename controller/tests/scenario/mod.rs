//! What the tests of scenarios share.

#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // Each test takes a part of it.

use std::path::{Path, PathBuf};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Text of a file, by its path from the root.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Compares a committed file with what it should be; with the environment variable `update` set, rewrites it.
pub(crate) fn is_current(path: &str, wanted: &str, update: &str) {
    if std::env::var_os(update).is_some() {
        std::fs::write(root().join(path), wanted).unwrap();
    }
    let committed = std::fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(committed == wanted, "{path} is stale; if this is right, run the test with {update}=1:\n{wanted}");
}

/// The scenarios of the catalogue: path and text.
pub(crate) fn catalogue() -> Vec<(PathBuf, String)> {
    let files = std::fs::read_dir(root().join("scenarios")).unwrap().map(|entry| entry.unwrap().path());
    let yaml = files.filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    yaml.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}
