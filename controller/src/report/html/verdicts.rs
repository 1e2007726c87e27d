//! The top of the page: what it came to; story, textbook and kernel; and each expectation.

use super::super::result::RunResult;
use super::super::text::harmless;
use super::evidence::Proofs;
use crate::judge::{Judged, Outcome};
use crate::scenario::Scenario;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// So many pieces of evidence are told above the ladder.
const STORY: usize = 14;

/// The sign of a verdict, and the class of its colour.
pub(super) fn sign(held: Option<bool>) -> (&'static str, &'static str) {
    match held {
        Some(true) => ("✓", "good"),
        Some(false) => ("✗", "bad"),
        None => ("?", "warn"),
    }
}

pub(super) fn head(scenario: &Scenario, result: &RunResult) -> Markup {
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
pub(super) fn claims(scenario: &Scenario, result: &RunResult, proofs: &Proofs<'_>) -> Markup {
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

pub(super) fn expectations(result: &RunResult, proofs: &Proofs<'_>) -> Markup {
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
