//! One thing witnessed, at one time on the lab's clock.

use super::{Frame, KernelEvent, LabTime};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing witnessed, at one time on the lab's clock. One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Event {
    /// When: nanoseconds since the lab began.
    pub at: LabTime,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What was witnessed, by its witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "witness", rename_all = "kebab-case")]
pub enum What {
    /// The controller: a step of the scenario began or was done.
    Step {
        /// Position in the scenario, from 0.
        index: usize,
        /// The step's own name, if the scenario gave it one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The step in words: "power off server".
        text: String,
        /// What became of it.
        #[serde(flatten)]
        event: StepEvent,
    },
    /// A program's own word, as it came over the control channel: proof of nothing but that it said so.
    Program {
        /// The host it runs on.
        host: String,
        /// Its name in the scenario.
        program: String,
        /// What it did.
        #[serde(flatten)]
        event: ProgramEvent,
    },
    /// A machine: power, boot, carrier, and their proofs.
    Machine {
        /// The host.
        host: String,
        /// What it did.
        #[serde(flatten)]
        event: MachineEvent,
    },
    /// The cable: a frame as the switch got it. Boxed, as it is far larger than the rest.
    Wire(Box<Frame>),
    /// A host's own kernel, as its trace tells.
    Kernel(Box<KernelEvent>),
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum StepEvent {
    /// It began.
    Began,
    /// It is done, with all that it waits for.
    Done,
}

/// What a program did, as the control channel tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum ProgramEvent {
    /// It was started; `pid` is its process id on its host.
    Started {
        /// Process id in the guest.
        pid: u32,
        /// The command line.
        command: String,
    },
    /// A line was typed into it.
    Input {
        /// The line, without its newline.
        text: String,
    },
    /// End of file (^D) was typed into it.
    InputEnded,
    /// It printed a line.
    Line {
        /// The line, without its newline.
        text: String,
    },
    /// It has printed so much that from here on its lines are not kept.
    Muted,
    /// What it printed since it was muted, and was not kept; told at its end, or at that of the run.
    NotKept {
        /// How many lines.
        lines: u64,
        /// How many bytes, newlines not counted.
        bytes: u64,
        /// The last of these lines.
        last: Vec<String>,
    },
    /// It ended. Children that it left may print lines after this.
    Ended {
        /// How.
        how: Ended,
    },
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It exited with this status.
    Exit(i32),
    /// A signal ended it; the name without SIG, as in `KILL`.
    Signal(String),
    /// Nobody can tell: the control channel was lost before the end was told (its host died, or the session was cut).
    Lost(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Exit(status) => write!(f, "exited with status {status}"),
            Ended::Signal(name) => write!(f, "was ended by SIG{name}"),
            Ended::Lost(why) => write!(f, "was lost from sight: {why}"),
        }
    }
}

/// What a machine did, with the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum MachineEvent {
    /// Power was switched on: a new process of the hypervisor.
    PoweredOn {
        /// Process id of the hypervisor on this host; none in lockstep time, in which two runs differ in nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// The guest is up: its control channel answers.
    Booted {
        /// The kernel's own id of this boot (`/proc/sys/kernel/random/boot_id`).
        boot_id: String,
        /// The kernel's release (`uname -r`).
        kernel: String,
    },
    /// Power was cut. The proof is the wait status: SIGKILL, and no polite quit before it. Where the process is libvirt's, the proof is
    /// how its domain stands when it is gone.
    PoweredOff {
        /// How the hypervisor's process ended.
        how: Ended,
        /// What libvirt says of the domain, as in `shut off (destroyed)`; none where there is no libvirt.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
    },
    /// The machine was reset: the hypervisor reported it, with its reason.
    Reset {
        /// QMP `RESET` event's `reason`, as in `host-qmp-system-reset` or `guest-reset`.
        reason: String,
    },
    /// The guest shut down by itself: the hypervisor reported it, with its reason.
    ShutDown {
        /// QMP `SHUTDOWN` event's `reason`, as in `guest-shutdown`.
        reason: String,
    },
    /// The machine's process ended although nobody had asked for it.
    Died {
        /// How.
        how: Ended,
        /// Last words on its standard error.
        words: String,
    },
    /// The hypervisor's process was stopped (SIGSTOP) by somebody else.
    Stopped,
    /// The guest's kernel panicked.
    Panicked {
        /// The line on the console.
        line: String,
    },
    /// A step of the guest's boot failed, as its boot script says: it will not come up.
    BootFailed {
        /// What failed, in the script's words.
        what: String,
    },
    /// The link's carrier was set.
    CarrierSet {
        /// True: plugged in.
        up: bool,
    },
    /// The guest was asked how often its link's carrier has changed.
    Carrier {
        /// `/sys/class/net/eth0/carrier` reads 1.
        up: bool,
        /// `/sys/class/net/eth0/carrier_down_count`: how often it was lost since boot.
        down_count: u32,
    },
    /// The control channel was cut although the machine lives.
    ControlLost {
        /// What the SSH library said.
        why: String,
    },
}
