//! What a scalar in the file can mean: how it is read, and how an editor is told about it (JSON Schema).

mod choice;
mod kernel;
mod network;
mod quantity;
mod text;

pub(crate) use choice::{BootId, Carrier, Choice, KindOrAll, Suite, Truth};
pub(crate) use kernel::CallOutcome;
pub(crate) use network::{Address, Flag, Gateway, Signal, SysctlValue, nth_addresses, wrong_with_sysctl};
pub(crate) use quantity::{ExitStatus, Memory, Number, Time};
pub(crate) use text::{BoxWord, Command, Line, Name, Prose, Reference, Section, Typed, name_form, read_name};

use crate::scenario::problem::{Problem, Span};
use schemars::Schema;

/// A meaning that a scalar can have.
pub(crate) trait Kind {
    /// What it is read to.
    type Value;

    /// What it is, as errors name it: "a time".
    const WHAT: &'static str;

    /// What it looks like.
    fn schema() -> Schema;

    /// Reads it.
    fn read(text: &str) -> Result<Self::Value, Wrong>;
}

/// Why a scalar does not mean what it should.
#[derive(Debug)]
pub(crate) struct Wrong {
    message: String,
    label: String,
    help: Option<String>,
}

impl Wrong {
    /// The fact, and the words for the caret.
    pub(crate) fn new(message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), label: label.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The problem at the place where the scalar stands.
    pub(crate) fn at(self, span: &Span) -> Problem {
        Problem::at(span, self.message).label(self.label).maybe_help(self.help)
    }
}
