//! Standard output and standard error.
//!
//! Rust leaves SIGPIPE ignored (as our sockets need it), so that a reader who went away shows as an error of
//! `write`. `println!` would panic; here it is told apart from errors that matter, such as a full disk.

use crate::error::{Context, Error, Result};
use serde::Serialize;
use std::io::{ErrorKind, Write, stderr, stdout};

/// Writes to standard output.
///
/// # Errors
/// It cannot be written; but a reader that went away has seen what it wanted.
pub(super) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut out = stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.broken(|| "cannot write to standard output".to_owned()),
    }
}

/// Writes a text to standard output; it ends with a newline, its own or one that is added.
///
/// # Errors
/// As [`bytes`].
pub(super) fn text(text: &str) -> Result<()> {
    let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    bytes(format!("{text}{newline}").as_bytes())
}

/// Writes a value to standard output as indented JSON.
///
/// # Errors
/// As [`bytes`].
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    text(&serde_json::to_string_pretty(value).broken(|| "cannot write JSON".to_owned())?)
}

/// Writes an error to standard error: the fact; then, each after a blank line, the evidence and what helps.
pub(super) fn error(error: &Error) {
    // If standard error cannot be written there is nowhere to say so; the exit code tells.
    let _ = writeln!(stderr(), "error: {}", error.to_string().trim_end());
}
