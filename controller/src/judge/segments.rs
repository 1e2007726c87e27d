//! "Segments of this flow were seen, or not": the frames on the cable, and which ones they answer.

use super::verdict::{Evidence, Finding};
use super::view::{View, Window};
use super::{answer, flow, words};
use crate::scenario::{Answering, SegmentClaim, SegmentKind};
use crate::timeline::{Frame, LabTime};

type Seen<'a> = (LabTime, &'a Frame);

/// How many frames a judgement names.
const SHOWN: usize = 4;

pub(super) fn find(view: &View<'_>, claim: &SegmentClaim) -> Finding {
    let window = view.window(&claim.when);
    let frames: Vec<Seen<'_>> = view.frames().collect();
    if claim.answering.is_some() && claim.flow.kind.is_some_and(|k| matches!(k, SegmentKind::Icmp | SegmentKind::Arp)) {
        let noun = flow::noun(&claim.flow, true);
        return Finding::unknown(
            format!("What {noun} answer is not told by their numbers; claim their kind and time."),
            None,
        );
    }
    let fitting: Vec<Fit<'_>> = frames
        .iter()
        .filter(|(at, frame)| window.holds(*at) && flow::fits(&claim.flow, frame))
        .filter_map(|seen| Fit::of(view, &frames, *seen, claim.answering.as_ref()))
        .collect();
    let count = fitting.len();
    let evidence = evidence(&fitting);
    let in_words = told(&fitting, claim);

    // Too many is certain at once; enough, where any larger number will do, is too. The rest waits for the end.
    let finding = match claim.count {
        wanted if wanted.is_exceeded(count) => {
            let (expected, came) = sides(view, claim, &fitting);
            Finding::not_held(in_words).versus(expected, came).evidence(evidence)
        }
        wanted if wanted.at_most.is_none() && wanted.holds(count) => Finding::held(in_words).evidence(evidence),
        _ if window.gap.is_some() => {
            let gap = window.gap.clone().unwrap_or_default();
            let so_far = flow::counted(&claim.flow, count);
            Finding::unknown(format!("{so_far} so far, and {gap}."), window.open_until).evidence(evidence)
        }
        wanted if wanted.holds(count) => {
            let why = if count > 0 { in_words } else { absence(view, claim, &frames, &window) };
            Finding::held(why).evidence(evidence)
        }
        _ => {
            let near = near_miss(view, claim, &frames, &window);
            let why = match (count, near) {
                (0, Some(why)) => why,
                (0, None) => absence(view, claim, &frames, &window),
                (_, _) => in_words,
            };
            let (expected, mut came) = sides(view, claim, &fitting);
            if count == 0 {
                came = rows(&in_question(claim, &frames, &window));
            }
            Finding::not_held(why).versus(expected, came).evidence(evidence)
        }
    };
    finding.counted(claim.count, count)
}

/// A frame that fits, and the one that it answers, where that is asked.
struct Fit<'a> {
    seen: Seen<'a>,
    answers: Option<Seen<'a>>,
}

impl<'a> Fit<'a> {
    fn of(view: &View<'_>, frames: &[Seen<'a>], seen: Seen<'a>, asked: Option<&Answering>) -> Option<Self> {
        let Some(asked) = asked else { return Some(Self { seen, answers: None }) };
        let answered = answer::answered(frames, seen.0, seen.1);
        let fits = |(at, frame): &&Seen<'_>| {
            flow::fits(&asked.flow, frame)
                && asked.after.is_none_or(|step| view.began(step).is_some_and(|began| began <= *at))
        };
        // Several may have the same numbers; the latest is the likeliest cause.
        let latest = answered.iter().rev().find(fits)?;
        Some(Self { seen, answers: Some(*latest) })
    }
}

fn evidence(fitting: &[Fit<'_>]) -> Vec<Evidence> {
    let frame = |(at, frame): Seen<'_>, text: String| Evidence { at, text, frame: Some(frame.number) };
    let mut found = Vec::new();
    for fit in fitting {
        found.push(frame(fit.seen, words::frame(fit.seen.1)));
        if let Some(answered) = fit.answers {
            let by = fit.seen.1.number;
            found.push(frame(answered, format!("{}, answered by frame {by}", words::frame(answered.1))));
        }
    }
    found
}

/// What was seen, naming the first frames: `A RST from server came: frame 41 at 8.410 s. It answers frame 40 ...`.
fn told(fitting: &[Fit<'_>], claim: &SegmentClaim) -> String {
    let Some(first) = fitting.first() else { return String::new() };
    let (at, frame) = first.seen;
    let answers = match first.answers {
        Some((sent, answered)) => {
            format!(", which answers {} ({})", words::numbered(sent, answered), words::frame(answered))
        }
        None => String::new(),
    };
    let what = format!("{} ({}){answers}", words::numbered(at, frame), words::frame(frame));
    match fitting.len() {
        1 => format!("{} came: {what}.", capital(&flow::one(&claim.flow))),
        count => format!("{} came; the first is {what}.", capital(&flow::counted(&claim.flow, count))),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What was seen instead of the segments that were not: what else of their family the same hosts did send in that time.
fn absence(view: &View<'_>, claim: &SegmentClaim, frames: &[Seen<'_>], window: &Window) -> String {
    let others = in_question(claim, frames, window);
    let moment = words::moment(view.scenario, &claim.when);
    let way = flow::way(&claim.flow);
    let family = flow::family(&claim.flow);
    match (others.first(), others.last()) {
        (Some((_, first)), Some((_, last))) if others.len() > 1 => {
            let of = flow::counted(&family, others.len());
            let one = flow::one(&claim.flow);
            format!("None of the {of}{way}{moment} (frames {} to {}) is {one}.", first.number, last.number)
        }
        (Some((at, only)), _) => {
            let noun = flow::noun(&family, false);
            format!("The one {noun}{way}{moment} is {} ({}).", words::numbered(*at, only), words::frame(only))
        }
        _ => format!("No {} at all{way} was seen{moment}.", flow::noun(&family, false)),
    }
}

/// What went the claim's way in its time and is of its family, fitting or not.
fn in_question<'a>(claim: &SegmentClaim, frames: &[Seen<'a>], window: &Window) -> Vec<Seen<'a>> {
    let any = flow::family(&claim.flow);
    frames.iter().filter(|(at, frame)| window.holds(*at) && flow::fits(&any, frame)).copied().collect()
}

/// The frame that comes nearest to the claim, and what keeps it from fitting; none if there is nothing like it.
fn near_miss(view: &View<'_>, claim: &SegmentClaim, frames: &[Seen<'_>], window: &Window) -> Option<String> {
    let one = capital(&flow::one(&claim.flow));
    let came =
        |(at, frame): Seen<'_>, but: String| Some(format!("{one} came, {}, but {but}.", words::numbered(at, frame)));
    let inside = || frames.iter().filter(|(at, _)| window.holds(*at));
    if let Some(seen) = inside().find(|(_, frame)| flow::fits(&claim.flow, frame)) {
        return came(*seen, wrong_answer(view, claim.answering.as_ref()?, frames, *seen));
    }
    if let Some(seen) = frames.iter().rev().find(|(_, frame)| flow::fits(&claim.flow, frame)) {
        return came(*seen, format!("that is not{}", words::moment(view.scenario, &claim.when)));
    }
    let alike = inside().find(|(_, frame)| flow::is_alike(&claim.flow, frame))?;
    came(*alike, format!("it went another way: {}", words::frame(alike.1)))
}

/// Why the frame `seen` answers nothing that the claim asks for.
fn wrong_answer(view: &View<'_>, asked: &Answering, frames: &[Seen<'_>], seen: Seen<'_>) -> String {
    let answered = answer::answered(frames, seen.0, seen.1);
    let Some((sent, frame)) = answered.iter().rev().find(|(_, f)| flow::fits(&asked.flow, f)).or(answered.last())
    else {
        return "by its numbers it answers no segment that had reached its sender".to_owned();
    };
    let which = format!("it answers {} ({})", words::numbered(*sent, frame), words::frame(frame));
    if !flow::fits(&asked.flow, frame) {
        return format!("{which}, which is not {}{}", flow::one(&asked.flow), flow::way(&asked.flow));
    }
    match asked.after {
        Some(step) => format!("{which}, which was sent before {}", words::step(view.scenario, step)),
        None => which,
    }
}

fn sides(view: &View<'_>, claim: &SegmentClaim, fitting: &[Fit<'_>]) -> (Vec<String>, Vec<String>) {
    let mut expected = vec![format!("{}{}", flow::numbered(&claim.flow, claim.count), flow::way(&claim.flow))];
    expected.extend(words::answering(view.scenario, claim).map(|text| text.trim_matches([',', ' ']).to_owned()));
    expected.extend(Some(words::moment(view.scenario, &claim.when).trim().to_owned()).filter(|text| !text.is_empty()));
    let seen: Vec<Seen<'_>> = fitting.iter().map(|fit| fit.seen).collect();
    (expected, rows(&seen))
}

/// The first and the last of `frames`, a line each.
fn rows(frames: &[Seen<'_>]) -> Vec<String> {
    let row = |(at, frame): &Seen<'_>| format!("{at}  frame {}: {}", frame.number, words::frame(frame));
    if frames.len() <= SHOWN {
        return frames.iter().map(row).collect();
    }
    let (head, tail) = (&frames[..SHOWN / 2], &frames[frames.len() - SHOWN / 2..]);
    let between = format!("... {}", words::plural(frames.len() - SHOWN, "other segment"));
    head.iter().map(row).chain([between]).chain(tail.iter().map(row)).collect()
}
