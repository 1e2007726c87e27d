//! A scenario as the rest of the controller sees it: resolved, every name known to exist.

use crate::timeline::Flags;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// A checked scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name: lower-case letters, digits and hyphens; the file's name without `.yaml`.
    pub name: String,
    /// One line.
    pub title: String,
    /// Section of W. R. Stevens, *UNIX Network Programming*, vol. 1, 3rd ed.: "5.15".
    pub section: Option<String>,
    /// What happens, for a student.
    pub story: String,
    /// What the textbook claims.
    pub textbook: Option<String>,
    /// The hosts, in the order in which they are drawn.
    pub hosts: IndexMap<String, Host>,
    /// The programs by name.
    pub programs: IndexMap<String, Program>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is claimed.
    pub expectations: Vec<Expectation>,
    /// The text it was read from, byte for byte, kept in the run's folder.
    pub source: String,
}

/// A host: one guest with its own kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Addresses of its link NIC with prefix length. Never empty.
    pub addresses: Vec<(IpAddr, u8)>,
    /// What runs as PID 1.
    pub init: Init,
    /// Memory in MiB.
    pub memory: u32,
    /// Kernel parameters set before any program starts, as sysctl(8) names them.
    pub sysctl: BTreeMap<String, String>,
}

/// What runs as PID 1 on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// System V init, the one the textbook knew.
    #[default]
    Sysvinit,
    /// systemd.
    Systemd,
}

/// What runs on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The host it runs on.
    pub host: String,
    /// The command's words. The first is one of our guest programs (`echo-server`), which is uploaded, or
    /// something the image holds.
    pub command: Vec<String>,
}

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

/// A rule of the cable. The first that fits a frame decides; a frame that fits none passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Frames that come in from this host; from any host if none.
    pub from: Option<String>,
    /// Frames for this host (broadcasts too: for it alone); for any host if none.
    pub to: Option<String>,
    /// Frames of this kind; any if none.
    pub kind: Option<SegmentKind>,
    /// What becomes of them.
    pub verdict: RuleVerdict,
}

/// A kind of segment, as rules and expectations name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Any TCP segment.
    Tcp,
    /// With SYN, without ACK.
    Syn,
    /// With SYN and ACK.
    SynAck,
    /// With at least one byte of data.
    Data,
    /// With ACK, no data, none of SYN, FIN and RST.
    PureAck,
    /// With FIN.
    Fin,
    /// With RST.
    Rst,
    /// Sent again.
    Retransmission,
    /// An ICMP or ICMPv6 message about traffic.
    Icmp,
    /// ARP or IPv6 neighbour discovery.
    Arp,
}

/// What a rule does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleVerdict {
    /// Hand it on.
    Pass,
    /// Swallow it: a silent black hole.
    Drop,
    /// Hand it on later.
    Delay(Duration),
}

/// A claim about the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Its name.
    pub name: String,
    /// What is claimed.
    pub claim: Claim,
    /// What a student learns when it held.
    pub held: String,
    /// What a student learns when it did not hold.
    pub not_held: String,
    /// Line in the scenario's file, from 1.
    pub line: usize,
}

/// What is claimed.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// A program printed (or never printed) a line that contains a text.
    Printed {
        /// The program.
        program: String,
        /// The text.
        text: String,
        /// True: at least one such line. False: none.
        seen: bool,
        /// When.
        when: Moment,
    },
    /// A program ended so, or was still running at the end.
    Ended {
        /// The program.
        program: String,
        /// How.
        how: ProgramEnd,
        /// When.
        when: Moment,
    },
    /// Segments were seen or not seen on the wire.
    Segment(SegmentClaim),
    /// A host's boot id at the end differs from (true) or equals (false) that of its first boot.
    BootIdChanged {
        /// The host.
        host: String,
        /// What is claimed.
        changed: bool,
    },
    /// A host's carrier was lost (true), or never lost (false), as its own kernel counts.
    CarrierLost {
        /// The host.
        host: String,
        /// What is claimed.
        lost: bool,
    },
}

/// A claim about segments on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentClaim {
    /// Which segments.
    pub flow: Flow,
    /// Exactly so many, if given; else at least one (`seen`) or none (not `seen`).
    pub count: Option<usize>,
    /// True: seen. False: not one.
    pub seen: bool,
    /// The segment must answer another one.
    pub answering: Option<Answering>,
    /// When.
    pub when: Moment,
}

/// Which segments: all given parts must fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// Sent by this host.
    pub from: Option<String>,
    /// Addressed to this host.
    pub to: Option<String>,
    /// Of this kind.
    pub kind: Option<SegmentKind>,
    /// With at least these control bits set.
    pub flags: Flags,
}

/// The segment that another one answers. A RST answers the segment whose acknowledgement number is its own
/// sequence number (RFC 9293, 3.10.7.1), on the same connection, sent before it by the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// Which segments may be the one answered.
    pub flow: Flow,
    /// The answered segment was sent after this step began.
    pub after: Option<usize>,
}

/// When something must have happened. Steps by index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moment {
    /// After this step began.
    pub after: Option<usize>,
    /// Before this step began.
    pub before: Option<usize>,
    /// Within this time after step `after` began (after the lab's start, if none).
    pub within: Option<Duration>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramEnd {
    /// It exited with this status.
    Exit(i32),
    /// A signal ended it; the name is without SIG.
    Signal(String),
    /// It exited or was ended, however.
    Any,
    /// It had not ended when the run did.
    Running,
    /// It died with its host: nobody could tell how.
    WithHost,
}

impl Scenario {
    /// The step with this name.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|s| s.name.as_deref() == Some(name))
    }
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
            Action::Pause(time) => write!(f, "pause for {}", super::show_time(*time)),
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
