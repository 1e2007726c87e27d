//! What the controller needs on a guest beside SSH, or in its place: the kernel's testimony, an attendant for each program, root's
//! shell, the agent. And what it needs on the computer that runs the guests, where that is another one than its own: the relay.

use deadpeer_guest::wrap::{EX_USAGE, complain};
use deadpeer_guest::{agent, attend, bring, relay, shell, stir, tell, witness};
use std::process::exit;

const HELP: &str = "\
usage: witness start
       witness attend [--service] MARK NAME -- COMMAND...
       witness become NAME
       witness tell
       witness stir CHANCE
       witness agent [DEVICE]
       witness bring OFFSET LENGTH
       witness relay

  start    has the kernel trace, and what it says copied to the flight recorder; returns when it traces
  attend   starts COMMAND and tells how it fares, in lines that begin with MARK
  become   what init executes for a service that `attend --service` asked it to start
  tell     prints what the kernel says of itself: boot id, carrier, how often that was lost
  stir     has the kernel draw its random numbers from CHANCE, 64 hexadecimal digits
  agent    has what the host says on DEVICE (/dev/ttyS1) carried out; returns when that line is open
  bring    writes so many bytes of the program disk to standard output
  relay    not on a guest: stands in for the controller on the computer whose libvirt runs the guests

Under the name of `shell` it is root's shell.";

fn main() {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    exit(if shell::is_meant(&name) {
        match shell::serve(arguments) {
            Ok(words) => carry_out(&name, words.into_iter()),
            Err(status) => status,
        }
    } else {
        carry_out(&name, arguments)
    });
}

fn carry_out(name: &str, mut arguments: impl Iterator<Item = String>) -> i32 {
    match arguments.next().as_deref() {
        Some("start") => witness::start(),
        // By the name alone, which `start` gives it.
        None if name == witness::SURVIVOR => witness::record(),
        None if name == agent::AGENT => agent::run(),
        Some("agent") => agent::start(arguments),
        Some("attend") => attend::attend(arguments),
        Some("become") => attend::become_service(arguments),
        Some("tell") => tell(),
        Some("bring") => bring(arguments),
        Some("stir") => stir(arguments),
        Some("relay") => relay::run(),
        _ => {
            complain(format_args!("{HELP}"));
            EX_USAGE
        }
    }
}
