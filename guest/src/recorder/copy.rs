//! A recorder's copy on another computer: what the guest has stored since is read at one end and stored at the other, in the order
//! that the format asks for. So the copy, too, says at every instant what is whole; it is only a little behind.

use super::reader::{Header, Memory, stable_words, words};
use super::{HEADER, MAGIC, at};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What was recorded since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The header's first words: magic, version, capacity, head, tail.
    pub words: [u64; 5],
    /// The offset of the first byte.
    pub start: u64,
    /// The ring's bytes from there to the head.
    pub bytes: Vec<u8>,
}

/// Reads a recorder piece by piece.
#[derive(Debug)]
pub struct Copier<M> {
    memory: M,
    /// The words of the last piece: all up to its head was read.
    last: [u64; 5],
}

impl<M: Memory> Copier<M> {
    /// One that has read nothing.
    pub fn new(memory: M) -> Self {
        Self { memory, last: [0; 5] }
    }

    /// What is new; `None` if nothing is. A header that is damaged is handed on as it is: whoever reads the copy says so.
    ///
    /// # Errors
    /// The memory cannot be read.
    pub fn next_piece(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let found = stable_words(&self.memory)?;
            if found == self.last {
                return Ok(None);
            }
            let Ok(Some(header)) = Header::of(found) else { return Ok(Some(self.piece(found, 0, Vec::new()))) };
            let known = if self.last[3] <= header.head { self.last[3] } else { 0 };
            let start = known.max(header.tail);
            let mut bytes = vec![0; usize::try_from(header.head - start).map_err(io::Error::other)?];
            if header.read(&self.memory, start, &mut bytes).is_err() {
                return Ok(Some(self.piece(found, 0, Vec::new())));
            }
            // Only now it is known whether what was read had been overwritten meanwhile.
            let now = words(&self.memory)?;
            if now[4] <= start || now[4] > now[3] {
                return Ok(Some(self.piece(found, start, bytes)));
            }
        }
    }

    fn piece(&mut self, words: [u64; 5], start: u64, bytes: Vec<u8>) -> Piece {
        self.last = words;
        Piece { words, start, bytes }
    }
}

/// Stores a piece in a copy, which is as long as what it is a copy of.
///
/// # Errors
/// The piece is none of a recorder of this length, or the file cannot be written.
pub fn store(copy: &File, piece: &Piece) -> io::Result<()> {
    let [_, _, capacity, head, tail] = piece.words;
    if !piece.bytes.is_empty() {
        let ring = copy.metadata()?.len().saturating_sub(HEADER);
        let length = piece.bytes.len() as u64;
        if capacity == 0 || capacity > ring || length > capacity || piece.start.checked_add(length) != Some(head) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece of a flight recorder fits nowhere"));
        }
        let before = words(copy)?;
        if before[0] == MAGIC {
            copy.write_all_at(&tail.min(before[3]).to_le_bytes(), at::TAIL)?;
        }
        let at = piece.start % capacity;
        let until_end = usize::try_from(capacity - at).unwrap_or(usize::MAX).min(piece.bytes.len());
        let (first, second) = piece.bytes.split_at(until_end);
        copy.write_all_at(first, HEADER + at)?;
        copy.write_all_at(second, HEADER)?;
    }
    let bytes: Vec<u8> = piece.words.into_iter().flat_map(u64::to_le_bytes).collect();
    copy.write_all_at(&bytes, at::MAGIC)
}

/// What the host told the guest last ([`tell`](super::tell)): what goes the other way.
///
/// # Errors
/// The file cannot be read.
pub fn told(copy: &File) -> io::Result<(u64, bool)> {
    let mut bytes = [0; 24];
    copy.read_exact_at(&mut bytes, at::HOST_CLOCK)?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok((u64::from_le_bytes(words[0]), words[2] != [0; 8]))
}
