//! Expectations as they stand in the file.

use super::either::CountSource;
use super::field::{Field, List, Value};
use super::kernel::{CallSource, DeliveredSource, SentSource, StateSource};
use super::kinds::{BootId, Carrier, ExitStatus, Flag, Line, Name, Prose, Reference, Signal, Time};
use super::step::{Verb, verb};
use crate::scenario::model::{SegmentKind, TcpDeed};
use crate::scenario::problem::Span;
use crate::scenario::source::schema::exactly_one;
use schemars::JsonSchema;
use serde::Deserialize;

/// The claims that an expectation can make. The schema and the check of the loader are both made of this table.
pub(crate) const CLAIMS: &[Verb] = &[
    verb("printed", &["program"], &["after", "before", "within"]),
    verb("never-printed", &["program"], &["after", "before", "within"]),
    verb("ended", &["program"], &["after", "before", "within"]),
    verb("segment", &[], &["count", "answering", "after", "before", "within"]),
    verb("no-segment", &[], &["answering", "after", "before", "within"]),
    verb("call", &["program"], &["count", "after", "before", "within"]),
    verb("no-call", &["program"], &["after", "before", "within"]),
    verb("delivered", &["program"], &["count", "after", "before", "within"]),
    verb("never-delivered", &["program"], &["after", "before", "within"]),
    verb("sent", &["program"], &["count", "after", "before", "within"]),
    verb("never-sent", &["program"], &["after", "before", "within"]),
    verb("zombies", &["program"], &["before"]),
    verb("state", &["host"], &["count", "after", "before", "within"]),
    verb("no-state", &["host"], &["after", "before", "within"]),
    verb("tcp", &["host"], &["count", "after", "before", "within"]),
    verb("no-tcp", &["host"], &["after", "before", "within"]),
    verb("boot-id", &["host"], &[]),
    verb("carrier", &["host"], &[]),
];

/// What an expectation always has.
pub(crate) const ALWAYS: &[&str] = &["name", "held", "not-held"];

/// An expectation: exactly one claim about what was seen, and what is learnt from it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(
    rename = "Expectation",
    extend("required" = ALWAYS),
    transform = |schema: &mut schemars::Schema| exactly_one(schema, CLAIMS, ALWAYS)
)]
pub(crate) struct ExpectationSource {
    /// Its name: lower-case letters, digits and hyphens.
    pub(crate) name: Value<Name>,
    /// The program that the claim speaks of. Of signals: the one that they are for. It includes what it forks.
    pub(crate) program: Value<Reference>,
    /// The host that the claim speaks of.
    pub(crate) host: Value<Reference>,
    /// The program printed a line that contains this text.
    pub(crate) printed: Value<Line>,
    /// The program printed no line that contains this text.
    pub(crate) never_printed: Value<Line>,
    /// The program ended so.
    pub(crate) ended: Field<EndedSource>,
    /// Such a segment was seen on the wire.
    pub(crate) segment: Field<FlowSource>,
    /// No such segment was seen on the wire.
    pub(crate) no_segment: Field<FlowSource>,
    /// At the end of the run the host's boot id is another than at first (`changed`: it has booted again) or the same (`kept`).
    pub(crate) boot_id: Value<BootId>,
    /// The host's link lost its carrier (`lost`) or never did (`kept`), as its own kernel counts.
    pub(crate) carrier: Value<Carrier>,
    /// The program made such a system call, as its kernel tells.
    pub(crate) call: Field<CallSource>,
    /// The program made no such system call.
    pub(crate) no_call: Field<CallSource>,
    /// Such a signal was delivered to the program.
    pub(crate) delivered: Field<DeliveredSource>,
    /// No such signal was delivered to the program.
    pub(crate) never_delivered: Field<DeliveredSource>,
    /// Such a signal was sent to the program, by whomever.
    pub(crate) sent: Field<SentSource>,
    /// No such signal was sent to the program.
    pub(crate) never_sent: Field<SentSource>,
    /// So many processes that the program forked had ended and not been waited for, when the run was over or the step named by
    /// `before` began.
    pub(crate) zombies: Field<CountSource>,
    /// A connection of the host changed its state so, as the host's kernel tells.
    pub(crate) state: Field<StateSource>,
    /// No connection of the host changed its state so.
    pub(crate) no_state: Field<StateSource>,
    /// The host's TCP sent a RST (`reset-sent`), received one (`reset-received`) or sent a segment again (`retransmission`).
    pub(crate) tcp: Value<TcpDeed>,
    /// The host's TCP did no such thing.
    pub(crate) no_tcp: Value<TcpDeed>,
    /// So often: `3`, or `{ at-least: 1, at-most: 4 }`. At least once if left out.
    pub(crate) count: Field<CountSource>,
    /// The segment, a RST, answers such a segment of its connection: its sequence number is that one's acknowledgement
    /// number (RFC 9293 section 3.10.7.1).
    pub(crate) answering: Field<AnsweringSource>,
    /// It happened after this step began.
    pub(crate) after: Value<Reference>,
    /// It happened before this step began.
    pub(crate) before: Value<Reference>,
    /// It happened within this time after the step named by `after` began, or after the lab began.
    pub(crate) within: Value<Time>,
    /// What a student learns when the claim held.
    pub(crate) held: Value<Prose>,
    /// What a student learns when it did not hold.
    pub(crate) not_held: Value<Prose>,
}

impl ExpectationSource {
    /// The fields that stand in the file, but for those of [`ALWAYS`], with their places.
    pub(crate) fn given(&self) -> Vec<(&'static str, &Span)> {
        let all = [
            ("program", self.program.span()),
            ("host", self.host.span()),
            ("printed", self.printed.span()),
            ("never-printed", self.never_printed.span()),
            ("ended", self.ended.span()),
            ("segment", self.segment.span()),
            ("no-segment", self.no_segment.span()),
            ("boot-id", self.boot_id.span()),
            ("carrier", self.carrier.span()),
            ("call", self.call.span()),
            ("no-call", self.no_call.span()),
            ("delivered", self.delivered.span()),
            ("never-delivered", self.never_delivered.span()),
            ("sent", self.sent.span()),
            ("never-sent", self.never_sent.span()),
            ("zombies", self.zombies.span()),
            ("state", self.state.span()),
            ("no-state", self.no_state.span()),
            ("tcp", self.tcp.span()),
            ("no-tcp", self.no_tcp.span()),
            ("count", self.count.span()),
            ("answering", self.answering.span()),
            ("after", self.after.span()),
            ("before", self.before.span()),
            ("within", self.within.span()),
        ];
        all.into_iter().filter_map(|(key, span)| Some((key, span?))).collect()
    }
}

/// How a program ended.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Ended")]
pub(crate) enum EndedSource {
    /// It exited with this status.
    Exit(Value<ExitStatus>),
    /// This signal ended it, as signal(7) names it, without SIG.
    Signal(Value<Signal>),
    /// It ended, however.
    Somehow,
    /// It died with its host, so that nobody could tell how.
    WithHost,
    /// It was still running when the run was over.
    Never,
}

/// Which segments: all the parts that are given must fit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Segments", extend("minProperties" = 1))]
pub(crate) struct FlowSource {
    /// Sent by this host.
    pub(crate) from: Value<Reference>,
    /// Addressed to this host.
    pub(crate) to: Value<Reference>,
    /// Of this kind.
    pub(crate) kind: Value<SegmentKind>,
    /// With at least these control bits set.
    #[schemars(extend("minItems" = 1))]
    pub(crate) flags: List<FlagWord>,
}

/// Which segments are answered: all the parts that are given must fit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Answered", extend("minProperties" = 1))]
pub(crate) struct AnsweringSource {
    /// Sent by this host.
    pub(crate) from: Value<Reference>,
    /// Addressed to this host.
    pub(crate) to: Value<Reference>,
    /// Of this kind.
    pub(crate) kind: Value<SegmentKind>,
    /// With at least these control bits set.
    #[schemars(extend("minItems" = 1))]
    pub(crate) flags: List<FlagWord>,
    /// Sent after this step began.
    pub(crate) after: Value<Reference>,
}

/// An item of `flags`.
pub(crate) type FlagWord = super::field::Word<Flag>;
