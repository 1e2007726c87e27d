#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

const UP: &str = "deadpeer: up f7c7e6d5-7e2f-4825-a3ac-3c1ad5c09a9d 6.12.117+deb13-cloud-amd64";

fn booted() -> Option<MachineEvent> {
    Some(MachineEvent::Booted {
        boot_id: "f7c7e6d5-7e2f-4825-a3ac-3c1ad5c09a9d".into(),
        kernel: "6.12.117+deb13-cloud-amd64".into(),
    })
}

#[test]
fn the_up_line_tells_boot_id_and_kernel() {
    assert_eq!(told(UP), booted());
    assert_eq!(told(&format!("[    2.1] eth0: link up{UP}")), booted(), "the kernel spoke on the same line");
}

#[test]
fn a_failed_boot_tells_what_failed() {
    let what = "no root disk: /dev/vda does not exist".to_owned();
    assert_eq!(told(&format!("deadpeer: failed: {what}")), Some(MachineEvent::BootFailed { what }));
}

#[test]
fn half_an_up_line_tells_nothing() {
    for line in ["deadpeer: up ", "deadpeer: up 6.12", "deadpeer: up not-a-boot-id 6.12", &UP[..48], ""] {
        assert_eq!(told(line), None, "{line:?}");
    }
}

#[test]
fn a_panic_is_told_once() {
    let first = "[    2.88] Kernel panic - not syncing: sysrq triggered crash";
    assert_eq!(told(first), Some(MachineEvent::Panicked { line: first.into() }));
    assert_eq!(told("[    2.89] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---"), None);
}

#[test]
fn lines_are_fit_for_a_terminal() {
    assert_eq!(readable(b"\x1bc\x1b[?7l\x1b[2J\x1b[0;31mred\x1b[0m\tand \x07plain\r"), "red\tand plain");
    assert_eq!(readable(b"broken \xff utf-8"), "broken \u{fffd} utf-8");
    assert_eq!(readable(b"cut in an escape \x1b["), "cut in an escape ");
}

#[test]
fn the_tail_is_bounded_and_holds_the_unfinished_line() {
    let tail = Tail::default();
    for i in 0..2 * KEPT_LINES {
        tail.with(|lines| lines.push(format!("line {i}\r\n").as_bytes()));
    }
    tail.with(|lines| lines.push(b"half a"));
    assert_eq!(tail.last(3), "line 998\nline 999\nhalf a");
    assert_eq!(tail.last(10_000).lines().count(), KEPT_LINES + 1);
    let endless = vec![b'x'; 3 * LONGEST_LINE + 1];
    assert_eq!(tail.with(|lines| lines.push(&endless)).len(), 3, "a line without end is cut");
}

#[test]
fn the_log_holds_every_byte_and_lines_are_told_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("server.console.log");
    std::fs::write(&log, "earlier boot\n").unwrap();
    let (source, mut guest) = std::os::unix::net::UnixStream::pair().unwrap();
    let (tell, lines) = channel();
    let tail = Tail::default();
    let done = read(source, &log, tail.clone(), move |line| tell.send(line.to_owned()).unwrap()).unwrap();
    guest.write_all(b"one\r\ntw").unwrap();
    assert_eq!(lines.recv_timeout(Duration::from_secs(20)).unwrap(), "one");
    assert_eq!(done.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout), "still being read");
    guest.write_all(b"o\nlast, without end").unwrap();
    drop(guest);
    assert_eq!(done.recv_timeout(Duration::from_secs(20)), Err(RecvTimeoutError::Disconnected));
    assert_eq!(lines.iter().collect::<Vec<_>>(), ["two", "last, without end"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "earlier boot\none\r\ntwo\nlast, without end");
    assert_eq!(tail.last(2), "two\nlast, without end");
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
        let cut = cut.min(bytes.len());
        let (mut whole, mut parts) = (Lines::default(), Lines::default());
        let at_once = whole.push(&bytes);
        let mut in_two = parts.push(&bytes[..cut]);
        in_two.extend(parts.push(&bytes[cut..]));
        prop_assert_eq!(at_once, in_two);
    }
}
