//! Who is who on a host: processes, their threads, and which of them belong to the scenario's programs.

use crate::timeline::{Ended, Process};
use std::collections::{HashMap, HashSet};

/// Flags of clone(2) that matter here (include/uapi/linux/sched.h).
const CLONE_FILES: u64 = 0x400;
const CLONE_THREAD: u64 = 0x1_0000;

const SIGKILL: i32 = 9;

/// The kernel keeps so many bytes of a name (`TASK_COMM_LEN` less the NUL).
const COMMAND_LENGTH: usize = 15;

/// The processes of one boot, as far as they were traced.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: HashMap<u32, Known>,
    /// The process of each thread but the first, whose id is the process's.
    threads: HashMap<u32, u32>,
    /// Flags of threads that were made, until it is told by whom.
    made: HashMap<u32, u64>,
}

/// What is known of a process.
#[derive(Debug, Default)]
struct Known {
    command: String,
    program: Option<String>,
    child: bool,
    /// It is still the launcher, that will become the program.
    launching: bool,
    /// Threads that have not ended.
    alive: HashSet<u32>,
    /// Signals that were sent to it and would end it, if nobody handled them; they are not delivered yet.
    deadly: Vec<i32>,
    /// How it is ending: what came first decides.
    ending: Option<Ended>,
    /// It has ended, and waits to be waited for.
    zombie: bool,
}

/// A thread that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Birth {
    /// Its process's parent has this process id; for a thread, it is of that process.
    pub(super) parent: u32,
    /// A thread of the same process, not a process of its own.
    pub(super) is_thread: bool,
    /// It shares its parent's descriptors instead of copying them.
    pub(super) shares_files: bool,
}

impl Processes {
    /// The process of a thread.
    pub(super) fn pid(&self, thread: u32) -> u32 {
        self.threads.get(&thread).copied().unwrap_or(thread)
    }

    /// The process of a thread, for the timeline.
    pub(super) fn of(&self, thread: u32) -> Process {
        let pid = self.pid(thread);
        match self.known.get(&pid) {
            Some(Known { command, program, child, .. }) => {
                Process { pid, command: command.clone(), program: program.clone(), child: *child }
            }
            None => Process { pid, command: String::new(), program: None, child: false },
        }
    }

    /// Whether the thread belongs to one of the scenario's programs. A launcher does not yet: what it does is our own doing.
    pub(super) fn is_program(&self, thread: u32) -> bool {
        self.known.get(&self.pid(thread)).is_some_and(|known| known.program.is_some() && !known.launching)
    }

    /// The process's name, where no event has told it before.
    pub(super) fn name(&mut self, thread: u32, command: &str) {
        let pid = self.pid(thread);
        let known = self.known.entry(pid).or_default();
        if known.command.is_empty() {
            known.command = cut(command);
        }
    }

    /// A process is about to become the scenario's program `name`.
    pub(super) fn launched(&mut self, pid: u32, name: &str) {
        let known = self.known.entry(pid).or_default();
        (known.program, known.child, known.launching) = (Some(name.to_owned()), false, true);
        known.alive.insert(pid);
    }

    /// A thread was made, with these flags; [`Processes::forked`] follows.
    pub(super) fn made(&mut self, thread: u32, flags: u64) {
        self.made.insert(thread, flags);
    }

    /// `parent` made `child`. `called` is the flags of the call by which it did, where they could be seen, for kernels that
    /// have not told [`Processes::made`].
    pub(super) fn forked(&mut self, parent: u32, child: u32, command: &str, called: Option<u64>) -> Birth {
        let flags = self.made.remove(&child).or(called).unwrap_or_default();
        let pid = self.pid(parent);
        let birth = Birth { parent: pid, is_thread: flags & CLONE_THREAD != 0, shares_files: flags & CLONE_FILES != 0 };
        // Ids are used again: whatever had this one is no more.
        self.threads.remove(&child);
        self.known.remove(&child);
        if birth.is_thread {
            self.threads.insert(child, pid);
            self.known.entry(pid).or_default().alive.insert(child);
            return birth;
        }
        let program = self.known.get(&pid).and_then(|known| known.program.clone());
        let known = Known { command: cut(command), child: program.is_some(), program, ..Known::default() };
        self.known.entry(child).or_insert(known).alive.insert(child);
        birth
    }

    /// The thread's process runs another program.
    pub(super) fn executed(&mut self, thread: u32, file: &str) {
        let pid = self.pid(thread);
        let known = self.known.entry(pid).or_default();
        known.launching = false;
        known.command = cut(file.rsplit('/').next().unwrap_or(file));
        // Its other threads are gone, and the one that called has the first one's id from now on.
        known.alive = HashSet::from([pid]);
    }

    /// The thread's process is ending in this way. False if it was already.
    pub(super) fn ending(&mut self, thread: u32, how: Ended) -> bool {
        let pid = self.pid(thread);
        let known = self.known.entry(pid).or_default();
        let first = known.ending.is_none();
        known.ending.get_or_insert(how);
        first
    }

    /// A signal is on its way to the thread's process that may end it.
    pub(super) fn deadly(&mut self, thread: u32, signal: i32) {
        let pid = self.pid(thread);
        self.known.entry(pid).or_default().deadly.push(signal);
    }

    /// The kernel delivered `signal`. Which one that is: it turns a signal that nobody handles into a SIGKILL as soon as it is
    /// sent (`complete_signal`, kernel/signal.c). A SIGKILL that nobody sent is that signal.
    pub(super) fn delivered(&mut self, thread: u32, signal: i32) -> i32 {
        let pid = self.pid(thread);
        let Some(known) = self.known.get_mut(&pid) else { return signal };
        let sent = known.deadly.contains(&signal);
        let real = if signal == SIGKILL && !sent { known.deadly.first().copied().unwrap_or(signal) } else { signal };
        known.deadly.retain(|waiting| *waiting != real);
        real
    }

    /// Whether the thread is the only one of its process.
    pub(super) fn is_alone(&self, thread: u32) -> bool {
        self.known.get(&self.pid(thread)).is_none_or(|known| known.alive.len() <= 1)
    }

    /// A thread ended. If it was the last of its process: how that ended.
    pub(super) fn exited(&mut self, thread: u32) -> Option<Ended> {
        let pid = self.pid(thread);
        self.threads.remove(&thread);
        let known = self.known.get_mut(&pid)?;
        known.alive.remove(&thread);
        if !known.alive.is_empty() || known.zombie {
            return None;
        }
        known.zombie = true;
        Some(known.ending.clone().unwrap_or_else(|| Ended::Lost("how was not traced".to_owned())))
    }

    /// A process was waited for. False if it was not a zombie: still alive, or known to be gone.
    pub(super) fn reaped(&mut self, pid: u32) -> bool {
        let zombie = self.known.get(&pid).is_some_and(|known| known.zombie);
        if zombie {
            self.known.remove(&pid);
        }
        zombie
    }
}

fn cut(command: &str) -> String {
    let mut end = command.len().min(COMMAND_LENGTH);
    while !command.is_char_boundary(end) {
        end -= 1;
    }
    command[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Processes {
        let mut processes = Processes::default();
        processes.launched(10, "server");
        processes.executed(10, "/usr/bin/a-very-long-server-name");
        processes
    }

    #[test]
    fn a_programs_children_are_of_the_program_whatever_they_run() {
        let mut processes = server();
        assert_eq!(processes.of(10).command, "a-very-long-ser");
        let birth = processes.forked(10, 11, "a-very-long-ser", None);
        assert_eq!(birth, Birth { parent: 10, is_thread: false, shares_files: false });
        processes.forked(11, 12, "a-very-long-ser", None);
        processes.executed(12, "/bin/sh");
        let grandchild = processes.of(12);
        assert_eq!((grandchild.command.as_str(), grandchild.program.as_deref()), ("sh", Some("server")));
        assert!(grandchild.child && !processes.of(10).child && !processes.is_program(1));
    }

    #[test]
    fn threads_are_their_process_and_it_ends_with_the_last_of_them() {
        let mut processes = server();
        processes.made(11, CLONE_THREAD | CLONE_FILES);
        assert!(processes.forked(10, 11, "server", None).is_thread);
        assert_eq!(processes.of(11).pid, 10);
        assert!(processes.ending(11, Ended::Exit(3)));
        assert!(!processes.ending(10, Ended::Signal("KILL".to_owned())));
        assert_eq!(processes.exited(10), None);
        assert_eq!(processes.exited(11), Some(Ended::Exit(3)));
        assert!(processes.reaped(10));
        assert!(!processes.reaped(10));
    }

    #[test]
    fn a_kill_that_nobody_sent_is_the_signal_that_nobody_handled() {
        let mut processes = server();
        processes.deadly(10, 13);
        assert_eq!(processes.delivered(10, 9), 13);
        assert_eq!(processes.delivered(10, 9), 9);
        processes.deadly(10, 10);
        processes.deadly(10, 9);
        assert_eq!(processes.delivered(10, 9), 9);
        assert_eq!(processes.delivered(10, 17), 17);
    }

    #[test]
    fn an_id_that_is_used_again_is_somebody_else() {
        let mut processes = server();
        processes.forked(10, 11, "server", None);
        processes.exited(11);
        processes.forked(1, 11, "cron", None);
        assert_eq!(processes.of(11).program, None);
        assert!(!processes.reaped(11));
    }
}
