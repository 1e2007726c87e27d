//! What people and programs get to see of a run: progress while it goes on, the story and the judgement at its
//! end, and the files that hold it.
//!
//! Everything but [`terminal`] is pure: a timeline and a result in, text out. [`Style`] says how wide, how
//! colourful and with which letters. What a run prints is [`ladder`], then [`summary`]; with `--format json` it is
//! [`to_json`] and nothing else.
//!
//! ```
//! use deadpeer::report::{Style, ladder};
//! # fn example(scenario: &deadpeer::scenario::Scenario, timeline: &[deadpeer::timeline::Event]) {
//! print!("{}", ladder(scenario, timeline, &Style::of_stdout()));
//! # }
//! ```

mod batch;
mod canvas;
mod comments;
mod comparison;
mod count;
mod events;
mod html;
mod inputs;
mod junit;
mod ladder;
mod markdown;
mod result;
mod sent;
mod style;
mod summary;
pub mod terminal;
mod text;
mod textbook;
mod time;
mod timeouts;
mod trace;
mod unlike;
mod words;

pub use batch::{Batch, Case, Counted, Tally, batch_schema, batch_to_json, ended, overview};
pub use comments::comments;
pub use comparison::{again_word, comparison, conditions};
pub use count::{guest_kernels, hosts};
pub use events::{EventWriter, read_events};
pub use html::html;
pub use inputs::{Asked, Computer, HostInputs, INPUTS_SCHEMA, ImageInputs, Inputs, inputs_to_json};
pub use junit::junit;
pub use ladder::ladder;
pub use markdown::markdown;
pub use result::{
    Accelerator, Broken, CheckpointUse, CheckpointUsed, Frames, HostResult, Image, OwnProgram, Phase, PhaseKind,
    Provider, RunResult, SCHEMA_VERSION, ScenarioId, Times, Versions, result_schema, to_json,
};
pub use style::Style;
pub use summary::summary;
pub use textbook::{Told, textbook};
pub use time::rfc3339;
pub use timeouts::{Timed, timeouts};
pub use trace::trace;
pub use unlike::unlike;
