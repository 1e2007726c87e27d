//! Arguments to command, command to exit code; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    deadpeer::cli::main(std::env::args_os())
}
