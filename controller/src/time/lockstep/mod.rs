//! Lockstep time: one virtual clock for all machines of a lab, granted in steps.
//!
//! A machine in lockstep counts its instructions, and that count is its clock; when its guest is idle, the clock jumps to the next
//! thing that will happen. A plugin in its QEMU (`controller/plugin`) stops it at each *boundary* until the next one is granted here.
//! What happens between two boundaries depends on nothing but what was delivered before: so the same inputs give the
//! same bytes, however busy the host is.
//!
//! Order: all machines stand at the boundary and have reported what they sent. [`Lockstep::advance`] looks how far all may run
//! before anything that one of them does can reach another, grants that, and waits until all have come there. What they sent
//! goes to the [`Wire`] in the order of its time, which says who gets it and when.
//!
//! Exceptions: a machine that would do nothing before the boundary stays where it is, as it would be no other there. One that is
//! paused ([`Lockstep::pause`]) holds up all others, until it was let go on over QMP.
//!
//! It is never waited for a machine for longer than [`PATIENCE`].

pub mod chance;
mod member;
mod prompt;
pub mod protocol;
mod schedule;

pub use schedule::{Delivery, Port, Sent, Wire};

use crate::error::{Error, Result};
use crate::timeline::LabTime;
use member::{Arrival, Member};
use protocol::{Item, Line};
use schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an instruction takes on a machine's clock (`-icount shift=2`: 2^2 ns). A machine stops at the first instruction that
/// begins at or after its boundary, so by less than this behind it.
pub const INSTRUCTION: Duration = Duration::from_nanos(4);

/// The shortest latency that a link may have: what is sent takes at least so long to come to another machine.
pub const SHORTEST_LATENCY: Duration = Duration::from_micros(1);

/// How long a machine may take to come to its boundary, in real time. It takes milliseconds, if not starved or stopped.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A machine in lockstep, by its number: the first one that joined is 0. A number is never given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(usize);

/// A machine that is gone, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// Which.
    pub machine: Id,
    /// The boundary to which it ran when its guest switched it off, or at which it was missed.
    pub at: LabTime,
    /// True: its QEMU said that the guest switched it off. False: its QEMU is gone without a word.
    pub orderly: bool,
}

/// Where a machine stands on its own clock, and by how much the lab's clock is ahead of that, wrapped: in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnClock {
    /// Its own clock.
    pub now: u64,
    /// The lab's less its own.
    pub ahead: u64,
}

/// The machines of a lab, and their one clock.
#[derive(Debug)]
pub struct Lockstep {
    members: Vec<Option<Member>>,
    schedule: Schedule,
    patience: Duration,
    boundaries: u64,
    stood: Option<Duration>,
}

impl Lockstep {
    /// A clock at zero, without machines. `latency` is the shortest of all links; a machine may take `patience` of real time to
    /// come to a boundary ([`PATIENCE`]).
    ///
    /// # Errors
    /// The latency is below [`SHORTEST_LATENCY`].
    pub fn new(latency: Duration, patience: Duration) -> Result<Self> {
        if latency < SHORTEST_LATENCY {
            return Err(Error::usage(format!("a latency of {latency:?} is too short for lockstep time"))
                .help(format!("the shortest is {SHORTEST_LATENCY:?}")));
        }
        Ok(Self { members: Vec::new(), schedule: Schedule::new(latency), patience, boundaries: 0, stood: None })
    }

    /// The lab's clock: the boundary at which all machines stand.
    #[must_use]
    pub fn now(&self) -> LabTime {
        self.schedule.now()
    }

    /// How many boundaries there were.
    #[must_use]
    pub fn boundaries(&self) -> u64 {
        self.boundaries
    }

    /// How long all machines stood still at the boundary before this one, in the computer's time: from when the last of them had come until
    /// the first went on. It is what a boundary costs, besides the wait for the slowest. None, if no machine moved.
    #[must_use]
    pub fn stood(&self) -> Option<Duration> {
        self.stood
    }

    /// Takes a machine in, whose QEMU was started with the other end of this socket. It stands still until [`Lockstep::now`] and
    /// `later`, whatever its own clock says, and goes on then. Its guest must run (QMP `cont`, if it was started with `-S`) before the next [`Lockstep::advance`].
    ///
    /// # Errors
    /// Its plugin does not greet in time, or speaks another protocol.
    pub fn join(&mut self, name: &str, socket: UnixStream, later: Duration) -> Result<Id> {
        let member = Member::greet(name, socket, later, self.patience)?;
        let id = self.schedule.join();
        self.members.push(Some(member));
        Ok(Id(id))
    }

    /// Forgets a machine whose power was cut. What it had sent before is still delivered; what was on its way to it is lost. Its QEMU
    /// must be dead before: one that loses its coordinator ends by itself, which would be no power cut.
    pub fn leave(&mut self, machine: Id) {
        self.schedule.leave(machine.0);
        if let Some(member) = self.members.get_mut(machine.0) {
            *member = None;
        }
    }

    /// Types into a machine's serial line, at this time or, if that is past, now.
    pub fn type_in(&mut self, machine: Id, at: LabTime, bytes: &[u8]) {
        for part in bytes.chunks(protocol::LONGEST_INPUT) {
            self.schedule.deliver(machine.0, at, Line::Serial, part.into());
        }
    }

    /// Stops a machine exactly at [`Lockstep::now`], so that its QEMU answers QMP, which it does not at a boundary. QMP tells `STOP` when
    /// it is stopped. The next [`Lockstep::advance`] takes up when it was told to go on (QMP `cont`, whose answer may come only then).
    ///
    /// # Errors
    /// It is gone, or paused already, or its guest has not come to its first boundary yet.
    pub fn pause(&mut self, machine: Id) -> Result<()> {
        let gone = || Error::broken("cannot pause a machine that is gone");
        let member = self.members.get_mut(machine.0).and_then(Option::as_mut).ok_or_else(gone)?;
        let now = self.schedule.now();
        // One that slept is behind.
        if member.grant(now, Vec::new)? {
            match member.arrive(now)? {
                Some(Arrival::Boundary(report)) => self.schedule.report(machine.0, report),
                _ => return Err(gone()),
            }
        }
        member.pause()
    }

    /// Whether nothing happens by itself for so long: no machine does anything, and nothing is on its way to one. Then all that there is
    /// to be saved of a lab is in its machines.
    #[must_use]
    pub fn quiet(&self, span: Duration) -> bool {
        self.schedule.quiet(span) && self.members.iter().flatten().all(|member| member.unread() == 0)
    }

    /// A machine's clock, as it reported last.
    #[must_use]
    pub fn own_clock(&self, machine: Id) -> Option<OwnClock> {
        self.members.get(machine.0).and_then(Option::as_ref).and_then(Member::own_clock)
    }

    /// Takes up a lab that was saved when it was `now`. All machines have joined, were restored, and go on from where they stood.
    ///
    /// # Errors
    /// A machine is gone, or does not stand where it was saved.
    pub fn resume(&mut self, now: LabTime, clocks: &[(Id, OwnClock)]) -> Result<()> {
        for (machine, clock) in clocks {
            let gone = || Error::broken("a machine was gone when it was to go on");
            let member = self.members.get_mut(machine.0).and_then(Option::as_mut).ok_or_else(gone)?;
            member.resume(*clock);
            match member.arrive(now)? {
                Some(Arrival::Boundary(report)) => self.schedule.report(machine.0, report),
                _ => return Err(gone()),
            }
        }
        self.schedule.resume(now);
        Ok(())
    }

    /// Bytes of a machine's serial input that are due and that its guest has not taken yet.
    #[must_use]
    pub fn unread(&self, machine: Id) -> u32 {
        self.members.get(machine.0).and_then(Option::as_ref).map_or(0, Member::unread)
    }

    /// Lets all machines run to the next boundary: as far as nothing that one does can reach another, and never beyond `limit`.
    /// Where all are idle, that is just before the next thing that happens, or the limit. Tells who is gone.
    ///
    /// # Errors
    /// A machine does not come to the boundary in time, or its plugin says what cannot be; or the wire fails. The lab is then of no more
    /// use.
    pub fn advance(&mut self, limit: LabTime, wire: &mut dyn Wire) -> Result<Vec<Departure>> {
        let mut gone = Vec::new();
        self.gather(self.schedule.now(), &mut gone)?; // those that joined, and those that were paused
        let boundary = self.schedule.boundary(limit);
        let mut granted = Vec::with_capacity(self.members.len());
        for (number, slot) in self.members.iter_mut().enumerate() {
            let Some(member) = slot.as_mut().filter(|_| !self.schedule.sleeps(number, boundary)) else { continue };
            if member.grant(boundary, || self.schedule.due(number, boundary))? {
                granted.push(number);
            }
        }
        self.gather(boundary, &mut gone)?;
        self.stood = granted.iter().filter_map(|number| self.members.get(*number)?.as_ref()).map(Member::stood).min();
        self.schedule.reach(boundary, wire)?;
        self.boundaries += 1;
        Ok(gone)
    }

    /// Takes the reports of all that are under way to `boundary`.
    fn gather(&mut self, boundary: LabTime, gone: &mut Vec<Departure>) -> Result<()> {
        prompt::until_the_last_comes(self.members.iter().flatten().filter_map(Member::awaited));
        let now = self.schedule.now();
        for (number, slot) in self.members.iter_mut().enumerate() {
            let Some(member) = slot else { continue };
            let Some(arrival) = member.arrive(now)? else { continue };
            let orderly = match arrival {
                Arrival::Boundary(report) => {
                    self.schedule.report(number, report);
                    continue;
                }
                Arrival::Off(report) => {
                    self.schedule.report(number, report);
                    true
                }
                Arrival::Vanished => false,
            };
            self.schedule.leave(number);
            *slot = None;
            gone.push(Departure { machine: Id(number), at: boundary, orderly });
        }
        Ok(())
    }
}

/// What a machine reported, on the lab's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reported {
    now: LabTime,
    next: Option<LabTime>,
    sent: Vec<Item<LabTime>>,
}
