//! The conductor's eyes: collects every witness's events, waits for what a step needs, and notices faults.
//!
//! All waiting of a run happens here. A wait ends with what was awaited, or with an error that says what was awaited and
//! what came instead: a fault of a machine that should be up, the user's interrupt, or the deadline. Deadlines are on the lab's clock. In
//! real time it goes by itself; in lockstep time, because somebody waits here ([`Pace`]).

mod fault;

use self::fault::{Fault, fault, most_frequent};
use super::interrupt::Interrupt;
use crate::error::{Error, Kind, Result};
use crate::report::EventWriter;
use crate::runlog::belonging;
use crate::timeline::{Clock, Event, LabTime, MachineEvent, What};
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long the watch waits at most before it looks at the interrupt again.
const TICK: Duration = Duration::from_millis(20);

/// More events than anybody could read, or any scenario needs: what goes on beyond is a flood, and fills memory and disk.
const MOST_EVENTS: usize = 200_000;

/// How long a broken control channel waits for the machine's own account of what happened.
const SECOND_OPINION: Duration = Duration::from_millis(500);

/// What lets time pass in a lab.
#[derive(Debug, Clone)]
pub(super) enum Pace {
    /// It goes by itself.
    Real,
    /// All machines are granted some.
    Lockstep(Arc<dyn Grant>),
}

/// Lets all machines of a lab go on.
pub(super) trait Grant: std::fmt::Debug + Send + Sync {
    /// Up to the next boundary, and to `limit` at most. What is witnessed on the way is recorded when this returns.
    ///
    /// # Errors
    /// The lab broke.
    fn grant(&self, limit: LabTime) -> Result<()>;
}

/// Collects the timeline and waits on it.
#[derive(Debug)]
pub(super) struct Watch {
    source: Receiver<Event>,
    clock: Clock,
    pace: Pace,
    interrupt: Interrupt,
    /// When the run must be over, and the time that it had.
    end: Option<(Instant, Duration)>,
    events: Vec<Event>,
    /// Hosts that are meant to be alive: whatever ends them is a fault.
    guarded: BTreeSet<String>,
    /// Hosts that a step is restarting: until they are up, a reset is no news. (SeaBIOS itself resets a machine once more after
    /// a reset, to start from a clean copy of itself.)
    restarting: BTreeSet<String>,
    /// `events.jsonl` as it grows, for a controller that does not come to its end.
    written: Option<EventWriter<File>>,
    /// The fault that was seen and is not yet told.
    fault: Option<Fault>,
}

/// Where in the collected events a wait begins to look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl Mark {
    /// The beginning of the run.
    pub(super) const START: Mark = Mark(0);
}

impl Watch {
    pub(super) fn new(source: Receiver<Event>, clock: Clock, interrupt: Interrupt) -> Self {
        Self {
            source,
            clock,
            pace: Pace::Real,
            interrupt,
            end: None,
            events: Vec::new(),
            guarded: BTreeSet::new(),
            restarting: BTreeSet::new(),
            written: None,
            fault: None,
        }
    }

    /// Writes every event to `writer`, too, in the order of arrival.
    pub(super) fn write_to(mut self, writer: EventWriter<File>) -> Self {
        self.written = Some(writer);
        self
    }

    /// Time passes so.
    pub(super) fn at(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The run must be over within this time from now; past it, every wait ends with an error.
    pub(super) fn end_within(mut self, within: Duration) -> Self {
        self.end = Some((Instant::now() + within, within));
        self
    }

    /// From now on the end of this host's machine is a fault.
    pub(super) fn guard(&mut self, host: &str) {
        self.guarded.insert(host.to_owned());
    }

    /// As [`Watch::guard`], for a host that was just reset.
    pub(super) fn guard_restart(&mut self, host: &str) {
        self.guard(host);
        self.restarting.insert(host.to_owned());
    }

    /// From now on this host may go down: a step asked for it.
    pub(super) fn unguard(&mut self, host: &str) {
        self.guarded.remove(host);
    }

    /// What comes after this point is new.
    pub(super) fn mark(&mut self) -> Mark {
        while let Ok(event) = self.source.try_recv() {
            self.take(event);
        }
        Mark(self.events.len())
    }

    /// Waits for the first event after `mark` that `wanted` accepts, and until its time has come: in lockstep time a frame is heard of at
    /// a boundary, before it is at the switch.
    ///
    /// # Errors
    /// A fault, the interrupt, or the deadline `within`; `awaited` completes "waited for ...".
    pub(super) fn event<T>(
        &mut self,
        mark: Mark,
        within: Duration,
        awaited: &str,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T> {
        let deadline = self.clock.now().after(within);
        let mut next = mark.0;
        loop {
            while let Some(event) = self.events.get(next) {
                next += 1;
                if let Some(found) = wanted(event) {
                    let at = event.at;
                    self.pass_time(at, |_| false)?;
                    return Ok(found);
                }
            }
            self.check()?;
            if self.clock.now() >= deadline {
                return Err(Error::broken(format!("waited {within:?} for {awaited}, and it did not come")));
            }
            self.receive_until(deadline);
        }
    }

    /// Carries out something that blocks, on a thread of its own, while faults and the interrupt are watched. In lockstep time, on this
    /// one: what it waits for comes because it waits, at a time that depends on nothing else.
    ///
    /// # Errors
    /// Its own error, or the fault or interrupt that came first. The thread is left to end by its own deadline then.
    pub(super) fn perform<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Pace::Lockstep(_) = self.pace {
            let done = work();
            self.mark();
            return match (done, self.check()) {
                (done, Ok(())) => done,
                (Err(error), Err(fault)) if fault.kind != Kind::Interrupted => {
                    Err(fault.detail(format!("and so: {}", error.fact)))
                }
                (_, Err(fault)) => Err(fault),
            };
        }
        let (done, result) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(belonging(move || done.send(work())));
        self.result(&result)
    }

    /// Waits for the result of work that runs on another thread; see [`Watch::perform`].
    pub(super) fn result<T>(&mut self, result: &Receiver<Result<T>>) -> Result<T> {
        loop {
            match result.recv_timeout(TICK) {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => return Err(self.second_opinion(error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::broken("a worker thread of the controller died"));
                }
            }
            while let Ok(event) = self.source.try_recv() {
                self.take(event);
            }
            self.check()?;
        }
    }

    /// Makes what begins now later than all that was witnessed before. In real time it is so by itself; at a boundary of lockstep time
    /// the clock stands still.
    pub(super) fn part(&mut self) -> Result<()> {
        if let Pace::Lockstep(grant) = &self.pace {
            grant.grant(self.clock.now().after(Duration::from_nanos(1)))?;
        }
        self.mark();
        self.check()
    }

    /// Lets time pass until `until`, or until `enough` says that it need not.
    pub(super) fn pass_time(&mut self, until: LabTime, mut enough: impl FnMut(&[Event]) -> bool) -> Result<()> {
        loop {
            self.check()?;
            if self.clock.now() >= until || enough(&self.events) {
                return Ok(());
            }
            self.receive_until(until);
        }
    }

    /// The timeline so far in the order of the lab's clock: witnesses report side by side, so arrival is only nearly ordered.
    pub(super) fn timeline(&mut self) -> Vec<Event> {
        self.mark();
        let mut events = self.events.clone();
        events.sort_by_key(|e| e.at);
        events
    }

    /// The machine's own account is better than "the connection was cut": gives it a moment to come.
    fn second_opinion(&mut self, error: Error) -> Error {
        if let Pace::Lockstep(_) = self.pace {
            return error; // all that is to be said was said at the boundary
        }
        let deadline = Instant::now() + SECOND_OPINION;
        while Instant::now() < deadline && !self.interrupt.raised() {
            match self.fault.take() {
                Some(Fault::Cause(cause)) => return cause.detail(format!("and so: {}", error.fact)),
                Some(Fault::Symptom(_)) | None => self.receive(TICK),
            }
        }
        if self.interrupt.raised() { Error::interrupted() } else { error }
    }

    fn check(&mut self) -> Result<()> {
        if self.interrupt.raised() {
            return Err(Error::interrupted());
        }
        if let Some((_, within)) = self.end.filter(|(end, _)| *end <= Instant::now()) {
            return Err(Error::broken(format!("the run was not over within {within:?}"))
                .help("Give it longer with `--within`, if it is meant to take so long."));
        }
        match self.fault.take() {
            Some(Fault::Cause(error)) => Err(error),
            Some(Fault::Symptom(error)) => Err(self.second_opinion(error)),
            None => Ok(()),
        }
    }

    /// Takes what comes next, or lets some time pass, until then at most.
    fn receive_until(&mut self, until: LabTime) {
        let Pace::Lockstep(grant) = self.pace.clone() else {
            return self.receive(until.since(self.clock.now()).min(TICK));
        };
        if let Err(error) = grant.grant(until) {
            self.fault = Some(Fault::Cause(error));
        }
        self.mark();
    }

    fn receive(&mut self, within: Duration) {
        match self.source.recv_timeout(within) {
            Ok(event) => self.take(event),
            Err(RecvTimeoutError::Timeout) => {}
            // Every witness is gone: nothing will come, but time must still pass.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(within),
        }
    }

    fn take(&mut self, event: Event) {
        if let What::Machine { host, event: machine } = &event.what {
            if matches!(machine, MachineEvent::Booted { .. }) {
                self.restarting.remove(host);
            }
            let again = matches!(machine, MachineEvent::Reset { .. }) && self.restarting.contains(host);
            if self.guarded.contains(host) && !matches!(self.fault, Some(Fault::Cause(_))) && !again {
                self.fault = fault(host, machine, event.at).or(self.fault.take());
            }
        }
        if let Some(Err(error)) = self.written.as_mut().map(|writer| writer.write(&event)) {
            self.written = None;
            self.fault.get_or_insert(Fault::Cause(error));
        }
        self.events.push(event);
        if self.events.len() == MOST_EVENTS {
            let fact = format!("more than {MOST_EVENTS} events were witnessed, which is more than a run may have");
            self.fault.get_or_insert(Fault::Cause(Error::broken(fact).detail(most_frequent(&self.events))));
        }
    }
}

#[cfg(test)]
mod tests;
