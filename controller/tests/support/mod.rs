//! Hand-made scenarios and timelines for the tests of `judge` and `report`, as real runs would record them.
#![allow(dead_code, unreachable_pub, missing_docs)] // Each test file uses its own part of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod claims;
pub mod kernel;
pub mod results;
pub mod scenarios;
pub mod stories;
mod story;

pub use story::{Story, flags};
