//! The messages between plugin and coordinator, as bytes: `controller/plugin/PROTOCOL.md` is where they are described.
//!
//! Pure. What comes is taken for nothing better than bytes: whatever the description does not allow is refused, with what it
//! was.

use std::ops::RangeInclusive;
use std::sync::Arc;

/// The version of the protocol that is spoken here.
pub const VERSION: u32 = 2;

/// Bytes of a *hello*.
pub const HELLO: usize = 32;

/// Bytes of a *report* before its items.
pub const REPORT: usize = 40;

/// Bytes of a *grant* before its items.
pub const GRANT: usize = 24;

/// Bytes of an item before its content.
const ITEM: usize = 16;

/// How many bytes the items of a message may take.
pub const MOST_BYTES: usize = 64 << 20;

/// The longest frame: an Ethernet header and 64 KiB.
pub const LONGEST_FRAME: usize = 65_550;

/// The longest input in one item.
pub const LONGEST_INPUT: usize = 65_536;

const MAGIC: &[u8; 8] = b"deadpeer";
const MOST_NICS: u32 = 3;
const SERIAL: u32 = 256;

/// A message that cannot be: what is wrong with it, in a clause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// What a plugin says when it is loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hello {
    /// QEMU's version: major, minor, micro.
    pub qemu: [u32; 3],
    /// How many NICs are bound.
    pub nics: u32,
    /// Is a serial line bound?
    pub serial: bool,
}

/// Where something comes from or goes to in a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// A NIC, by its number.
    Nic(u8),
    /// The serial line.
    Serial,
}

/// A frame or serial input. `T` is a time on the machine's clock in nanoseconds, or on the lab's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<T> {
    /// When it was sent, or is to be delivered.
    pub at: T,
    /// Where.
    pub line: Line,
    /// The frame without its check sum, or the input.
    pub bytes: Arc<[u8]>,
}

/// The head of a report: where a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its clock, in nanoseconds.
    pub now: u64,
    /// When it does something by itself: none, if never.
    pub next: Option<u64>,
    /// How many items follow.
    pub items: u32,
    /// How many bytes they take.
    pub bytes: usize,
    /// Bytes of serial input that are due and not taken yet.
    pub unread: u32,
    /// QEMU is ending: its guest switched it off.
    pub last: bool,
    /// How long it stood still at the boundary before, in nanoseconds of the computer's time. No two runs have the same.
    pub stood: u64,
}

impl Hello {
    /// # Errors
    /// It is none, of another protocol, or says what cannot be.
    pub fn decode(bytes: &[u8; HELLO]) -> Result<Self, Malformed> {
        let mut fields = Fields(bytes);
        let magic = fields.array::<8>();
        if &magic != MAGIC {
            return Err(Malformed(format!("no greeting of a plugin, but {}", magic.escape_ascii())));
        }
        let version = fields.u32();
        if version != VERSION {
            return Err(Malformed(format!("protocol {version}, where {VERSION} is spoken")));
        }
        let qemu = [fields.u32(), fields.u32(), fields.u32()];
        let (nics, serials) = (fields.u32(), fields.u32());
        if nics > MOST_NICS || serials > 1 {
            return Err(Malformed(format!("{nics} NICs and {serials} serial lines")));
        }
        Ok(Self { qemu, nics, serial: serials == 1 })
    }
}

impl Head {
    /// # Errors
    /// It says what cannot be.
    pub fn decode(bytes: &[u8; REPORT]) -> Result<Self, Malformed> {
        let mut fields = Fields(bytes);
        let (now, next) = (fields.i64(), fields.i64());
        let (items, bytes, unread, last) = (fields.u32(), fields.u32(), fields.u32(), fields.u32());
        let stood = u64::try_from(fields.i64())
            .map_err(|_| Malformed("a machine that stood still for less than nothing".to_owned()))?;
        if now < 0 || next < now {
            return Err(Malformed(format!("a report at {now} ns of what comes next at {next} ns")));
        }
        let bytes = bytes as usize;
        if bytes > MOST_BYTES || bytes / (ITEM + 1) < items as usize || (items == 0) != (bytes == 0) || last > 1 {
            return Err(Malformed(format!("a report of {items} frames in {bytes} bytes, its last mark {last}")));
        }
        let next = (next != i64::MAX).then_some(next.unsigned_abs());
        Ok(Self { now: now.unsigned_abs(), next, items, bytes, unread, last: last == 1, stood })
    }

    /// The frames that follow this head. `since` is the time of the machine's last report; it has `nics` NICs.
    ///
    /// # Errors
    /// They are cut short, more than announced, or say what cannot be.
    pub fn frames(&self, bytes: &[u8], since: u64, nics: u32) -> Result<Vec<Item<u64>>, Malformed> {
        let mut rest = Fields(bytes);
        let mut items = Vec::with_capacity(self.items as usize);
        let mut times: RangeInclusive<u64> = since..=self.now;
        for number in 1..=self.items {
            let of = || format!("frame {number} of {}", self.items);
            if rest.0.len() < ITEM {
                return Err(Malformed(format!("{} is cut short", of())));
            }
            let (at, line, length) = (rest.i64(), rest.u32(), rest.u32() as usize);
            let nic = u8::try_from(line).ok().filter(|nic| u32::from(*nic) < nics);
            let nic = nic.ok_or_else(|| Malformed(format!("{} is from line {line}; there are {nics} NICs", of())))?;
            let at = u64::try_from(at).ok().filter(|at| times.contains(at));
            let at = at.ok_or_else(|| Malformed(format!("{} is out of its time, {times:?} ns", of())))?;
            if length == 0 || length > LONGEST_FRAME {
                return Err(Malformed(format!("{} has {length} bytes", of())));
            }
            let content = rest.take(length).ok_or_else(|| Malformed(format!("{} is cut short", of())))?;
            items.push(Item { at, line: Line::Nic(nic), bytes: content.into() });
            times = at..=self.now;
        }
        if !rest.0.is_empty() {
            return Err(Malformed(format!("{} bytes follow the last of {} frames", rest.0.len(), self.items)));
        }
        Ok(items)
    }
}

/// The bytes of a grant to run until `until`, with what is to be delivered.
///
/// # Errors
/// That is more than a message holds.
pub fn run(until: u64, items: &[Item<u64>]) -> Result<Vec<u8>, Malformed> {
    let bytes: usize = items.iter().map(|item| ITEM + item.bytes.len()).sum();
    if bytes > MOST_BYTES {
        return Err(Malformed(format!("{bytes} bytes are to be delivered before one boundary, {MOST_BYTES} at most")));
    }
    let mut grant = grant(until, 0, items.len(), bytes);
    for item in items {
        let line = match item.line {
            Line::Nic(number) => u32::from(number),
            Line::Serial => SERIAL,
        };
        grant.extend(item.at.to_le_bytes());
        grant.extend(line.to_le_bytes());
        grant.extend(size(item.bytes.len()));
        grant.extend(&*item.bytes);
    }
    Ok(grant)
}

/// The bytes of a grant to pause.
#[must_use]
pub fn pause() -> Vec<u8> {
    grant(0, 1, 0, 0)
}

fn grant(until: u64, what: u32, items: usize, bytes: usize) -> Vec<u8> {
    let mut grant = Vec::with_capacity(GRANT + bytes);
    grant.extend(until.to_le_bytes());
    grant.extend(what.to_le_bytes());
    grant.extend(size(items));
    grant.extend(size(bytes));
    grant.extend([0; 4]);
    grant
}

/// A number that [`MOST_BYTES`] bounds.
fn size(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes()
}

/// Reads numbers one after the other. Behind the end they are zero: lengths are looked at before.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).and_then(|taken| taken.try_into().ok()).unwrap_or([0; N])
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.array())
    }
}

#[cfg(test)]
mod tests;
