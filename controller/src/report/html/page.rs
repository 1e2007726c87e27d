//! The document.

use super::super::result::RunResult;
use super::super::text::{harmless, span};
use super::evidence::Proofs;
use super::lanes::{Lanes, Sheet};
use super::mark::Kind;
use super::{calm, chart, chart_draw, ladder, policy, rows, table, tell};
use crate::judge::{Judged, Outcome};
use crate::scenario::Scenario;
use crate::timeline::Event;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::collections::BTreeMap;

/// So many pieces of evidence are told above the ladder.
const STORY: usize = 14;

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
                    (head(scenario, result))
                    (claims(scenario, result, &proofs))
                    (expectations(result, &proofs))
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
                    (about(result))
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

/// The sign of a verdict, and the class of its colour.
pub(super) fn sign(held: Option<bool>) -> (&'static str, &'static str) {
    match held {
        Some(true) => ("✓", "good"),
        Some(false) => ("✗", "bad"),
        None => ("?", "warn"),
    }
}

fn head(scenario: &Scenario, result: &RunResult) -> Markup {
    let class = match result.outcome {
        Outcome::Pass => "good",
        Outcome::Fail => "bad",
        Outcome::Unknown | Outcome::Skipped => "warn",
    };
    html! {
        header {
            p class="where" {
                "Deadpeer · " (harmless(&result.scenario.name))
                @if let Some(section) = &scenario.section { " · UNP " (harmless(section)) }
                " · " (harmless(&result.time.started))
            }
            h1 { (harmless(&result.scenario.title)) }
            p class={ "outcome " (class) } {
                strong { (result.outcome) } " "
                @if let Some(error) = &result.error { (line(&error.fact)) }
                @else { (result.held()) " of " (result.expectations.len()) " expectations held" }
            }
            @if let Some(error) = &result.error {
                @for text in [&error.detail, &error.help].into_iter().flatten() { pre { (block(text)) } }
            }
        }
    }
}

/// `text` on one line, made harmless: where its lines end is the browser's business.
fn line(text: &str) -> String {
    harmless(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Several lines, each made harmless.
fn block(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// The story, the textbook's claim, and what came of it here.
fn claims(scenario: &Scenario, result: &RunResult, proofs: &Proofs<'_>) -> Markup {
    let story = proofs.story(&result.expectations);
    html! {
        div class="claims" {
            section { h2 { "The story" } (paragraphs(&scenario.story)) }
            @if let Some(claim) = &scenario.textbook {
                section {
                    h2 { "What the textbook says" }
                    blockquote { (paragraphs(claim)) }
                    p class="source" {
                        "W. R. Stevens, " cite { "UNIX Network Programming" } ", vol. 1, 3rd ed."
                        @if let Some(section) = &scenario.section { ", section " (harmless(section)) }
                    }
                }
            }
            @if !story.is_empty() {
                section {
                    h2 { "What " (kernels(result)) " did" }
                    ol class="story" {
                        @for (event, at, text) in story.iter().take(STORY) {
                            li { a href=(proofs.place(*event)) class="at" { (at) " s" } span { (line(text)) } }
                        }
                    }
                    @if story.len() > STORY { p { "And " (story.len() - STORY) " more, named by the expectations below." } }
                }
            }
        }
    }
}

/// The guests' kernels, each with its hosts where there are different ones.
fn kernels(result: &RunResult) -> String {
    let mut kernels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (host, kernel) in &result.versions.guest_kernels {
        kernels.entry(kernel).or_default().push(host);
    }
    let told: Vec<String> = match kernels.len() {
        0 => vec!["the kernels".to_owned()],
        1 => kernels.keys().map(|kernel| format!("Linux {kernel}")).collect(),
        _ => kernels.iter().map(|(kernel, hosts)| format!("Linux {kernel} ({})", hosts.join(", "))).collect(),
    };
    harmless(&told.join(" and "))
}

/// Paragraphs, which blank lines part.
fn paragraphs(text: &str) -> Markup {
    html! { @for paragraph in text.trim().split("\n\n") { p { (line(paragraph)) } } }
}

fn expectations(result: &RunResult, proofs: &Proofs<'_>) -> Markup {
    html! {
        section id="expectations" aria-labelledby="expectations-head" {
            h2 id="expectations-head" { "What was expected" }
            @if result.expectations.is_empty() { p { "Nothing was claimed, so nothing was judged." } }
            ul class="expectations" { @for judged in &result.expectations { (expectation(judged, proofs)) } }
        }
    }
}

fn expectation(judged: &Judged, proofs: &Proofs<'_>) -> Markup {
    let (sign, class) = sign(judged.held);
    let word = match judged.held {
        Some(true) => "held",
        Some(false) => "did not hold",
        None => "cannot be judged",
    };
    let events: Vec<(usize, String)> = judged
        .evidence
        .iter()
        .filter_map(|it| {
            let name = it.frame.map_or_else(|| format!("{} s", it.at), |frame| format!("frame {frame}"));
            Some((proofs.event(it)?, name))
        })
        .collect();
    html! {
        li id={ "x-" (harmless(&judged.name)) } class=(class) {
            h3 { span class="sign" { (sign) } " " (harmless(&judged.name)) " " small { (word) } }
            p class="claim" { (line(&judged.claim)) }
            @if !judged.lesson.is_empty() { p { (line(&judged.lesson)) } }
            p class="why" {
                (line(&judged.why))
                @if !events.is_empty() {
                    " In the ladder: "
                    @for (index, (event, name)) in events.iter().enumerate() {
                        @if index > 0 { ", " } a href=(proofs.place(*event)) { (name) }
                    }
                    "."
                }
            }
            @if !judged.expected.is_empty() || !judged.came.is_empty() {
                dl {
                    dt { "expected" }
                    @for text in &judged.expected { dd { (line(text)) } }
                    dt { "came" }
                    @for text in &judged.came { dd { (line(text)) } }
                    @if judged.came.is_empty() { dd { "(nothing)" } }
                }
            }
            @for meaning in &judged.meaning { p { (line(meaning)) } }
        }
    }
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

/// What the run was made with.
fn about(result: &RunResult) -> Markup {
    let seconds = |seconds: f64| span((seconds.max(0.0) * 1e9) as u64);
    let time = match result.time.virtual_seconds {
        Some(virtual_seconds) => {
            format!(
                "{} of virtual time, in {} (lockstep time)",
                seconds(virtual_seconds),
                seconds(result.time.wall_seconds)
            )
        }
        None => seconds(result.time.wall_seconds),
    };
    let accounts: Vec<_> =
        result.witnesses.iter().flat_map(|(host, all)| all.iter().map(move |it| (host, it))).collect();
    html! {
        section id="run" aria-labelledby="run-head" {
            h2 id="run-head" { "The run" }
            dl class="facts" {
                dt { "took" } dd { (time) }
                @for (host, kernel) in &result.versions.guest_kernels {
                    dt { (harmless(host)) }
                    dd {
                        "Linux " (harmless(kernel))
                        @if let Some(of) = result.hosts.get(host) {
                            @if let Some(image) = &of.image { ", Debian " (harmless(&image.suite)) ", image " (harmless(&image.key)) }
                            "; " (of.addresses.join(", "))
                        }
                    }
                }
                @for (program, own) in &result.own_programs {
                    dt { (harmless(program)) }
                    dd { "a program of the user's own, SHA-256 " (harmless(&own.sha256)) }
                }
                @if let Some(qemu) = &result.versions.qemu {
                    dt { "QEMU" }
                    dd {
                        (harmless(qemu))
                        @if let Some(accelerator) = &result.accelerator { ", " (harmless(&accelerator.used)) " (" (harmless(&accelerator.why)) ")" }
                    }
                }
                dt { "Deadpeer" } dd { (harmless(&result.versions.deadpeer)) }
                dt { "scenario" } dd { "SHA-256 " (harmless(&result.scenario.sha256)) }
            }
            @if !accounts.is_empty() {
                h3 { "What the kernels' word is worth" }
                ul {
                    @for (host, account) in accounts {
                        li {
                            (harmless(host)) ", boot " (harmless(&account.boot_id)) ": " (account.events) " trace events, " (account.lost) " lost"
                            @if let Some(error) = account.clock_error { ", placed to within " (format!("{:.2}", error as f64 / 1e6)) " ms" }
                            @if let Some(unread) = account.unread { "; its last " (unread.div_ceil(1_000_000)) " ms unread" }
                            @for problem in &account.problems { "; " (harmless(problem)) }
                        }
                    }
                }
            }
            h3 { "The proof" }
            p {
                "Beside this file: " code { "wire.pcapng" } " for Wireshark, " code { "events.jsonl" } ", every console, and " code { "result.json" }
                ". A frame of the ladder:"
            }
            pre { "tshark -r wire.pcapng -Y frame.number==1 -V" }
            p { "To run it again: " code { "controller run scenario.yaml" } }
        }
    }
}
