//! The echo client of UNP figures 5.4 and 5.5: stop and wait.
//!
//! It sits either in `fgets`, waiting for its user, or in `readline`, waiting for the server, and never listens to
//! both: what happens to the connection while it waits for its user, it learns at its next call on the socket. So
//! did the textbook's client, and that is what the scenarios of chapter 5 are about. Its options are the remedies that
//! chapters 5, 6, 7 and 14 give.

mod connect;
mod options;
mod str_cli;

use deadpeer_guest::signals::{self, Line, catch, ignore, only_interrupt};
use deadpeer_guest::wrap::{EX_USAGE, complain, say};
use nix::sys::signal::Signal;
use options::{HELP, Interrupted, Options, Sigpipe, Wait, options};
use std::process::exit;

fn main() {
    signals::restore_sigpipe();
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return say(format_args!("{HELP}")),
        Err(wrong) => {
            complain(format_args!("echo-client: {wrong}\n\n{HELP}"));
            exit(EX_USAGE);
        }
    };
    if let Err(error) = run(&options) {
        complain(format_args!("{error}"));
        exit(1);
    }
}

/// The textbook's `main` (figure 5.4; with several connections figure 5.9): all connections are made, the first is used,
/// and the exit closes them all.
fn run(options: &Options) -> Result<(), String> {
    handle_signals(options)?;
    let made: Result<Vec<_>, _> = (0..options.connections).map(|_| connect::connected(options)).collect();
    let made = made?;
    let Some(first) = made.first() else { return Ok(()) };
    match options.wait {
        Wait::Select => str_cli::at_once(first, str_cli::select_both),
        Wait::Poll => str_cli::at_once(first, str_cli::poll_both),
        _ => str_cli::one_at_a_time(first, options),
    }?;
    exit(0)
}

/// Handlers that interrupt: without `SA_RESTART`.
fn handle_signals(options: &Options) -> Result<(), String> {
    match options.sigpipe {
        Sigpipe::Default => {}
        Sigpipe::Ignore => ignore(Signal::SIGPIPE),
        Sigpipe::Catch => catch(Signal::SIGPIPE, sig_pipe, false)?,
    }
    if matches!(options.wait, Wait::Alarm(_)) || options.interrupted_connect != Interrupted::Fail {
        catch(Signal::SIGALRM, only_interrupt, false)?;
    }
    Ok(())
}

extern "C" fn sig_pipe(_: nix::libc::c_int) {
    Line::default().text("SIGPIPE caught").print();
}
