//! Files that are hashed while they are written or read.

use lz4_flex::frame::FrameDecoder;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use twox_hash::xxhash3_128::Hasher;

/// Length and XXH3 hash of a file: what tells damage. It is no protection from somebody who means harm; whoever may write to the user's
/// cache may as well change the user's programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Its length in bytes.
    pub bytes: u64,
    /// XXH3, 128 bits, in hexadecimal.
    pub xxh3: String,
}

/// What is written or read, hashed on the way.
pub(super) struct Hashed<F> {
    file: F,
    bytes: u64,
    hasher: Hasher,
    /// What is to have been read at the end.
    awaited: Option<Sum>,
}

impl<F> Hashed<F> {
    pub(super) fn new(file: F) -> Self {
        Self { file, bytes: 0, hasher: Hasher::new(), awaited: None }
    }

    /// For reading: the end is an error if this is not what was read until then.
    pub(super) fn awaiting(file: F, awaited: Sum) -> Self {
        Self { awaited: Some(awaited), ..Self::new(file) }
    }

    /// Of all until now.
    pub(super) fn sum(&self) -> Sum {
        Sum { bytes: self.bytes, xxh3: format!("{:032x}", self.hasher.finish_128()) }
    }

    fn took(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hasher.write(bytes);
    }
}

impl<F: Write> Write for Hashed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.took(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<F: Read> Read for Hashed<F> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read(into)?;
        self.took(&into[..got]);
        let ended = got == 0 && !into.is_empty();
        if let Some(awaited) = self.awaited.as_ref().filter(|_| ended) {
            let found = self.sum();
            if *awaited != found {
                let what = format!("it was altered: {found:?} instead of {awaited:?}");
                return Err(io::Error::new(ErrorKind::InvalidData, what));
            }
        }
        Ok(got)
    }
}

/// A machine's state, unpacked as it is read.
pub struct State {
    unpacked: FrameDecoder<Hashed<File>>,
}

impl State {
    pub(super) fn new(packed: Hashed<File>) -> Self {
        Self { unpacked: FrameDecoder::new(packed) }
    }
}

impl Read for State {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.unpacked.read(into)?;
        if got == 0 && !into.is_empty() {
            // What is behind the last frame counts, too; and only the end of the file is the end of what is hashed.
            io::copy(self.unpacked.get_mut(), &mut io::sink())?;
        }
        Ok(got)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl<F> std::fmt::Debug for Hashed<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hashed").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
