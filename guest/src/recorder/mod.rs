//! The flight recorder: memory that guest and host share, in which a guest keeps what its kernel said.
//!
//! A power cut ends the guest between two instructions. What it had stored before is in the host's file and stays there; reading
//! it disturbs nothing. So the format must say, at every instant, what is whole.
//!
//! # The memory
//! A header of one page, then a ring. All numbers are little-endian. *Offsets* count the bytes ever written to the ring,
//! and never go back: the byte at offset `n` is at `n % capacity` in the ring.
//!
//! | at | size | holds |
//! |---|---|---|
//! | 0 | 8 | [`MAGIC`]; written last when the recorder is set up |
//! | 8 | 8 | [`VERSION`] |
//! | 16 | 8 | capacity: size of the ring, a multiple of 8 |
//! | 24 | 8 | head: the offset where the next record will begin; all before it are whole |
//! | 32 | 8 | tail: the offset of the oldest record that is not overwritten |
//! | 40 | 8 | the host's clock when it last wrote it here ([`tell`]); all else is the guest's |
//! | 48 | 8 | the same, every bit inverted: a word that was written in parts is known by it |
//! | 56 | 8 | 1: the host has seen frames enough of this boot to set its clock by; else 0 |
//!
//! A record is a header of 24 bytes, its payload, zeroes up to a multiple of 8, and 8 bytes more:
//!
//! | at | size | holds |
//! |---|---|---|
//! | 0 | 4 | `DPR1` |
//! | 4 | 4 | the CRC-32 (ISO-HDLC, as in zlib) of the bytes 8 to 24 and the payload |
//! | 8 | 8 | sequence number: 0, 1, 2 ... |
//! | 16 | 4 | tag: what kind of record |
//! | 20 | 4 | length of the payload |
//! | 24 | | payload |
//! | last 8 | 8 | length of the whole record: whoever continues finds the last record from the head |
//!
//! # The order of stores
//! Before anything is overwritten the tail moves past it; then the record is stored; then the head moves. Between them stand
//! fences, as the memory may be mapped write-combining. So a record that was being stored when the power went is behind the head,
//! and does not count; and a reader that still finds the tail not past what it has just read has read it whole.
//!
//! A reboot in the same machine finds the header, and [`Writer::open`] continues: sequence numbers go on.

mod copy;
mod reader;
mod record;
#[cfg(test)]
mod tests;
mod writer;

pub use copy::{Copier, Piece, store, told};
pub use reader::{Found, Memory, Reader, tell};
pub use record::{Instance, Record};
pub use writer::Writer;

use std::fmt;

/// First eight bytes of a recorder that was set up: `DPRECORD`.
pub const MAGIC: u64 = u64::from_le_bytes(*b"DPRECORD");

/// Version of the format.
pub const VERSION: u64 = 1;

/// Size of the header: the ring begins behind it.
pub const HEADER: u64 = 4096;

/// Whether a clock source is the host's own clock, from which it cannot drift: QEMU's HPET counts the nanoseconds of the host's
/// `CLOCK_MONOTONIC` (hw/timer/hpet.c), in a period that a Linux guest need not round.
#[must_use]
pub fn is_hosts_own(clock_source: &str) -> bool {
    clock_source == "hpet"
}

/// First four bytes of a record.
const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"DPR1");

/// Bytes of a record before its payload, and behind it.
const RECORD_HEADER: usize = 24;
const RECORD_TRAILER: usize = 8;

/// Where the words of the header are.
mod at {
    pub(super) const MAGIC: u64 = 0;
    pub(super) const VERSION: u64 = 8;
    pub(super) const CAPACITY: u64 = 16;
    pub(super) const HEAD: u64 = 24;
    pub(super) const TAIL: u64 = 32;
    pub(super) const HOST_CLOCK: u64 = 40;
    pub(super) const HOST_CLOCK_INVERTED: u64 = 48;
    pub(super) const FRAMES_SUFFICE: u64 = 56;
}

/// Why a memory cannot be a recorder, or a payload cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// It has no room for a header and a ring.
    TooSmall,
    /// The payload is longer than a quarter of the ring.
    TooLong(usize),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSmall => f.write_str("the recorder's memory has no room for a ring"),
            Self::TooLong(length) => write!(f, "a record of {length} bytes is longer than a quarter of the recorder"),
        }
    }
}

impl std::error::Error for Unusable {}

/// Length of a whole record.
const fn whole(payload: usize) -> usize {
    RECORD_HEADER + payload.next_multiple_of(8) + RECORD_TRAILER
}

/// The header and the check sum of a record.
fn header(sequence: u64, tag: u32, payload: &[u8]) -> [u8; RECORD_HEADER] {
    let mut header = [0; RECORD_HEADER];
    header[..4].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
    header[8..16].copy_from_slice(&sequence.to_le_bytes());
    header[16..20].copy_from_slice(&tag.to_le_bytes());
    // No payload is longer than a quarter of a ring that a u32 measures.
    header[20..24].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header[8..]);
    crc.update(payload);
    header[4..8].copy_from_slice(&crc.finalize().to_le_bytes());
    header
}
