//! Deadpeer: a lab of virtual machines that shows what happens to a TCP connection when the other
//! side dies.
//!
//! Dependencies point one way: `cli -> conductor -> {machine, cable, remote, image, checkpoint} -> witness ->
//! timeline`, `{machine, cable} -> time -> timeline`, `{image, checkpoint} -> cache`; `judge` and `report` read timelines and know nothing of machines; `scenario` is what
//! everybody may read. A room is entered by its `mod.rs` alone. The words used here (scenario, host,
//! cable, program, step, witness, event, timeline, expectation, run) are those of `docs/how-it-works.md`.

pub mod bundle;
pub mod cable;
pub mod cache;
pub mod checkpoint;
pub mod cli;
pub mod compare;
pub mod conductor;
pub mod doctor;
pub mod embedded;
pub mod error;
pub mod image;
pub mod judge;
pub mod machine;
pub mod own;
pub mod process;
pub mod progress;
pub mod remote;
pub mod report;
pub mod runlog;
pub mod scenario;
pub mod time;
pub mod timeline;
pub mod witness;
