//! What steps and expectations have in common: segments, changes of state, numbers.

use super::lookup::{Known, start_of};
use crate::scenario::model::{Count, Flow, SegmentKind, StateChange};
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::{
    BoundsSource, CountSource, Field, Flag, FlagWord, FlowSource, List, Reference, StateSource, Value,
};
use crate::timeline::Flags;

/// The parts that describe segments, wherever they stand.
pub(super) struct FlowParts<'a> {
    pub(super) from: &'a Value<Reference>,
    pub(super) to: &'a Value<Reference>,
    pub(super) kind: &'a Value<SegmentKind>,
    pub(super) flags: &'a List<FlagWord>,
}

impl<'a> FlowParts<'a> {
    pub(super) fn of(source: &'a FlowSource) -> Self {
        let FlowSource { from, to, kind, flags } = source;
        Self { from, to, kind, flags }
    }
}

/// The segments with these parts; `more` if something else than the parts is said of them.
pub(super) fn flow(
    parts: FlowParts<'_>,
    more: bool,
    at: &Span,
    known: &Known,
    problems: &mut Problems,
) -> Option<Flow> {
    let from = known.host(parts.from, problems);
    let to = known.host(parts.to, problems);
    let kind = parts.kind.read(problems);
    let flags = flags(parts.flags, problems);
    let said = [parts.from.span(), parts.to.span(), parts.kind.span(), parts.flags.span()];
    if !more && said.iter().all(Option::is_none) {
        let at = start_of(at, problems.text());
        let problem = Problem::at(&at, "nothing is said about which segments are meant").label("any at all?");
        problems.add(problem.help("at least one of `from`, `to`, `kind`, `flags`"));
        return None;
    }
    if let (Some(sender), Some(receiver), Some(at)) = (&from, &to, parts.to.span())
        && sender == receiver
    {
        let fact = format!("no segment goes from {sender} to itself by the cable");
        problems.add(Problem::at(at, fact).label("the same host"));
    }
    if let (Some(kind), Some(flags), Some(at)) = (kind, flags, parts.flags.span())
        && let Some(why) = contradiction(kind, flags)
    {
        problems.add(Problem::at(at, format!("no segment can be like this: {why}")).label("contradicts `kind`"));
    }
    Some(Flow { from, to, kind, flags: flags.unwrap_or_default() })
}

fn flags(list: &List<FlagWord>, problems: &mut Problems) -> Option<Flags> {
    let (list, span) = list.given("the list of control bits", problems)?;
    if list.is_empty() {
        let problem = Problem::at(span, "there are no control bits in the list").label("an empty list");
        problems.add(problem.help("leave `flags` out for any control bits"));
    }
    let mut flags = Flags::default();
    for item in list {
        match item.read(problems) {
            Some(Flag::Syn) => flags.syn = true,
            Some(Flag::Ack) => flags.ack = true,
            Some(Flag::Fin) => flags.fin = true,
            Some(Flag::Rst) => flags.rst = true,
            Some(Flag::Psh) => flags.psh = true,
            Some(Flag::Urg) => flags.urg = true,
            None => {}
        }
    }
    Some(flags)
}

/// Why no segment of this kind has these control bits, if so.
fn contradiction(kind: SegmentKind, flags: Flags) -> Option<&'static str> {
    match kind {
        SegmentKind::Icmp | SegmentKind::Arp => Some("only TCP has control bits"),
        SegmentKind::Syn if flags.ack => Some("`syn` is a SYN without ACK; the other one is `syn-ack`"),
        SegmentKind::PureAck if flags.syn || flags.fin || flags.rst => Some("`pure-ack` has none of SYN, FIN and RST"),
        _ => None,
    }
}

/// A change of state; at least one end of it must be given.
pub(super) fn change(field: &Field<StateSource>, problems: &mut Problems) -> Option<StateChange> {
    let (source, at) = field.given("which change of state", problems)?;
    let change = StateChange { from: source.from.read(problems), to: source.to.read(problems) };
    if source.from.is_absent() && source.to.is_absent() {
        let at = start_of(at, problems.text());
        let problem = Problem::at(&at, "nothing is said about which change is meant").label("any at all?");
        problems.add(problem.help("at least one of `from` and `to`"));
        return None;
    }
    if let (Some(from), Some(to), Some(at)) = (change.from, change.to, source.to.span())
        && from == to
    {
        problems.add(Problem::at(at, format!("from {from} to {to} is no change")).label("the same state"));
    }
    Some(change)
}

/// A number, or bounds of one. `none` is what to write instead where 0 has words of its own.
pub(super) fn count(field: &Field<CountSource>, none: Option<&str>, problems: &mut Problems) -> Option<Count> {
    let (source, at) = field.given("a number", problems)?;
    let count = match source {
        CountSource::Just(number) => Count::exactly(number.read(at, problems)?),
        CountSource::Between(bounds) => between(bounds, at, problems)?,
    };
    if let (Some(help), Count::NONE) = (none, count) {
        problems.add(Problem::at(at, "that there is none is another claim").label("at least 1").help(help));
    }
    Some(count)
}

fn between(bounds: &BoundsSource, at: &Span, problems: &mut Problems) -> Option<Count> {
    let (least, most) = (bounds.at_least.read(problems), bounds.at_most.read(problems));
    if bounds.at_least.is_absent() && bounds.at_most.is_absent() {
        let at = start_of(at, problems.text());
        let problem = Problem::at(&at, "no bound is given").label("any number at all?");
        problems.add(problem.help("at least one of `at-least` and `at-most`"));
        return None;
    }
    if let (Some(least), Some(most), Some(at)) = (least, most, bounds.at_most.span())
        && least > most
    {
        let fact = format!("no number is at least {least} and at most {most}");
        problems.add(Problem::at(at, fact).label(format!("less than {least}")));
    }
    if let (Some(0), true, Some(at)) = (least, bounds.at_most.is_absent(), bounds.at_least.span()) {
        let problem = Problem::at(at, "every number is at least 0: this claims nothing").label("holds always");
        problems.add(problem.help("at least 1, or a bound `at-most` beside it"));
    }
    Some(Count { at_least: least.unwrap_or(0), at_most: most })
}
