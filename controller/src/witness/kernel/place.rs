//! Guest times to lab times: which life of a machine a recorded boot was, which frames it shares with the switch, and so where
//! on the lab's clock its events belong.

use super::blind;
use super::boot::{Boot, GuestFrame};
use super::clock::{Bound, GuestClock, Source, Unfit};
use super::matching;
use crate::timeline::{
    Call, CallResult, Event, Frame, KernelAccount, KernelEvent, KernelFact, LabTime, MachineEvent, Verdict, What,
};
use std::collections::BTreeSet;

/// An Ethernet header: a received frame has lost it when it is traced, one that is sent has it still.
const HEADER: u32 = 14;

/// Where is lost what a kernel traced last: between the witness's last look and the end of the machine.
const UNREAD: &str = "the machine's memory, which ended with it";

/// An event in its place.
#[derive(Debug, Clone)]
pub(super) struct PlacedEvent {
    pub(super) at: LabTime,
    /// How wrong `at` may be, in nanoseconds to either side.
    pub(super) error: u64,
    pub(super) event: KernelEvent,
}

/// A life of a machine, from one power-on or reset to the next end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Life {
    from: LabTime,
    until: LabTime,
    /// It ended by itself or by force before the lab did.
    ended: bool,
}

/// Places one boot of `host`, whose clock goes by `source`. `timeline` is what the other witnesses saw, in order; the lab was watched until `watched`.
pub(super) fn place(
    host: &str,
    boot: Boot,
    source: Source,
    timeline: &[Event],
    watched: LabTime,
) -> (Vec<PlacedEvent>, KernelAccount) {
    let life = life(host, &boot, timeline, watched);
    let fitted = fit(host, &boot, source, timeline, life);
    let mut account = KernelAccount {
        boot_id: boot.boot_id,
        kernel: boot.release,
        events: boot.traced,
        lost: boot.lost,
        clock_error: None,
        unread: None,
        problems: boot.problems.iter().map(|(what, why)| format!("{what}: {why}")).collect(),
    };
    let clock = match fitted {
        Ok(clock) => clock,
        Err(unfit) => {
            account.problems.push(match unfit {
                Unfit::TooFew => "too few frames went over the cable to set its clock by".to_owned(),
                Unfit::Contradiction(by) => format!("no clock fits: the frames contradict each other by {by} ns"),
            });
            provisional(life, boot.ahead)
        }
    };
    let silences = boot.problems.iter().filter_map(|(what, why)| blind::untold(what, why, boot.describes_calls));
    let began = boot.events.first().map_or(boot.last, |event| event.guest_time);
    let told_by = |guest_time, fact| KernelEvent { host: host.to_owned(), guest_time, process: None, fact };
    let silences = silences.map(|fact| told_by(began, fact)).collect::<Vec<_>>();
    let mut placed: Vec<PlacedEvent> =
        silences.into_iter().chain(boot.events).filter_map(|event| one(event, &clock, watched)).collect();
    account.clock_error = Some(placed.iter().map(|event| event.error).max().unwrap_or(clock.place(boot.last).error));
    if life.ended {
        let saved = clock.place(boot.drained);
        account.unread = Some(life.until.0.saturating_sub(saved.at));
        let since = LabTime(saved.at.saturating_sub(saved.error));
        let fact = KernelFact::Lost { events: 0, place: UNREAD.to_owned(), since };
        let event = told_by(boot.drained.max(boot.last), fact);
        placed.push(PlacedEvent { at: life.until, error: saved.error, event });
    }
    placed.sort_by_key(|event| event.at);
    (placed, account)
}

/// Places an event; none if it came after the lab was watched.
fn one(mut event: KernelEvent, clock: &GuestClock, watched: LabTime) -> Option<PlacedEvent> {
    let placed = clock.place(event.guest_time);
    let mut at = LabTime(placed.at);
    match &mut event.fact {
        KernelFact::Call(Call { began, result, .. }) => {
            *began = LabTime(clock.place(began.0).at);
            if *result == CallResult::Unfinished && *began <= watched {
                at = at.min(watched);
            }
        }
        KernelFact::Lost { since, .. } => {
            let placed = clock.place(since.0);
            *since = LabTime(placed.at.saturating_sub(placed.error));
        }
        _ => {}
    }
    (at <= watched).then_some(PlacedEvent { at, error: placed.error, event })
}

/// The life of the machine in which this boot was: the one in which it said its boot id, or else in which it was first heard.
fn life(host: &str, boot: &Boot, timeline: &[Event], watched: LabTime) -> Life {
    let mut lives: Vec<Life> = Vec::new();
    let mut known = None;
    for (at, event) in machine(host, timeline) {
        match event {
            MachineEvent::PoweredOn { .. } | MachineEvent::Reset { .. } => {
                if let Some(last) = lives.last_mut().filter(|last| !last.ended) {
                    (last.until, last.ended) = (at, true);
                }
                lives.push(Life { from: at, until: watched, ended: false });
            }
            MachineEvent::PoweredOff { .. } | MachineEvent::ShutDown { .. } | MachineEvent::Died { .. } => {
                if let Some(last) = lives.last_mut().filter(|last| !last.ended) {
                    (last.until, last.ended) = (at, true);
                }
            }
            MachineEvent::Booted { boot_id, .. } if *boot_id == boot.boot_id => known = lives.last().map(|it| it.from),
            _ => {}
        }
    }
    let heard = |life: &&Life| life.from <= boot.seen && boot.seen <= life.until;
    let found = match known {
        Some(from) => lives.iter().find(|life| life.from == from),
        None => lives.iter().rev().find(heard).or(lives.last()),
    };
    found.copied().unwrap_or(Life { from: LabTime(0), until: watched, ended: false })
}

fn machine<'a>(host: &str, timeline: &'a [Event]) -> impl Iterator<Item = (LabTime, &'a MachineEvent)> {
    timeline.iter().filter_map(move |event| match &event.what {
        What::Machine { host: name, event: machine } if name == host => Some((event.at, machine)),
        _ => None,
    })
}

/// The clock that the frames of this life allow.
fn fit(host: &str, boot: &Boot, source: Source, timeline: &[Event], life: Life) -> Result<GuestClock, Unfit> {
    let frames = || {
        timeline.iter().filter(|event| life.from <= event.at && event.at <= life.until).filter_map(|event| match &event
            .what
        {
            What::Wire(frame) => Some((event.at, &**frame)),
            _ => None,
        })
    };
    // What was read had happened, and what the guest was told had been the time: bounds as good as those of frames.
    let (mut most, mut least) = (boot.heard.clone(), boot.told.clone());
    let links: BTreeSet<u8> = boot.sent.iter().chain(&boot.received).map(|frame| frame.link).collect();
    for link in links {
        let here = || frames().filter(|(_, frame)| frame.link == link);
        let length = |frame: &Frame| u32::try_from(frame.length).unwrap_or(u32::MAX);
        let out: Vec<(LabTime, u32)> =
            here().filter(|(_, frame)| frame.from == host).map(|(at, frame)| (at, length(frame))).collect();
        // Its own frames do not come back; what is for everybody comes to it, too.
        let mut into: Vec<(LabTime, u32)> = here()
            .filter(|(_, frame)| frame.from != host && frame.to.as_deref().is_none_or(|to| to == host))
            .filter_map(|(at, frame)| Some((came(at, frame.verdict)?, length(frame).saturating_sub(HEADER))))
            .collect();
        into.sort_by_key(|(at, _)| *at);
        most.extend(bounds(&boot.sent, link, &out));
        least.extend(bounds(&boot.received, link, &into));
    }
    GuestClock::fit(&most, &least, source)
}

/// When a frame that came to the switch at `at` went on to its destination, if it did.
pub(super) fn came(at: LabTime, verdict: Verdict) -> Option<LabTime> {
    match verdict {
        Verdict::Passed => Some(at),
        Verdict::Delayed(by) => Some(LabTime(at.0.saturating_add(by))),
        Verdict::Dropped | Verdict::Lost => None,
    }
}

/// By how much the lab's clock is ahead, for each frame of a link that both saw.
fn bounds(guest: &[GuestFrame], link: u8, switch: &[(LabTime, u32)]) -> Vec<Bound> {
    let guest: Vec<&GuestFrame> = guest.iter().filter(|frame| frame.link == link).collect();
    let lengths: Vec<u32> = guest.iter().map(|frame| frame.length).collect();
    let at_switch: Vec<u32> = switch.iter().map(|(_, length)| *length).collect();
    matching::pairs(&lengths, &at_switch)
        .into_iter()
        .map(|(g, s)| Bound { at: guest[g].at, ahead: switch[s].0.0.cast_signed() - guest[g].at.cast_signed() })
        .collect()
}

/// Without frames: the guest's clock began after the machine did, and what was read had happened.
fn provisional(life: Life, ahead: Option<i64>) -> GuestClock {
    let least = life.from.0.cast_signed();
    let most = ahead.unwrap_or(least).max(least);
    GuestClock::between(least, most)
}
