//! What was traced, put together: facts of single trace events, in order of time, to events of the timeline.
//!
//! Here is what concerns processes and signals; system calls are in [`super::calls`], sockets in [`super::sockets`]. Only what
//! matters for the death of a peer is told: the scenario's programs, and TCP on the whole host.

use super::calls::{Flight, is_writing};
use super::decode::{Traced, What};
use super::descriptors::Descriptors;
use super::names::{self, Restart};
use super::processes::Processes;
use super::told::Told;
use crate::timeline::{Connection, Disposition, Ended, KernelFact, Process, SignalOutcome};
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

/// `SA_RESTART` of sigaction(2), on x86-64.
const SA_RESTART: u64 = 0x1000_0000;
/// Values of a handler that are none: `SIG_DFL`, `SIG_IGN`.
const DEFAULT: u64 = 0;
const IGNORE: u64 = 1;
/// Where a signal came from (`si_code`, sigaction(2)): a process, for codes up to this.
const SI_USER: i32 = 0;
/// ... a timer.
const SI_TIMER: i32 = -2;
const SIGKILL: i32 = 9;
const SIGPIPE: i32 = 13;
const SIGCHLD: i32 = 17;

/// The story of one boot of one host, as far as it was traced.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) processes: Processes,
    pub(super) descriptors: Descriptors,
    /// The call that each thread is in.
    pub(super) flights: HashMap<u32, Flight>,
    /// Calls that a signal interrupted, and whose fate the signal decides; with the time at which they were left.
    pub(super) interrupted: HashMap<u32, (Flight, Restart, u64)>,
    /// Connections that nobody has accepted yet, by the listener's port, oldest first.
    pub(super) queues: HashMap<u16, VecDeque<u64>>,
    /// The last state that each socket was seen in.
    pub(super) states: HashMap<u64, u8>,
    /// Sockets whose connection lives on without them, in TIME_WAIT or FIN_WAIT2.
    pub(super) outlived: HashSet<u64>,
    /// The last of these, until the small socket in its place is made: the connection, and the state's number.
    pub(super) outliving: Option<(Connection, u8)>,
    /// The small sockets, by their addresses; likewise.
    pub(super) small: HashMap<u64, (Connection, u8)>,
    pub(super) told: Told,
}

impl Story {
    /// The story of `host`, with nothing in it.
    pub(super) fn new(host: &str) -> Self {
        Self {
            processes: Processes::default(),
            descriptors: Descriptors::default(),
            flights: HashMap::new(),
            interrupted: HashMap::new(),
            queues: HashMap::new(),
            states: HashMap::new(),
            outlived: HashSet::new(),
            outliving: None,
            small: HashMap::new(),
            told: Told::new(host),
        }
    }

    /// Goes on with the next thing traced. They must come in order of time.
    pub(super) fn take(&mut self, traced: &Traced) {
        let (at, thread) = (traced.at, traced.thread);
        match &traced.what {
            What::Enter { call, arguments } => self.enter(at, thread, call, *arguments),
            What::Exit { call, returned } => self.exit(at, thread, call, *returned),
            What::Marker(text) => self.marker(thread, text),
            What::Accepted { socket } => self.accepting(thread, *socket),
            What::State { socket, from, to } => self.state(traced, *socket, *from, *to),
            What::TimeWait { socket, state } => self.time_wait(at, *socket, *state),
            What::TimeWaitMade { small } => self.time_wait_made(*small),
            What::TimeWaitTimer { small, anew } => self.time_wait_timer(at, *small, *anew),
            What::Retransmitted(socket) => {
                self.segment(traced, *socket, |connection| KernelFact::Retransmitted { connection });
            }
            What::ResetSent(socket) => {
                self.segment(traced, *socket, |connection| KernelFact::ResetSent { connection });
            }
            What::ResetReceived(socket) => {
                self.segment(traced, *socket, |connection| KernelFact::ResetReceived { connection });
            }
            What::SignalSent { signal, code, target, command, result } => {
                self.processes.name(*target, command);
                let sender = self.sender(traced, *signal, *code, *target);
                self.sent(at, sender, *signal, *target, *result);
            }
            What::SignalDelivered { signal, handler, flags } => self.delivered(at, thread, *signal, *handler, *flags),
            What::Made { thread, flags } => self.processes.made(*thread, *flags),
            What::Forked { parent, child, command } => self.forked(at, *parent, *child, command),
            What::Executed { file } => self.executed(at, thread, file),
            What::Exited { command } => self.exited(at, thread, command),
            What::Freed { thread } => self.reaped(at, *thread, None),
            What::Reboot { command } => {
                let how = names::reboot(*command);
                if !how.starts_with("Ctrl") {
                    self.told.tell(at, Some(self.processes.of(thread)), KernelFact::Reboot { how });
                }
            }
            // Frames are for the clock, not for the story.
            What::Frame { .. } => {}
        }
    }

    /// The recording ends here: whoever is in a call stays in it.
    pub(super) fn end(&mut self, at: u64) {
        let threads: BTreeSet<u32> = self.flights.keys().chain(self.interrupted.keys()).copied().collect();
        for thread in threads {
            self.unfinished(at, thread);
        }
        self.told.end(at);
    }

    /// `deadpeer: program NAME pid PID`, which the launcher writes of itself before it becomes the program.
    fn marker(&mut self, thread: u32, text: &str) {
        let Some((name, pid)) = text.strip_prefix("deadpeer: program ").and_then(|rest| rest.rsplit_once(" pid "))
        else {
            return;
        };
        if let Ok(pid) = pid.parse()
            && self.processes.pid(thread) == pid
        {
            self.processes.launched(pid, name);
            self.descriptors.start(pid);
        }
    }

    fn forked(&mut self, at: u64, parent: u32, child: u32, command: &str) {
        let flags = self.flights.get(&parent).filter(|flight| &*flight.call == "clone").map(|it| it.arguments[0]);
        let birth = self.processes.forked(parent, child, command, flags);
        if birth.is_thread {
            return;
        }
        self.flights.remove(&child);
        self.descriptors.fork(birth.parent, child, birth.shares_files);
        if self.processes.is_program(parent) {
            let process = self.processes.of(parent);
            self.told.tell(at, Some(process), KernelFact::Forked { child_pid: child });
        }
    }

    fn executed(&mut self, at: u64, thread: u32, file: &str) {
        self.processes.executed(thread, file);
        self.descriptors.exec(self.processes.pid(thread));
        if self.processes.is_program(thread) {
            let process = self.processes.of(thread);
            self.told.tell(at, Some(process), KernelFact::Executed { file: file.to_owned() });
        }
    }

    fn exited(&mut self, at: u64, thread: u32, command: &str) {
        self.unfinished(at, thread);
        self.processes.name(thread, command);
        let process = self.processes.of(thread);
        let Some(how) = self.processes.exited(thread) else { return };
        self.descriptors.end(process.pid);
        if process.program.is_some() {
            self.told.tell(at, Some(process), KernelFact::Exited { how });
        }
    }

    /// A process was waited for, by `waiter` if that is known.
    pub(super) fn reaped(&mut self, at: u64, pid: u32, waiter: Option<u32>) {
        let is_program = self.processes.is_program(pid);
        if self.processes.reaped(pid) && is_program {
            let waiter = waiter.map(|thread| self.processes.of(thread));
            self.told.tell(at, waiter, KernelFact::Reaped { child_pid: pid });
        }
    }

    /// Who sent a signal; none if it was the kernel.
    fn sender(&self, traced: &Traced, signal: i32, code: i32, target: u32) -> Option<Process> {
        let thread = traced.thread;
        let own = self.processes.pid(thread) == self.processes.pid(target);
        // The kernel sends SIGPIPE in the name of who wrote (`sk_stream_error`, net/core/stream.c).
        let broken_pipe = signal == SIGPIPE && own && self.flights.get(&thread).is_some_and(|it| is_writing(&it.call));
        // A child's end is told to its parent while the child still runs, if only in the kernel.
        let by_somebody = (code <= SI_USER && code != SI_TIMER) || signal == SIGCHLD;
        (by_somebody && !traced.interrupt && !broken_pipe && thread != 0).then(|| self.processes.of(thread))
    }

    fn sent(&mut self, at: u64, sender: Option<Process>, signal: i32, target: u32, result: i64) {
        if result == 0 && names::is_fatal_by_default(signal) {
            self.processes.deadly(target, signal);
        }
        let target = self.processes.of(target);
        if target.program.is_none() && sender.as_ref().is_none_or(|sender| sender.program.is_none()) {
            return;
        }
        // include/trace/events/signal.h
        let outcome = match result {
            1 => SignalOutcome::Ignored,
            2 => SignalOutcome::Merged,
            3 => SignalOutcome::Lost,
            _ => SignalOutcome::Queued,
        };
        self.told.tell(at, sender, KernelFact::SignalSent { signal: names::signal(signal), target, outcome });
    }

    fn delivered(&mut self, at: u64, thread: u32, signal: i32, handler: u64, flags: u64) {
        let disposition = match handler {
            DEFAULT => Disposition::Default,
            IGNORE => Disposition::Ignored,
            _ => Disposition::Handled,
        };
        let restart = flags & SA_RESTART != 0;
        if disposition == Disposition::Handled {
            self.handled(thread, restart);
        }
        let delivered = signal;
        let signal = self.processes.delivered(thread, delivered);
        let mut first = true;
        if disposition == Disposition::Default && names::is_fatal_by_default(signal) {
            first = self.processes.ending(thread, Ended::Signal(names::signal(signal)));
        }
        // The other threads of a process that is ending get a SIGKILL that nobody sent.
        if self.processes.is_program(thread) && (first || delivered != SIGKILL) {
            let process = self.processes.of(thread);
            let signal = names::signal(signal);
            self.told.tell(at, Some(process), KernelFact::SignalDelivered { signal, disposition, restart });
        }
    }
}
