//! Where the wall time of a run went.
//!
//! Every moment belongs to one phase: a boot and a wait are the scenario's own; all the rest is the
//! controller's overhead.

use crate::report::{Phase, PhaseKind};
use crate::timeline::{Clock, LabTime};
use std::time::{Duration, Instant};

/// A stopwatch that never stops: what one phase leaves, the next begins.
#[derive(Debug)]
pub(super) struct Phases {
    began: Instant,
    lap: Instant,
    /// In lockstep time: the lab's clock, and what it said at the last lap.
    lab: Option<(Clock, LabTime)>,
    ended: Vec<Phase>,
}

impl Phases {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { began: now, lap: now, lab: None, ended: Vec::new() }
    }

    /// As [`Phases::start`], of a run in lockstep time, which has this clock.
    pub(super) fn start_on(clock: Clock) -> Self {
        Self { lab: Some((clock, LabTime(0))), ..Self::start() }
    }

    /// The time since the last call was `name`'s.
    pub(super) fn end(&mut self, name: impl Into<String>, kind: PhaseKind) {
        let now = Instant::now();
        let took = now - self.lap;
        self.lap = now;
        let virtual_seconds = self.lab.as_mut().map(|(clock, lap)| {
            let now = clock.now();
            now.since(std::mem::replace(lap, now)).as_secs_f64()
        });
        self.ended.push(Phase { name: name.into(), kind, seconds: took.as_secs_f64(), virtual_seconds });
    }

    /// All phases, in order.
    pub(super) fn all(&self) -> &[Phase] {
        &self.ended
    }

    /// What was neither the image's nor a boot's nor a checkpoint's nor a wait's.
    pub(super) fn overhead(&self) -> f64 {
        let own = self.ended.iter().filter(|p| matches!(p.kind, PhaseKind::Step | PhaseKind::Overhead));
        own.map(|p| p.seconds).sum()
    }

    /// Since the start.
    pub(super) fn wall(&self) -> Duration {
        self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_is_told_where_there_is_some() {
        let (clock, hand) = Clock::lockstep(Duration::ZERO);
        let mut phases = Phases::start_on(clock);
        phases.end("a", PhaseKind::Overhead);
        hand.set(LabTime(2_500_000_000));
        phases.end("b", PhaseKind::Boot);
        let told: Vec<_> = phases.all().iter().map(|p| p.virtual_seconds).collect();
        assert_eq!(told, [Some(0.0), Some(2.5)]);
        let mut phases = Phases::start();
        phases.end("a", PhaseKind::Overhead);
        assert_eq!(phases.all()[0].virtual_seconds, None);
    }

    #[test]
    fn every_moment_belongs_to_one_phase_and_boots_and_waits_are_no_overhead() {
        let mut phases = Phases::start();
        for (name, kind) in
            [("a", PhaseKind::Overhead), ("b", PhaseKind::Boot), ("c", PhaseKind::Wait), ("d", PhaseKind::Step)]
        {
            std::thread::sleep(Duration::from_millis(2));
            phases.end(name, kind);
        }
        let all: f64 = phases.all().iter().map(|p| p.seconds).sum();
        assert!((phases.wall().as_secs_f64() - all).abs() < 1.0e-2, "no moment is lost");
        let own = phases.all()[0].seconds + phases.all()[3].seconds;
        assert!((phases.overhead() - own).abs() < 1e-9);
    }
}
