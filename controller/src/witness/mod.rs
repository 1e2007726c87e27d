//! Witnesses: how evidence becomes events.
//!
//! Each module reads one source of evidence and says what it means, and nothing more: it neither judges nor
//! reports. [`wire`] reads the frames of the cable.

pub mod kernel;
pub mod wire;
