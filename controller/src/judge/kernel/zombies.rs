//! "Program P had so many zombies": processes that it forked, that ended, and that nobody waited for.

use super::{gaps, host_of, is_of, words};
use crate::judge::verdict::{Evidence, Finding};
use crate::judge::view::View;
use crate::scenario::{self, Count, Moment};
use crate::timeline::{KernelEvent, KernelFact, LabTime};

pub(in crate::judge) fn find(view: &View<'_>, program: &str, wanted: Count, before: Option<usize>) -> Finding {
    let window = view.window(&Moment { before, ..Moment::default() });
    let (host, end) = (host_of(view.scenario, program), window.until(view));
    if let Some(gap) = window.gap {
        return Finding::unknown(format!("The zombies of {program} cannot be counted: {gap}."), None);
    }
    // Just before the end: a host whose power is cut then still has its processes.
    let last = LabTime(end.0.saturating_sub(1));
    let Some(began) = gaps::life_at(view, host, last) else {
        return judged(view, program, wanted, &[], format!("{host} was off, and held no process any more."));
    };
    // Its own end does not end its zombies' story: they are init's to wait for then.
    let missed = gaps::Missed { host, program: None, call: &|_| false };
    if let Some(gap) = gaps::between(view, missed, began, end) {
        return Finding::unknown(format!("The zombies of {program} cannot be counted: {gap}."), None);
    }
    let zombies = zombies(view, program, host, began, end);
    let ended = view.kernel(host).filter(|(at, event)| began <= *at && *at < end && child_of(event, program)).count();
    let children = format!("{ended} {} of {program} had ended", if ended == 1 { "child" } else { "children" });
    let why = match (ended, zombies.len()) {
        (0, _) => format!("No child of {program} had ended."),
        (_, 0) => format!("{children}, and every one was waited for."),
        (ended, left) if ended == left => format!("{children}, and none was waited for."),
        (_, left) => {
            format!("{children}, and {left} of them {} not waited for.", if left == 1 { "was" } else { "were" })
        }
    };
    judged(view, program, wanted, &zombies, why)
}

type Ended<'a> = (LabTime, &'a KernelEvent);

fn judged(view: &View<'_>, program: &str, wanted: Count, zombies: &[Ended<'_>], why: String) -> Finding {
    let count = zombies.len();
    let told = |(at, event): &Ended<'_>| Evidence { at: *at, text: words::event(event), frame: None };
    let finding = if wanted.holds(count) {
        Finding::held(why)
    } else {
        let expected = format!("{wanted} {}", scenario::zombies(program, wanted.is_plural()));
        let mut came = vec![format!("{count} {}", scenario::zombies(program, count != 1))];
        came.extend(zombies.iter().map(|(at, event)| format!("{at}  {}", words::event(event))));
        came.extend(crate::judge::ended::last(view, program).map(|(at, how)| format!("{at}  ({program} {how})")));
        Finding::not_held(why).versus(vec![expected], came)
    };
    finding.evidence(zombies.iter().map(told)).value(Some(count.to_string()))
}

/// The ends of the program's children that ended in that time and were not waited for in it.
fn zombies<'a>(view: &View<'a>, program: &str, host: &str, began: LabTime, end: LabTime) -> Vec<Ended<'a>> {
    let mut zombies: Vec<Ended<'a>> = Vec::new();
    for (at, event) in view.kernel(host).filter(|(at, _)| began <= *at && *at < end) {
        match &event.fact {
            KernelFact::Reaped { child_pid } => {
                zombies.retain(|(_, zombie)| zombie.process.as_ref().is_none_or(|process| process.pid != *child_pid));
            }
            _ if child_of(event, program) => zombies.push((at, event)),
            _ => {}
        }
    }
    zombies
}

/// Whether a process that the program forked ended.
fn child_of(event: &KernelEvent, program: &str) -> bool {
    let is_child = event.process.as_ref().is_some_and(|process| process.child);
    matches!(event.fact, KernelFact::Exited { .. }) && is_child && is_of(event.process.as_ref(), program)
}
