//! The times that a lab can live on: in *lockstep time* all machines are on one virtual clock.
//!
//! Real time needs nothing here: the machines run by themselves, and events are stamped as they come
//! ([`crate::timeline::Clock`]).

pub mod lockstep;
