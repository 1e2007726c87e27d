//! What the controller needs on a guest beside SSH: the kernel's testimony, and an attendant for each program.

use deadpeer_guest::wrap::{EX_USAGE, complain};
use deadpeer_guest::{attend, witness};
use std::process::exit;

const HELP: &str = "\
usage: witness start
       witness attend [--service] MARK NAME -- COMMAND...
       witness become NAME

  start    has the kernel trace, and what it says copied to the flight recorder; returns when it traces
  attend   starts COMMAND and tells how it fares, in lines that begin with MARK
  become   what init executes for a service that `attend --service` asked it to start";

fn main() {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    exit(match arguments.next().as_deref() {
        Some("start") => witness::start(),
        // By the name alone, which `start` gives it.
        None if name == witness::SURVIVOR => witness::record(),
        Some("attend") => attend::attend(arguments),
        Some("become") => attend::become_service(arguments),
        _ => {
            complain(format_args!("{HELP}"));
            EX_USAGE
        }
    });
}
