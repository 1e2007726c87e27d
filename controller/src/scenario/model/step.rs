//! Steps: what is done, in order.

use super::{Flow, Rule, StateChange};
use crate::scenario::show_time;
use std::fmt;
use std::time::Duration;

/// One thing the controller does.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its own name, for expectations to refer to ("after: second-line").
    pub name: Option<String>,
    /// What is done.
    pub action: Action,
    /// Line in the scenario's file, from 1.
    pub line: usize,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Starts a program, and waits until it says something.
    Start {
        /// The program.
        program: String,
        /// What to wait for.
        until: Option<Until>,
    },
    /// Types a line into a program's standard input.
    Type {
        /// The program.
        program: String,
        /// The line, without its newline.
        line: String,
        /// What to wait for.
        until: Option<Until>,
    },
    /// Types ^D: end of file.
    EndInput {
        /// The program.
        program: String,
        /// What to wait for.
        until: Option<Until>,
    },
    /// Waits for a program to say something or to end.
    Await {
        /// The program.
        program: String,
        /// What to wait for.
        until: Until,
    },
    /// Sends a signal to a program; the name is without SIG.
    Signal {
        /// The program.
        program: String,
        /// As in `KILL`.
        signal: String,
    },
    /// Runs a command on a host; it must exit 0.
    Run {
        /// The host.
        host: String,
        /// For `/bin/sh -c`.
        command: String,
        /// Within which time.
        within: Duration,
    },
    /// Cuts a host's power.
    PowerOff(String),
    /// Switches a host's power on and waits until it is up.
    PowerOn(String),
    /// Presses a host's reset button and waits until it is up.
    Reset(String),
    /// Shuts a host down in order, by its init, and waits until the machine is off.
    Shutdown(String),
    /// Reboots a host in order, by its init, and waits until it is up.
    Reboot(String),
    /// Unplugs a host's link cable: it loses carrier.
    Unplug(String),
    /// Plugs it in again.
    Plug(String),
    /// Replaces the cable's rules.
    Cable(Vec<Rule>),
    /// Lets time pass.
    Pause(Duration),
    /// Waits for such a segment on the wire.
    AwaitSegment {
        /// Which segments.
        flow: Flow,
        /// Seen after this step began; since the lab began, if none.
        after: Option<usize>,
        /// The deadline, as of [`Until::within`].
        within: Duration,
    },
    /// Waits for a connection of a host to change its state, as that host's kernel tells.
    AwaitState {
        /// The host.
        host: String,
        /// Which change.
        change: StateChange,
        /// Seen after this step began; since the lab began, if none.
        after: Option<usize>,
        /// The deadline, as of [`Until::within`].
        within: Duration,
    },
}

/// What is waited for, and for how long at most.
#[derive(Debug, Clone, PartialEq)]
pub struct Until {
    /// What is waited for.
    pub what: Pattern,
    /// The deadline. When it passes, the run is *unknown*: the lab never came to the point.
    pub within: Duration,
}

/// Something a program does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// It prints a line that contains this text.
    Prints(String),
    /// It ends, however.
    Ends,
}

impl fmt::Display for Action {
    /// In words, as reports show it: "power off server".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Start { program, .. } => write!(f, "start {program}"),
            Action::Type { program, line, .. } => write!(f, "type {line:?} into {program}"),
            Action::EndInput { program, .. } => write!(f, "type end of file into {program}"),
            Action::Await { program, until } => write!(f, "wait until {program} {}", until.what),
            Action::Signal { program, signal } => write!(f, "send SIG{signal} to {program}"),
            Action::Run { host, command, .. } => write!(f, "run `{command}` on {host}"),
            Action::PowerOff(host) => write!(f, "power off {host}"),
            Action::PowerOn(host) => write!(f, "power on {host}"),
            Action::Reset(host) => write!(f, "reset {host}"),
            Action::Shutdown(host) => write!(f, "shut down {host}"),
            Action::Reboot(host) => write!(f, "reboot {host}"),
            Action::Unplug(host) => write!(f, "unplug {host}"),
            Action::Plug(host) => write!(f, "plug in {host}"),
            Action::Cable(rules) if rules.is_empty() => write!(f, "clear the cable's rules"),
            Action::Cable(rules) => write!(f, "set {} rule(s) on the cable", rules.len()),
            Action::Pause(time) => write!(f, "pause for {}", show_time(*time)),
            Action::AwaitSegment { flow, .. } => {
                let article = if flow.to_string().starts_with(['A', 'I']) { "an" } else { "a" };
                write!(f, "wait for {article} {flow}")
            }
            Action::AwaitState { host, change, .. } => write!(f, "wait for a connection of {host} to go{change}"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Prints(text) => write!(f, "prints {text:?}"),
            Pattern::Ends => write!(f, "ends"),
        }
    }
}
