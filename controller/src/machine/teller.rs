//! What a machine's console and QMP connection say, told as events: the same whoever started its QEMU.

use super::{console, qmp};
use crate::timeline::{LabTime, MachineEvent, Recorder, What};

/// Tells what one machine does.
#[derive(Debug)]
pub(super) struct Teller {
    /// The host's name.
    pub(super) host: String,
    pub(super) recorder: Recorder,
}

/// What QEMU told that a watch has to take note of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The guest shut down, for this reason.
    ShutDown(String),
    /// QEMU itself is about to end, for this reason: not the guest's doing, and told as what comes of it.
    Ending(String),
    /// The guest stands still.
    Stopped,
    /// Something is wrong that is not part of a machine's life.
    Complaint(String),
    /// Nothing that a state depends on.
    Nothing,
}

impl Teller {
    /// A line came on the console.
    pub(super) fn on_line(&self, line: &str) {
        if let Some(event) = console::told(line) {
            self.note(event);
        }
    }

    /// QEMU told of something.
    pub(super) fn on_qmp(&self, event: &qmp::Event) -> Said {
        let reason = event.text("reason").unwrap_or("unknown").to_owned();
        match event.name.as_str() {
            "RESET" => self.note(MachineEvent::Reset { reason }),
            "SHUTDOWN" if reason.starts_with("guest-") => return Said::ShutDown(reason),
            "SHUTDOWN" => return Said::Ending(reason),
            "STOP" => return Said::Stopped,
            "BLOCK_IO_ERROR" => return Said::Complaint(format!("disk error: {reason}")),
            _ => tracing::debug!(host = self.host, event = event.name, "QMP event"),
        }
        Said::Nothing
    }

    /// It happened now.
    pub(super) fn note(&self, event: MachineEvent) {
        self.note_at(self.recorder.clock().now(), event);
    }

    /// It happened then.
    pub(super) fn note_at(&self, at: LabTime, event: MachineEvent) {
        self.recorder.note_at(at, What::Machine { host: self.host.clone(), event });
    }
}
