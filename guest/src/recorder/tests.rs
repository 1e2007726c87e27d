#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// A ring of so many bytes.
fn memory(ring: usize) -> Vec<AtomicU64> {
    (0..(HEADER as usize + ring) / 8).map(|_| AtomicU64::new(0)).collect()
}

fn drained(until: u64) -> Record {
    Record::Drained { until }
}

fn page(length: usize, fill: u8) -> Record {
    Record::Page { instance: Instance::Host, cpu: 0, bytes: vec![fill; length] }
}

/// All that there is to read.
fn rest<M: Memory>(reader: &mut Reader<M>) -> Vec<Found> {
    std::iter::from_fn(|| reader.next().unwrap()).collect()
}

fn records(found: Vec<Found>) -> Vec<Record> {
    found.into_iter().map(|it| if let Found::Record(record) = it { record } else { panic!("{it:?}") }).collect()
}

/// The word of the ring at an offset that has not wrapped.
fn ring(memory: &[AtomicU64], offset: u64) -> &AtomicU64 {
    &memory[((HEADER + offset) / 8) as usize]
}

#[test]
fn a_memory_that_nobody_set_up_holds_nothing() {
    let memory = memory(4096);
    assert_eq!(Reader::new(&memory[..]).next().unwrap(), None);
}

#[test]
fn the_host_tells_its_time_and_half_a_word_is_not_believed() {
    let file = std::fs::File::from(
        nix::fcntl::open(
            "/tmp",
            nix::fcntl::OFlag::O_TMPFILE | nix::fcntl::OFlag::O_RDWR,
            nix::sys::stat::Mode::S_IRUSR,
        )
        .unwrap(),
    );
    tell(&file, 0x0102_0304_0506_0708, true).unwrap();
    let mut header = [0; 64];
    Memory::read_at(&file, 0, &mut header).unwrap();
    let memory = memory(4096);
    for (word, bytes) in memory.iter().zip(header.as_chunks::<8>().0) {
        word.store(u64::from_le_bytes(*bytes), Ordering::Relaxed);
    }
    let writer = Writer::open(&memory).unwrap();
    assert_eq!((writer.host_clock(), writer.frames_suffice()), (Some(0x0102_0304_0506_0708), true));
    memory[5].store(0x0102_0304_0000_0000, Ordering::Relaxed);
    assert_eq!(writer.host_clock(), None);
}

#[test]
fn every_kind_of_record_comes_back_as_it_was() {
    let memory = memory(8192);
    let mut writer = Writer::open(&memory).unwrap();
    let all = [
        Record::Boot {
            boot_id: "0d3c6a5e-1f0a-4a53-8d2f-9b0b9f6a1c11".into(),
            release: "6.12.48+deb13-cloud-amd64".into(),
            witness: "0.1.0".into(),
            page_size: 4096,
            cpus: 1,
        },
        Record::Format { name: "header_page".into(), text: "\tfield: u64 timestamp;\n".into() },
        Record::Page { instance: Instance::Programs, cpu: 3, bytes: (0..=255).collect() },
        Record::Loss { instance: Instance::Host, cpu: 1, stats: "overrun: 12\n".into() },
        drained(u64::MAX),
        Record::Clock { host: 1 << 40, guest: 7 },
        Record::ClockSource { name: "hpet".into() },
        Record::Problem { what: "kprobes".into(), why: "CONFIG_KPROBE_EVENTS is off".into() },
        page(0, 0),
    ];
    let mut reader = Reader::new(&memory[..]);
    for record in &all {
        writer.append(record).unwrap();
        assert_eq!(reader.next().unwrap(), Some(Found::Record(record.clone())), "as soon as it is stored");
        assert_eq!(reader.next().unwrap(), None);
    }
    assert_eq!(reader.sequence(), all.len() as u64);
    assert_eq!(records(rest(&mut Reader::new(&memory[..]))), all, "and again for whoever comes later");
}

#[test]
fn a_record_that_was_being_stored_when_the_power_went_does_not_count() {
    let memory = memory(8192);
    let mut writer = Writer::open(&memory).unwrap();
    writer.append(&drained(1)).unwrap();
    let head = memory[(at::HEAD / 8) as usize].load(Ordering::Relaxed);
    writer.append(&page(64, 7)).unwrap();
    // Everything but the head was stored, and not all of the record.
    memory[(at::HEAD / 8) as usize].store(head, Ordering::Relaxed);
    ring(&memory, head + 48).store(0, Ordering::Relaxed);
    assert_eq!(records(rest(&mut Reader::new(&memory[..]))), [drained(1)]);
    let mut writer = Writer::open(&memory).unwrap();
    writer.append(&drained(2)).unwrap();
    assert_eq!(records(rest(&mut Reader::new(&memory[..]))), [drained(1), drained(2)], "and a reboot writes over it");
}

#[test]
fn a_reboot_continues_and_its_sequence_goes_on() {
    let memory = memory(4096);
    let mut reader = Reader::new(&memory[..]);
    for boot in 0..40 {
        let mut writer = Writer::open(&memory).unwrap();
        writer.append(&page(200, boot)).unwrap();
        writer.append(&drained(boot.into())).unwrap();
        assert_eq!(records(rest(&mut reader)), [page(200, boot), drained(boot.into())]);
    }
    assert_eq!(reader.sequence(), 80);
}

#[test]
fn what_was_overwritten_is_counted() {
    let memory = memory(4096);
    let mut writer = Writer::open(&memory).unwrap();
    // 40 bytes each: 102 of them fit.
    for n in 0..1000 {
        writer.append(&drained(n)).unwrap();
    }
    let mut reader = Reader::new(&memory[..]);
    assert_eq!(reader.next().unwrap(), Some(Found::Overwritten { bytes: 898 * 40, records: 898 }));
    assert_eq!(records(rest(&mut reader)), (898..1000).map(drained).collect::<Vec<_>>());
    assert_eq!(reader.sequence(), 1000);
}

#[test]
fn a_damaged_record_is_told_and_what_follows_is_read() {
    // Each of its words in turn: no part of a record is without protection but the zeroes at its end.
    for word in [0, 8, 16, 24, 32] {
        let memory = memory(8192);
        let mut writer = Writer::open(&memory).unwrap();
        (0..3).for_each(|n| writer.append(&page(16, n)).unwrap());
        let length = whole(8 + 16) as u64;
        let damaged = ring(&memory, length + word);
        damaged.store(damaged.load(Ordering::Relaxed) ^ 1 << 17, Ordering::Relaxed);
        let found = rest(&mut Reader::new(&memory[..]));
        let expected =
            [Found::Record(page(16, 0)), Found::Damaged { at: length, bytes: length }, Found::Record(page(16, 2))];
        assert_eq!(found, expected, "word {word}");
    }
}

#[test]
fn damage_up_to_the_head_ends_the_recording_and_no_more() {
    let memory = memory(8192);
    let mut writer = Writer::open(&memory).unwrap();
    (0..2).for_each(|n| writer.append(&drained(n)).unwrap());
    ring(&memory, 40).store(0, Ordering::Relaxed);
    let mut reader = Reader::new(&memory[..]);
    assert_eq!(rest(&mut reader), [Found::Record(drained(0)), Found::Damaged { at: 40, bytes: 40 }]);
    writer.append(&drained(2)).unwrap();
    // Its number tells that one is missing: nothing is passed off as the whole story.
    assert_eq!(rest(&mut reader), [Found::Damaged { at: 80, bytes: 0 }, Found::Record(drained(2))]);
}

#[test]
fn what_is_no_recorder_is_told_and_a_writer_makes_one_of_it() {
    for (at, value) in [(at::MAGIC, 1), (at::VERSION, 2), (at::CAPACITY, 7), (at::HEAD, 12), (at::TAIL, 4096)] {
        let memory = memory(8192);
        Writer::open(&memory).unwrap().append(&drained(1)).unwrap();
        memory[(at / 8) as usize].store(value, Ordering::Relaxed);
        assert!(Reader::new(&memory[..]).next().is_err(), "{at}");
        Writer::open(&memory).unwrap().append(&drained(2)).unwrap();
        assert_eq!(records(rest(&mut Reader::new(&memory[..]))), [drained(2)], "{at}");
    }
}

#[test]
fn a_reader_is_told_when_the_recorder_is_set_up_anew() {
    let memory = memory(8192);
    let mut writer = Writer::open(&memory).unwrap();
    (0..2).for_each(|n| writer.append(&drained(n)).unwrap());
    let mut reader = Reader::new(&memory[..]);
    rest(&mut reader);
    memory[(at::CAPACITY / 8) as usize].store(0, Ordering::Relaxed);
    Writer::open(&memory).unwrap().append(&drained(0)).unwrap();
    assert!(reader.next().unwrap_err().to_string().contains("set up anew"));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(Writer::open(&memory(0)).unwrap_err(), Unusable::TooSmall);
    let memory = memory(4096);
    let mut writer = Writer::open(&memory).unwrap();
    assert_eq!(writer.append(&page(1024, 0)), Err(Unusable::TooLong(1032)));
    writer.append(&drained(1)).unwrap();
    assert_eq!(records(rest(&mut Reader::new(&memory[..]))), [drained(1)]);
}

#[test]
fn a_reader_beside_a_writer_sees_whole_records_in_order_and_every_loss() {
    const COUNT: u64 = 20_000;
    let memory = memory(4096);
    let mut reader = Reader::new(&memory[..]);
    let (mut next, mut read, mut lost) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut writer = Writer::open(&memory).unwrap();
            for n in 0..COUNT {
                let bytes = n.to_le_bytes().repeat(1 + n as usize % 40);
                writer.append(&Record::Page { instance: Instance::Host, cpu: 0, bytes }).unwrap();
            }
        });
        while read + lost < COUNT {
            match reader.next().unwrap() {
                Some(Found::Record(Record::Page { bytes, .. })) => {
                    assert_eq!(bytes, u64::to_le_bytes(next).repeat(1 + next as usize % 40));
                    (next, read) = (next + 1, read + 1);
                }
                Some(Found::Overwritten { records, .. }) => (next, lost) = (next + records, lost + records),
                Some(other) => panic!("{other:?}"),
                None => std::thread::yield_now(),
            }
        }
    });
    assert_eq!(next, COUNT);
}

proptest! {
    /// Whatever is written, with reboots in between, and however seldom it is read: what is read is a run of what was written,
    /// the losses are exact, and the end is there.
    #[test]
    fn nothing_is_made_up_and_nothing_is_lost_in_silence(
        actions in prop::collection::vec((0_usize..900, 0_u8..10), 1..200),
        ring in (512_usize..2048).prop_map(|words| words * 8),
    ) {
        let memory = memory(ring);
        let mut writer = Writer::open(&memory).unwrap();
        let mut reader = Reader::new(&memory[..]);
        let (mut written, mut next) = (Vec::new(), 0);
        for (n, (length, dice)) in actions.into_iter().enumerate() {
            let record = page(length, n as u8);
            writer.append(&record).unwrap();
            written.push(record);
            if dice == 0 {
                writer = Writer::open(&memory).unwrap();
            }
            if dice >= 8 || n % 97 == 96 {
                for found in rest(&mut reader) {
                    match found {
                        Found::Record(record) => { prop_assert_eq!(&record, &written[next]); next += 1; }
                        Found::Overwritten { records, .. } => { prop_assert!(records > 0); next += records as usize; }
                        Found::Damaged { .. } => prop_assert!(false, "{:?}", found),
                    }
                }
                prop_assert_eq!(next, written.len());
            }
        }
    }

    /// Whatever is in the memory: it is read without a panic, and to an end.
    #[test]
    fn any_memory_can_be_read(
        words in prop::collection::vec(any::<u64>(), 512),
        head in (0_u64..600).prop_map(|n| n * 8),
        kept in 0_u64..600,
    ) {
        let memory = memory(4096);
        words.iter().zip(&memory[(HEADER / 8) as usize..]).for_each(|(word, at)| at.store(*word, Ordering::Relaxed));
        let tail = head.saturating_sub(kept * 8);
        for (at, value) in
            [(at::MAGIC, MAGIC), (at::VERSION, VERSION), (at::CAPACITY, 4096), (at::HEAD, head), (at::TAIL, tail)]
        {
            memory[(at / 8) as usize].store(value, Ordering::Relaxed);
        }
        let mut reader = Reader::new(&memory[..]);
        while let Ok(Some(found)) = reader.next() {
            prop_assert!(!matches!(found, Found::Record(_)));
        }
        let mut writer = Writer::open(&memory).unwrap();
        writer.append(&drained(1)).unwrap();
    }
}

/// A file without a name that has room for a ring of so many bytes.
fn file(ring: u64) -> std::fs::File {
    let flags = nix::fcntl::OFlag::O_TMPFILE | nix::fcntl::OFlag::O_RDWR;
    let file = std::fs::File::from(nix::fcntl::open("/tmp", flags, nix::sys::stat::Mode::S_IRUSR).unwrap());
    file.set_len(HEADER + ring).unwrap();
    file
}

#[test]
fn a_copy_says_what_its_original_says_wherever_it_was_cut() {
    let original = memory(4096);
    let mut writer = Writer::open(&original).unwrap();
    let (mut copier, copy) = (Copier::new(&original[..]), file(4096));
    let (mut one, mut other) = (Reader::new(&original[..]), Reader::new(copy.try_clone().unwrap()));
    for round in 0..200_usize {
        for n in 0..round % 7 {
            writer.append(&page((round * 31 + n * 17) % 900, u8::try_from(round).unwrap())).unwrap();
        }
        if let Some(piece) = copier.next_piece().unwrap() {
            store(&copy, &piece).unwrap();
        }
        if round % 3 == 0 {
            assert_eq!(rest(&mut one), rest(&mut other), "round {round}");
        }
    }
    assert_eq!(copier.next_piece().unwrap(), None);
}

#[test]
fn a_copy_of_a_damaged_recorder_is_damaged_and_a_piece_that_fits_nowhere_is_refused() {
    let original = memory(4096);
    Writer::open(&original).unwrap().append(&drained(1)).unwrap();
    let (mut copier, copy) = (Copier::new(&original[..]), file(4096));
    store(&copy, &copier.next_piece().unwrap().unwrap()).unwrap();
    assert_eq!(rest(&mut Reader::new(copy.try_clone().unwrap())).len(), 1);
    original[4].store(1 << 40, Ordering::Relaxed);
    store(&copy, &copier.next_piece().unwrap().unwrap()).unwrap();
    assert!(Reader::new(copy.try_clone().unwrap()).next().is_err());
    let piece = Piece { words: [MAGIC, VERSION, 1 << 30, 8, 0], start: 0, bytes: vec![0; 8] };
    assert!(store(&copy, &piece).is_err());
}

#[test]
fn what_a_guest_is_told_is_read_back() {
    let copy = file(4096);
    tell(&copy, 77, true).unwrap();
    assert_eq!(told(&copy).unwrap(), (77, true));
}
