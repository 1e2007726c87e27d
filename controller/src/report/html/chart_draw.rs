//! A connection's course as a picture: a bar for each kernel, the segments between, and the waits below on a logarithmic scale.

use super::super::text::{columns, harmless, span};
use super::chart::{Again, Course, End, Wait};
use super::lanes::{Sheet, Texts};
use crate::timeline::{LabTime, TcpState};
use maud::{Markup, html};
use std::fmt::Write;

/// Height of a bar, and of the plot of waits.
const BAR: i32 = 22;
const PLOT: i32 = 96;

/// So many connections are drawn.
const SHOWN: usize = 8;

/// Where time and waits stand in the picture.
struct Axes {
    left: i32,
    right: i32,
    from: LabTime,
    until: LabTime,
}

impl Axes {
    fn x(&self, at: LabTime) -> i32 {
        let (passed, all) = (at.since(self.from).as_nanos(), self.until.since(self.from).as_nanos().max(1));
        self.left + (passed * (self.right - self.left).unsigned_abs() as u128 / all) as i32
    }
}

/// All connections; none if there was none.
pub(super) fn figures(courses: &[Course], sheets: [&Sheet; 2]) -> Markup {
    html! {
        @for course in courses.iter().take(SHOWN) {
            figure {
                figcaption { h3 { (harmless(&format!("{} ↔ {}", course.ends.0, course.ends.1))) } p { (told(course)) } }
                @for sheet in sheets { (figure(course, sheet)) }
            }
        }
        @if courses.len() > SHOWN {
            p { (courses.len() - SHOWN) " more connections are in the ladder and the table." }
        }
    }
}

/// The course in words.
fn told(course: &Course) -> String {
    let mut text = String::new();
    for side in &course.sides {
        let states: Vec<String> =
            side.spans.iter().map(|span| format!("{} from {} s", span.state, span.from)).collect();
        let last = side.spans.last().map_or(course.until, |span| span.until);
        let end = match side.end {
            End::Open => ", to the end of the run".to_owned(),
            End::Closed => format!(", CLOSED from {last} s"),
            End::Died => format!(", until that kernel ended at {last} s"),
        };
        let _ = write!(text, "{}: {}{end}. ", harmless(&side.host), states.join(", "));
    }
    for (kind, what) in [
        (Again::Retransmission, "Sent again"),
        (Again::Unsent, "Tried again, without a frame on the wire,"),
        (Again::Probe, "Probed"),
    ] {
        let mut waits: Vec<(String, usize)> = Vec::new();
        for wait in course.waits.iter().filter(|wait| wait.kind == kind) {
            let length = span(wait.nanos);
            match waits.last_mut() {
                Some((last, times)) if *last == length => *times += 1,
                _ => waits.push((length, 1)),
            }
        }
        let told = |(length, times): &(String, usize)| {
            if *times == 1 { length.clone() } else { format!("{length} ({times} times)") }
        };
        if !waits.is_empty() {
            let shown = waits.iter().take(20).map(told).collect::<Vec<_>>().join(", ");
            let more = if waits.len() > 20 { ", …" } else { "" };
            let _ = write!(text, "{what} after {shown}{more}. ");
        }
    }
    text.trim_end().to_owned()
}

fn figure(course: &Course, sheet: &Sheet) -> Markup {
    let wide = sheet.text == Texts::Beside;
    let (class, left) = if wide { ("wide", 132) } else { ("narrow", 64) };
    let until = if course.until > course.from { course.until } else { LabTime(course.from.0.saturating_add(1)) };
    let axes = Axes { left, right: sheet.width - 16, from: course.from, until };
    let bars = course.sides.len() as i32;
    let wire = 6 + bars * (BAR + 6);
    let plot = wire + BAR + 4;
    let bottom = plot + if course.waits.is_empty() { 0 } else { PLOT };
    let height = bottom + 26;
    html! {
        svg class=(class) width=(sheet.width) height=(height) viewBox={ "0 0 " (sheet.width) " " (height) } aria-hidden="true" {
            @for (index, side) in course.sides.iter().enumerate() {
                @let y = 6 + index as i32 * (BAR + 6);
                text class="small" x=(left - 8) y=(y + 15) text-anchor="end" { (harmless(&side.host)) }
                @for span in &side.spans {
                    @let (x, end) = (axes.x(span.from), axes.x(span.until));
                    rect class={ "s " (family(span.state)) } x=(x) y=(y) width=((end - x).max(2)) height=(BAR) {}
                    @if sheet.measure(columns(&span.state.to_string())) + 8 <= end - x {
                        text class="plain" x=(x + 5) y=(y + 15) { (span.state) }
                    }
                }
                @if let (End::Died, Some(span)) = (side.end, side.spans.last()) {
                    @let x = axes.x(span.until);
                    path class="x" d={ "M" (x - 5) " " (y + 6) "l10 10m0 -10l-10 10" } {}
                }
            }
            text class="small" x=(left - 8) y=(wire + 15) text-anchor="end" { "wire" }
            path class="axis" d={ "M" (axes.left) " " (wire + BAR / 2) "H" (axes.right) } {}
            path class="tick" d=(ticks(course, &axes, wire)) {}
            @if !course.waits.is_empty() { (waits(&course.waits, &axes, plot, sheet)) }
            (scale(&axes, bottom, sheet))
        }
    }
}

/// A tick for each segment: up for those of the first end, down for the other's. Those that fall together are one.
fn ticks(course: &Course, axes: &Axes, y: i32) -> String {
    let mut places: Vec<(i32, bool)> = course.segments.iter().map(|(at, first)| (axes.x(*at), *first)).collect();
    places.sort_unstable();
    places.dedup();
    let middle = y + BAR / 2;
    places.iter().fold(String::new(), |mut d, (x, first)| {
        let _ = write!(d, "M{x} {middle}V{}", if *first { middle - 9 } else { middle + 9 });
        d
    })
}

/// Each wait as a point whose height is its length.
fn waits(waits: &[Wait], axes: &Axes, top: i32, sheet: &Sheet) -> Markup {
    let logs = |wait: &Wait| (wait.nanos.max(1_000_000) as f64).log10();
    let low = waits.iter().map(logs).fold(f64::MAX, f64::min);
    let high = waits.iter().map(logs).fold(f64::MIN, f64::max);
    let range = if high - low < 0.3 { 0.3 } else { high - low };
    let y = |wait: &Wait| top + PLOT - 12 - ((logs(wait) - low) / range * f64::from(PLOT - 36)).round() as i32;
    let points: Vec<(i32, i32, &Wait)> = waits.iter().map(|wait| (axes.x(wait.at), y(wait), wait)).collect();
    // From the last on: the later, the longer, and the more room there is.
    let mut free = i32::MAX;
    let labels: Vec<(i32, i32, String)> = points
        .iter()
        .rev()
        .filter_map(|(x, y, wait)| {
            let text = span(wait.nanos);
            let half = sheet.measure(columns(&text)) / 2 + 2;
            let x = (*x).clamp(axes.left + half, axes.right - half);
            // Nor does it lie on another point.
            let covers = |(other, height, _): &(i32, i32, &Wait)| {
                (other - x).abs() < half + 4 && (8..=28).contains(&(y - height + 8))
            };
            (x + half <= free && !points.iter().any(covers)).then(|| {
                free = x - half;
                (x, y - 8, text)
            })
        })
        .collect();
    html! {
        text class="small" x=(axes.left - 8) y=(top + PLOT / 2) text-anchor="end" { "waited" }
        @for (x, y, wait) in &points {
            path class="stem" d={ "M" (x) " " (top + PLOT - 4) "V" (y) } {}
            circle class={ "p " (colour(wait.kind)) } cx=(x) cy=(y) r="4" {}
        }
        @for (x, y, text) in &labels { text class="plain" x=(x) y=(y) text-anchor="middle" { (text) } }
    }
}

fn colour(kind: Again) -> &'static str {
    match kind {
        Again::Retransmission => "warn",
        Again::Unsent => "hollow",
        Again::Probe => "data",
    }
}

/// The time axis: round numbers of seconds.
fn scale(axes: &Axes, y: i32, sheet: &Sheet) -> Markup {
    let all = axes.until.since(axes.from).as_secs_f64();
    let wanted = all / f64::from((axes.right - axes.left) / 110).max(2.0);
    let unit = 10_f64.powf(wanted.max(0.001).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * unit).find(|step| *step >= wanted).unwrap_or(unit);
    let digits = usize::try_from((-step.log10().floor() as i32).max(0)).unwrap_or(0);
    let first = (axes.from.0 as f64 / 1e9 / step).ceil() as u64;
    let last = (axes.until.0 as f64 / 1e9 / step).floor() as u64;
    let marks: Vec<(i32, String)> = (first..=last.min(first + 40))
        .map(|n| n as f64 * step)
        .map(|seconds| (axes.x(LabTime((seconds * 1e9).round() as u64)), format!("{seconds:.digits$}")))
        .filter(|(x, text)| {
            let half = sheet.measure(columns(text)) / 2;
            x - half >= axes.left - 4 && x + half <= sheet.width
        })
        .collect();
    html! {
        path class="axis" d={ "M" (axes.left) " " (y + 4) "H" (axes.right) } {}
        @for (x, text) in &marks {
            path class="axis" d={ "M" (x) " " (y + 4) "v4" } {}
            text class="small" x=(x) y=(y + 20) text-anchor="middle" { (text) }
        }
        text class="small" x=(axes.left - 8) y=(y + 20) text-anchor="end" { "s" }
    }
}

/// States that mean the same to a reader have the same colour.
fn family(state: TcpState) -> &'static str {
    match state {
        TcpState::Established => "good",
        TcpState::SynSent | TcpState::SynReceived | TcpState::Listen => "data",
        TcpState::Closed => "bad",
        TcpState::TimeWait => "dim",
        _ => "warn",
    }
}
