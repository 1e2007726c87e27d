//! The guest's side: it stores records.

use super::{HEADER, MAGIC, RECORD_HEADER, RECORD_MAGIC, RECORD_TRAILER, Record, Unusable, VERSION, at, header, whole};
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Stores records in the shared memory. There must be only one at a time.
#[derive(Debug)]
pub struct Writer<'a> {
    memory: &'a [AtomicU64],
    capacity: u64,
    head: u64,
    tail: u64,
    /// Of the next record.
    sequence: u64,
    /// The payload being made, and the whole record.
    payload: Vec<u8>,
    record: Vec<u8>,
}

impl<'a> Writer<'a> {
    /// A writer that continues what is in the memory, or sets it up if it was never used (or is no recorder).
    ///
    /// # Errors
    /// The memory is too small.
    pub fn open(memory: &'a [AtomicU64]) -> Result<Self, Unusable> {
        let size = memory.len() as u64 * 8;
        let capacity = size.checked_sub(HEADER).filter(|it| *it >= 4096).ok_or(Unusable::TooSmall)?;
        let empty =
            || Self { memory, capacity, head: 0, tail: 0, sequence: 0, payload: Vec::new(), record: Vec::new() };
        let mut writer = empty();
        if !writer.resume() {
            writer = empty();
            writer.set_up();
        }
        Ok(writer)
    }

    /// Stores a record. When this returns, it is there for whoever reads the memory, whatever becomes of the guest.
    ///
    /// # Errors
    /// It is longer than a quarter of the recorder.
    pub fn append(&mut self, record: &Record) -> Result<(), Unusable> {
        self.payload.clear();
        record.encode(&mut self.payload);
        let total = whole(self.payload.len());
        if total as u64 > self.capacity / 4 {
            return Err(Unusable::TooLong(self.payload.len()));
        }
        self.record.clear();
        self.record.extend(header(self.sequence, record.tag(), &self.payload));
        self.record.extend(&self.payload);
        self.record.resize(total - RECORD_TRAILER, 0);
        self.record.extend((total as u64).to_le_bytes());

        self.make_room(total as u64);
        let (words, _) = self.record.as_chunks::<8>();
        for (offset, word) in (self.head..).step_by(8).zip(words) {
            self.ring(offset).store(u64::from_le_bytes(*word), Ordering::Relaxed);
        }
        self.head += total as u64;
        self.sequence += 1;
        self.publish(at::HEAD, self.head);
        Ok(())
    }

    /// The host's clock, when the host last told it ([`super::tell`]); none if it never did.
    #[must_use]
    pub fn host_clock(&self) -> Option<u64> {
        let clock = self.word(at::HOST_CLOCK);
        (self.word(at::HOST_CLOCK_INVERTED) == !clock).then_some(clock)
    }

    /// Whether the host has seen frames enough of this boot to set its clock by.
    #[must_use]
    pub fn frames_suffice(&self) -> bool {
        self.word(at::FRAMES_SUFFICE) == 1
    }

    /// A word of the header.
    fn word(&self, at: u64) -> u64 {
        self.memory[(at / 8) as usize].load(Ordering::Acquire)
    }

    /// Moves the tail past what the next `length` bytes overwrite.
    fn make_room(&mut self, length: u64) {
        let before = self.tail;
        while self.head + length - self.tail > self.capacity {
            // A record that this memory's last user left damaged ends all that is before the head.
            self.tail = self.end_of(self.tail).unwrap_or(self.head);
        }
        if self.tail != before {
            self.publish(at::TAIL, self.tail);
            // What follows must not be seen before it.
            fence(Ordering::SeqCst);
        }
    }

    /// Where the record at `offset` ends, if one is there.
    fn end_of(&self, offset: u64) -> Option<u64> {
        let magic = self.ring(offset).load(Ordering::Relaxed) as u32;
        let length = (self.ring(offset + 16).load(Ordering::Relaxed) >> 32) as usize;
        let end = offset + whole(length) as u64;
        (magic == RECORD_MAGIC && end <= self.head).then_some(end)
    }

    /// Takes over what the header says, if it is a recorder of this version and size whose last record is whole.
    fn resume(&mut self) -> bool {
        let header = [at::MAGIC, at::VERSION, at::CAPACITY].map(|at| self.word(at));
        (self.head, self.tail) = (self.word(at::HEAD), self.word(at::TAIL));
        let aligned = self.head.is_multiple_of(8) && self.tail.is_multiple_of(8);
        let kept = self.head.checked_sub(self.tail).filter(|it| *it <= self.capacity);
        if header != [MAGIC, VERSION, self.capacity] || !aligned || kept.is_none() {
            return false;
        }
        if self.head == 0 {
            return true;
        }
        self.last_sequence().map(|last| self.sequence = last + 1).is_some()
    }

    /// The sequence number of the last record before the head.
    fn last_sequence(&self) -> Option<u64> {
        let total = self.ring(self.head.checked_sub(8)?).load(Ordering::Relaxed);
        let start = self.head.checked_sub(total).filter(|it| *it >= self.tail && it.is_multiple_of(8))?;
        if total < whole(0) as u64 || self.end_of(start)? != self.head {
            return None;
        }
        let bytes: Vec<u8> =
            (start..self.head).step_by(8).flat_map(|o| self.ring(o).load(Ordering::Relaxed).to_le_bytes()).collect();
        let field = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let sequence = u64::from_le_bytes(bytes.get(8..16)?.try_into().ok()?);
        let payload = bytes.get(RECORD_HEADER..RECORD_HEADER + field(20)? as usize)?;
        (header(sequence, field(16)?, payload)[..] == bytes[..RECORD_HEADER]).then_some(sequence)
    }

    /// Makes an empty recorder of the memory.
    fn set_up(&mut self) {
        self.publish(at::MAGIC, 0);
        for (at, value) in
            [(at::VERSION, VERSION), (at::CAPACITY, self.capacity), (at::HEAD, 0), (at::TAIL, 0), (at::MAGIC, MAGIC)]
        {
            self.publish(at, value);
        }
    }

    /// Stores a word of the header after everything that was stored before.
    fn publish(&self, at: u64, value: u64) {
        // Not only an order for the compiler: stores to write-combining memory pass each other (Intel SDM vol. 3, 12.3.1).
        fence(Ordering::SeqCst);
        self.memory[(at / 8) as usize].store(value, Ordering::Release);
    }

    /// The word of the ring at `offset`, a multiple of 8.
    fn ring(&self, offset: u64) -> &AtomicU64 {
        &self.memory[((HEADER + offset % self.capacity) / 8) as usize]
    }
}
