//! The table below the ladder: every event of the timeline, in words.

use super::super::text::harmless;
use super::super::words;
use super::lanes::Lanes;
use super::mark::Kind;
use super::proof;
use crate::judge;
use crate::timeline::{Event, KernelFact, StepEvent, Verdict, What};
use maud::{Markup, html};
use std::collections::HashSet;

/// So many rows make a table: what is far from the window need not be laid out.
const ROWS: usize = 200;

/// Every event; those in `marked` have a mark on the ladder to go back to.
pub(super) fn tables(timeline: &[Event], lanes: &Lanes, marked: &HashSet<usize>) -> Markup {
    let numbered: Vec<(usize, &Event)> = timeline.iter().enumerate().collect();
    html! {
        @for rows in numbered.chunks(ROWS) {
            div class="rows" {
                table {
                    caption class="unseen" { "Events " (rows.first().map_or(0, |it| it.0 + 1)) " to " (rows.last().map_or(0, |it| it.0 + 1)) }
                    thead { tr { th scope="col" { "time, s" } th scope="col" { "line" } th scope="col" { "witness" } th scope="col" { "what" } } }
                    tbody { @for (number, event) in rows { (row(*number, event, lanes, marked.contains(number))) } }
                }
            }
        }
    }
}

fn row(number: usize, event: &Event, lanes: &Lanes, is_marked: bool) -> Markup {
    let told = Told::of(event);
    let host = told.host.and_then(|host| lanes.host(host));
    let class = format!("{}{}", told.kind.id(), host.map(|host| format!(" h{host}")).unwrap_or_default());
    html! {
        tr id={ "e" (number) } class=(class) data-e=(number) tabindex="-1" {
            td { @if is_marked { a href={ "#m" (number) } title="in the ladder" { (event.at) } } @else { (event.at) } }
            td { (number + 1) }
            td { (harmless(&told.witness)) }
            td class="what" { (harmless(&told.what)) }
        }
    }
}

/// An event in words.
pub(super) struct Told<'a> {
    pub(super) host: Option<&'a str>,
    pub(super) kind: Kind,
    pub(super) witness: String,
    pub(super) what: String,
}

impl<'a> Told<'a> {
    pub(super) fn of(event: &'a Event) -> Self {
        match &event.what {
            What::Step { index, name, text, event } => {
                let name = name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
                let what = match event {
                    StepEvent::Began => format!("step {}, {name}{text}", index + 1),
                    StepEvent::Done => format!("step {} is done", index + 1),
                };
                Self { host: None, kind: Kind::Step, witness: "controller".to_owned(), what }
            }
            What::Program { host, program, event } => {
                let (what, _) = words::program(program, event, |(sign, _)| sign.to_owned());
                let kind = match event {
                    crate::timeline::ProgramEvent::Started { .. } | crate::timeline::ProgramEvent::Ended { .. } => {
                        Kind::Process
                    }
                    _ => Kind::Said,
                };
                Self { host: Some(host), kind, witness: format!("{program} on {host}"), what }
            }
            What::Machine { host, event } => {
                let what = proof::told(host, event, None)
                    .map_or_else(|| words::machine(event, None).0, |(head, proof, _)| format!("{head} ({proof})"));
                Self { host: Some(host), kind: Kind::Host, witness: format!("machine of {host}"), what }
            }
            What::Wire(frame) => {
                let fate = match frame.verdict {
                    Verdict::Passed => String::new(),
                    Verdict::Dropped => "; dropped by the cable".to_owned(),
                    Verdict::Delayed(nanos) => format!("; held back for {}", super::super::text::span(nanos)),
                    Verdict::Lost => "; nobody is there to get it".to_owned(),
                };
                let kind = match frame.kind {
                    crate::timeline::FrameKind::Tcp(_) | crate::timeline::FrameKind::Icmp { .. } => Kind::Segment,
                    _ => Kind::Background,
                };
                let what = format!("frame {}: {}{fate}", frame.number, judge::frame(frame));
                Self { host: Some(&frame.from), kind, witness: "wire".to_owned(), what }
            }
            What::Kernel(told) => {
                let kind = match &told.fact {
                    KernelFact::Call(_) => Kind::Call,
                    KernelFact::State { .. }
                    | KernelFact::Retransmitted { .. }
                    | KernelFact::ResetSent { .. }
                    | KernelFact::ResetReceived { .. }
                    | KernelFact::Began { .. }
                    | KernelFact::Lost { .. }
                    | KernelFact::Untold { .. } => Kind::State,
                    _ => Kind::Process,
                };
                let what = judge::kernel_event(told);
                Self { host: Some(&told.host), kind, witness: format!("kernel of {}", told.host), what }
            }
        }
    }
}
