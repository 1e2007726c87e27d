//! Expectations as they stand in the file.

use super::field::{Field, List, Value};
use super::kinds::{BootId, Carrier, Count, ExitStatus, Flag, Line, Name, Prose, Reference, Signal, Time};
use super::step::Verb;
use crate::scenario::model::SegmentKind;
use crate::scenario::problem::Span;
use crate::scenario::source::schema::exactly_one;
use schemars::JsonSchema;
use serde::Deserialize;

/// The claims that an expectation can make. The schema and the check of the loader are both made of this table.
pub(crate) const CLAIMS: &[Verb] = &[
    Verb { key: "printed", needs: &["program"], may: &["after", "before", "within"] },
    Verb { key: "never-printed", needs: &["program"], may: &["after", "before", "within"] },
    Verb { key: "ended", needs: &["program"], may: &["after", "before", "within"] },
    Verb { key: "segment", needs: &[], may: &["count", "answering", "after", "before", "within"] },
    Verb { key: "no-segment", needs: &[], may: &["answering", "after", "before", "within"] },
    Verb { key: "boot-id", needs: &["host"], may: &[] },
    Verb { key: "carrier", needs: &["host"], may: &[] },
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
    /// The program that `printed`, `never-printed` or `ended` speaks of.
    pub(crate) program: Value<Reference>,
    /// The host that `boot-id` or `carrier` speaks of.
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
    /// Exactly so many such segments were seen. At least one if left out.
    pub(crate) count: Value<Count>,
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
