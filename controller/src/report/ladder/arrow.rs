//! A frame as an arrow between two lanes.

use super::super::canvas::Canvas;
use super::super::style::Paint;
use super::super::text::{columns, elided};
use super::super::words::Label;
use super::draw::Sheet;
use super::rows::{Arrow, Fate, Lane};

/// The end of an arrow that a rule of the cable cut.
pub(super) const CUT: (&str, &str) = ("╳", "X");
/// The end of an arrow that nobody was there to get.
pub(super) const AIR: (&str, &str) = ("╌ ╌", "- -");

/// The columns that `arrow` runs through, its end not included: how far the frame came from its sender's lane.
fn way(sheet: &Sheet, arrow: &Arrow) -> Option<(usize, usize)> {
    let (from, to) = (*sheet.lanes.get(arrow.from)?, *sheet.lanes.get(arrow.to)?);
    let span = from.abs_diff(to);
    let made = match arrow.fate {
        Fate::Arrives => span - 1,
        Fate::Cut => span * 7 / 8,
        Fate::Air => span * 5 / 6,
    };
    Some(if to > from { (from + 1, from + 1 + made) } else { (from - made, from) })
}

/// Draws `arrow` on `canvas`, whose lanes are there already.
pub(super) fn draw(canvas: &mut Canvas, sheet: &Sheet, arrow: &Arrow) {
    let style = sheet.style;
    let Some((start, end)) = way(sheet, arrow) else { return };
    let rightwards = arrow.to > arrow.from;
    canvas.fill(start, end, style.sign("─", "-"), arrow.paint);
    for (lane, &column) in sheet.lanes.iter().enumerate() {
        if (start..end).contains(&column) && sheet.state.get(lane) == Some(&Lane::Up) {
            canvas.put(column, style.sign("┼", "+"), Paint::Dim);
        }
    }
    let tip = if rightwards { end - 1 } else { start };
    match (arrow.fate, rightwards) {
        (Fate::Arrives, true) => canvas.put(tip, style.sign("▶", ">"), arrow.paint),
        (Fate::Arrives, false) => canvas.put(tip, style.sign("◀", "<"), arrow.paint),
        (Fate::Cut, _) => canvas.put(tip, style.sign(CUT.0, CUT.1), Paint::Bad),
        (Fate::Air, true) => canvas.put(end - 4, &format!(" {}", style.sign(AIR.0, AIR.1)), arrow.paint),
        (Fate::Air, false) => canvas.put(start, &format!("{} ", style.sign(AIR.0, AIR.1)), arrow.paint),
    }
    let fork = if rightwards { style.sign("├", "|") } else { style.sign("┤", "|") };
    if let (Some(&from), Some(state)) = (sheet.lanes.get(arrow.from), sheet.state.get(arrow.from)) {
        canvas.put(from, if *state == Lane::Off { style.sign("╶", "-") } else { fork }, Paint::Dim);
    }
    let (low, high) = stretch(sheet, arrow, (start, end));
    let Some(label) = chosen(sheet, arrow) else { return };
    let text = style.clean(&label.text);
    let text = elided(&text, room((low, high)), style.sign("…", "~"));
    let column = low + high.saturating_sub(low + columns(&text) + 2) / 2;
    canvas.put(column, &format!(" {text} "), arrow.paint);
}

/// Whether the label that `arrow` gets says how long ago the same was sent before.
pub(super) fn tells_wait(sheet: &Sheet, arrow: &Arrow) -> bool {
    chosen(sheet, arrow).is_some_and(|label| label.tells_wait)
}

/// The fullest label that fits, or else the last and shortest.
fn chosen<'a>(sheet: &Sheet, arrow: &'a Arrow) -> Option<&'a Label> {
    let room = room(stretch(sheet, arrow, way(sheet, arrow)?));
    arrow.labels.iter().find(|label| columns(&label.text) <= room).or(arrow.labels.last())
}

/// Where the label goes: the whole way but for its tip, or its first stretch where it crosses another lane.
fn stretch(sheet: &Sheet, arrow: &Arrow, (start, end): (usize, usize)) -> (usize, usize) {
    let tip = if arrow.fate == Fate::Air { 4 } else { 1 };
    let (start, end) = if arrow.to > arrow.from { (start, end - tip) } else { (start + tip, end) };
    let crossed = || sheet.lanes.iter().copied().filter(|column| (start..end).contains(column));
    if arrow.to > arrow.from {
        (start, crossed().min().unwrap_or(end))
    } else {
        (crossed().max().map_or(start, |column| column + 1), end)
    }
}

/// Columns for the label itself: a blank and a dash on either side take the rest.
fn room((low, high): (usize, usize)) -> usize {
    high.saturating_sub(low + 4)
}
