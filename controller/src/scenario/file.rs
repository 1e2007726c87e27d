//! Reading a scenario's file: only a regular file of text, of a size that a person wrote.

use super::text::LARGEST;
use super::{Scenario, parse};
use crate::error::Error;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Reads and checks the scenario in the file at `path`.
///
/// # Errors
/// Of [`crate::error::Kind::Usage`]: the file cannot be read or is no text, or everything that is wrong with it, rendered.
pub fn load(path: &Path) -> Result<Scenario, Error> {
    let text = read(path)?;
    Ok(parse(&path.display().to_string(), &text)?)
}

fn read(path: &Path) -> Result<String, Error> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => Error::usage(format!("there is no file {shown}")).help("controller list"),
        _ => Error::usage(format!("cannot read {shown}: {e}")),
    };
    // Looked at before it is opened: opening a FIFO would wait for its writer.
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if meta.is_dir() {
        return Err(Error::usage(format!("{shown} is a folder, not a scenario")).help(inside(path)));
    }
    if !meta.is_file() {
        return Err(Error::usage(format!("{shown} is not a regular file")));
    }
    let too_large = || Error::usage(format!("{shown} is larger than 1 MiB: no scenario is"));
    if meta.len() > LARGEST as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // The file may have grown since; one byte more than is allowed tells.
    file.take(LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > LARGEST {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::usage(format!("{shown} is no text: byte {at} is not UTF-8"))
    })
}

/// What to type instead of a folder's name: the first scenario in it.
fn inside(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml")).collect();
    files.sort();
    match files.first() {
        Some(first) => format!("name the file: {}", first.display()),
        None => "name a YAML file, or a scenario of `controller list`".to_owned(),
    }
}
