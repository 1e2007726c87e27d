//! "Program P printed T": its lines, as they came over the control channel.

use super::verdict::{Evidence, Finding};
use super::view::{View, Window};
use super::{closest, ended, errno, words};
use crate::scenario::Moment;
use crate::timeline::{Frame, FrameKind, LabTime, ProgramEvent};

/// How many lines a failure shows.
const SHOWN: usize = 5;

pub(super) fn find(view: &View<'_>, program: &str, text: &str, seen: bool, when: &Moment) -> Finding {
    let window = view.window(when);
    let lines: Vec<(LabTime, &str)> = view
        .program(program)
        .filter_map(|(at, event)| match event {
            ProgramEvent::Line { text } => Some((at, text.as_str())),
            _ => None,
        })
        .collect();
    let inside: Vec<(LabTime, &str)> = lines.iter().copied().filter(|(at, _)| window.holds(*at)).collect();
    let found = inside.iter().copied().find(|(_, line)| line.contains(text));

    match (found, seen) {
        (Some((at, line)), true) => {
            Finding::held(format!("{program} printed {line:?} at {at} s.")).evidence([printed(program, at, line)])
        }
        (Some((at, line)), false) => Finding::not_held(format!("{program} printed {line:?} at {at} s."))
            .versus(vec![format!("no line with: {text}")], vec![row(at, line)])
            .meaning(errno::explained([line]))
            .evidence([printed(program, at, line)]),
        (None, seen) => match (unwatched(view, program, &window), seen) {
            (Some(why), _) => Finding::unknown(
                format!("{program} had not printed {text:?} so far, and {why}."),
                window.open_until.filter(|_| window.gap.is_some()),
            ),
            (None, false) => Finding::held(absence(program, &inside, view, when)),
            (None, true) => missing(view, program, text, when, &lines, inside),
        },
    }
}

/// Why later lines may have gone unseen, if they may: the window was not watched to its end although the program
/// could still speak, or nobody could hear it.
fn unwatched(view: &View<'_>, program: &str, window: &Window) -> Option<String> {
    if let Some((at, _)) = ended::lost_from_sight(view, program) {
        return Some(format!("its control channel was lost at {at} s although its host lived on"));
    }
    if let Some(at) = muted(view, program, window) {
        return Some(format!("it had printed so much that from {at} s on its lines were not kept"));
    }
    let gap = window.gap.clone()?;
    let over = window.from.is_some() && ended::for_good(view, program);
    (!over).then_some(gap)
}

/// Since when lines of the time in question were printed and not kept, if any were: from when it was muted until it was started
/// again.
fn muted(view: &View<'_>, program: &str, window: &Window) -> Option<LabTime> {
    let mut since = None;
    for (at, event) in view.program(program) {
        match event {
            ProgramEvent::Muted => since = Some(at),
            ProgramEvent::Started { .. } if window.from.is_some_and(|from| from >= at) => since = None,
            _ => {}
        }
    }
    since.filter(|at| window.is_before_end(*at))
}

fn absence(program: &str, inside: &[(LabTime, &str)], view: &View<'_>, when: &Moment) -> String {
    let moment = words::moment(view.scenario, when);
    match inside.len() {
        0 => format!("{program} printed nothing{moment}."),
        1 => format!("The one line that {program} printed{moment} is another."),
        n => format!("None of the {n} lines that {program} printed{moment} holds it."),
    }
}

fn missing(
    view: &View<'_>,
    program: &str,
    text: &str,
    when: &Moment,
    all: &[(LabTime, &str)],
    inside: Vec<(LabTime, &str)>,
) -> Finding {
    let moment = words::moment(view.scenario, when);
    let count = inside.len();
    let nearest = closest::nearest_first(text, inside);
    let mut why = match nearest.first() {
        _ if !ended::was_started(view, program) => format!("{program} was never started."),
        Some((at, line)) if count == 1 => {
            format!("The one line that {program} printed{moment} is {line:?}, at {at} s.")
        }
        Some((at, line)) => {
            format!(
                "None of the {count} lines that {program} printed{moment} holds it; the nearest is {line:?}, at {at} s."
            )
        }
        None => format!("{program} printed nothing{moment}."),
    };
    let reset = nearest.first().and_then(|(at, line)| reset_behind(view, program, *at, line));
    if let Some((at, frame)) = reset {
        why += &format!(" The RST it speaks of is {}.", words::numbered(at, frame));
    }
    let elsewhere = all.iter().find(|(_, line)| line.contains(text));
    if let Some((at, _)) = elsewhere {
        why += &format!(" It printed such a line at {at} s, which is not in that time.");
    }
    let mut came: Vec<String> = nearest.iter().take(SHOWN).map(|(at, line)| row(*at, line)).collect();
    if count > SHOWN {
        came.push(format!("... and {}", words::plural(count - SHOWN, "other line")));
    }
    came.extend(ended::last(view, program).map(|(at, how)| row(at, &format!("({program} {how})"))));
    let nearest_line = nearest.first().map(|(_, line)| *line);
    Finding::not_held(why)
        .versus(vec![text.to_owned()], came)
        .meaning(errno::explained([text].into_iter().chain(nearest_line)))
        .evidence(nearest.first().map(|(at, line)| printed(program, *at, line)))
        .evidence(reset.map(|(at, frame)| Evidence { at, text: words::frame(frame), frame: Some(frame.number) }))
}

/// For a line that tells of a reset: the last RST that reached the program's host before it.
fn reset_behind<'a>(view: &View<'a>, program: &str, at: LabTime, line: &str) -> Option<(LabTime, &'a Frame)> {
    let to = Some(&view.scenario.programs.get(program)?.host);
    let speaks_of_reset = errno::errnos_in(line).iter().any(|e| e.name == "ECONNRESET");
    let is_reset = |frame: &Frame| matches!(&frame.kind, FrameKind::Tcp(s) if s.flags.rst) && frame.to.as_ref() == to;
    view.frames().rev().find(|(seen, frame)| speaks_of_reset && *seen <= at && is_reset(frame))
}

fn row(at: LabTime, text: &str) -> String {
    format!("{at}  {text}")
}

fn printed(program: &str, at: LabTime, line: &str) -> Evidence {
    Evidence { at, text: format!("{program} printed {line:?}"), frame: None }
}
