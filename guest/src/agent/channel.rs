//! One command, and what passes between it and the host.

use super::execute::{Begun, Shell, begin};
use super::message::{How, PIECE, Stream, Word};
use super::serve::Words;
use crate::attend::pidfd;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags};
use nix::unistd::{Pid, read, write};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;

/// A command's process, until it was waited for.
pub(super) struct Process {
    child: Child,
    /// Can be read when it has ended. (SIGCHLD would be the whole process's, and does not say whose end it tells.)
    end: OwnedFd,
}

impl Process {
    fn of(child: Child) -> io::Result<Self> {
        let end = pidfd(Pid::from_raw(child.id().cast_signed())).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { child, end })
    }

    /// Its end, to be waited for.
    pub(super) fn awaited(&self) -> PollFd<'_> {
        PollFd::new(self.end.as_fd(), PollFlags::POLLIN)
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<How> {
        // Nobody else waits for it: there is no error.
        self.child.try_wait().ok().flatten().map(|status| How::of_status(status.into_raw()))
    }
}

/// A command whose host still listens.
pub(super) struct Channel {
    number: u32,
    terminal: bool,
    /// Taken when it was waited for.
    process: Option<Process>,
    how: Option<How>,
    stdin: Option<OwnedFd>,
    input: VecDeque<u8>,
    input_ends: bool,
    /// Each until its end.
    outputs: Vec<(Stream, OwnedFd)>,
}

impl Channel {
    /// Has the command begun. An error, in a clause, says why it could not.
    pub(super) fn open(number: u32, shell: &Shell, command: &str, terminal: bool) -> Result<Self, String> {
        let begun = begin(shell, command, terminal).map_err(|e| format!("{}: {e}", shell.path))?;
        let Begun { child, stdin, stdout, stderr } = begun;
        let process = Process::of(child).map_err(|e| format!("its process cannot be waited for: {e}"))?;
        for fd in [&stdin, &stdout].into_iter().chain(&stderr) {
            unblock(fd).map_err(|e| format!("its outputs cannot be waited for: {}", e.desc()))?;
        }
        let mut outputs = vec![(Stream::Stdout, stdout)];
        outputs.extend(stderr.map(|stderr| (Stream::Stderr, stderr)));
        Ok(Self {
            number,
            terminal,
            process: Some(process),
            how: None,
            stdin: Some(stdin),
            input: VecDeque::new(),
            input_ends: false,
            outputs,
        })
    }

    /// Gives it more to read.
    pub(super) fn input(&mut self, bytes: &[u8]) {
        if self.stdin.is_some() && !self.input_ends {
            self.input.extend(bytes);
        }
    }

    /// There is no more to read. A terminal has no end; it would hang up.
    pub(super) fn end_input(&mut self) {
        self.input_ends |= !self.terminal;
    }

    /// What it waits for; its outputs only if there is room for what they have.
    pub(super) fn awaited(&self, room: bool) -> impl Iterator<Item = PollFd<'_>> {
        let more = !self.input.is_empty() || self.input_ends;
        let stdin = self.stdin.iter().filter(move |_| more).map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLOUT));
        let outputs = self.outputs.iter().filter(move |_| room);
        let outputs = outputs.map(|(_, fd)| PollFd::new(fd.as_fd(), PollFlags::POLLIN));
        self.process.iter().map(Process::awaited).chain(stdin).chain(outputs)
    }

    /// Does what can be done at once: a piece of each output, as long as there is room for it among the
    /// `words`. False: the last one about it was said.
    pub(super) fn advance(&mut self, words: &mut Words) -> bool {
        // First of all: what is read afterwards, and found empty, holds no more of what it printed.
        if let Some(how) = self.process.as_mut().and_then(Process::ended) {
            self.how = Some(how);
            self.process = None;
        }
        self.speak();
        let mut drained = words.room();
        let channel = self.number;
        self.outputs.retain(|(stream, fd)| {
            if !words.room() {
                drained = false;
                return true;
            }
            let mut bytes = vec![0; PIECE];
            match read(fd, &mut bytes) {
                Err(Errno::EAGAIN) => true,
                Err(Errno::EINTR) => {
                    drained = false;
                    true
                }
                // EIO: nobody holds the other end of a terminal.
                Ok(0) | Err(_) => false,
                Ok(length) => {
                    bytes.truncate(length);
                    words.say(&Word::Output { channel, stream: *stream, bytes });
                    drained = false;
                    true
                }
            }
        });
        // What it left may hold pipes open, and is heard to its end. A terminal is over with who leads it, as for SSH.
        let over = self.outputs.is_empty() || (self.terminal && drained);
        match self.how.take_if(|_| over) {
            Some(how) => {
                words.say(&Word::Ended { channel, how });
                false
            }
            None => true,
        }
    }

    /// Closes our ends; the process, if it still is to be waited for.
    pub(super) fn close(self) -> Option<Process> {
        self.process
    }

    fn speak(&mut self) {
        let Some(stdin) = &self.stdin else { return };
        while !self.input.is_empty() {
            match write(stdin, self.input.as_slices().0) {
                Ok(written) => drop(self.input.drain(..written)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // Nobody reads any more.
                Err(_) => {
                    self.input.clear();
                    self.input_ends = true;
                }
            }
        }
        if self.input_ends {
            self.stdin = None;
        }
    }
}

/// Has reads and writes fail where they would wait.
pub(super) fn unblock(fd: impl AsFd) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}
