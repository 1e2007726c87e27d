#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

fn hello(magic: &[u8; 8], numbers: [u32; 6]) -> Result<Hello, Malformed> {
    let numbers = numbers.map(u32::to_le_bytes).concat();
    Hello::decode(&[magic.as_slice(), &numbers].concat().try_into().unwrap())
}

fn head(now: i64, next: i64, numbers: [u32; 4]) -> Result<Head, Malformed> {
    let numbers = numbers.map(u32::to_le_bytes).concat();
    let stood = 7_i64.to_le_bytes();
    Head::decode(&[now.to_le_bytes().as_slice(), &next.to_le_bytes(), &numbers, &stood].concat().try_into().unwrap())
}

/// An item as a plugin writes it.
fn item(at: i64, line: u32, length: u32, content: &[u8]) -> Vec<u8> {
    [at.to_le_bytes().as_slice(), &line.to_le_bytes(), &length.to_le_bytes(), content].concat()
}

/// The frames of a report at 100 ns, after one at 50 ns, of a machine with two NICs.
fn frames(items: &[Vec<u8>], announced: u32) -> Result<Vec<Item<u64>>, Malformed> {
    let body = items.concat();
    let head = head(100, 100, [announced, body.len() as u32, 0, 0])?;
    head.frames(&body, 50, 2)
}

#[test]
fn a_greeting_tells_qemu_s_version_and_what_is_bound() {
    let read = hello(b"deadpeer", [2, 7, 2, 22, 3, 1]).unwrap();
    assert_eq!(read, Hello { qemu: [7, 2, 22], nics: 3, serial: true });
}

#[test]
fn a_greeting_of_somebody_else_is_refused_with_what_it_was() {
    for (magic, numbers, what) in [
        (b"QEMU 7.2", [2, 7, 2, 22, 0, 0], "no greeting of a plugin, but QEMU 7.2"),
        (b"\0\0\0\0\0\0\0\0", [0; 6], r"no greeting of a plugin, but \x00\x00"),
        (b"deadpeer", [1, 7, 2, 22, 0, 0], "protocol 1, where 2 is spoken"),
        (b"deadpeer", [2, 7, 2, 22, 4, 0], "4 NICs and 0 serial lines"),
        (b"deadpeer", [2, 7, 2, 22, 0, 2], "0 NICs and 2 serial lines"),
    ] {
        let refused = hello(magic, numbers).unwrap_err();
        assert!(refused.0.starts_with(what), "{refused}");
    }
}

#[test]
fn a_report_tells_where_a_machine_stands_and_what_comes_next() {
    let busy = head(5, 5, [0, 0, 0, 0]).unwrap();
    assert_eq!(busy, Head { now: 5, next: Some(5), items: 0, bytes: 0, unread: 0, last: false, stood: 7 });
    let asleep = head(5, i64::MAX, [1, 77, 3, 1]).unwrap();
    assert_eq!(asleep, Head { now: 5, next: None, items: 1, bytes: 77, unread: 3, last: true, stood: 7 });
}

#[test]
fn a_report_of_what_cannot_be_is_refused() {
    for (now, next, numbers) in [
        (-1, 5, [0; 4]),
        (5, 4, [0; 4]),
        (5, -1, [0; 4]),
        (5, 5, [1, 0, 0, 0]),               // a frame without bytes
        (5, 5, [0, 17, 0, 0]),              // bytes without a frame
        (5, 5, [3, 50, 0, 0]),              // more frames than fit
        (5, 5, [1, (64 << 20) + 1, 0, 0]),  // more than is allowed
        (5, 5, [u32::MAX, u32::MAX, 0, 0]), // the same
        (5, 5, [0, 0, 0, 2]),
    ] {
        assert!(head(now, next, numbers).is_err(), "{now} {next} {numbers:?}");
    }
}

#[test]
fn frames_are_read_in_their_order() {
    let read = frames(&[item(50, 1, 3, b"abc"), item(50, 0, 1, b"d"), item(100, 1, 2, b"ef")], 3).unwrap();
    let seen: Vec<_> = read.iter().map(|item| (item.at, item.line, &*item.bytes)).collect();
    assert_eq!(seen, [(50, Line::Nic(1), &b"abc"[..]), (50, Line::Nic(0), &b"d"[..]), (100, Line::Nic(1), &b"ef"[..])]);
}

#[test]
fn frames_that_cannot_be_are_refused_by_their_number() {
    let long = vec![0; LONGEST_FRAME + 1];
    for (items, announced, what) in [
        (vec![item(60, 0, 3, b"abc"), item(60, 0, 3, b"ab")], 2, "frame 2 of 2 is cut short"),
        (vec![item(60, 0, 3, b"abc"), vec![0; 15]], 2, "frame 2 of 2 is cut short"),
        (vec![item(60, 2, 3, b"abc")], 1, "frame 1 of 1 is from line 2; there are 2 NICs"),
        (vec![item(60, 256, 3, b"abc")], 1, "frame 1 of 1 is from line 256; there are 2 NICs"),
        (vec![item(49, 0, 3, b"abc")], 1, "frame 1 of 1 is out of its time, 50..=100 ns"),
        (vec![item(101, 0, 3, b"abc")], 1, "frame 1 of 1 is out of its time, 50..=100 ns"),
        (vec![item(-1, 0, 3, b"abc")], 1, "frame 1 of 1 is out of its time, 50..=100 ns"),
        (vec![item(70, 0, 1, b"a"), item(69, 0, 1, b"b")], 2, "frame 2 of 2 is out of its time, 70..=100 ns"),
        (vec![item(60, 0, 0, b"abc")], 1, "frame 1 of 1 has 0 bytes"),
        (vec![item(60, 0, long.len() as u32, &long)], 1, "frame 1 of 1 has 65551 bytes"),
        (vec![item(60, 0, 3, b"abc"), vec![0; 20]], 1, "20 bytes follow the last of 1 frames"),
    ] {
        assert_eq!(frames(&items, announced).unwrap_err().0, what);
    }
}

#[test]
fn a_grant_has_the_bytes_that_the_description_says() {
    let items = [
        Item { at: 0x0102, line: Line::Nic(2), bytes: Arc::from(&b"abc"[..]) },
        Item { at: 0x0103, line: Line::Serial, bytes: Arc::from(&b"\r"[..]) },
    ];
    let head = [&[5, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4], &[2, 0, 0, 0], &[36, 0, 0, 0], &[0; 4]].concat();
    let expected = [head, item(0x0102, 2, 3, b"abc"), item(0x0103, 256, 1, b"\r")].concat();
    assert_eq!(run(5, &items).unwrap(), expected);
    assert_eq!(expected.len(), GRANT + 36);
    assert_eq!(pause(), [&[0; 8][..], &[1, 0, 0, 0], &[0; 12]].concat());
}

#[test]
fn a_grant_of_more_than_a_message_holds_is_refused() {
    let megabyte = Item { at: 1, line: Line::Nic(0), bytes: vec![0; 1 << 20].into() };
    assert_eq!(
        run(5, &vec![megabyte; 64]).unwrap_err().0,
        "67109888 bytes are to be delivered before one boundary, 67108864 at most"
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), REPORT),
        now in 0_i64..1000,
        items in 0_u32..5,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = Hello::decode(bytes[..HELLO].try_into().unwrap());
        let _ = Head::decode(bytes.as_slice().try_into().unwrap());
        if let Ok(head) = head(now, now, [items, body.len() as u32, 0, 0]) {
            let _ = head.frames(&body, 0, 3);
        }
    }

    #[test]
    fn frames_come_out_as_they_went_in(sizes in prop::collection::vec((50_i64..=100, 0_u32..2, 1_usize..2000), 1..20)) {
        let mut sizes = sizes;
        sizes.sort();
        let written: Vec<_> =
            sizes.iter().map(|(at, line, size)| item(*at, *line, *size as u32, &vec![*at as u8; *size])).collect();
        let read = frames(&written, written.len() as u32).unwrap();
        let sizes_read: Vec<_> = read
            .iter()
            .map(|Item { at, line, bytes }| {
                assert!(bytes.iter().all(|byte| *byte == *at as u8));
                let Line::Nic(nic) = line else { panic!("{line:?}") };
                (*at as i64, u32::from(*nic), bytes.len())
            })
            .collect();
        prop_assert_eq!(sizes_read, sizes);
    }
}
