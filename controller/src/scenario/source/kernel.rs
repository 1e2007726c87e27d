//! Claims on the word of a host's kernel, as they stand in the file.

use super::either::ReturnsSource;
use super::field::{Field, Value};
use super::kinds::Signal;
use crate::scenario::model::{CallFamily, DescriptorClass};
use crate::timeline::{Disposition, SignalOutcome, TcpState};
use schemars::JsonSchema;
use serde::Deserialize;

/// A system call: all the parts that are given must fit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Call", extend("required" = ["is"]))]
pub(crate) struct CallSource {
    /// Which call, by the name of its kind: `read` is recv(2) and recvmsg(2) as well.
    pub(crate) is: Value<CallFamily>,
    /// On what: a TCP `connection`, a `listening` socket, or the standard `input` or `output` that the program began with.
    pub(crate) descriptor: Value<DescriptorClass>,
    /// What it returned, as the program saw it: an error (`ECONNRESET`), a number, `data` (more than 0), `success` (0 or more),
    /// `restarted` (a signal came, and the call began anew by itself) or `nothing` (it did not return). Or a list of these.
    pub(crate) returns: Field<ReturnsSource>,
}

/// A signal that was delivered.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Delivered", extend("required" = ["signal"]))]
pub(crate) struct DeliveredSource {
    /// The signal, as signal(7) names it, without SIG.
    pub(crate) signal: Value<Signal>,
    /// What the process had asked for: the `default` action, to have it `ignored`, or a handler (`handled`).
    pub(crate) disposition: Value<Disposition>,
}

/// A signal that was sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Sent", extend("required" = ["signal"]))]
pub(crate) struct SentSource {
    /// The signal, as signal(7) names it, without SIG.
    pub(crate) signal: Value<Signal>,
    /// What became of it: it was `queued`, `ignored` (and thrown away), or `merged` into one of its kind that waited already.
    pub(crate) outcome: Value<SignalOutcome>,
}

/// A change of a connection's state, in the words of RFC 9293: all the parts that are given must fit.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "State", extend("minProperties" = 1))]
pub(crate) struct StateSource {
    /// The old state.
    pub(crate) from: Value<TcpState>,
    /// The new state.
    pub(crate) to: Value<TcpState>,
}
