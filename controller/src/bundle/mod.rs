//! Bundles: a run as one file, to be sent to somebody and run again there.
//!
//! A gzipped tar archive whose first member, `bundle.json`, is the [`Manifest`]: it lists every other member with its size and
//! SHA-256. `run/` is the run's folder, `programs/` holds the user's own programs that ran, `images/` (if asked for) what the hosts
//! booted from.
//!
//! A bundle that is read is not trusted. Its members must be those that its manifest lists, in that order, plain files with names of
//! a form that leads nowhere else, and not a byte longer than they say; the limits in `manifest.rs` bound what is written, and what is read at once what is
//! kept in memory. What its programs do happens inside guests that reach nothing.

mod manifest;
mod pack;
mod private;
#[cfg(test)]
mod tests;
mod unpack;

pub use manifest::{ENDING, Manifest, Member};
pub use pack::{Packed, pack};
pub use unpack::{Unpacked, read, unpack};
