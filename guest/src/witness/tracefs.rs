//! Files of tracefs (kernel: Documentation/trace/ftrace.rst).

use crate::recorder::Instance;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// No text of tracefs that is read here is longer; descriptions of events have one or two KB.
const LONGEST: usize = 64 << 10;

/// The folder of an instance.
pub(super) fn folder(tracefs: &Path, instance: Instance) -> PathBuf {
    tracefs.join("instances").join(instance.name())
}

/// Writes a word into a control file, adding to it: a file that holds a list (of process ids, of probes) keeps what
/// is in it, which it would lose if it were opened as usual.
pub(super) fn add(file: &Path, word: &str) -> io::Result<()> {
    let told = |e: io::Error| io::Error::new(e.kind(), format!("{word:?} to {}: {e}", file.display()));
    OpenOptions::new().append(true).open(file).and_then(|mut it| it.write_all(word.as_bytes())).map_err(told)
}

/// The text of a file. Some (`events/header_page`) give only what fits into the first read(2): it must be a large one.
pub(super) fn read(file: &Path) -> io::Result<String> {
    let mut bytes = vec![0; LONGEST];
    let (mut file, mut length) = (File::open(file)?, 0);
    while let count @ 1.. = file.read(&mut bytes[length..])? {
        length += count;
    }
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(io::Error::other)
}
