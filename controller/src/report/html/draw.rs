//! Pictures to SVG.

use super::super::style::Paint;
use super::lanes::{Lanes, Role, Sheet, Texts};
use super::place::{Anchor, Ink, Letters, Picture};
use super::rows::Stroke;
use maud::{Markup, html};
use std::fmt::Write;

/// Half the size of a cross, and the length of an arrow's tip.
const CROSS: i32 = 5;
const TIP: i32 = 9;

/// The class of a colour.
pub(super) fn paint(paint: Paint) -> &'static str {
    match paint {
        Paint::Plain | Paint::Bold => "plain",
        Paint::Dim => "dim",
        Paint::Good => "good",
        Paint::Bad => "bad",
        Paint::Warn => "warn",
        Paint::Data => "data",
    }
}

/// The class of what is drawn on this sheet: one of the two is shown, as the screen's width asks.
fn on(sheet: &Sheet) -> &'static str {
    match sheet.text {
        Texts::Beside => "wide",
        Texts::Column(_) => "narrow",
    }
}

/// A row's picture. What it says is told by the link that it stands in.
pub(super) fn picture(picture: &Picture, sheet: &Sheet) -> Markup {
    let (width, height) = (sheet.width, picture.height);
    html! {
        svg class=(on(sheet)) width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } aria-hidden="true" {
            @for part in picture.parts.iter().filter(|part| matches!(part, Ink::Band { .. })) { (ink(part, sheet)) }
            @for (class, d) in strokes(picture) { path class=(class) d=(d) {} }
            @for part in picture.parts.iter().filter(|part| !matches!(part, Ink::Band { .. })) { (ink(part, sheet)) }
        }
    }
}

/// The pieces of the lanes, a path for each kind.
fn strokes(picture: &Picture) -> Vec<(&'static str, String)> {
    let kinds = [
        (Stroke::Wire, "l wire"),
        (Stroke::Booting, "l booting"),
        (Stroke::Up, "l up"),
        (Stroke::Waiting, "l waiting"),
    ];
    let path = |(wanted, class): (Stroke, &'static str)| {
        let mut d = String::new();
        for part in &picture.parts {
            if let Ink::Lane { x, top, bottom, stroke } = part
                && *stroke == wanted
            {
                let _ = write!(d, "M{x} {top}V{bottom}");
            }
        }
        (!d.is_empty()).then_some((class, d))
    };
    kinds.into_iter().filter_map(path).collect()
}

fn ink(part: &Ink, sheet: &Sheet) -> Markup {
    match part {
        Ink::Lane { .. } => html! {},
        Ink::Band { top, bottom, paint: colour } => html! {
            rect class={ "b " (paint(*colour)) } x="0" y=(top) width=(sheet.width) height=(bottom - top) rx="4" {}
        },
        Ink::Point { x, y, paint: colour } => html! { circle class={ "p " (paint(*colour)) } cx=(x) cy=(y) r="4" {} },
        Ink::Line { from, to, paint: colour, dashed } => {
            let dashed = if *dashed { " dashed" } else { "" };
            html! {
                path class={ "a " (paint(*colour)) (dashed) } d={ "M" (from.0) " " (from.1) "L" (to.0) " " (to.1) } {}
            }
        }
        Ink::Tip { at: (x, y), rightwards, paint: colour } => {
            let back = if *rightwards { x - TIP } else { x + TIP };
            html! {
                path class={ "t " (paint(*colour)) } d={ "M" (x) " " (y) "L" (back) " " (y - 5) "V" (y + 4) "z" } {}
            }
        }
        Ink::Cross { at: (x, y) } => {
            let (left, right, top, bottom) = (x - CROSS, x + CROSS, y - CROSS, y + CROSS);
            html! {
                path class="x" d={ "M" (left) " " (top) "L" (right) " " (bottom) "M" (left) " " (bottom) "L" (right) " " (top) } {}
            }
        }
        Ink::Tear { y } => html! { path class="tear" d=(tear(*y, sheet.width)) {} },
        Ink::Text { x, y, anchor, text, style } => {
            let anchored = match anchor {
                Anchor::Start => None,
                Anchor::Middle => Some("middle"),
                Anchor::End => Some("end"),
            };
            let class = match style {
                Letters::Said(colour) => paint(*colour),
                Letters::Small => "small",
                Letters::Head => "head",
            };
            html! { text class=(class) x=(x) y=(y) text-anchor=[anchored] { (text) } }
        }
    }
}

/// A zigzag from edge to edge.
fn tear(y: i32, width: i32) -> String {
    let mut d = format!("M0 {y}");
    for (index, x) in (6..=width + 6).step_by(6).enumerate() {
        let _ = write!(d, "L{x} {}", if index % 2 == 0 { y - 3 } else { y });
    }
    d
}

/// The names of hosts and lanes, above them all.
pub(super) fn header(lanes: &Lanes, sheet: &Sheet) -> Markup {
    match sheet.text {
        Texts::Beside => wide_header(lanes, sheet),
        Texts::Column(_) => narrow_header(lanes, sheet),
    }
}

fn wide_header(lanes: &Lanes, sheet: &Sheet) -> Markup {
    let own = |host: usize| {
        let places = lanes.list.iter().zip(&sheet.lanes).filter(move |(lane, _)| lane.host == Some(host));
        places.map(|(_, x)| *x)
    };
    html! {
        svg class=(on(sheet)) width=(sheet.width) height="44" viewBox={ "0 0 " (sheet.width) " 44" } aria-hidden="true" {
            text class="small" x=(sheet.time) y="36" text-anchor="end" { "s" }
            @for (host, name) in lanes.hosts.iter().enumerate() {
                @let (low, high) = (own(host).min().unwrap_or(0), own(host).max().unwrap_or(0));
                rect class={ "h h" (host) } x=(low - 52) y="2" width=(high - low + 104) height="18" rx="4" {}
                text class="head" x=(i32::midpoint(low, high)) y="15" text-anchor="middle" { (name) }
            }
            @for (lane, x) in sheet.lanes.iter().enumerate() {
                @let name = super::super::text::elided(lanes.name(lane), room(lane, sheet), "…");
                text class="small" x=(x) y="36" text-anchor="middle" { (name) }
            }
        }
    }
}

/// Columns for a lane's name, so that it does not touch its neighbours'.
fn room(lane: usize, sheet: &Sheet) -> usize {
    let at = sheet.lane(lane);
    let apart = sheet.lanes.iter().map(|x| (x - at).abs()).filter(|apart| *apart > 0).min().unwrap_or(200);
    // At the edges a name may reach no further than the sheet.
    let edge = 2 * (sheet.width - at).min(at);
    sheet.columns(apart.min(edge) - 6).max(3)
}

/// On a narrow sheet there is no room above the lanes: their names stand upright.
fn narrow_header(lanes: &Lanes, sheet: &Sheet) -> Markup {
    let last = |role: &Role| matches!(role, Role::Kernel);
    html! {
        svg class=(on(sheet)) width=(sheet.width) height="96" viewBox={ "0 0 " (sheet.width) " 96" } aria-hidden="true" {
            @for (lane, x) in sheet.lanes.iter().enumerate() {
                @let of = lanes.list.get(lane);
                @let host = of.and_then(|lane| lane.host).and_then(|host| lanes.hosts.get(host));
                @let name = match (of, host) {
                    (Some(lane), Some(host)) if last(&lane.role) => host.clone(),
                    _ => lanes.name(lane).to_owned(),
                };
                @let name = super::super::text::elided(&name, 14, "…");
                text class=(if of.is_some_and(|lane| last(&lane.role)) { "head" } else { "small" })
                    transform={ "rotate(-90 " (x + 4) " 92)" } x=(x + 4) y="92" { (name) }
            }
            text class="small" x=(sheet.lanes.last().copied().unwrap_or(0) + 14) y="92" { "seconds, who, what, frame" }
        }
    }
}
