//! "Program P ended so": its exit status or signal, as the control channel tells it, and whether its host was
//! still there to tell it.

use super::verdict::{Evidence, Finding};
use super::view::View;
use super::{host, words};
use crate::scenario::{Action, Moment, ProgramEnd};
use crate::timeline::{Ended, LabTime, MachineEvent, ProgramEvent};

pub(super) fn find(view: &View<'_>, program: &str, how: &ProgramEnd, when: &Moment) -> Finding {
    let window = view.window(when);
    if *how == ProgramEnd::Running {
        return running(view, program, when);
    }
    let inside: Vec<(LabTime, &Ended)> = ends(view, program).filter(|(at, _)| window.holds(*at)).collect();
    if let Some((at, end)) = inside.iter().find(|(at, end)| fits(view, program, how, *at, end)) {
        let value = (*how == ProgramEnd::Any).then(|| end.to_string());
        return Finding::held(format!("{program} {} at {at} s.", told(view, program, *at, end)))
            .value(value)
            .evidence(evidence(view, program, *at, end));
    }
    let unseen = inside.iter().find(|(at, end)| is_lost(end) && died_with_host(view, program, *at).is_none());
    if let (Some((at, end)), false) = (unseen, *how == ProgramEnd::WithHost) {
        return Finding::unknown(
            format!("{program} {end} at {at} s although its host lived on: nobody can tell how it ended."),
            None,
        );
    }
    if let (true, Some(gap)) = (inside.is_empty(), &window.gap) {
        return Finding::unknown(format!("{program} had not ended so far, and {gap}."), window.open_until);
    }
    let why = match (inside.last(), last(view, program)) {
        _ if !was_started(view, program) => format!("{program} was never started."),
        (Some((at, end)), _) => format!("{program} {} at {at} s.", told(view, program, *at, end)),
        (None, Some((at, end))) => format!(
            "{program} {} at {at} s, which is not{}.",
            told(view, program, at, end),
            words::moment(view.scenario, when)
        ),
        (None, None) => format!("{program} was still running when the run ended at {} s.", view.end),
    };
    let mut came = last_words(view, program);
    match inside.last().copied().or_else(|| last(view, program)) {
        Some((at, end)) => came.push(format!("{at}  ({program} {end})")),
        None => came.push(format!("{}  ({program} was still running)", view.end)),
    }
    let decisive = inside.last().copied().or_else(|| last(view, program));
    Finding::not_held(why)
        .versus(vec![format!("{program} {}", words::end(how))], came)
        .evidence(decisive.into_iter().flat_map(|(at, end)| evidence(view, program, at, end)))
}

fn running(view: &View<'_>, program: &str, when: &Moment) -> Finding {
    let window = view.window(when);
    let expected = vec![format!("{program} {}", words::end(&ProgramEnd::Running))];
    if !was_started(view, program) {
        let Some(gap) = window.gap else {
            return Finding::not_held(format!("{program} was never started.")).versus(expected, Vec::new());
        };
        return Finding::unknown(format!("{program} was never started, and {gap}."), window.open_until);
    }
    match last(view, program).filter(|(at, _)| window.is_before_end(*at)) {
        Some((at, end)) if lost_from_sight(view, program).is_some() => {
            Finding::unknown(format!("{program} {end} at {at} s: nobody can tell whether it still runs."), None)
        }
        Some((at, end)) => Finding::not_held(format!("{program} {} at {at} s.", told(view, program, at, end)))
            .versus(expected, vec![format!("{at}  ({program} {end})")])
            .evidence(evidence(view, program, at, end)),
        None => match window.gap {
            Some(gap) => Finding::unknown(format!("{program} was still running, but {gap}."), window.open_until),
            None => Finding::held(format!("{program} had not ended when watching did, at {} s.", view.end)),
        },
    }
}

fn fits(view: &View<'_>, program: &str, how: &ProgramEnd, at: LabTime, end: &Ended) -> bool {
    match (how, end) {
        (ProgramEnd::Exit(wanted), Ended::Exit(status)) => wanted == status,
        (ProgramEnd::Signal(wanted), Ended::Signal(name)) => wanted == name,
        (ProgramEnd::Any, Ended::Exit(_) | Ended::Signal(_)) => true,
        (ProgramEnd::WithHost, Ended::Lost(_)) => died_with_host(view, program, at).is_some(),
        _ => false,
    }
}

/// The end in words; an end that nobody could tell is explained by what happened to the host.
fn told(view: &View<'_>, program: &str, at: LabTime, end: &Ended) -> String {
    match (end, died_with_host(view, program, at)) {
        (Ended::Lost(_), Some((down, event))) => {
            format!("died with its host ({} {} at {down} s)", host_of(view, program), words::machine(event))
        }
        _ => end.to_string(),
    }
}

fn evidence(view: &View<'_>, program: &str, at: LabTime, end: &Ended) -> Vec<Evidence> {
    let mut found = vec![Evidence { at, text: format!("{program} {end}"), frame: None }];
    if let (Ended::Lost(_), Some((at, event))) = (end, died_with_host(view, program, at)) {
        let text = format!("{} {}", host_of(view, program), words::machine(event));
        found.push(Evidence { at, text, frame: None });
    }
    found
}

/// The last lines it printed: a program that ends badly mostly says why.
fn last_words(view: &View<'_>, program: &str) -> Vec<String> {
    let said = |(at, event): (LabTime, &ProgramEvent)| match event {
        ProgramEvent::Line { text } => Some(format!("{at}  {text}")),
        _ => None,
    };
    let mut lines: Vec<String> = view.program(program).rev().filter_map(said).take(2).collect();
    lines.reverse();
    lines
}

fn ends<'a>(view: &View<'a>, program: &str) -> impl Iterator<Item = (LabTime, &'a Ended)> {
    let ends: Vec<_> = view
        .program(program)
        .filter_map(|(at, event)| match event {
            ProgramEvent::Ended { how } => Some((at, how)),
            _ => None,
        })
        .collect();
    ends.into_iter()
}

/// How the program ended, if it has not been started again since.
pub(super) fn last<'a>(view: &View<'a>, program: &str) -> Option<(LabTime, &'a Ended)> {
    let started = started(view, program)?;
    ends(view, program).filter(|(at, _)| *at >= started).last()
}

pub(super) fn was_started(view: &View<'_>, program: &str) -> bool {
    started(view, program).is_some()
}

fn started(view: &View<'_>, program: &str) -> Option<LabTime> {
    view.program(program).rev().find(|(_, event)| matches!(event, ProgramEvent::Started { .. })).map(|(at, _)| at)
}

/// When the program was lost from sight although its host lived: what it did after that, nobody knows.
pub(super) fn lost_from_sight<'a>(view: &View<'a>, program: &str) -> Option<(LabTime, &'a Ended)> {
    last(view, program).filter(|(at, end)| is_lost(end) && died_with_host(view, program, *at).is_none())
}

/// Whether it has ended and no step that has yet to begin starts it again: nothing more can come from it.
pub(super) fn for_good(view: &View<'_>, program: &str) -> bool {
    let starts_later = view.scenario.steps.iter().enumerate().any(|(index, step)| {
        matches!(&step.action, Action::Start { program: name, .. } if name == program) && view.began(index).is_none()
    });
    last(view, program).is_some() && lost_from_sight(view, program).is_none() && !starts_later
}

/// What took the program's host down, if that is what ended the program, whose end was noted at `at`.
fn died_with_host<'a>(view: &View<'a>, program: &str, at: LabTime) -> Option<(LabTime, &'a MachineEvent)> {
    let is_start = |event: &ProgramEvent| matches!(event, ProgramEvent::Started { .. });
    let (started, _) = view.program(program).rev().find(|(time, event)| *time <= at && is_start(event))?;
    host::went_down(view, host_of(view, program), started, at)
}

fn is_lost(end: &Ended) -> bool {
    matches!(end, Ended::Lost(_))
}

fn host_of<'a>(view: &'a View<'_>, program: &str) -> &'a str {
    view.scenario.programs.get(program).map_or("", |p| p.host.as_str())
}
