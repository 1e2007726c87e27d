//! The timeline: everything that was witnessed, in the order of one clock.
//!
//! Every source of evidence (the cable, the programs, the machines, the controller's own steps) stamps its
//! events with the same [`Clock`] through a [`Recorder`]. `judge` and `report` read the result and need
//! nothing else. `events.jsonl` in a run's folder is this, one [`Event`] a line.

mod clock;
mod event;
mod kernel;
mod segment;

pub use clock::{Clock, Hand, LabTime};
pub use event::{Ended, Event, MachineEvent, ProgramEvent, StepEvent, What};
pub use kernel::{
    Call, CallResult, Connection, Descriptor, DescriptorKind, Disposition, KernelAccount, KernelEvent, KernelFact,
    OUTPUTS_TOLD, Process, SignalOutcome, TcpState,
};
pub use segment::{Flags, Frame, FrameKind, Segment, Verdict};

use std::sync::mpsc::Sender;

/// Stamps what is witnessed and hands it to whoever collects the timeline. Cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Recorder {
    clock: Clock,
    sink: Sender<Event>,
}

impl Recorder {
    /// A recorder that stamps with `clock` and sends to `sink`.
    #[must_use]
    pub fn new(clock: Clock, sink: Sender<Event>) -> Self {
        Self { clock, sink }
    }

    /// The lab's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Records `what` as happening now.
    pub fn note(&self, what: What) {
        self.note_at(self.clock.now(), what);
    }

    /// Records `what` as having happened at `at`.
    pub fn note_at(&self, at: LabTime, what: What) {
        // The collector is gone only when the run is over; what comes later is nobody's evidence.
        let _ = self.sink.send(Event { at, what });
    }
}
