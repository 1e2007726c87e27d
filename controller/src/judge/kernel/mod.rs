//! What a host's own kernel told: how often something happened, and what came instead.
//!
//! What is the same for all such claims is here: counting within the claim's time, and when a number is certain. What a
//! claim is about (calls, signals, states ...) has a file of its own, which says what fits and what comes near.

mod calls;
mod gaps;
mod signals;
mod states;
mod tcp;
mod words;
mod zombies;

pub use words::event;
pub(super) use zombies::find as zombies;

use super::verdict::{Evidence, Finding};
use super::view::{View, Window};
use super::{ended, errno};
use crate::scenario::{self, Count, KernelClaim, KernelPattern, Scenario};
use crate::timeline::{KernelEvent, LabTime, Process};

/// How many events a judgement names.
const SHOWN: usize = 5;

/// What a claim is about.
trait Sought {
    /// The host whose kernel is asked.
    fn host<'a>(&'a self, scenario: &'a Scenario) -> &'a str;

    /// The program that it is about, if it is about one.
    fn program(&self) -> Option<&str> {
        None
    }

    /// All events that are worth showing to somebody who looks for this one, as a noun in the plural.
    fn kind(&self) -> String;

    /// Whether an event is of that kind.
    fn is_of_kind(&self, event: &KernelEvent) -> bool;

    /// Whether it is what is sought. Only asked of events of the kind.
    fn fits(&self, event: &KernelEvent) -> bool;

    /// Whether an event, told at `at`, lies in `window`.
    fn is_in(&self, window: &Window, at: LabTime, _event: &KernelEvent) -> bool {
        window.holds(at)
    }

    /// How near an event comes to what is sought: the more, the nearer.
    fn nearness(&self, _event: &KernelEvent) -> u8 {
        0
    }

    /// What was measured of an event that fits, where the claim leaves that open.
    fn value(&self, _event: &KernelEvent) -> Option<String> {
        None
    }

    /// Whether it could be a system call of this name.
    fn needs(&self, _call: &str) -> bool {
        false
    }

    /// Why not all of the kind was kept, as a clause, if it was not.
    fn unkept(&self, _kind: &[Told<'_>]) -> Option<String> {
        None
    }

    /// Whether an event may fit only because something was not seen: it is as uncertain as an absence then.
    fn is_uncertain(&self) -> bool {
        false
    }
}

type Told<'a> = (LabTime, &'a KernelEvent);

pub(super) fn find(view: &View<'_>, claim: &KernelClaim) -> Finding {
    match &claim.what {
        KernelPattern::Call { program, family, descriptor, returns } => {
            judged(view, claim, &calls::Calls { program, family: *family, descriptor: *descriptor, returns })
        }
        KernelPattern::Delivered { program, signal, disposition } => {
            let wanted = signals::Wanted::Delivered(*disposition);
            judged(view, claim, &signals::Signals { program, signal, wanted })
        }
        KernelPattern::Sent { program, signal, outcome } => {
            let wanted = signals::Wanted::Sent(*outcome);
            judged(view, claim, &signals::Signals { program, signal, wanted })
        }
        KernelPattern::State { host, change } => judged(view, claim, &states::States::of(view.scenario, host, *change)),
        KernelPattern::Tcp { host, deed } => judged(view, claim, &tcp::Deeds::of(view.scenario, host, *deed)),
    }
}

fn judged(view: &View<'_>, claim: &KernelClaim, sought: &impl Sought) -> Finding {
    let window = view.window(&claim.when);
    let host = sought.host(view.scenario);
    let kind: Vec<Told<'_>> = view.kernel(host).filter(|(_, event)| sought.is_of_kind(event)).collect();
    let inside: Vec<Told<'_>> = kind.iter().copied().filter(|(at, e)| sought.is_in(&window, *at, e)).collect();
    let fitting: Vec<Told<'_>> = inside.iter().copied().filter(|(_, event)| sought.fits(event)).collect();
    let count = fitting.len();
    let certain = !sought.is_uncertain();
    let missed = gaps::Missed { host, program: sought.program(), call: &|call| sought.needs(call) };

    // Too many is certain at once; enough, where any larger number will do, is too. The rest waits for the end, and for
    // a trace without gaps.
    let finding = match claim.count {
        wanted if certain && wanted.is_exceeded(count) => failed(view, claim, sought, &inside, &fitting, &kind),
        wanted if certain && wanted.at_most.is_none() && wanted.holds(count) => Finding::held(counted(claim, &fitting)),
        wanted => {
            let so_far = || format!("{} so far", so_many(claim, count));
            if let Some(gap) = &window.gap {
                Finding::unknown(format!("{}, and {gap}.", so_far()), window.open_until)
            } else if let Some(gap) = sought.unkept(&kind).or_else(|| gaps::gap(view, missed, &window)) {
                Finding::unknown(format!("{} were told of, and {gap}.", so_many(claim, count)), None)
            } else if !wanted.holds(count) {
                failed(view, claim, sought, &inside, &fitting, &kind)
            } else if count > 0 {
                Finding::held(counted(claim, &fitting))
            } else {
                Finding::held(absence(view, claim, sought, &inside))
            }
        }
    };
    let finding = finding.evidence(fitting.iter().map(evidence)).counted(claim.count, count);
    let values: Vec<String> = distinct(fitting.iter().filter_map(|(_, event)| sought.value(event)));
    if values.is_empty() || claim.count.is_range() { finding } else { finding.value(Some(values.join(", "))) }
}

/// The host that a program runs on.
fn host_of<'a>(scenario: &'a Scenario, program: &str) -> &'a str {
    scenario.programs.get(program).map_or("", |program| program.host.as_str())
}

/// Whether a process is one of the program's.
fn is_of(process: Option<&Process>, program: &str) -> bool {
    process.is_some_and(|process| process.program.as_deref() == Some(program))
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut found = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn evidence((at, event): &Told<'_>) -> Evidence {
    Evidence { at: *at, text: words::event(event), frame: None }
}

/// `3 read calls by echo-client on a connection`.
fn so_many(claim: &KernelClaim, count: usize) -> String {
    format!("{count} {}", scenario::noun(&claim.what, count != 1))
}

/// What fits, naming the first, and the last of several.
fn counted(claim: &KernelClaim, fitting: &[Told<'_>]) -> String {
    let said = |(at, event): &Told<'_>| format!("at {at} s, {}", words::event(event));
    match fitting {
        [] => String::new(),
        [only] => format!("{}.", capital(&said(only))),
        [first, .., last] if claim.count == Count::SOME => {
            format!("{}; the last of {} such was {}.", capital(&said(first)), fitting.len(), said(last))
        }
        [first, .., last] => {
            format!("{}: the first {}; the last {}.", so_many(claim, fitting.len()), said(first), said(last))
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// That nothing fits, and how much there was to choose from.
fn absence(view: &View<'_>, claim: &KernelClaim, sought: &impl Sought, inside: &[Told<'_>]) -> String {
    let moment = super::words::moment(view.scenario, &claim.when);
    match inside.len() {
        0 => format!("The kernel of {} told of no {}{moment}.", sought.host(view.scenario), sought.kind()),
        n => format!("None of {n} {}{moment} fits.", sought.kind()),
    }
}

fn failed(
    view: &View<'_>,
    claim: &KernelClaim,
    sought: &impl Sought,
    inside: &[Told<'_>],
    fitting: &[Told<'_>],
    kind: &[Told<'_>],
) -> Finding {
    let scenario = view.scenario;
    let moment = super::words::moment(scenario, &claim.when);
    let expected = format!("{} {}", claim.count, scenario::noun(&claim.what, claim.count.is_plural()));
    let mut nearest = inside.to_vec();
    // Stable, and later ones first: of equals the last is the likeliest to be what was meant.
    nearest.reverse();
    nearest.sort_by_key(|(_, event)| std::cmp::Reverse(sought.nearness(event)));
    let shown: &[Told<'_>] = if fitting.is_empty() { &nearest } else { fitting };

    let mut why = match (fitting, nearest.first()) {
        (_, _) if sought.program().is_some_and(|program| !ended::was_started(view, program)) => {
            format!("{} was never started.", sought.program().unwrap_or_default())
        }
        ([], Some((at, event))) => {
            let absence = absence(view, claim, sought, inside);
            format!("{absence} The nearest: at {at} s, {}.", words::event(event))
        }
        ([], None) => absence(view, claim, sought, inside),
        (fitting, _) => counted(claim, fitting),
    };
    if let (true, Some((at, _))) = (fitting.is_empty(), kind.iter().rev().find(|(_, event)| sought.fits(event))) {
        why += &format!(" One was told of at {at} s, which is not{moment}.");
    }
    let mut came: Vec<String> = shown.iter().take(SHOWN).map(row).collect();
    if shown.len() > SHOWN {
        came.push(format!("... and {} more", shown.len() - SHOWN));
    }
    let end = sought.program().and_then(|program| Some((program, ended::last(view, program)?)));
    came.extend(end.map(|(program, (at, how))| format!("{at}  ({program} {how})")));
    let named: Vec<&str> = std::iter::once(expected.as_str()).chain(came.first().map(String::as_str)).collect();
    let meaning = errno::explained(named);
    let when = Some(moment.trim().to_owned()).filter(|text| !text.is_empty());
    Finding::not_held(why).versus([expected].into_iter().chain(when).collect(), came).meaning(meaning)
}

fn row((at, event): &Told<'_>) -> String {
    format!("{at}  {}", words::event(event))
}
