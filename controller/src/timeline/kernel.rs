//! What a host's own kernel traced: system calls and their results, signals, processes, TCP's states.

use super::{Ended, LabTime};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;

/// One thing that a host's kernel traced, whoever it happened to. [`super::Event::at`] is its time on the lab's clock, mapped
/// from the guest's (for a call: when it returned).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KernelEvent {
    /// The host.
    pub host: String,
    /// When, on the guest's own clock: nanoseconds since that boot began (`CLOCK_BOOTTIME`).
    pub guest_time: u64,
    /// In whose context it happened; none for what the kernel did by itself (an arriving segment, a timer).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// What happened.
    #[serde(flatten)]
    pub fact: KernelFact,
}

/// What the testimony of a host's kernel is worth, for one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KernelAccount {
    /// The kernel's id of that boot.
    pub boot_id: String,
    /// The kernel's release (`uname -r`).
    pub kernel: String,
    /// Trace events that were read.
    pub events: u64,
    /// Trace events that are known to be lost; each loss of unknown size counts as one.
    pub lost: u64,
    /// How wrong a time of its events may be on the lab's clock: nanoseconds to either side, at worst.
    pub clock_error: Option<u64>,
    /// For a machine that died or was switched off: so many nanoseconds before that, the last of what its kernel had
    /// traced had been saved. What happened in them may be missing.
    pub unread: Option<u64>,
    /// What this kernel could not tell, in words.
    pub problems: Vec<String>,
}

/// A process of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Process {
    /// Its process id (the thread group's, where it has several threads and that is known).
    pub pid: u32,
    /// The kernel's name for it (`comm`): the first 15 bytes of its program's file name, unless it changed that.
    pub command: String,
    /// The scenario's program that it is or descends from; none for what else lives on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// False for the program's first process, true for a process that it forked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub child: bool,
}

/// What a kernel traced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum KernelFact {
    /// The kernel's trace began to be recorded: what happened on its host from here on is known.
    Began {
        /// The kernel's release (`uname -r`).
        kernel: String,
    },
    /// A system call of a traced program: it returned, or was never seen to return.
    Call(Call),
    /// A process forked another.
    Forked {
        /// The new process's id.
        child_pid: u32,
    },
    /// A process became another program.
    Executed {
        /// The program's file.
        file: String,
    },
    /// A process ended. It is a zombie from here until it is reaped.
    Exited {
        /// How.
        how: Ended,
    },
    /// A process was waited for by its parent (or by init): it is a zombie no longer.
    Reaped {
        /// Its id.
        child_pid: u32,
    },
    /// A signal was sent. `process` is the sender, none if it was the kernel.
    SignalSent {
        /// The name without SIG, as in `CHLD`.
        signal: String,
        /// Who it was for.
        target: Process,
        /// What became of it.
        outcome: SignalOutcome,
    },
    /// A signal was delivered to `process`.
    SignalDelivered {
        /// The name without SIG.
        signal: String,
        /// What the process had asked for.
        disposition: Disposition,
        /// The handler was installed with `SA_RESTART`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        restart: bool,
    },
    /// A connection, or a listening socket, changed its state (RFC 9293 section 3.3.2).
    State {
        /// Whose.
        #[serde(flatten)]
        connection: Connection,
        /// The old state.
        from: TcpState,
        /// The new state.
        to: TcpState,
    },
    /// A segment was sent again.
    Retransmitted {
        /// Of this connection.
        #[serde(flatten)]
        connection: Connection,
    },
    /// A RST was sent.
    ResetSent {
        /// Of this connection, or from this port to whoever asked.
        #[serde(flatten)]
        connection: Connection,
    },
    /// A RST that the kernel believed was received.
    ResetReceived {
        /// Of this connection.
        #[serde(flatten)]
        connection: Connection,
    },
    /// Init, or whoever, had the kernel power off, reboot or halt (reboot(2)).
    Reboot {
        /// `power-off`, `restart`, `halt` ...
        how: String,
    },
    /// Something was traced and lost before anybody read it: what happened between the last event before and the first one
    /// after this may be missing.
    Lost {
        /// How many trace events; 0 if nobody knows.
        events: u64,
        /// Where they were lost: the kernel's trace buffer, the flight recorder, a machine that ended.
        place: String,
        /// Up to when nothing is missing, on the lab's clock.
        since: LabTime,
    },
    /// The kernel could not be brought to tell of something. All the time of this boot, its silence about that means nothing.
    Untold {
        /// The trace event, or the setting.
        what: String,
        /// Why not.
        why: String,
        /// The system call that is not told of; all kinds of facts may be missing if none is named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<String>,
    },
}

/// So many successful writes to its standard output are told of a process. What it printed is known from the control channel.
pub const OUTPUTS_TOLD: u32 = 100;

/// A system call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Call {
    /// The kernel's name for it: `recvfrom`, `accept4`.
    pub call: String,
    /// When it was entered, on the lab's clock.
    pub began: LabTime,
    /// What its descriptor was, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Descriptor>,
    /// Its other arguments worth telling, in strace's manner: `SOL_SOCKET, SO_KEEPALIVE`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// What became of it.
    #[serde(flatten)]
    pub result: CallResult,
}

/// What became of a system call, as the program sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallResult {
    /// It returned this: bytes, a descriptor, a process id, 0.
    Returned(i64),
    /// It failed with this error (`ECONNRESET`).
    Failed(String),
    /// A signal interrupted it, and it began anew by itself (`SA_RESTART`): its program never saw it return.
    Restarted,
    /// It was never seen to return: the process was still in it when the recording ended, or ended within it.
    Unfinished,
}

/// A file descriptor, as far as this story needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Descriptor {
    /// Its number.
    pub number: i32,
    /// What it refers to.
    #[serde(flatten)]
    pub kind: DescriptorKind,
}

/// What a descriptor refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum DescriptorKind {
    /// Standard input as the program was started with.
    Input,
    /// Standard output or error as the program was started with.
    Output,
    /// A listening TCP socket.
    Listening {
        /// Its port.
        port: u16,
    },
    /// A TCP connection, or one that is being made or was.
    Connection(Connection),
    /// A TCP socket not yet bound to anybody.
    Socket,
    /// A set of descriptors (poll, select, epoll): those of them that are known are in the call's arguments.
    Several,
    /// Anything else.
    Other,
}

/// The two ends of a connection, as this host sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Connection {
    /// This host's end.
    pub local: SocketAddr,
    /// The peer's end; port 0 for a listening socket.
    pub remote: SocketAddr,
}

/// TCP's states, as RFC 9293 names them; `Close` is the RFC's CLOSED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[allow(missing_docs)] // The RFC's names say it.
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
pub enum TcpState {
    Established,
    SynSent,
    SynReceived,
    #[serde(rename = "FIN-WAIT-1")]
    FinWait1,
    #[serde(rename = "FIN-WAIT-2")]
    FinWait2,
    TimeWait,
    #[serde(rename = "CLOSED")]
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TcpState::Established => "ESTABLISHED",
            TcpState::SynSent => "SYN-SENT",
            TcpState::SynReceived => "SYN-RECEIVED",
            TcpState::FinWait1 => "FIN-WAIT-1",
            TcpState::FinWait2 => "FIN-WAIT-2",
            TcpState::TimeWait => "TIME-WAIT",
            TcpState::Closed => "CLOSED",
            TcpState::CloseWait => "CLOSE-WAIT",
            TcpState::LastAck => "LAST-ACK",
            TcpState::Listen => "LISTEN",
            TcpState::Closing => "CLOSING",
        })
    }
}

/// What became of a signal when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalOutcome {
    /// It was put into the target's queue.
    Queued,
    /// The target ignores it, and it was thrown away.
    Ignored,
    /// One of its kind was already waiting: the two merged into one.
    Merged,
    /// It was lost for want of memory.
    Lost,
}

/// What a process had asked for a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Nothing: the default action (signal(7)).
    Default,
    /// To ignore it.
    Ignored,
    /// A handler.
    Handled,
}
