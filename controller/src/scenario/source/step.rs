//! Steps as they stand in the file.

use super::expectation::FlowSource;
use super::field::{Field, List, Value};
use super::kernel::StateSource;
use super::kinds::{Command, KindOrAll, Line, Name, Reference, Signal, Time, Typed};
use crate::scenario::problem::Span;
use crate::scenario::source::schema::exactly_one;
use schemars::JsonSchema;
use serde::Deserialize;

/// What a map with exactly one verb may hold: the verb, the fields that must stand beside it, and those that may.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) key: &'static str,
    pub(crate) needs: &'static [&'static str],
    pub(crate) may: &'static [&'static str],
}

pub(super) const fn verb(key: &'static str, needs: &'static [&'static str], may: &'static [&'static str]) -> Verb {
    Verb { key, needs, may }
}

/// The verbs of a step. The schema and the check of the loader are both made of this table.
pub(crate) const VERBS: &[Verb] = &[
    verb("start", &[], &["until", "within"]),
    verb("type", &["into"], &["until", "within"]),
    verb("end-input", &[], &["until", "within"]),
    verb("wait-for", &["until"], &["within"]),
    verb("signal", &["to"], &[]),
    verb("run", &["host"], &["within"]),
    verb("power-off", &[], &[]),
    verb("power-on", &[], &[]),
    verb("reset", &[], &[]),
    verb("shutdown", &[], &[]),
    verb("reboot", &[], &[]),
    verb("unplug", &[], &[]),
    verb("plug", &[], &[]),
    verb("cable", &[], &[]),
    verb("pause", &[], &[]),
    verb("wait-for-segment", &[], &["after", "within"]),
    verb("wait-for-state", &["host"], &["after", "within"]),
];

/// The verdicts of a rule.
pub(crate) const VERDICTS: &[Verb] = &[verb("drop", &[], &[]), verb("delay", &["by"], &[]), verb("pass", &[], &[])];

/// A step: exactly one thing that is done, said by its verb, and what belongs to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Step", transform = |schema: &mut schemars::Schema| exactly_one(schema, VERBS, &["name"]))]
pub(crate) struct StepSource {
    /// A name for the step, for expectations to refer to: `after: second-line`.
    pub(crate) name: Value<Name>,
    /// Starts this program, on its host.
    pub(crate) start: Value<Reference>,
    /// Types this line, and the newline, into the program named by `into`.
    pub(crate) r#type: Value<Typed>,
    /// Types the end of file (^D) into this program.
    pub(crate) end_input: Value<Reference>,
    /// Waits for this program to do what `until` says.
    pub(crate) wait_for: Value<Reference>,
    /// Sends this signal to the program named by `to`: `TERM`, `KILL`, `STOP`, as signal(7) names them, without SIG.
    pub(crate) signal: Value<Signal>,
    /// Runs this command on the host named by `host`, by `/bin/sh -c`; it must exit with status 0.
    pub(crate) run: Value<Command>,
    /// Cuts this host's power: no shutdown, nothing saved, nothing said.
    pub(crate) power_off: Value<Reference>,
    /// Switches this host's power on and waits until it is up.
    pub(crate) power_on: Value<Reference>,
    /// Presses this host's reset button and waits until it is up again.
    pub(crate) reset: Value<Reference>,
    /// Shuts this host down in order, by its init, and waits until it is off.
    pub(crate) shutdown: Value<Reference>,
    /// Reboots this host in order, by its init, and waits until it is up again.
    pub(crate) reboot: Value<Reference>,
    /// Unplugs this host's cable: its own kernel sees the carrier go; its peers see silence.
    pub(crate) unplug: Value<Reference>,
    /// Plugs this host's cable in again.
    pub(crate) plug: Value<Reference>,
    /// Replaces the cable's rules by these. The first that fits a frame decides; what fits none passes. `[]` clears them.
    pub(crate) cable: List<RuleSource>,
    /// Lets this much time pass.
    pub(crate) pause: Value<Time>,
    /// Waits for such a segment on the wire.
    pub(crate) wait_for_segment: Field<FlowSource>,
    /// Waits for a connection of the host named by `host` to change its state so, as its kernel tells.
    pub(crate) wait_for_state: Field<StateSource>,
    /// The program that is typed into (with `type`).
    pub(crate) into: Value<Reference>,
    /// The program that gets the signal (with `signal`).
    pub(crate) to: Value<Reference>,
    /// The host that the command runs on (with `run`), or whose connections are watched (with `wait-for-state`).
    pub(crate) host: Value<Reference>,
    /// Only what was seen after this step began will do, be it this step or an earlier one; after what it waited for, if it is a
    /// `wait-for-segment` or `wait-for-state` that is over. All that was seen since the lab
    /// began if left out.
    pub(crate) after: Value<Reference>,
    /// What to wait for before the step is over.
    pub(crate) until: Field<UntilSource>,
    /// How long to wait at most; past it the lab has broken and the outcome is unknown. 10 s if left out.
    pub(crate) within: Value<Time>,
}

impl StepSource {
    /// The fields that stand in the file, but for `name`, with their places.
    pub(crate) fn given(&self) -> Vec<(&'static str, &Span)> {
        let all = [
            ("start", self.start.span()),
            ("type", self.r#type.span()),
            ("end-input", self.end_input.span()),
            ("wait-for", self.wait_for.span()),
            ("signal", self.signal.span()),
            ("run", self.run.span()),
            ("power-off", self.power_off.span()),
            ("power-on", self.power_on.span()),
            ("reset", self.reset.span()),
            ("shutdown", self.shutdown.span()),
            ("reboot", self.reboot.span()),
            ("unplug", self.unplug.span()),
            ("plug", self.plug.span()),
            ("cable", self.cable.span()),
            ("pause", self.pause.span()),
            ("wait-for-segment", self.wait_for_segment.span()),
            ("wait-for-state", self.wait_for_state.span()),
            ("into", self.into.span()),
            ("to", self.to.span()),
            ("host", self.host.span()),
            ("after", self.after.span()),
            ("until", self.until.span()),
            ("within", self.within.span()),
        ];
        all.into_iter().filter_map(|(key, span)| Some((key, span?))).collect()
    }
}

/// What a program is waited for to do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Until")]
pub(crate) enum UntilSource {
    /// It prints a line that contains this text. Only what it prints from this step on counts.
    Prints(Value<Line>),
    /// It ends, however.
    Ends,
}

/// A rule of the cable: what becomes of which frames.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Rule", transform = |schema: &mut schemars::Schema| exactly_one(schema, VERDICTS, &["from", "to"]))]
pub(crate) struct RuleSource {
    /// Swallows frames of this kind, or `all`: a silent black hole.
    pub(crate) drop: Value<KindOrAll>,
    /// Holds frames of this kind, or `all`, back for the time in `by`.
    pub(crate) delay: Value<KindOrAll>,
    /// Hands on frames of this kind, or `all`: an exception to the rules below it.
    pub(crate) pass: Value<KindOrAll>,
    /// How long `delay` holds them back.
    pub(crate) by: Value<Time>,
    /// Only frames that come from this host.
    pub(crate) from: Value<Reference>,
    /// Only frames to this host.
    pub(crate) to: Value<Reference>,
}

impl RuleSource {
    /// The fields that stand in the file, but for `from` and `to`, with their places.
    pub(crate) fn given(&self) -> Vec<(&'static str, &Span)> {
        let all = [
            ("drop", self.drop.span()),
            ("delay", self.delay.span()),
            ("pass", self.pass.span()),
            ("by", self.by.span()),
        ];
        all.into_iter().filter_map(|(key, span)| Some((key, span?))).collect()
    }
}
