//! Expectations: what is claimed, of which host or program, and when.

use super::lookup::Known;
use super::verb::{self, Sort};
use super::{inner, items, parts, twice};
use crate::scenario::model::{Answering, Claim, Count, Expectation, Moment, ProgramEnd, SegmentClaim, SegmentKind};
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::{AnsweringSource, BootId, CLAIMS, Carrier, EndedSource, ExpectationSource, List};
use std::collections::BTreeSet;

const EXPECTATION: Sort = Sort {
    name: "expectation",
    none: "an expectation must claim something",
    several: "an expectation makes exactly one claim",
    verbs: CLAIMS,
};

/// The expectations of a scenario. Those with a problem are left out.
pub(super) fn expectations(
    list: &List<ExpectationSource>,
    known: &Known,
    started: &BTreeSet<String>,
    problems: &mut Problems,
) -> Vec<Expectation> {
    let why = "a run without an expectation can neither pass nor fail";
    let mut named: Vec<(String, Span)> = Vec::new();
    let mut out = Vec::new();
    for (source, span) in items(list, "expectations", why, problems) {
        let name = inner(&source.name, "name", "this expectation", span, problems).and_then(|n| n.read(problems));
        if let (Some(name), Some(at)) = (&name, source.name.span()) {
            match named.iter().find(|(other, _)| other == name) {
                Some((_, first)) => twice(name, "expectations", first, at, problems),
                None => named.push((name.clone(), at.clone())),
            }
        }
        let owner = name.as_ref().map_or("this expectation".to_owned(), |name| format!("`{name}`"));
        let held = inner(&source.held, "held", &owner, span, problems).and_then(|h| h.read(problems));
        let not_held = inner(&source.not_held, "not-held", &owner, span, problems).and_then(|h| h.read(problems));
        let verb = verb::one(&EXPECTATION, &source.given(), span, problems);
        let claim = verb.and_then(|verb| Reader { source, known, started, problems }.claim(verb, span));
        if let (Some(name), Some(claim), Some(held), Some(not_held)) = (name, claim, held, not_held) {
            out.push(Expectation { name, claim, held, not_held, line: problems.line(span) });
        }
    }
    out
}

/// Reads one expectation.
pub(super) struct Reader<'a> {
    pub(super) source: &'a ExpectationSource,
    pub(super) known: &'a Known,
    pub(super) started: &'a BTreeSet<String>,
    pub(super) problems: &'a mut Problems,
}

impl Reader<'_> {
    fn claim(&mut self, verb: &str, span: &Span) -> Option<Claim> {
        match verb {
            "printed" | "never-printed" => {
                let seen = verb == "printed";
                let text = if seen { &self.source.printed } else { &self.source.never_printed };
                let (program, text, when) = (self.program(), text.read(self.problems), self.moment());
                Some(Claim::Printed { program: program?, text: text?, seen, when })
            }
            "ended" => {
                let (program, how, when) = (self.program(), self.ended(), self.moment());
                Some(Claim::Ended { program: program?, how: how?, when })
            }
            "segment" | "no-segment" => self.segment(verb == "segment", span),
            "boot-id" => {
                let (host, what) =
                    (self.known.host(&self.source.host, self.problems), self.source.boot_id.read(self.problems));
                Some(Claim::BootIdChanged { host: host?, changed: what? == BootId::Changed })
            }
            "zombies" => self.zombies(),
            "carrier" => {
                let (host, what) =
                    (self.known.host(&self.source.host, self.problems), self.source.carrier.read(self.problems));
                Some(Claim::CarrierLost { host: host?, lost: what? == Carrier::Lost })
            }
            _ => self.kernel(verb),
        }
    }

    /// The program that the claim is about; it must be started by some step.
    pub(super) fn program(&mut self) -> Option<String> {
        let program = self.known.program(&self.source.program, self.problems)?;
        if let (false, Some(at)) = (self.started.contains(&program), self.source.program.span()) {
            self.problems.add(
                Problem::at(at, format!("nothing can be expected of `{program}`: no step starts it"))
                    .label("never started")
                    .help(format!("add a step: `- start: {program}`")),
            );
        }
        Some(program)
    }

    fn ended(&mut self) -> Option<ProgramEnd> {
        let (ended, _) = self.source.ended.given("how it ended", self.problems)?;
        Some(match ended {
            EndedSource::Exit(status) => ProgramEnd::Exit(status.read(self.problems)?),
            EndedSource::Signal(signal) => ProgramEnd::Signal(signal.read(self.problems)?),
            EndedSource::Somehow => ProgramEnd::Any,
            EndedSource::WithHost => ProgramEnd::WithHost,
            EndedSource::Never => self.never(),
        })
    }

    /// A program that still runs at the end of the run does so at no other time.
    fn never(&mut self) -> ProgramEnd {
        let source = self.source;
        for (key, value) in
            [("after", source.after.span()), ("before", source.before.span()), ("within", source.within.span())]
        {
            if let Some(span) = value {
                let at = self.problems.key_of(key, span);
                let fact = format!("`ended: never` is about the whole run, `{key}` about a part of it");
                self.problems.add(Problem::at(&at, fact).label("means nothing here"));
            }
        }
        ProgramEnd::Running
    }

    pub(super) fn moment(&mut self) -> Moment {
        let after = self.known.step(&self.source.after, self.problems);
        let before = self.known.step(&self.source.before, self.problems);
        let within = self.source.within.read(self.problems);
        if let (Some(first), Some(last), Some(after_at), Some(before_at)) =
            (after, before, self.source.after.span(), self.source.before.span())
            && first >= last
        {
            let fact = "nothing can happen after a step and before one that is not later";
            let label = if first == last { "the same step" } else { "an earlier step than that of `after`" };
            self.problems.add(Problem::at(before_at, fact).label(label).also(after_at, "after this"));
        }
        Moment { after, before, within }
    }

    fn segment(&mut self, seen: bool, span: &Span) -> Option<Claim> {
        let field = if seen { &self.source.segment } else { &self.source.no_segment };
        let when = self.moment();
        let count = if seen { self.count("segment", "no-segment") } else { Some(Count::NONE) };
        let answering = self.answering();
        let (flow, at) = field.given("which segments", self.problems)?;
        let flow = parts::flow(parts::FlowParts::of(flow), false, at, self.known, self.problems)?;
        let is_rst = flow.flags.rst || flow.kind == Some(SegmentKind::Rst);
        if !is_rst && !self.source.answering.is_absent() {
            let at = self.source.answering.span().map_or(span.clone(), |at| self.problems.key_of("answering", at));
            self.problems.add(
                Problem::at(&at, "only of a RST can be told which segment it answers")
                    .label("what is claimed is no RST")
                    .help("add `flags: [RST]` to the segment"),
            );
        }
        let answering = if self.source.answering.is_absent() { None } else { Some(answering?) };
        Some(Claim::Segment(SegmentClaim { flow, count: count?, answering, when }))
    }

    fn answering(&mut self) -> Option<Answering> {
        let (source, at) = self.source.answering.given("which segments are answered", self.problems)?;
        let AnsweringSource { from, to, kind, flags, after } = source;
        let after_step = self.known.step(after, self.problems);
        let shape = parts::FlowParts { from, to, kind, flags };
        let flow = parts::flow(shape, !after.is_absent(), at, self.known, self.problems)?;
        Some(Answering { flow, after: after_step })
    }
}
