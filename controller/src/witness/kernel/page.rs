//! Pages of the kernel's trace ring buffer, as `trace_pipe_raw` hands them out: bytes to records with their times.
//!
//! A page has a time stamp, the length of its data with two flags for lost events, and events one after the other, each with
//! 5 bits of type and 27 bits of time since the one before (`events/header_event`; kernel/trace/ring_buffer.c;
//! include/linux/ring_buffer.h). Nothing in a page makes this fail: what does not fit ends the page, and is told.

use super::format::PageLayout;
use std::ops::Range;

/// Events were lost before this page (`RB_MISSED_EVENTS`); how many stands behind its data (`RB_MISSED_STORED`).
const MISSED: u64 = 1 << 31;
const MISSED_STORED: u64 = 1 << 30;

/// Types of entries above [`DATA_MAX`] words of data: ring_buffer.h.
const DATA_MAX: u32 = 28;
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;

/// An absolute time stamp has so many bits; those above are the ones before it.
const STAMP_BITS: u32 = 59;

/// What is in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Page {
    /// Events that were lost between the page before and this one; none if none were. `Some(0)`: nobody counted them.
    pub(super) missed: Option<u64>,
    /// Each record's time (of the trace's clock, nanoseconds) and where in the page it is.
    pub(super) records: Vec<(u64, Range<usize>)>,
    /// Its end made no sense: what came after the last record cannot be read.
    pub(super) torn: bool,
}

/// Takes a page apart.
pub(super) fn parse(page: &[u8], layout: &PageLayout) -> Page {
    let mut parsed = Page::default();
    let (at, size) = layout.commit;
    let (Some(stamp), Some(commit)) = (word(page, 0, 8), word(page, at, size)) else {
        parsed.torn = true;
        return parsed;
    };
    let length = usize::try_from(commit & (MISSED_STORED - 1)).unwrap_or(usize::MAX);
    let end = layout.data.saturating_add(length);
    if commit & MISSED != 0 {
        // The count is a C long, as `commit` is.
        let count = if commit & MISSED_STORED != 0 { word(page, end, size) } else { None };
        parsed.missed = Some(count.unwrap_or(0));
    }
    let Some(data) = page.get(..end) else {
        parsed.torn = true;
        return parsed;
    };
    let (mut next, mut time) = (layout.data, stamp);
    while next < end {
        let Some(entry) = Entry::read(data, next, time) else {
            parsed.torn = true;
            break;
        };
        time = entry.time;
        next = match entry.kind {
            EntryKind::End => break,
            EntryKind::Time => entry.end,
            EntryKind::Data(range) => {
                parsed.records.push((time, range));
                entry.end
            }
        };
    }
    parsed
}

/// An entry of a page.
struct Entry {
    time: u64,
    end: usize,
    kind: EntryKind,
}

enum EntryKind {
    /// Nothing follows on this page.
    End,
    /// It moves the time, no more; a discarded event does, too.
    Time,
    /// A record.
    Data(Range<usize>),
}

impl Entry {
    /// The entry at `at`, after one of `time`; none if it does not end within the page.
    fn read(page: &[u8], at: usize, time: u64) -> Option<Self> {
        let head = u32::try_from(word(page, at, 4)?).ok()?;
        let (kind, delta) = (head & 31, u64::from(head >> 5));
        let body = at + 4;
        // The word after the head, where there is one.
        let array = || word(page, body, 4);
        let later = time.wrapping_add(delta);
        let entry = match kind {
            PADDING if delta == 0 => Self { time, end: page.len(), kind: EntryKind::End },
            PADDING => {
                Self { time: later, end: body.checked_add(usize::try_from(array()?).ok()?)?, kind: EntryKind::Time }
            }
            TIME_EXTEND => {
                Self { time: time.wrapping_add(delta | array()? << 27), end: body + 4, kind: EntryKind::Time }
            }
            // An absolute stamp (`TIME_STAMP`).
            31 => Self { time: absolute(delta | array()? << 27, time), end: body + 4, kind: EntryKind::Time },
            // The length stands in the next word, which it counts.
            0 => {
                let length = usize::try_from(array()?).ok().filter(|length| *length >= 4)?;
                let end = body.checked_add(length)?;
                Self { time: later, end: end.next_multiple_of(4), kind: EntryKind::Data(body + 4..end) }
            }
            words => {
                debug_assert!(words <= DATA_MAX);
                let end = body + 4 * words as usize;
                Self { time: later, end, kind: EntryKind::Data(body..end) }
            }
        };
        (entry.end > at && entry.end <= page.len().next_multiple_of(4)).then_some(entry).filter(|entry| {
            match &entry.kind {
                EntryKind::Data(range) => range.end <= page.len(),
                EntryKind::End | EntryKind::Time => true,
            }
        })
    }
}

/// An absolute stamp lacks its upper bits; it is not before what came before it (`rb_fix_abs_ts`).
fn absolute(stamp: u64, before: u64) -> u64 {
    let upper = before >> STAMP_BITS << STAMP_BITS;
    let stamp = stamp | upper;
    if stamp < before { stamp.wrapping_add(1 << STAMP_BITS) } else { stamp }
}

/// A little-endian number of `size` bytes, 8 at most.
fn word(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    let mut word = [0; 8];
    word.get_mut(..size)?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAYOUT: PageLayout = PageLayout { commit: (8, 8), data: 16 };

    fn head(kind: u32, delta: u32) -> [u8; 4] {
        (kind | delta << 5).to_le_bytes()
    }

    /// A page of 4,096 bytes that begins at time 1000.
    fn page(entries: &[&[u8]], flags: u64, behind: &[u8]) -> Vec<u8> {
        let data = entries.concat();
        let mut page = 1000_u64.to_le_bytes().to_vec();
        page.extend((data.len() as u64 | flags).to_le_bytes());
        page.extend(data);
        page.extend(behind);
        page.resize(4096, 0);
        page
    }

    fn times(page: &Page) -> Vec<u64> {
        page.records.iter().map(|(time, _)| *time).collect()
    }

    #[test]
    fn every_encoding_of_length_and_time_is_read() {
        let bytes = page(
            &[
                &head(1, 5),
                b"abcd",
                &head(0, 1),
                &8_u32.to_le_bytes(),
                b"efgh",
                &head(30, 3),
                &1_u32.to_le_bytes(),
                &head(29, 7),
                &4_u32.to_le_bytes(),
                &head(2, 0),
                b"ijklmnop",
                &head(31, 9),
                &16_u32.to_le_bytes(),
                &head(1, 1),
                b"qrst",
                &head(29, 0),
                b"never read",
            ],
            0,
            &[],
        );
        let parsed = parse(&bytes, &LAYOUT);
        assert_eq!((parsed.torn, parsed.missed), (false, None));
        let extended = 1006 + 3 + (1 << 27) + 7;
        assert_eq!(times(&parsed), [1005, 1006, extended, 9 + (16 << 27) + 1]);
        let data: Vec<&[u8]> = parsed.records.iter().map(|(_, range)| &bytes[range.clone()]).collect();
        assert_eq!(data, [&b"abcd"[..], b"efgh", b"ijklmnop", b"qrst"]);
    }

    #[test]
    fn an_absolute_stamp_keeps_the_upper_bits_of_what_came_before() {
        assert_eq!(absolute(7, 3 << STAMP_BITS), (3 << STAMP_BITS) + 7);
        assert_eq!(absolute(7, (3 << STAMP_BITS) + 8), (4 << STAMP_BITS) + 7);
    }

    #[test]
    fn lost_events_are_told_with_their_number_where_there_was_room_for_it() {
        let entry = [&head(1, 0)[..], b"abcd"].concat();
        assert_eq!(parse(&page(&[&entry], MISSED | MISSED_STORED, &42_u64.to_le_bytes()), &LAYOUT).missed, Some(42));
        assert_eq!(parse(&page(&[&entry], MISSED, &[]), &LAYOUT).missed, Some(0));
    }

    #[test]
    fn a_page_that_is_cut_or_lies_about_its_length_is_torn() {
        let whole = page(&[&head(1, 0), b"abcd", &head(2, 0), b"abcdefgh"], 0, &[]);
        for length in 0..16 + 20 {
            assert!(parse(&whole[..length], &LAYOUT).torn, "{length} bytes");
        }
        let lies = page(&[&head(1, 0), b"abcd", &head(28, 0), b"ab"], 0, &[]);
        let parsed = parse(&lies, &LAYOUT);
        assert!(parsed.torn && parsed.records.len() == 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail_or_leave_the_page(mut bytes: Vec<u8>, length in 0..5000_u64, flags in 0..4_u64) {
            if bytes.len() >= 16 {
                bytes[8..16].copy_from_slice(&(length | flags << 30).to_le_bytes());
            }
            for (_, range) in parse(&bytes, &LAYOUT).records {
                prop_assert!(range.start <= range.end && range.end <= bytes.len());
            }
        }
    }
}
