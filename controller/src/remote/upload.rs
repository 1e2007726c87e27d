//! A file to the host: whole or not at all, in one errand.

use super::errand::{Ear, Errand, Mouth, Next, Stream};
use super::line::Line;
use super::shell::quote;
use crate::error::{Error, Result};
use crate::timeline::Ended;
use deadpeer_guest::WITNESS;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// What the host's shell says when it is ready to read the file.
const SEND: &str = "deadpeer: send";

/// Where the host has the file from.
pub(super) enum Source {
    /// The line to the host: what it reads.
    Line,
    /// Its program disk, from this offset on.
    Disk(u64),
}

pub(super) fn upload(
    line: &Line,
    bytes: &[u8],
    source: &Source,
    path: &str,
    mode: u32,
    within: Duration,
) -> Result<()> {
    if path.is_empty() || path.ends_with('/') || !path.starts_with('/') {
        return Err(Error::usage(format!("'{path}' is no absolute path of a file to upload to")));
    }
    let (result, awaited) = channel();
    let errand = Errand {
        name: format!("the upload of {path}"),
        command: script(source, bytes, path, mode),
        terminal: false,
        limit: within,
        mouth: Mouth::default(),
        ear: Box::new(Porter {
            path: path.to_owned(),
            bytes: matches!(source, Source::Line).then(|| bytes.to_vec()),
            said: Vec::new(),
            words: Vec::new(),
            result,
        }),
    };
    line.go(errand)?;
    line.answer(&awaited)
}

/// What the host does: nothing if the file is there already; else it says that it is ready to read it, if it is to, writes beside it
/// what it is given, checks that, and puts it in place. The file is on the disk before its name is (dd's `fsync`, then `mv`),
/// and its name before the end is told (`sync` of the folder). To start a tool is what costs an emulated processor
/// most: those of busybox start in a third of the time, where it is installed.
fn script(source: &Source, bytes: &[u8], path: &str, mode: u32) -> String {
    let sum = hex_sha256(bytes);
    let (ready, take) = match source {
        Source::Line => (format!("echo {SEND}"), String::new()),
        Source::Disk(offset) => (":".to_owned(), format!("{WITNESS} bring {offset} {} | ", bytes.len())),
    };
    let folder = match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((folder, _)) => folder,
    };
    let (file, folder, mode) = (quote(path), quote(folder), mode & 0o7777);
    format!(
        r#"b=; [ -x /bin/busybox ] && b=/bin/busybox
f={file} t={file}.part.$$
[ -f "$f" ] && [ "$($b stat -c %a "$f")" = {mode:o} ] && [ "$($b sha256sum <"$f")" = "{sum}  -" ] && exit 0
[ -d "$f" ] && echo "$f is a directory" >&2 && exit 1
{ready}
set -e
umask 077
trap 'rm -f "$t"' EXIT
exec 3>"$t"
$b chmod {mode:o} "$t"
{take}$b dd bs=64k conv=fsync status=none >&3
exec 3>&-
[ "$($b sha256sum <"$t")" = "{sum}  -" ] || {{ echo "what arrived in $t is not what was sent" >&2; exit 1; }}
$b mv -f "$t" "$f"
trap - EXIT
$b sync {folder}
"#
    )
}

pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Carries the file to the host when it is ready.
struct Porter {
    path: String,
    /// What is to be carried still.
    bytes: Option<Vec<u8>>,
    said: Vec<u8>,
    words: Vec<u8>,
    result: Sender<Result<()>>,
}

impl Porter {
    fn words(&self) -> String {
        String::from_utf8_lossy(&self.words).into_owned()
    }
}

impl Ear for Porter {
    fn heard(&mut self, stream: Stream, bytes: &[u8], mouth: &mut Mouth) -> Next {
        match stream {
            Stream::Stdout => self.said.extend_from_slice(bytes),
            Stream::Stderr => self.words.extend_from_slice(bytes),
        }
        if self.said.strip_suffix(b"\n") == Some(SEND.as_bytes())
            && let Some(bytes) = self.bytes.take()
        {
            mouth.bytes = bytes.into();
            mouth.end = true;
        }
        Next::Listen
    }

    fn ended(self: Box<Self>, how: Ended) {
        let result = match how {
            Ended::Exit(0) => Ok(()),
            how => Err(Error::broken(format!("{} cannot be written on the host: its shell {how}", self.path))
                .detail(self.words())),
        };
        // Only a caller that is gone does not take it.
        let _ = self.result.send(result);
    }

    fn failed(self: Box<Self>, error: Error) {
        let words = self.words();
        let _ = self.result.send(Err(error.detail(words)));
    }
}
