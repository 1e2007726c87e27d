//! Tests on real machines: the tip. They boot guests with the installed QEMU, break things, and look at what is left.
//!
//! One test binary, so that `./lab test` runs it by itself; the tests take turns where two labs at once would only be slow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, missing_docs)]

mod agree;
mod bench;
mod bundle;
mod crash_reboot;
mod faults;
mod hostile;
mod hosts;
mod interrupts;
mod lockstep;
mod own;
#[allow(dead_code)] // it can record as well
#[path = "../recorded_runs/mod.rs"]
mod recorded_runs;
mod several;
#[path = "../waiting/mod.rs"]
mod waiting;
