//! One machine's plugin, over its socket.

use super::protocol::{self, HELLO, Head, Hello, Item, Malformed, REPORT};
use super::{INSTRUCTION, OwnClock, Reported};
use crate::error::{Context, Error, Result};
use crate::timeline::LabTime;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A machine in lockstep.
#[derive(Debug)]
pub(super) struct Member {
    name: String,
    socket: UnixStream,
    hello: Hello,
    /// How long after it was taken in it goes on.
    later: Duration,
    patience: Duration,
    stand: Stand,
    /// Where it was when it reported last, and by how much the lab's clock is ahead of its own (less than nothing, wrapped, for
    /// a machine that is older than the lab); none, before its first report.
    clock: Option<(u64, u64)>,
    /// The boundary on its own clock that was granted last.
    granted: Option<u64>,
    unread: u32,
    /// How long it stood still at the boundary before the one at which it stands, in the computer's time.
    stood: Duration,
}

/// What a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// It runs, or is about to: its report is awaited.
    UnderWay,
    /// It waits for a grant.
    AtBoundary,
    /// It was paused at the boundary, where it will report again.
    Paused,
}

/// What came of waiting for a machine.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It stands at its boundary.
    Boundary(Reported),
    /// Its guest has switched it off.
    Off(Reported),
    /// Its QEMU is gone.
    Vanished,
}

impl Member {
    /// A machine whose plugin greets on this socket.
    pub(super) fn greet(name: &str, socket: UnixStream, later: Duration, patience: Duration) -> Result<Self> {
        let fact = || format!("cannot wait for the machine of '{name}'");
        socket.set_read_timeout(Some(patience)).broken(fact)?;
        socket.set_write_timeout(Some(patience)).broken(fact)?;
        let (name, hello) = (name.to_owned(), Hello::default());
        let (stand, clock, granted, unread, stood) = (Stand::UnderWay, None, None, 0, Duration::ZERO);
        let mut member = Self { name, socket, hello, later, patience, stand, clock, granted, unread, stood };
        let mut bytes = [0; HELLO];
        if !member.read(&mut bytes, "load its lockstep plugin")? {
            return Err(Error::broken(format!("QEMU of '{}' ended before its lockstep plugin greeted", member.name)));
        }
        member.hello = Hello::decode(&bytes).map_err(|malformed| member.nonsense(&malformed))?;
        tracing::debug!(host = member.name, hello = ?member.hello, "the lockstep plugin greets");
        Ok(member)
    }

    /// Its clock, since it reported first.
    pub(super) fn own_clock(&self) -> Option<OwnClock> {
        self.clock.map(|(now, ahead)| OwnClock { now, ahead })
    }

    /// It was restored, and is where it was paused when it was saved.
    pub(super) fn resume(&mut self, clock: OwnClock) {
        (self.stand, self.clock) = (Stand::Paused, Some((clock.now, clock.ahead)));
    }

    /// Bytes of serial input that are due and not taken.
    pub(super) fn unread(&self) -> u32 {
        self.unread
    }

    /// How long it stood still before it came to this boundary, in the computer's time.
    pub(super) fn stood(&self) -> Duration {
        self.stood
    }

    /// Where its report comes, if one is awaited.
    pub(super) fn awaited(&self) -> Option<BorrowedFd<'_>> {
        (self.stand != Stand::AtBoundary).then(|| self.socket.as_fd())
    }

    /// Waits for its report; none, if it stands at its boundary already. `lab` is the lab's clock, which a machine that reports for the
    /// first time is put on, or ahead of.
    pub(super) fn arrive(&mut self, lab: LabTime) -> Result<Option<Arrival>> {
        if self.stand == Stand::AtBoundary {
            return Ok(None);
        }
        let mut bytes = [0; REPORT];
        if !self.read(&mut bytes, "come to its boundary")? {
            return Ok(Some(Arrival::Vanished));
        }
        let head = Head::decode(&bytes).map_err(|malformed| self.nonsense(&malformed))?;
        let mut body = vec![0; head.bytes];
        if !self.read(&mut body, "finish its report")? {
            return Ok(Some(Arrival::Vanished));
        }
        // A machine that was restored has a past, in which it sends nothing.
        let (before, ahead) = self.clock.unwrap_or((head.now, lab.after(self.later).0.wrapping_sub(head.now)));
        let paused = self.stand == Stand::Paused && !head.last;
        if head.now < before || (paused && head.now != before) {
            let state = if paused { "paused" } else { "seen last" };
            return Err(self.nonsense(&Malformed(format!("a report at {} ns, {state} at {before} ns", head.now))));
        }
        // A clock that jumped too far, as QEMU's does when its threads race, would make this run another than the next.
        let late = |until: &u64| u128::from(head.now.saturating_sub(*until)) >= INSTRUCTION.as_nanos();
        if let Some(until) = self.granted.filter(|until| late(until) && !head.last) {
            return Err(self.nonsense(&Malformed(format!("a report at {} ns, granted until {until} ns", head.now))));
        }
        let sent = head.frames(&body, before, self.hello.nics).map_err(|malformed| self.nonsense(&malformed))?;
        (self.stand, self.clock, self.unread) = (Stand::AtBoundary, Some((head.now, ahead)), head.unread);
        self.stood = Duration::from_nanos(head.stood);
        let on_lab = |machine: u64| LabTime(machine.wrapping_add(ahead));
        let sent = sent.into_iter().map(|Item { at, line, bytes }| Item { at: on_lab(at), line, bytes }).collect();
        let report = Reported { now: on_lab(head.now), next: head.next.map(on_lab), sent };
        Ok(Some(if head.last { Arrival::Off(report) } else { Arrival::Boundary(report) }))
    }

    /// Lets it run until this boundary, with what is `due` before it. False: it stays where it is, as it is there already, or has
    /// overrun the boundary by part of an instruction.
    pub(super) fn grant(&mut self, until: LabTime, due: impl FnOnce() -> Vec<Item<LabTime>>) -> Result<bool> {
        let Some((now, ahead)) = self.clock.filter(|_| self.stand == Stand::AtBoundary) else { return Ok(false) };
        let lab_now = now.wrapping_add(ahead);
        if until.0 <= lab_now {
            return Ok(false);
        }
        let on_machine = |lab: LabTime| lab.0.max(lab_now).wrapping_sub(ahead);
        let due = due().into_iter().map(|Item { at, line, bytes }| Item { at: on_machine(at), line, bytes });
        self.granted = Some(on_machine(until));
        let grant = protocol::run(on_machine(until), &due.collect::<Vec<_>>());
        let grant = grant.map_err(|malformed| Error::broken(format!("'{}' cannot go on: {malformed}", self.name)))?;
        self.stand = Stand::UnderWay;
        self.write(&grant).map(|()| true)
    }

    /// Stops it where it stands.
    pub(super) fn pause(&mut self) -> Result<()> {
        let state = match self.stand {
            Stand::AtBoundary => {
                self.stand = Stand::Paused;
                return self.write(&protocol::pause());
            }
            Stand::UnderWay => "it has not come to its first boundary",
            Stand::Paused => "it is paused already",
        };
        Err(Error::broken(format!("cannot pause '{}': {state}", self.name)))
    }

    /// Fills `bytes`; false, if its QEMU is gone.
    fn read(&mut self, bytes: &mut [u8], awaited: &str) -> Result<bool> {
        match self.socket.read_exact(bytes) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => Ok(false),
            Err(e) => Err(self.silent(&e, awaited)),
        }
    }

    /// A QEMU that is gone is found out by the report that does not come.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.socket.write_all(bytes) {
            Err(e) if !matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Err(self.silent(&e, "take its grant"))
            }
            _ => Ok(()),
        }
    }

    fn silent(&self, e: &std::io::Error, awaited: &str) -> Error {
        match e.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                let fact = format!("QEMU of '{}' did not {awaited} within {:?}", self.name, self.patience);
                Error::broken(fact).detail(match self.clock {
                    Some((now, _)) => format!("its own clock stood at {} when it was seen last", LabTime(now)),
                    None => "it was not seen before".to_owned(),
                })
            }
            _ => Error::broken(format!("QEMU of '{}' cannot be asked to {awaited}: {e}", self.name)),
        }
    }

    fn nonsense(&self, malformed: &Malformed) -> Error {
        Error::broken(format!("the lockstep plugin in QEMU of '{}' makes no sense: {malformed}", self.name))
    }
}

#[cfg(test)]
mod tests;
