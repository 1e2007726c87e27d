//! A flight recorder's records, in the order in which they were written, to the story of each boot.
//!
//! Each trace buffer is in order by itself; together they are so only up to the time at which all were found empty
//! ([`Record::Drained`]). Until then, what was read waits.

use super::boot::{Boot, GuestFrame};
use super::clock::Bound;
use super::decode::{Decoder, Traced, What};
use super::format::PageLayout;
use super::page;
use super::story::Story;
use crate::timeline::{KernelEvent, KernelFact, LabTime};
use deadpeer_guest::recorder::{Found, Instance, Record};
use std::collections::HashMap;

/// So many facts may wait for the buffers to be found empty. A guest that is so busy that they never are loses nothing: what is
/// older than the newest fact of every buffer is in order as well.
const WAITING_AT_MOST: usize = 50_000;

/// So many frames are kept for the clock, per boot and direction.
const FRAMES_AT_MOST: usize = 500_000;

/// By so many in either direction a guest's clock is set well enough, if it cannot drift: it is the quickest of them that counts.
const FRAMES_SUFFICE: usize = 100;

/// The card of link 0 is eth0; the control network's is called otherwise.
const LINK_CARD: &str = "eth";

/// A trace buffer: one instance's, one processor's.
type Buffer = (Instance, u32);

/// Reads the records of a host's recorder.
#[derive(Debug)]
pub(super) struct Recording {
    host: String,
    done: Vec<Boot>,
    now: Option<Current>,
    /// The last loss in the recorder itself, until it is known when.
    gap: Option<u64>,
    /// Records that are damaged: nobody can vouch for what they said.
    pub(super) damage: Vec<String>,
}

/// The boot that is being recorded.
#[derive(Debug)]
struct Current {
    boot: Boot,
    story: Story,
    decoder: Decoder,
    layout: Option<PageLayout>,
    waiting: Vec<Traced>,
    /// The time of the last event of each buffer.
    last: HashMap<Buffer, u64>,
    /// What the kernel counted as lost, by buffer, besides what pages tell.
    counted: HashMap<Buffer, u64>,
    /// A loss that the kernel counted, since the buffers were empty last.
    uncertain: Option<u64>,
    undecoded: u64,
    /// It was told that the recording began.
    began: bool,
}

impl Recording {
    /// Nothing read yet, of `host`.
    pub(super) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), done: Vec::new(), now: None, gap: None, damage: Vec::new() }
    }

    /// Takes what the recorder's reader came upon, at `now` on the lab's clock.
    pub(super) fn take(&mut self, found: Found, now: LabTime) {
        match found {
            Found::Record(Record::Boot { boot_id, release, .. }) => {
                self.end_boot();
                let boot = Boot { boot_id, release, seen: now, ..Boot::default() };
                self.now = Some(Current::new(&self.host, boot));
            }
            Found::Record(record) => {
                let Some(current) = &mut self.now else { return };
                current.take(record, now, &mut self.gap);
            }
            Found::Overwritten { records, .. } => *self.gap.get_or_insert(0) += records,
            Found::Damaged { at, bytes } => {
                *self.gap.get_or_insert(0) += 1;
                self.damage.push(format!("{bytes} bytes at offset {at} are no whole record"));
            }
        }
    }

    /// What was told since this was asked last, and how much the lab's clock is ahead of the guest's, at most.
    pub(super) fn fresh(&mut self) -> (&[KernelEvent], i64) {
        match &mut self.now {
            Some(current) => (current.story.told.fresh(), current.boot.ahead.unwrap_or_default()),
            None => (&[], 0),
        }
    }

    /// Until when everything was recorded and read, on the lab's clock as far as it is known.
    pub(super) fn recorded_until(&self) -> LabTime {
        let until =
            self.now.as_ref().map(|it| it.boot.drained.saturating_add_signed(it.boot.ahead.unwrap_or_default()));
        LabTime(until.unwrap_or_default())
    }

    /// Whether this boot's clock can be set by the frames that were traced, if it cannot drift.
    pub(super) fn frames_suffice(&self) -> bool {
        let now = self.now.as_ref().map(|it| &it.boot);
        now.is_some_and(|boot| boot.sent.len().min(boot.received.len()) >= FRAMES_SUFFICE)
    }

    /// The guest is dead, or nobody cares any more.
    pub(super) fn end(mut self) -> (Vec<Boot>, Vec<String>) {
        self.end_boot();
        (self.done, self.damage)
    }

    fn end_boot(&mut self) {
        if let Some(current) = self.now.take() {
            self.done.push(current.end());
        }
    }
}

impl Current {
    fn new(host: &str, boot: Boot) -> Self {
        Self {
            boot,
            story: Story::new(host),
            decoder: Decoder::default(),
            layout: None,
            waiting: Vec::new(),
            last: HashMap::new(),
            counted: HashMap::new(),
            uncertain: None,
            undecoded: 0,
            began: false,
        }
    }

    fn take(&mut self, record: Record, now: LabTime, gap: &mut Option<u64>) {
        match record {
            Record::Format { name, text } => {
                self.boot.describes_calls |= name.starts_with("syscalls/");
                let problem = match name.as_str() {
                    "header_page" => match PageLayout::parse(&text) {
                        Ok(layout) => {
                            self.layout = Some(layout);
                            None
                        }
                        Err(why) => Some(format!("the layout of the trace buffer's pages cannot be read: {why}")),
                    },
                    "header_event" => None,
                    _ => self.decoder.learn(&text),
                };
                self.boot.problems.extend(problem.map(|why| (name, why)));
            }
            Record::Page { instance, cpu, bytes } => self.page((instance, cpu), &bytes, now, gap),
            Record::Loss { instance, cpu, stats } => self.counted((instance, cpu), &stats),
            Record::Drained { until } => {
                self.bound(until, now);
                self.release(until);
                let before = std::mem::replace(&mut self.boot.drained, until);
                if let Some(events) = self.uncertain.take() {
                    self.lose(until, before, events, "the kernel's trace buffer");
                }
            }
            Record::Clock { host, guest } if self.boot.told.len() < FRAMES_AT_MOST => {
                self.boot.told.push(Bound { at: guest, ahead: host.cast_signed().wrapping_sub(guest.cast_signed()) });
            }
            Record::Clock { .. } => {}
            Record::ClockSource { name } => self.boot.clock_source = name,
            Record::Problem { what, why } => self.boot.problems.push((what, why)),
            // A boot begins another of these.
            Record::Boot { .. } => {}
        }
    }

    fn page(&mut self, buffer: Buffer, bytes: &[u8], now: LabTime, gap: &mut Option<u64>) {
        let Some(layout) = &self.layout else {
            self.undecoded += 1;
            return;
        };
        let page = page::parse(bytes, layout);
        let first = page.records.first().map_or(self.boot.last, |(time, _)| *time);
        if let Some(events) = page.missed {
            let since = self.last.get(&buffer).copied().unwrap_or_default();
            self.lose(first, since, events, &format!("the kernel's trace buffer ({}, cpu {})", buffer.0, buffer.1));
            *self.counted.entry(buffer).or_default() += events;
        }
        if let Some(records) = gap.take() {
            self.lose(first, self.boot.last, records, "the flight recorder");
        }
        for (at, range) in page.records {
            self.boot.traced += 1;
            self.boot.last = self.boot.last.max(at);
            self.last.insert(buffer, at);
            match bytes.get(range).and_then(|bytes| self.decoder.read(at, bytes)) {
                Some(Traced { what: What::Frame { sent, length, card }, .. }) => self.frame(at, sent, length, &card),
                Some(traced) => self.waiting.push(traced),
                None => self.undecoded += 1,
            }
        }
        if page.torn {
            self.lose(self.boot.last, first, 1, "a page of the trace buffer that cannot be read to its end");
        }
        self.bound(self.last.get(&buffer).copied().unwrap_or_default(), now);
        if self.waiting.len() > WAITING_AT_MOST
            && let Some(safe) = self.last.values().min().copied()
        {
            self.release(safe);
        }
    }

    fn frame(&mut self, at: u64, sent: bool, length: u32, card: &str) {
        let frames = if sent { &mut self.boot.sent } else { &mut self.boot.received };
        if let Some(link) = card.strip_prefix(LINK_CARD).and_then(|link| link.parse().ok())
            && frames.len() < FRAMES_AT_MOST
        {
            frames.push(GuestFrame { at, link, length });
        }
    }

    /// What happened at guest time `at` has been read at `now`: the lab's clock is ahead by no more than the difference.
    fn bound(&mut self, at: u64, now: LabTime) {
        let ahead = now.0.cast_signed() - at.cast_signed();
        self.boot.ahead = Some(self.boot.ahead.map_or(ahead, |known| known.min(ahead)));
        if self.boot.heard.len() < FRAMES_AT_MOST {
            self.boot.heard.push(Bound { at, ahead });
        }
    }

    /// The kernel counted losses: `overrun` is told by pages, too, the others are not (ring_buffer.c).
    fn counted(&mut self, buffer: Buffer, stats: &str) {
        let lost: u64 = stats
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| matches!(name.trim(), "overrun" | "commit overrun" | "dropped events"))
            .filter_map(|(_, count)| count.trim().parse::<u64>().ok())
            .sum();
        let known = self.counted.entry(buffer).or_default();
        let more = lost.saturating_sub(*known);
        *known = lost.max(*known);
        if more > 0 {
            *self.uncertain.get_or_insert(0) += more;
        }
    }

    fn lose(&mut self, at: u64, since: u64, events: u64, place: &str) {
        self.boot.lost += events.max(1);
        self.story.told.tell(at, None, KernelFact::Lost { events, place: place.to_owned(), since: LabTime(since) });
    }

    /// Goes on with the story up to `until`.
    fn release(&mut self, until: u64) {
        if !self.began {
            self.began = true;
            let kernel = self.boot.release.clone();
            self.story.told.tell(
                self.waiting.iter().map(|it| it.at).min().unwrap_or(until).min(until),
                None,
                KernelFact::Began { kernel },
            );
        }
        self.waiting.sort_by_key(|traced| traced.at);
        let ready = self.waiting.partition_point(|traced| traced.at <= until);
        for traced in self.waiting.drain(..ready) {
            self.story.take(&traced);
        }
    }

    fn end(mut self) -> Boot {
        let last = self.boot.last.max(self.boot.drained);
        if last > 0 {
            self.release(last);
        }
        if let Some(events) = self.uncertain.take() {
            self.lose(last, self.boot.drained, events, "the kernel's trace buffer");
        }
        if self.undecoded > 0 {
            let why = format!("{} trace events are of a kind that nobody described", self.undecoded);
            self.boot.problems.push(("events".to_owned(), why));
        }
        self.story.end(last);
        self.boot.events = self.story.told.into_events();
        self.boot
    }
}
