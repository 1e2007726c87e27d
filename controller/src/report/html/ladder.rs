//! The ladder: a section for each step, in it a list of marks. Each is a link to its event in the table, with its picture for a
//! wide and for a narrow sheet; the style sheet shows one of them.

use super::super::text::harmless;
use super::evidence::Proofs;
use super::lanes::{Lanes, Sheet};
use super::mark::{Mark, Shape};
use super::rows::{Cell, Part, Row, folded};
use super::{draw, place};
use maud::{Markup, html};
use std::collections::HashSet;

/// So many rows make a list: what is far from the window need not be laid out.
const ROWS: usize = 100;

/// The events that have a mark.
pub(super) fn marked(parts: &[Part]) -> HashSet<usize> {
    let rows = parts.iter().flat_map(|part| &part.rows);
    let marks = rows.filter_map(|row| match &row.what {
        Cell::Mark(mark) => Some(mark.event),
        _ => None,
    });
    let steps = parts.iter().filter_map(|part| part.step.as_ref().map(|(_, event, _)| *event));
    marks.chain(steps).collect()
}

/// The whole ladder.
pub(super) fn ladder(parts: &[Part], lanes: &Lanes, sheets: [&Sheet; 2], proofs: &Proofs<'_>) -> Markup {
    html! {
        div class="lanes" { @for sheet in sheets { (draw::header(lanes, sheet)) } }
        @for part in parts {
            section class="part" {
                @match &part.step {
                    Some((at, event, text)) => {
                        h3 id={ "m" (event) } { a href={ "#e" (event) } { span class="at" { (at) } span { (text) } } }
                    }
                    None => h3 { span class="at" { "0.000" } span { "The lab is put together" } },
                }
                @for rows in part.rows.chunks(ROWS) {
                    ol { @for row in rows { (item(row, lanes, sheets, proofs)) } }
                }
            }
        }
    }
}

fn item(row: &Row, lanes: &Lanes, sheets: [&Sheet; 2], proofs: &Proofs<'_>) -> Markup {
    let pictures = html! { @for sheet in sheets { (draw::picture(&place::picture(row, lanes, sheet), sheet)) } };
    match &row.what {
        Cell::Fold(silence) => html! { li class="fold" { span class="unseen" { (folded(*silence)) } (pictures) } },
        Cell::BrokenOff => {
            html! { li class="broken" { span class="unseen" { "The run ended here, in the middle of this step" } (pictures) } }
        }
        Cell::Mark(mark) => {
            let decided = proofs.expectations(mark.event);
            let host = mark.host.map(|host| format!(" h{host}")).unwrap_or_default();
            html! {
                li id={ "m" (mark.event) } class={ (mark.kind.id()) (host) } data-e=(mark.event) {
                    a href={ "#e" (mark.event) } aria-label=(label(mark)) { (pictures) }
                    @for judged in decided.iter().take(1) {
                        @let (sign, class) = super::verdicts::sign(judged.held);
                        @let names: Vec<String> = decided.iter().map(|judged| harmless(&judged.name)).collect();
                        a class={ "proof " (class) } href={ "#x-" (harmless(&judged.name)) }
                            title={ "decides: " (names.join(", ")) } aria-label={ "decides " (names.join(", ")) } { (sign) }
                    }
                }
            }
        }
    }
}

/// What a screen reader says of it.
fn label(mark: &Mark) -> String {
    let what = match &mark.what {
        Shape::Note { who, text, .. } => format!("{who} {text}"),
        Shape::Arrow(arrow) => {
            format!("frame {}, {}: {}", arrow.number, arrow.way, arrow.names.first().map_or("", String::as_str))
        }
        Shape::Band { head, proof } => format!("{head}, proof: {proof}"),
        Shape::Across(text) => text.clone(),
    };
    format!("{} s, {what}", mark.at)
}
