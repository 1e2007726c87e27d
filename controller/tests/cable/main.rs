//! The cable with real socket pairs, whose other ends play the guests; and that of lockstep time, which needs none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod capture;
mod delay;
mod forwarding;
mod lab;
mod links;
mod lockstep;
mod machines;
mod recorded;
mod remark;
mod rules;
mod speed;
mod survival;
#[path = "../waiting/mod.rs"]
mod waiting;
