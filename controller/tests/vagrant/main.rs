//! Vagrant's machines, real ones: those that the controller has made, here and elsewhere, and the lab by hand.
//!
//! A test binary of its own, which `./lab test` runs beside the others. Here tests take turns: a daemon of libvirt's that one has started is ended
//! with it, and each looks at what is left.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod boxed;
mod by_hand;
mod elsewhere;
mod machines;
#[allow(dead_code)] // it can record as well
#[path = "../recorded_runs/mod.rs"]
mod recorded_runs;
#[path = "../waiting/mod.rs"]
mod waiting;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A test's turn, until it is dropped.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
