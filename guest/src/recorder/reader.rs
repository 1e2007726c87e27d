//! The host's side: it reads records, while the guest lives or after.

use super::{HEADER, MAGIC, RECORD_HEADER, RECORD_MAGIC, Record, VERSION, at, header, whole};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

/// What records are read from.
pub trait Memory {
    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    /// They cannot be read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// The file that is the memory of a machine: read(2) sees what the guest stored.
impl Memory for std::fs::File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

/// The memory itself; `offset` and length must be multiples of 8.
impl Memory for &[AtomicU64] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let first = usize::try_from(offset / 8).map_err(io::Error::other)?;
        for (index, bytes) in (first..).zip(buffer.chunks_mut(8)) {
            let word = self.get(index).ok_or(io::ErrorKind::UnexpectedEof)?.load(Ordering::Acquire);
            bytes.copy_from_slice(&word.to_le_bytes()[..bytes.len()]);
        }
        Ok(())
    }
}

/// Tells the guest what the host's clock says: it records that beside its own ([`Record::Clock`]). And whether the host has seen
/// frames enough to set the guest's clock by.
///
/// # Errors
/// The file cannot be written.
pub fn tell(memory: &std::fs::File, now: u64, frames_suffice: bool) -> io::Result<()> {
    let bytes: Vec<u8> = [now, !now, u64::from(frames_suffice)].into_iter().flat_map(u64::to_le_bytes).collect();
    std::os::unix::fs::FileExt::write_all_at(memory, &bytes, at::HOST_CLOCK)
}

/// What the reader came upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The next record.
    Record(Record),
    /// The guest wrote faster than it was read.
    Overwritten {
        /// So many bytes are gone.
        bytes: u64,
        /// They were so many records.
        records: u64,
    },
    /// Something before the head is no whole record. That must not happen: whoever reads it cannot vouch for what follows.
    Damaged {
        /// The offset.
        at: u64,
        /// So many bytes were skipped to the next whole record, or to the head. None: records are missing before a whole one.
        bytes: u64,
    },
}

/// Reads a recorder from its first record on.
#[derive(Debug)]
pub struct Reader<M> {
    memory: M,
    /// The offset of the next record, and its sequence number.
    next: u64,
    sequence: u64,
}

/// The header, as far as it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) capacity: u64,
    pub(super) head: u64,
    pub(super) tail: u64,
}

/// A record that was read whole.
struct Whole {
    sequence: u64,
    record: Record,
    end: u64,
}

impl<M: Memory> Reader<M> {
    /// A reader that has read nothing.
    pub fn new(memory: M) -> Self {
        Self { memory, next: 0, sequence: 0 }
    }

    /// The sequence number of the next record: how many there were before it.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next thing; `None` if nothing was recorded since (or ever).
    ///
    /// # Errors
    /// The memory cannot be read, or it is no recorder of this version, or one that was set up anew.
    // Not an iterator: after `None`, more may come.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Option<Found>> {
        let Some(header) = self.header()? else { return Ok(None) };
        if header.head < self.next {
            return Err(wrong("the flight recorder was set up anew while it was read"));
        }
        if let Some(found) = self.overtaken(header)? {
            return Ok(Some(found));
        }
        if self.next == header.head {
            return Ok(None);
        }
        let found = self.whole_at(self.next, header)?;
        // Only now it is known whether what was read had been overwritten meanwhile.
        let now = self.header()?.ok_or_else(|| wrong("the flight recorder vanished while it was read"))?;
        if let Some(found) = self.overtaken(now)? {
            return Ok(Some(found));
        }
        match found {
            Some(whole) if whole.sequence == self.sequence => {
                (self.next, self.sequence) = (whole.end, self.sequence + 1);
                Ok(Some(Found::Record(whole.record)))
            }
            // Whole, but not the one that was to come: damage before it reached up to the head.
            Some(whole) => {
                self.sequence = whole.sequence;
                Ok(Some(Found::Damaged { at: self.next, bytes: 0 }))
            }
            None => self.skip_damage(header).map(Some),
        }
    }

    /// Catches up with the tail, if that has moved past the next record.
    fn overtaken(&mut self, mut header: Header) -> io::Result<Option<Found>> {
        if header.tail <= self.next {
            return Ok(None);
        }
        loop {
            let whole = if header.tail < header.head { self.whole_at(header.tail, header)? } else { None };
            let now = self.header()?.ok_or_else(|| wrong("the flight recorder vanished while it was read"))?;
            if now.tail != header.tail {
                header = now;
                continue;
            }
            let bytes = header.tail - self.next;
            self.next = header.tail;
            let sequence = whole.map_or(self.sequence, |it| it.sequence);
            let records = sequence.saturating_sub(self.sequence);
            self.sequence = sequence.max(self.sequence);
            return Ok(Some(Found::Overwritten { bytes, records }));
        }
    }

    /// Goes on to the next whole record.
    fn skip_damage(&mut self, header: Header) -> io::Result<Found> {
        let at = self.next;
        let mut offset = at + 8;
        let mut sequence = self.sequence;
        while offset < header.head {
            if let Some(whole) = self.whole_at(offset, header)? {
                sequence = whole.sequence;
                break;
            }
            offset += 8;
        }
        (self.next, self.sequence) = (offset, sequence);
        Ok(Found::Damaged { at, bytes: offset - at })
    }

    /// The header; `None` if the recorder was not set up yet.
    fn header(&self) -> io::Result<Option<Header>> {
        Header::of(stable_words(&self.memory)?)
    }

    /// The record at `offset`, if a whole one is there.
    fn whole_at(&self, offset: u64, ring: Header) -> io::Result<Option<Whole>> {
        let Some(room) = ring.head.checked_sub(offset).filter(|it| *it >= whole(0) as u64) else { return Ok(None) };
        let mut first = [0; RECORD_HEADER];
        ring.read(&self.memory, offset, &mut first)?;
        let number = |at: usize| u32::from_le_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]);
        let (magic, tag, length) = (number(0), number(16), number(20) as usize);
        if magic != RECORD_MAGIC || whole(length) as u64 > room {
            return Ok(None);
        }
        let mut payload = vec![0; length.next_multiple_of(8)];
        ring.read(&self.memory, offset + RECORD_HEADER as u64, &mut payload)?;
        let (payload, sequence) = (&payload[..length], u64::from(number(8)) | u64::from(number(12)) << 32);
        if header(sequence, tag, payload) != first {
            return Ok(None);
        }
        let end = offset + whole(length) as u64;
        Ok(Record::decode(tag, payload).map(|record| Whole { sequence, record, end }))
    }
}

/// The header's first words, as the guest stored them: magic, version, capacity, head, tail.
pub(super) fn stable_words(memory: &impl Memory) -> io::Result<[u64; 5]> {
    // The guest stores each word at once, but who copies it here may do it in parts: only what is read twice is believed.
    let mut words = words(memory)?;
    loop {
        let again = self::words(memory)?;
        if again == words {
            return Ok(words);
        }
        words = again;
    }
}

pub(super) fn words(memory: &impl Memory) -> io::Result<[u64; 5]> {
    let mut bytes = [0; 40];
    memory.read_at(at::MAGIC, &mut bytes)?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok([0, 1, 2, 3, 4].map(|n| u64::from_le_bytes(words[n])))
}

impl Header {
    /// What these words say; `None` if the recorder was not set up yet.
    pub(super) fn of([magic, version, capacity, head, tail]: [u64; 5]) -> io::Result<Option<Self>> {
        if magic == 0 {
            return Ok(None);
        }
        if magic != MAGIC || version != VERSION {
            return Err(wrong("this is no flight recorder of this version"));
        }
        let sane = capacity >= 4096
            && capacity.is_multiple_of(8)
            && tail <= head
            && head - tail <= capacity
            && head.is_multiple_of(8);
        if sane {
            Ok(Some(Self { capacity, head, tail }))
        } else {
            Err(wrong("the flight recorder's header is damaged"))
        }
    }

    /// Bytes of the ring, which may go over its end.
    pub(super) fn read(self, memory: &impl Memory, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = offset % self.capacity;
        let until_end = usize::try_from(self.capacity - start).unwrap_or(usize::MAX).min(buffer.len());
        let (first, second) = buffer.split_at_mut(until_end);
        memory.read_at(HEADER + start, first)?;
        if second.is_empty() { Ok(()) } else { memory.read_at(HEADER, second) }
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
