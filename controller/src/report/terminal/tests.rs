#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use indicatif::{InMemoryTerm, ProgressDrawTarget};
use std::sync::mpsc::{Receiver, Sender, channel};

/// A terminal of 40 columns in memory, and progress on it.
fn live(colour: bool) -> (InMemoryTerm, Progress) {
    let term = InMemoryTerm::new(12, 40);
    let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 255);
    (term, Progress::of(Shown::Live(Live::new(target, Style { width: 40, colour, unicode: true }))))
}

struct Tape(Sender<Vec<u8>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines as they were written, without their times, which no test may depend on.
fn lines(tape: &Receiver<Vec<u8>>) -> Vec<String> {
    let written = tape.try_iter().map(|bytes| String::from_utf8(bytes).unwrap());
    written.map(|line| line.split_once("] ").expect("a time").1.to_owned()).collect()
}

fn plain() -> (Receiver<Vec<u8>>, Progress) {
    let (sender, tape) = channel();
    (tape, Progress::of(Shown::Plain(Plain::new(Box::new(Tape(sender))))))
}

#[test]
fn work_that_is_done_collapses_to_one_line_and_clearing_keeps_it() {
    let (term, progress) = live(false);
    let reporter = progress.reporter();
    reporter.began("server", "booting");
    reporter.now("server", "waiting for SSH", None);
    reporter.done("server", "booted in 2.9 s");
    reporter.began("client", "booting");
    progress.clear();
    assert_eq!(term.contents(), "✓ server    booted in 2.9 s");
}

#[test]
fn work_that_failed_is_shown_whole() {
    let (term, progress) = live(false);
    let reporter = progress.reporter();
    reporter.began("server", "booting");
    reporter.now("server", "waiting for SSH", Some(10));
    reporter.now("server", "waiting for SSH", Some(90));
    reporter.failed("server", "no SSH");
    progress.clear();
    let shown = term.contents();
    let rows: Vec<&str> = shown.lines().map(|line| line.split(" (").next().unwrap().trim_end()).collect();
    assert_eq!(rows, ["  server    booting", "  server    waiting for SSH", "✗ server    no SSH"]);
}

#[test]
fn nothing_is_left_of_spinners_when_the_last_handle_goes_though_a_reporter_stays() {
    let (term, progress) = live(false);
    let reporter = progress.reporter();
    reporter.began("server", "booting");
    let other = progress.clone();
    drop(progress);
    reporter.now("server", "still booting", None);
    assert!(term.contents().contains("still booting"), "{}", term.contents());
    drop(other);
    assert_eq!(term.contents(), "");
    reporter.done("server", "too late to be shown");
    assert_eq!(term.contents(), "");
}

#[test]
fn a_phrase_too_long_for_the_terminal_stays_on_its_line() {
    let (term, progress) = live(false);
    progress.reporter().began("server", "b".repeat(100));
    let shown = term.contents();
    assert_eq!(shown.lines().count(), 1, "{shown}");
    progress.clear();
}

#[test]
fn plain_lines_tell_each_thing_once_and_percentages_not_at_all() {
    let (tape, progress) = plain();
    let reporter = progress.reporter();
    reporter.began("image", "building the guest disk");
    reporter.now("image", "building the guest disk", Some(10));
    reporter.now("image", "unpacking", Some(20));
    reporter.now("image", "unpacking", Some(30));
    reporter.failed("image", "the disk is full");
    assert_eq!(
        lines(&tape),
        ["image: building the guest disk\n", "image: unpacking\n", "image: failed: the disk is full\n"]
    );
}

#[test]
fn a_plain_line_cannot_be_broken_by_what_is_told() {
    let (tape, progress) = plain();
    progress.reporter().began("a\nb", "c\r\n\u{1b}[2Jd");
    assert_eq!(lines(&tape), ["a\\nb: c\\r\\n\\u{1b}[2Jd\n"]);
}
