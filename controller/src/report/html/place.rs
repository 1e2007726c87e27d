//! Rows to pictures: where every line, arrow and letter of a row stands.
//!
//! Each row is a picture of its own, as wide as the sheet; put one under the other they are the ladder. A row shows one mark,
//! and so what one says never lies on what another says.

use super::super::style::Paint;
use super::super::text::{columns, elided, wrapped};
use super::lanes::{Lanes, Sheet, Texts};
use super::mark::{Arrow, Fate, Mark, Shape};
use super::rows::{Cell, Row, Stroke, folded};

/// A text takes so many lines at most.
const LINES: usize = 4;
/// Height of a fold, and how far the lanes stay away from its tear.
const FOLD: i32 = 24;
const CLEAR: i32 = 5;
/// Columns of a line of text that is good to read.
const READABLE: usize = 78;

/// A row, as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) height: i32,
    pub(super) parts: Vec<Ink>,
}

/// A piece of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ink {
    /// A piece of a lane, from top to bottom.
    Lane { x: i32, top: i32, bottom: i32, stroke: Stroke },
    /// A stretch of colour behind everything.
    Band { top: i32, bottom: i32, paint: Paint },
    /// A point on a lane.
    Point { x: i32, y: i32, paint: Paint },
    /// A line of an arrow, without its tip.
    Line { from: (i32, i32), to: (i32, i32), paint: Paint, dashed: bool },
    /// The tip of an arrow that arrives, which came from the left or from the right.
    Tip { at: (i32, i32), rightwards: bool, paint: Paint },
    /// The end of an arrow that does not.
    Cross { at: (i32, i32) },
    /// A torn edge of the paper.
    Tear { y: i32 },
    /// A line of text; its foot stands at `y`.
    Text { x: i32, y: i32, anchor: Anchor, text: String, style: Letters },
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Said(Paint),
    /// Times and numbers, behind the story.
    Small,
    Head,
}

/// A row's picture on this sheet.
pub(super) fn picture(row: &Row, lanes: &Lanes, sheet: &Sheet) -> Picture {
    let top = row.space;
    let mut drawn = match &row.what {
        Cell::Mark(mark) => match (&mark.what, sheet.text) {
            (Shape::Arrow(arrow), Texts::Beside) => arrow_named(mark, arrow, lanes, sheet, top),
            (Shape::Arrow(arrow), Texts::Column(left)) => arrow_beside_text(mark, arrow, lanes, sheet, (top, left)),
            (Shape::Note { lane, who, text }, _) => note(mark, (*lane, who, text), lanes, sheet, top),
            (Shape::Band { head, proof }, _) => band(mark, (head, proof), sheet, top),
            (Shape::Across(text), _) => across(mark, text, sheet, top),
        },
        Cell::Fold(silence) => fold(&folded(*silence), sheet),
        Cell::BrokenOff => {
            in_a_line("the run ended here, in the middle of this step", Letters::Said(Paint::Bad), sheet, top)
        }
    };
    let lanes = match &row.what {
        Cell::Fold(_) => cut_strokes(row, sheet, drawn.height),
        _ => strokes(row, sheet, drawn.height),
    };
    drawn.parts.splice(0..0, lanes);
    // Bands lie behind the lanes.
    drawn.parts.sort_by_key(|part| !matches!(part, Ink::Band { .. }));
    drawn
}

/// The lanes, which change at the row's middle.
fn strokes(row: &Row, sheet: &Sheet, height: i32) -> Vec<Ink> {
    let middle = row.space + (height - row.space) / 2;
    let mut parts = Vec::new();
    for (lane, &x) in sheet.lanes.iter().enumerate() {
        let before = row.before.get(lane).copied().unwrap_or(Stroke::Off);
        let after = row.after.get(lane).copied().unwrap_or(Stroke::Off);
        if before == after {
            parts.push(Ink::Lane { x, top: 0, bottom: height, stroke: before });
        } else {
            parts.push(Ink::Lane { x, top: 0, bottom: middle, stroke: before });
            parts.push(Ink::Lane { x, top: middle, bottom: height, stroke: after });
        }
    }
    parts.retain(|part| !matches!(part, Ink::Lane { stroke: Stroke::Off, .. }));
    parts
}

/// The lanes where time is folded: they end before the tear and go on behind it.
fn cut_strokes(row: &Row, sheet: &Sheet, height: i32) -> Vec<Ink> {
    let piece = |(lane, &x): (usize, &i32)| {
        let stroke = row.after.get(lane).copied().filter(|stroke| *stroke != Stroke::Off)?;
        let above = Ink::Lane { x, top: 0, bottom: height / 2 - CLEAR, stroke };
        Some([above, Ink::Lane { x, top: height / 2 + CLEAR, bottom: height, stroke }])
    };
    sheet.lanes.iter().enumerate().filter_map(piece).flatten().collect()
}

/// The time, and the frame's number if it is one, left of the lanes.
fn gutter(mark: &Mark, number: Option<u64>, sheet: &Sheet, y: i32) -> Vec<Ink> {
    if sheet.text != Texts::Beside {
        return Vec::new();
    }
    let text = |x, anchor, text| Ink::Text { x, y, anchor, text, style: Letters::Small };
    let mut parts = vec![text(sheet.time, Anchor::End, mark.at.to_string())];
    parts.extend(number.map(|number| text(sheet.time + 8, Anchor::Start, format!("#{number}"))));
    parts
}

/// Lines of text one under the other, the first with its foot at `y`.
fn lines(texts: Vec<String>, (x, y): (i32, i32), anchor: Anchor, style: Letters, sheet: &Sheet) -> Vec<Ink> {
    let one = |(index, text): (usize, String)| Ink::Text { x, y: y + index as i32 * sheet.line, anchor, text, style };
    texts.into_iter().enumerate().map(one).collect()
}

/// `text` in lines of at most `width` columns; what does not fit into [`LINES`] of them is left out.
fn fitted(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = wrapped(text, width).into_iter().map(|line| elided(&line, width, "…")).collect();
    if lines.len() > LINES {
        lines.truncate(LINES);
        if let Some(last) = lines.last_mut() {
            *last = elided(&format!("{last}{}", " ".repeat(width)), width, "…");
        }
    }
    lines
}

fn note(mark: &Mark, (lane, who, text): (usize, &str, &str), lanes: &Lanes, sheet: &Sheet, top: i32) -> Picture {
    let x = sheet.lane(lane);
    let first = top + sheet.line - 3;
    let style = Letters::Said(mark.paint);
    let (texts, at, anchor) = match sheet.text {
        Texts::Column(left) => {
            (fitted(&format!("{} {who} {text}", mark.at), sheet.columns(sheet.width - left)), left, Anchor::Start)
        }
        Texts::Beside => {
            // What stands right of the middle leans to the left, towards the wire.
            let leans_left =
                lanes.list.get(lane).is_some_and(|lane| lane.host.is_some_and(|host| host > 0)) && x > sheet.width / 2;
            let room = if leans_left { x - sheet.time - 60 } else { sheet.width - x - 12 };
            let texts = fitted(text, sheet.columns(room).min(READABLE));
            let (at, anchor) = if leans_left { (x - 12, Anchor::End) } else { (x + 12, Anchor::Start) };
            (texts, at, anchor)
        }
    };
    let height = top + texts.len().max(1) as i32 * sheet.line + 4;
    let mut parts = gutter(mark, None, sheet, first);
    parts.push(Ink::Point { x, y: first - 4, paint: mark.paint });
    parts.extend(lines(texts, (at, first), anchor, style, sheet));
    Picture { height, parts }
}

/// Where an arrow begins, where it ends, and what it ends in.
fn shaft(arrow: &Arrow, lanes: &Lanes, sheet: &Sheet, (top, bottom): (i32, i32), paint: Paint) -> Vec<Ink> {
    let (from, to) = (sheet.lane(arrow.from), sheet.lane(arrow.to));
    let wire = lanes.wire(arrow.from, arrow.to).map_or(i32::midpoint(from, to), |lane| sheet.lane(lane));
    let rightwards = to > from;
    let towards = if rightwards { 1 } else { -1 };
    let at = |x: i32| (x, top + (bottom - top) * (x - from).abs() / (to - from).abs().max(1));
    let line = |from, to, dashed| Ink::Line { from, to, paint, dashed };
    match arrow.fate {
        Fate::Arrives => vec![line(at(from), at(to - 2 * towards), false), Ink::Tip { at: at(to), rightwards, paint }],
        Fate::Late => vec![
            line(at(from), at(wire), false),
            line(at(wire), at(to - 2 * towards), true),
            Ink::Tip { at: at(to), rightwards, paint },
        ],
        Fate::Cut => vec![line(at(from), at(wire), false), Ink::Cross { at: at(wire) }],
        Fate::Lost => {
            let end = wire + (to - wire) * 3 / 4;
            vec![line(at(from), at(wire), false), line(at(wire), at(end), true), Ink::Cross { at: at(end) }]
        }
    }
}

/// An arrow with its name on it.
fn arrow_named(mark: &Mark, arrow: &Arrow, lanes: &Lanes, sheet: &Sheet, top: i32) -> Picture {
    let slant = if arrow.fate == Fate::Late { 26 } else { 10 };
    let (first, last) = (top + 15, top + 15 + slant);
    let (from, to) = (sheet.lane(arrow.from), sheet.lane(arrow.to));
    // The name stands over the middle of the way that is drawn, but for its tip.
    let low = from.min(to) + 16;
    let room = (from - to).abs() - 32;
    let fits = |name: &&String| sheet.measure(columns(name)) <= room;
    let name = arrow.names.iter().find(fits).or(arrow.names.last()).map_or("", String::as_str);
    let text = elided(name, sheet.columns(room), "…");
    // It stands clear of the line, which is highest under its end that is nearer to the sender.
    let before = ((from - to).abs() - sheet.measure(columns(&text))) / 2;
    let y = first + slant * before / (from - to).abs().max(1) - 4;
    let mut parts = gutter(mark, Some(arrow.number), sheet, y + 5);
    parts.extend(shaft(arrow, lanes, sheet, (first, last), mark.paint));
    let style = Letters::Said(mark.paint);
    parts.push(Ink::Text { x: low + room / 2, y, anchor: Anchor::Middle, text, style });
    Picture { height: last + 5, parts }
}

/// A short arrow, and what it is right of the lanes.
fn arrow_beside_text(mark: &Mark, arrow: &Arrow, lanes: &Lanes, sheet: &Sheet, (top, left): (i32, i32)) -> Picture {
    let name = arrow.names.first().map_or("", String::as_str);
    let text = format!("{} {} {name} #{}", mark.at, arrow.way, arrow.number);
    let texts = fitted(&text, sheet.columns(sheet.width - left));
    let height = top + texts.len().max(1) as i32 * sheet.line + 4;
    let mut parts = shaft(arrow, lanes, sheet, (top + 5, height - 5), mark.paint);
    parts.extend(lines(texts, (left, top + sheet.line - 3), Anchor::Start, Letters::Said(mark.paint), sheet));
    Picture { height, parts }
}

fn band(mark: &Mark, (head, proof): (&str, &str), sheet: &Sheet, top: i32) -> Picture {
    let (left, time) = match sheet.text {
        Texts::Beside => (sheet.lanes.first().copied().unwrap_or(sheet.time) + 12, String::new()),
        Texts::Column(left) => (left, format!("{} ", mark.at)),
    };
    let room = sheet.columns(sheet.width - left - 6);
    let heads = fitted(&format!("{time}{head}"), room);
    let proofs = fitted(&format!("proof: {proof}"), room);
    let first = top + sheet.line + 1;
    let below = first + heads.len() as i32 * sheet.line;
    let bottom = below + (proofs.len() as i32 - 1) * sheet.line + 7;
    let mut parts = vec![Ink::Band { top: top + 2, bottom, paint: mark.paint }];
    parts.extend(gutter(mark, None, sheet, first));
    parts.extend(lines(heads, (left, first), Anchor::Start, Letters::Head, sheet));
    parts.extend(lines(proofs, (left, below), Anchor::Start, Letters::Said(Paint::Plain), sheet));
    Picture { height: bottom + 3, parts }
}

fn across(mark: &Mark, text: &str, sheet: &Sheet, top: i32) -> Picture {
    let text = format!("… {text}");
    match sheet.text {
        Texts::Beside => {
            let mut picture = in_a_line(&text, Letters::Small, sheet, top);
            picture.parts.extend(gutter(mark, None, sheet, top + sheet.line - 3));
            picture
        }
        Texts::Column(_) => in_a_line(&format!("{} {text}", mark.at), Letters::Small, sheet, top),
    }
}

/// A text that is on no lane.
fn in_a_line(text: &str, style: Letters, sheet: &Sheet, top: i32) -> Picture {
    let left = match sheet.text {
        Texts::Beside => sheet.lanes.first().copied().unwrap_or(sheet.time) + 12,
        Texts::Column(left) => left,
    };
    let texts = fitted(text, sheet.columns(sheet.width - left - 6));
    let height = top + texts.len().max(1) as i32 * sheet.line + 4;
    Picture { height, parts: lines(texts, (left, top + sheet.line - 3), Anchor::Start, style, sheet) }
}

/// A tear in the paper: time that was skipped.
fn fold(text: &str, sheet: &Sheet) -> Picture {
    let (x, anchor) = match sheet.text {
        Texts::Beside => {
            let (first, last) = (sheet.lanes.first(), sheet.lanes.last());
            (i32::midpoint(first.copied().unwrap_or(0), last.copied().unwrap_or(sheet.width)), Anchor::Middle)
        }
        Texts::Column(left) => (left, Anchor::Start),
    };
    let text = Ink::Text { x, y: FOLD / 2 + 4, anchor, text: text.to_owned(), style: Letters::Head };
    Picture { height: FOLD, parts: vec![Ink::Tear { y: FOLD / 2 }, text] }
}

#[cfg(test)]
mod tests;
