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
mod count;
mod events;
mod junit;
mod ladder;
mod result;
mod style;
mod summary;
pub mod terminal;
mod text;
mod textbook;
mod time;

pub use batch::{Batch, Counted, Tally, batch_schema, batch_to_json, ended, overview};
pub use count::{guest_kernels, hosts};
pub use events::{EventWriter, read_events};
pub use junit::junit;
pub use ladder::ladder;
pub use result::{
    Accelerator, Broken, CheckpointUse, CheckpointUsed, Frames, HostResult, Image, OwnProgram, Phase, PhaseKind,
    RunResult, SCHEMA_VERSION, ScenarioId, Times, Versions, result_schema, to_json,
};
pub use style::Style;
pub use summary::summary;
pub use textbook::{Told, textbook};
pub use time::rfc3339;
