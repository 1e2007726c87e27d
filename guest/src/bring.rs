//! Hands out what is on the program disk. Where on it a program is, the controller knows, who wrote it; the disk itself says nothing.

use crate::shared;
use crate::wrap::{EX_USAGE, complain};
use std::io::{self, Write};

/// Writes a piece of the program disk to standard output: the arguments are its offset, a multiple of
/// [`crate::PROGRAM_DISK_PAGE`], and its length. Returns an exit status.
pub fn bring(arguments: impl Iterator<Item = String>) -> i32 {
    let numbers: Vec<Option<u64>> = arguments.map(|argument| argument.parse().ok()).collect();
    let [Some(offset), Some(length)] = numbers[..] else {
        complain(format_args!("witness bring: an offset and a length are wanted, in bytes"));
        return EX_USAGE;
    };
    match hand_out(offset, length) {
        Ok(()) => 0,
        Err(error) => {
            complain(format_args!("the program disk cannot be read: {error}"));
            1
        }
    }
}

fn hand_out(offset: u64, length: u64) -> io::Result<()> {
    let program = shared::programs(offset, usize::try_from(length).map_err(io::Error::other)?)?;
    io::stdout().lock().write_all(program)
}
