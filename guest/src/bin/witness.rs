//! What the controller needs on a guest beside SSH: an attendant for each program.

use deadpeer_guest::attend;
use deadpeer_guest::wrap::{EX_USAGE, complain};
use std::process::exit;

const HELP: &str = "\
usage: witness attend [--service] MARK NAME -- COMMAND...
       witness become NAME

  attend   starts COMMAND and tells how it fares, in lines that begin with MARK
  become   what init executes for a service that `attend --service` asked it to start";

fn main() {
    let mut arguments = std::env::args().skip(1);
    exit(match arguments.next().as_deref() {
        Some("attend") => attend::attend(arguments),
        Some("become") => attend::become_service(arguments),
        _ => {
            complain(format_args!("{HELP}"));
            EX_USAGE
        }
    });
}
