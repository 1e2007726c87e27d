//! The agent: executes on a guest what the host asks for over a serial line, where there is no SSH.
//!
//! In lockstep time nothing may happen that is not a function of what the guest was told: no keys, no network of its own, no
//! cryptography that costs time. So the host says its [`Order`]s on a serial line and the agent its [`Word`]s; what they
//! mean is what SSH means by channels, so that the controller does above it what it does above SSH.
//!
//! # How
//! One thread waits (poll(2)) for the line, the commands' outputs and their ends, and does what can be done at once, channel after
//! channel in the order of their numbers. No clock is read, and nothing is drawn by lot.
//!
//! Nobody is starved: of each output one [`PIECE`] is read at a time, and none while much waits to be sent. What is typed for a
//! command that does not read waits here. The host types no more than a [`WINDOW`] ahead of what the agent has heard.
//!
//! An orderly shutdown is seen to its end: signals do not end the agent, and init spares it.
//!
//! Exceptions: what comes over the line and is no message cannot be got over: the agent says so on the console, and ends.

mod channel;
mod execute;
mod message;
mod reader;
mod serve;
mod start;
mod terminal;

pub use execute::Shell;
pub use message::{How, Message, Order, PIECE, Stream, WINDOW, Word};
pub use reader::Reader;
pub use serve::serve;
pub use start::{AGENT, DEVICE, run, start};
