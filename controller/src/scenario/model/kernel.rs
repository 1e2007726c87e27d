//! What can be claimed on the word of a host's own kernel: system calls and their results, signals, TCP's states.

use super::{Count, Moment};
use crate::timeline::{Disposition, SignalOutcome, TcpState};
use std::fmt;

/// A claim that a kernel traced something so often.
#[derive(Debug, Clone, PartialEq)]
pub struct KernelClaim {
    /// What.
    pub what: KernelPattern,
    /// How often.
    pub count: Count,
    /// When.
    pub when: Moment,
}

/// Something that a kernel traces: all given parts must fit.
#[derive(Debug, Clone, PartialEq)]
pub enum KernelPattern {
    /// A system call of a program, or of a process that it forked.
    Call {
        /// The program.
        program: String,
        /// Which calls.
        family: CallFamily,
        /// On what.
        descriptor: Option<DescriptorClass>,
        /// With one of these results; with any, if there is none.
        returns: Vec<Returns>,
    },
    /// A signal was delivered to a process of a program.
    Delivered {
        /// The program.
        program: String,
        /// The name without SIG.
        signal: String,
        /// What the process had asked for.
        disposition: Option<Disposition>,
    },
    /// A signal was sent to a process of a program, by whomever.
    Sent {
        /// The program that the target is of.
        program: String,
        /// The name without SIG.
        signal: String,
        /// What became of it.
        outcome: Option<SignalOutcome>,
    },
    /// A connection of a host changed its state.
    State {
        /// The host.
        host: String,
        /// From what to what.
        change: StateChange,
    },
    /// A host's TCP did, or saw, something.
    Tcp {
        /// The host.
        host: String,
        /// What.
        deed: TcpDeed,
    },
}

/// System calls that do the same work under several names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFamily {
    /// connect(2).
    Connect,
    /// accept(2), accept4(2).
    Accept,
    /// read(2), readv(2), recvfrom(2) (which is also what recv(2) calls), recvmsg(2), recvmmsg(2).
    Read,
    /// write(2), writev(2), sendto(2) (and so send(2)), sendmsg(2), sendmmsg(2), sendfile(2), splice(2).
    Write,
    /// close(2), close_range(2).
    Close,
    /// shutdown(2).
    Shutdown,
    /// poll(2), ppoll(2), select(2), pselect6(2), epoll_wait(2), epoll_pwait(2), epoll_pwait2(2).
    Poll,
    /// setsockopt(2).
    Setsockopt,
    /// listen(2).
    Listen,
    /// wait4(2) (and so waitpid(2)), waitid(2).
    Wait,
    /// fork(2), vfork(2), clone(2), clone3(2).
    Fork,
    /// execve(2), execveat(2).
    Exec,
}

impl CallFamily {
    /// The kernel's names of these calls (x86-64's `asm/unistd_64.h`).
    #[must_use]
    pub fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &["connect"],
            Self::Accept => &["accept", "accept4"],
            Self::Read => &["read", "readv", "recvfrom", "recvmsg", "recvmmsg"],
            Self::Write => &["write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile64", "sendfile", "splice"],
            Self::Close => &["close", "close_range"],
            Self::Shutdown => &["shutdown"],
            Self::Poll => &["poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2"],
            Self::Setsockopt => &["setsockopt"],
            Self::Listen => &["listen"],
            Self::Wait => &["wait4", "waitid"],
            Self::Fork => &["fork", "vfork", "clone", "clone3"],
            Self::Exec => &["execve", "execveat"],
        }
    }

    /// Whether one descriptor is what it is about.
    #[must_use]
    pub fn has_descriptor(self) -> bool {
        !matches!(self, Self::Poll | Self::Wait | Self::Fork | Self::Exec)
    }
}

/// What a descriptor refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptorClass {
    /// A TCP connection, one that is being made, or one that was.
    Connection,
    /// A listening TCP socket.
    Listening,
    /// Standard input as the program was started with.
    Input,
    /// Standard output or error as the program was started with.
    Output,
}

/// What a system call came to, as its program saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// It failed with this error (`ECONNRESET`).
    Error(String),
    /// It returned just this.
    Number(i64),
    /// It returned more than 0: bytes of data, a process id.
    Data,
    /// It returned 0 or more.
    Success,
    /// A signal interrupted it and it began anew by itself: its program did not see it return.
    Restarted,
    /// It did not return.
    Nothing,
}

/// A change of a connection's state; at least one end of it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateChange {
    /// The old state; any, if none.
    pub from: Option<TcpState>,
    /// The new state; any, if none.
    pub to: Option<TcpState>,
}

impl StateChange {
    /// Whether listening sockets are meant, which are no connections.
    #[must_use]
    pub fn is_about_listening(self) -> bool {
        [self.from, self.to].contains(&Some(TcpState::Listen))
    }
}

impl fmt::Display for StateChange {
    /// " from ESTABLISHED to CLOSE-WAIT".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, state) in [("from", self.from), ("to", self.to)] {
            if let Some(state) = state {
                write!(f, " {word} {state}")?;
            }
        }
        Ok(())
    }
}

/// What a host's TCP does or sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpDeed {
    /// It sent a RST.
    ResetSent,
    /// It received a RST and believed it.
    ResetReceived,
    /// It sent a segment again.
    Retransmission,
}
