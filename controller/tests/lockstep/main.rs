//! Machines in lockstep time: real ones, that the same bytes come out of every time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

#[path = "../machine_support/mod.rs"]
mod machine_support;

mod image;
mod lab;
mod nics;
mod plugin;
mod probe;
mod same;
