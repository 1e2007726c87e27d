//! What hosts prove about themselves: another boot by another boot id, lost carrier by the kernel's own count.

use super::verdict::{Evidence, Finding};
use super::view::View;
use super::words;
use crate::scenario::Action;
use crate::timeline::{LabTime, MachineEvent};
use std::time::Duration;

/// A death is noted when it is proven (the process is reaped), a channel's end when it breaks: the latter may be
/// noted so much earlier where no step of ours announced the death.
const PROOF_LAG: Duration = Duration::from_secs(1);

/// How and when `host` went down after `since`, if that is what ended something on it whose end was noted at `at`.
/// That end may be noted late (a dead channel is silent), but nothing outlives its host's power.
pub(super) fn went_down<'a>(
    view: &View<'a>,
    host: &str,
    since: LabTime,
    at: LabTime,
) -> Option<(LabTime, &'a MachineEvent)> {
    let is_down = |event: &MachineEvent| {
        use MachineEvent as M;
        matches!(
            event,
            M::PoweredOff { .. } | M::Died { .. } | M::Reset { .. } | M::ShutDown { .. } | M::Panicked { .. }
        )
    };
    view.machine(host).find(|(down, event)| {
        let begins = deed(view, host, *down).unwrap_or(LabTime(nanos_before(*down, PROOF_LAG)));
        is_down(event) && since <= *down && begins <= at
    })
}

/// When the step began that took `host` down at `down`, if a step did.
fn deed(view: &View<'_>, host: &str, down: LabTime) -> Option<LabTime> {
    let takes_down = |action: &Action| match action {
        Action::PowerOff(h) | Action::Reset(h) | Action::Shutdown(h) | Action::Reboot(h) => h == host,
        _ => false,
    };
    let steps = view.scenario.steps.iter().enumerate().filter(|(_, step)| takes_down(&step.action));
    steps.filter_map(|(index, _)| view.began(index)).filter(|began| *began <= down).max()
}

fn nanos_before(at: LabTime, by: Duration) -> u64 {
    at.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX))
}

/// Whether the host's boot id at the end is another than that of its first boot.
pub(super) fn boot_id(view: &View<'_>, host: &str, changed: bool) -> Finding {
    let boots: Vec<(LabTime, &str)> = view
        .machine(host)
        .filter_map(|(at, event)| match event {
            MachineEvent::Booted { boot_id, .. } => Some((at, boot_id.as_str())),
            _ => None,
        })
        .collect();
    let (Some(first), Some(last)) = (boots.first(), boots.last()) else {
        return Finding::unknown(format!("{host} never came up, so its boot id is not known."), None);
    };
    let evidence = boots.iter().map(|(at, id)| Evidence { at: *at, text: format!("{host} booted: {id}"), frame: None });
    if first.1 == last.1 {
        // No other id so far. Another could follow if the run broke off, or if the machine started over unseen.
        if let Some(step) = view.broken_at() {
            let step = words::step(view.scenario, step);
            return Finding::unknown(
                format!("{host} had booted with one id so far, and the run broke off in {step}."),
                None,
            );
        }
        if let Some((at, event)) = view.machine(host).find(|(at, event)| *at > last.0 && starts_over(event)) {
            let what = words::machine(event);
            let why = format!("{host} {what} at {at} s, and its boot id was not read again after that.");
            return Finding::unknown(why, None);
        }
    }
    let why = match boots.len() {
        1 => format!("{host} booted once, at {} s, with boot id {}.", first.0, short(first.1)),
        _ => format!(
            "{host} booted at {} s with boot id {}, and at {} s with boot id {}.",
            first.0,
            short(first.1),
            last.0,
            short(last.1)
        ),
    };
    if changed == (first.1 != last.1) {
        return Finding::held(why).evidence(evidence);
    }
    let expected = if changed { format!("another boot id than {}", first.1) } else { format!("boot id {}", first.1) };
    let came = boots.iter().map(|(at, id)| format!("{at}  boot id {id}")).collect();
    Finding::not_held(why).versus(vec![expected], came).evidence(evidence)
}

/// A boot id's first eight digits, which is all that a person compares; the evidence holds it whole.
fn short(boot_id: &str) -> &str {
    boot_id.split('-').next().unwrap_or(boot_id)
}

fn starts_over(event: &MachineEvent) -> bool {
    matches!(event, MachineEvent::Reset { .. } | MachineEvent::PoweredOn { .. })
}

/// How often a host's carrier was lost during one of its boots.
struct Count {
    /// When the kernel was last asked in this boot.
    at: LabTime,
    lost: u32,
    up: bool,
}

/// Whether a host's carrier was lost, as its own kernel counts, boot by boot.
pub(super) fn carrier(view: &View<'_>, host: &str, lost: bool) -> Finding {
    let boots = counts(view, host);
    let evidence: Vec<Evidence> = boots
        .iter()
        .flatten()
        .map(|c| Evidence { at: c.at, text: format!("{host}: {}", counted(c)), frame: None })
        .collect();
    let losses = boots.iter().flatten().find(|c| c.lost > 0 || !c.up);
    let unasked = boots.iter().position(Option::is_none);
    match (losses, unasked) {
        (Some(count), _) if lost => {
            Finding::held(format!("At {} s, {host}'s kernel said: {}.", count.at, counted(count))).evidence(evidence)
        }
        (Some(count), _) => Finding::not_held(format!("At {} s, {host}'s kernel said: {}.", count.at, counted(count)))
            .versus(vec!["carrier lost 0 times".to_owned()], vec![format!("{}  {}", count.at, counted(count))])
            .evidence(evidence),
        (None, Some(boot)) => {
            let which =
                if boots.len() == 1 { String::new() } else { format!(" in boot {} of {}", boot + 1, boots.len()) };
            Finding::unknown(
                format!("{host}'s kernel was not asked{which}, or but once, how often it had lost carrier."),
                None,
            )
        }
        (None, None) if boots.is_empty() => {
            Finding::unknown(format!("{host} never came up, so its carrier is not known."), None)
        }
        (None, None) => {
            // Its kernel says so up to when it was last asked; what a run that broke off had still in store is open.
            if let Some(step) = view.broken_at() {
                let step = words::step(view.scenario, step);
                return Finding::unknown(
                    format!("{host} had lost no carrier so far, and the run broke off in {step}."),
                    None,
                );
            }
            let asked = boots.iter().flatten().map(|c| format!("{} s", c.at)).collect::<Vec<_>>().join(" and ");
            let why = format!("Asked at {asked}, {host}'s kernel had lost carrier 0 times since it came up.");
            if lost {
                let came = vec!["carrier lost 0 times".to_owned()];
                return Finding::not_held(why)
                    .versus(vec!["carrier lost at least once".to_owned()], came)
                    .evidence(evidence);
            }
            Finding::held(why).evidence(evidence)
        }
    }
}

fn counted(count: &Count) -> String {
    let up = if count.up { "" } else { ", and there is none now" };
    format!("carrier lost {}{up}", words::plural(count.lost as usize, "time"))
}

/// For each boot of the host its last count, less the first one if it was asked more than once: some drivers count
/// one loss while they set the link up (virtio_net does so in its probe, before it knows that the link is up).
fn counts(view: &View<'_>, host: &str) -> Vec<Option<Count>> {
    let mut boots: Vec<Vec<Count>> = Vec::new();
    for (at, event) in view.machine(host) {
        match (event, boots.last_mut()) {
            (MachineEvent::Booted { .. }, _) => boots.push(Vec::new()),
            (MachineEvent::Carrier { up, down_count }, Some(boot)) => {
                boot.push(Count { at, lost: *down_count, up: *up })
            }
            _ => {}
        }
    }
    let last = |asked: Vec<Count>| {
        // Asked once, as when the run broke off early: whose loss it counts nobody can tell.
        if let [Count { up: true, lost: 1.., .. }] = asked[..] {
            return None;
        }
        let before = if asked.len() > 1 { asked.first().map_or(0, |c| c.lost) } else { 0 };
        asked.into_iter().last().map(|c| Count { lost: c.lost.saturating_sub(before), ..c })
    };
    boots.into_iter().map(last).collect()
}
