//! The story's part about system calls: entry and return are paired, descriptors followed, results told as programs see them.

use super::arguments;
use super::descriptors::{File, Id};
use super::names::{self, Restart};
use super::story::Story;
use crate::timeline::{Call, CallResult, Descriptor, DescriptorKind, KernelFact, LabTime};
use std::sync::Arc;

/// A call that a thread is in.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) call: Arc<str>,
    pub(super) arguments: [u64; 6],
    began: u64,
    /// What its descriptor was when it was entered.
    on: Option<Descriptor>,
    /// The socket that its descriptor stands for.
    pub(super) socket: Option<Id>,
    /// The socket that accept(2) will return.
    pub(super) accepted: Option<u64>,
    /// Told in words, where they have to be found at the beginning.
    words: String,
}

/// Flags of socket(2), accept4(2), dup3(2), epoll_create1(2): `O_CLOEXEC`.
const CLOEXEC: u64 = 0o2_000_000;
/// The lower bits of socket(2)'s type.
const TYPE: u64 = 0xf;
/// Operations of fcntl(2).
const F_DUPFD: i32 = 0;
const F_SETFD: i32 = 2;
const F_DUPFD_CLOEXEC: i32 = 1030;
/// Flags of close_range(2).
const RANGE_UNSHARE: u64 = 2;
const RANGE_CLOEXEC: u64 = 4;
/// waitid(2): wait for one process; leave it a zombie.
const P_PID: u64 = 1;
const WNOWAIT: u64 = 0x0100_0000;
/// Flag of clone(2).
const CLONE_THREAD: u64 = 0x1_0000;

/// Whether a call of this name writes to its descriptor.
pub(super) fn is_writing(call: &str) -> bool {
    matches!(call, "write" | "writev" | "sendto" | "sendmsg" | "sendmmsg" | "sendfile64" | "splice")
}

impl Story {
    /// A thread entered a call.
    pub(super) fn enter(&mut self, at: u64, thread: u32, call: &Arc<str>, arguments: [u64; 6]) {
        if let Some((flight, _, left)) = self.interrupted.remove(&thread) {
            if &**call == "restart_syscall" {
                // The kernel's way to go on with a sleep: for the program it is still the same call.
                self.flights.insert(thread, flight);
                return;
            }
            // No handler ran, so it begins anew: most likely this is it.
            self.tell_call(left, thread, flight, CallResult::Restarted);
        }
        match &**call {
            "exit_group" => {
                self.processes.ending(thread, ended(arguments[0]));
            }
            "exit" if self.processes.is_alone(thread) => {
                self.processes.ending(thread, ended(arguments[0]));
            }
            "exit" | "rt_sigreturn" => {}
            _ => {
                let pid = self.processes.pid(thread);
                let on = self.descriptor(pid, call, &arguments);
                let socket = on.as_ref().and_then(|on| match self.descriptors.file(pid, on.number) {
                    Some(File::Tcp(id)) => Some(id),
                    _ => None,
                });
                let words = arguments::words(call, &arguments, &self.descriptors.members(pid, number(arguments[0])));
                let flight = Flight { call: Arc::clone(call), arguments, began: at, on, socket, accepted: None, words };
                self.flights.insert(thread, flight);
            }
        }
    }

    /// A thread left a call. No signal has been looked at yet.
    pub(super) fn exit(&mut self, at: u64, thread: u32, call: &str, returned: i64) {
        let Some(mut flight) = self.flights.remove(&thread) else { return };
        if &*flight.call != call && call != "restart_syscall" {
            // What lies between was not seen.
            return;
        }
        if let Some(restart) = Restart::of(returned) {
            self.interrupted.insert(thread, (flight, restart, at));
            return;
        }
        if returned >= 0 {
            self.follow(at, thread, &mut flight, returned);
        }
        if matches!(call, "connect" | "listen") {
            // Now it is more than it was when the call began.
            let pid = self.processes.pid(thread);
            flight.on = flight.on.map(|on| self.descriptors.describe(pid, on.number));
        }
        self.tell_call(at, thread, flight, names::result(returned));
    }

    /// A handler runs in the thread: what the call that was interrupted comes to is decided by that.
    pub(super) fn handled(&mut self, thread: u32, restart: bool) {
        if let Some((flight, kind, left)) = self.interrupted.remove(&thread) {
            self.tell_call(left, thread, flight, kind.after_handler(restart));
        }
    }

    /// The thread never comes back from the call it is in.
    pub(super) fn unfinished(&mut self, at: u64, thread: u32) {
        let interrupted = self.interrupted.remove(&thread).map(|(flight, _, _)| flight);
        for flight in self.flights.remove(&thread).into_iter().chain(interrupted) {
            self.tell_call(at, thread, flight, CallResult::Unfinished);
        }
    }

    /// The descriptor that a call is about.
    fn descriptor(&self, pid: u32, call: &str, arguments: &[u64; 6]) -> Option<Descriptor> {
        let number = match call {
            "poll" | "ppoll" | "select" | "pselect6" => {
                return Some(Descriptor { number: -1, kind: DescriptorKind::Several });
            }
            // Of two, the one that is a connection.
            "splice" if self.descriptors.file(pid, number(arguments[2])).is_some() => number(arguments[2]),
            _ if arguments::has_descriptor(call) => number(arguments[0]),
            _ => return None,
        };
        Some(self.descriptors.describe(pid, number))
    }

    /// Follows what a successful call did to descriptors and processes.
    fn follow(&mut self, at: u64, thread: u32, flight: &mut Flight, returned: i64) {
        let pid = self.processes.pid(thread);
        let [first, second, third, fourth, ..] = flight.arguments;
        let made = i32::try_from(returned).unwrap_or(-1);
        match &*flight.call {
            // AF_INET and AF_INET6, SOCK_STREAM, and the default protocol or TCP.
            "socket" if matches!(first, 2 | 10) && second & TYPE == 1 && matches!(third, 0 | 6) => {
                self.descriptors.socket(pid, made, second & CLOEXEC != 0);
                flight.on = Some(self.descriptors.describe(pid, made));
            }
            "accept" | "accept4" => {
                let Some(Descriptor { kind: DescriptorKind::Listening { port }, .. }) = flight.on else { return };
                let address = self.accepted(flight.accepted, port);
                let marked = &*flight.call == "accept4" && fourth & CLOEXEC != 0;
                self.descriptors.accepted(pid, made, address, marked);
                if let DescriptorKind::Connection(connection) = self.descriptors.describe(pid, made).kind {
                    flight.words = connection.remote.to_string();
                }
            }
            "close" => self.descriptors.close(pid, number(first)),
            "close_range" => {
                if third & RANGE_UNSHARE != 0 {
                    self.descriptors.unshare(pid);
                }
                let last = i32::try_from(second & 0xffff_ffff).unwrap_or(i32::MAX);
                self.descriptors.close_range(pid, number(first).max(0), last, third & RANGE_CLOEXEC != 0);
            }
            "dup" | "dup2" => self.descriptors.duplicate(pid, number(first), made, false),
            "dup3" => self.descriptors.duplicate(pid, number(first), made, third & CLOEXEC != 0),
            "fcntl" => match number(second) {
                F_DUPFD => self.descriptors.duplicate(pid, number(first), made, false),
                F_DUPFD_CLOEXEC => self.descriptors.duplicate(pid, number(first), made, true),
                F_SETFD => self.descriptors.mark(pid, number(first), third & 1 != 0),
                _ => {}
            },
            "epoll_create" => self.descriptors.set(pid, made, false),
            "epoll_create1" => self.descriptors.set(pid, made, first & CLOEXEC != 0),
            // EPOLL_CTL_ADD, DEL and MOD are 1, 2 and 3.
            "epoll_ctl" => self.descriptors.change_set(pid, number(first), number(third), second != 2),
            "wait4" if returned > 0 => self.reaped(at, u32::try_from(returned).unwrap_or_default(), Some(thread)),
            "waitid" if first == P_PID && fourth & WNOWAIT == 0 => {
                self.reaped(at, u32::try_from(second & 0xffff_ffff).unwrap_or_default(), Some(thread));
            }
            _ => {}
        }
    }

    fn tell_call(&mut self, at: u64, thread: u32, flight: Flight, result: CallResult) {
        if !self.processes.is_program(thread) || !is_worth_telling(&flight) {
            return;
        }
        let process = Some(self.processes.of(thread));
        let socket = flight.socket;
        let fact = KernelFact::Call(Call {
            call: flight.call.to_string(),
            // The guest's time, until the event is placed on the lab's clock.
            began: LabTime(flight.began),
            on: flight.on,
            arguments: flight.words,
            result,
        });
        match socket {
            Some(id) => self.told.tell_of(at, process, fact, id),
            None => self.told.tell(at, process, fact),
        }
    }
}

/// What a descriptor that nobody knows does is a program's own affair: a library that is read, a log that is written.
fn is_worth_telling(flight: &Flight) -> bool {
    match &*flight.call {
        "dup" | "dup2" | "dup3" | "fcntl" | "close_range" | "rt_sigaction" | "epoll_create" | "epoll_create1" => false,
        "clone" => flight.arguments[0] & CLONE_THREAD == 0,
        _ if arguments::has_descriptor(&flight.call) || &*flight.call == "socket" => {
            flight.on.as_ref().is_some_and(|on| on.kind != DescriptorKind::Other)
        }
        _ => true,
    }
}

/// An argument as the C `int` that it is.
fn number(argument: u64) -> i32 {
    argument as u32 as i32
}

/// How a process ends that passes this to exit(2).
fn ended(status: u64) -> crate::timeline::Ended {
    crate::timeline::Ended::Exit(number(status & 0xff))
}
