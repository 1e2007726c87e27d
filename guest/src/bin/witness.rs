//! What the controller needs on a guest beside SSH: an attendant for each program.

use deadpeer_guest::attend;
use deadpeer_guest::wrap::{EX_USAGE, complain};
use std::process::exit;

const HELP: &str = "\
usage: witness run [--service] MARK NAME -- COMMAND...
       witness become NAME

  run      starts COMMAND and tells how it fares, in lines that begin with MARK
  become   what init executes for a service that `run --service` asked it to start";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let enlist = |_: &str| Ok(());
    exit(match arguments.next().as_deref() {
        Some("run") => attend::run(arguments, enlist),
        Some("become") => attend::become_service(arguments, enlist),
        _ => {
            complain(format_args!("{HELP}"));
            EX_USAGE
        }
    });
}
