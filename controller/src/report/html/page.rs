//! The document.

use super::super::result::RunResult;
use super::super::text::harmless;
use super::evidence::Proofs;
use super::lanes::{Lanes, Sheet};
use super::mark::Kind;
use super::{about, calm, chart, chart_draw, ladder, policy, rows, table, tell, verdicts};
use crate::scenario::Scenario;
use crate::timeline::Event;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// From so many events on, what is far from the window is not laid out until it comes near. (Nor is it there for a screen reader, which
/// is why smaller runs go without.)
const MANY: usize = 2_000;

/// The run as a document for a browser: one file, which fetches nothing. It is a function of what the run's folder holds.
#[must_use]
pub fn html(scenario: &Scenario, result: &RunResult, timeline: &[Event]) -> String {
    let lanes = Lanes::of(scenario);
    let sheets = [&Sheet::wide(&lanes), &Sheet::narrow(&lanes)];
    let mut chapters = tell::chapters(scenario, &lanes, timeline);
    for chapter in &mut chapters {
        chapter.marks = calm::calmed(std::mem::take(&mut chapter.marks));
    }
    let parts = rows::parts(chapters, &lanes, timeline);
    let courses = chart::courses(timeline);
    let marked = ladder::marked(&parts);
    let proofs = Proofs::of(&result.expectations, timeline, &marked);
    let style = policy::style(lanes.hosts.len());
    let title = harmless(&format!("{}: {}", result.scenario.name, result.scenario.title));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy::policy(&style, policy::SCRIPT));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(&style)) }
            }
            body class=[(timeline.len() > MANY).then_some("many")] {
                nav aria-label="On this page" {
                    a href="#expectations" { "Expectations" }
                    @if !timeline.is_empty() { a href="#ladder" { "Ladder" } }
                    @if !courses.is_empty() { a href="#connections" { "Connections" } }
                    @if !timeline.is_empty() { a href="#events" { "All events" } }
                    a href="#run" { "The run" }
                }
                main {
                    (verdicts::head(scenario, result))
                    (verdicts::claims(scenario, result, &proofs))
                    (verdicts::expectations(result, &proofs))
                    @if !timeline.is_empty() {
                        section id="ladder" aria-labelledby="ladder-head" {
                            h2 id="ladder-head" { "What happened" }
                            (legend())
                            (filter(&lanes))
                            (ladder::ladder(&parts, &lanes, sheets, &proofs))
                        }
                    }
                    @if !courses.is_empty() {
                        section id="connections" aria-labelledby="connections-head" {
                            h2 id="connections-head" { "Connections over time" }
                            p {
                                "What state each kernel held the connection in, each segment as a tick on the wire (up: from the client),
                                and how long TCP waited before it sent something again, on a logarithmic scale (hollow: the kernel tried, and no frame came out)."
                            }
                            (chart_draw::figures(&courses, sheets))
                        }
                    }
                    @if !timeline.is_empty() {
                        section id="events" aria-labelledby="events-head" {
                            h2 id="events-head" { "All events" }
                            p { "The timeline, event by event; the line is that of " code { "events.jsonl" } "." }
                            (table::tables(timeline, &lanes, &marked))
                        }
                    }
                    (about::about(result))
                }
                aside id="line" aria-label="The line behind a mark" hidden {
                    button type="button" aria-label="Close" { "×" }
                    b {} " " small {} code {}
                }
                script type="application/json" id="timeline" { (PreEscaped(lines(timeline))) }
                script { (PreEscaped(policy::SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// The timeline for the script. A `<` could end the element that it stands in, and some letters turn a line round (see
/// [`harmless`]): JSON has another way to write them.
fn lines(timeline: &[Event]) -> String {
    let json = serde_json::to_string(timeline).unwrap_or_else(|_| "[]".to_owned());
    let mut lines = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' | '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                lines.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            _ => lines.push(letter),
        }
    }
    lines
}

fn legend() -> Markup {
    html! {
        p class="legend" {
            "Time runs down. A thick lane is a program that waits in a system call; a dotted one a host that boots; none, one that is off.
            « is typed in, » is printed. An arrow is a frame, slanted from the kernel that sent it to the one that got it; one that ends in
            a cross was lost. ✓ marks what decided an expectation. Point at a mark, or move to it by Tab and the arrow keys, to see its line
            of the timeline; follow it to its row in the table."
        }
    }
}

/// It works by script alone, and is not there without.
fn filter(lanes: &Lanes) -> Markup {
    html! {
        form id="filter" hidden {
            fieldset {
                legend { "Hosts" }
                @for (index, host) in lanes.hosts.iter().enumerate() {
                    label { input type="checkbox" value={ "h" (index) } checked; " " (harmless(host)) }
                }
            }
            fieldset {
                legend { "Kinds" }
                @for kind in Kind::FILTERED { label { input type="checkbox" value=(kind.id()) checked; " " (kind.name()) } }
            }
            p id="shown" role="status" {}
        }
    }
}
