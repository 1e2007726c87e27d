//! Scenarios: what the lab is asked to do, and what is claimed about it.
//!
//! A scenario is a YAML file (`docs/scenarios.md` is its reference). It is checked whole before anything boots, in
//! this order: the text (size, encoding, tabs), its shape (fields, maps, lists), then names, quantities and the order
//! of the steps. A problem of text or shape ends the check, as nothing after it could be trusted; all others are
//! told at once ([`Problems`]). What comes out is [`Scenario`], in which every name is known to exist and every
//! step to be possible.
//!
//! ```
//! let text = "name: x\ntitle: X\nstory: Y\nhosts: { server: }\nsteps: [power-of: server]\nexpectations: []\n";
//! let problems = deadpeer::scenario::parse("x.yaml", text).unwrap_err();
//! assert!(problems.to_string().contains("did you mean `power-off`?"));
//! ```

mod catalogue;
mod file;
mod model;
mod names;
mod problem;
mod resolve;
mod source;
mod text;
mod units;
mod words;
mod wrap;

pub use catalogue::Catalogue;
pub use file::load;
pub use model::{
    Action, Answering, BoxName, CallFamily, Claim, Count, DescriptorClass, Expectation, Flow, Host, Init, KernelClaim,
    KernelPattern, Moment, Pattern, Program, ProgramEnd, Returns, Rule, RuleVerdict, Scenario, SegmentClaim,
    SegmentKind, StateChange, Step, TcpDeed, Time, Until, link_of,
};
pub use names::nearest;
pub use problem::{Problem, Problems, render};
pub use resolve::command_words;
pub use units::{parse_time, show_time};
pub(crate) use words::{call_word, noun, zombies};
pub use words::{claim, describe, summary};

/// Checks the text of a scenario. `file_name` is for the errors alone.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(file_name: &str, text: &str) -> Result<Scenario, Problems> {
    // Editors may put a byte order mark before the text; it belongs to neither.
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut problems = Problems::none(file_name, body);
    if let Some(problem) = text::check(body) {
        return Err(problems.only(problem));
    }
    let file = match source::read(body) {
        Ok(file) => file,
        Err(problem) => return Err(problems.only(problem)),
    };
    let scenario = resolve::resolve(&file, text, &mut problems);
    if problems.is_empty() { Ok(scenario) } else { Err(problems) }
}

/// The JSON Schema of a scenario file, for editors (`docs/scenario.schema.json`).
#[must_use]
pub fn schema() -> serde_json::Value {
    source::schema()
}

#[cfg(test)]
mod tests;
