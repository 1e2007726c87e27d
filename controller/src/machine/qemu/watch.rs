//! What one QEMU process does, turned into events: its console, its QMP events, and its end are seen by
//! three threads, and this is where they meet.

use crate::error::{Context, Result};
use crate::machine::qmp;
use crate::machine::teller::{Said, Teller};
use crate::process::Change;
use crate::timeline::{Ended, LabTime, MachineEvent, Recorder};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a dead process's console and QMP connection are read on. All is in their buffers by then.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How much of QEMU's standard error is shown.
const WORDS_SHOWN: u64 = 4000;

/// What is known of one QEMU process.
#[derive(Debug)]
pub(super) struct Watch {
    teller: Teller,
    pid_file: PathBuf,
    stderr: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// We are about to send SIGKILL.
    power_cut: bool,
    /// The guest shut down, for this reason.
    shut_down: Option<String>,
    /// Somebody stopped the process.
    stopped: bool,
    /// What QEMU said that is not part of a machine's life: it halted the guest, a disk error.
    complaints: Vec<String>,
    /// The process ended.
    ended: Option<Ended>,
    /// Its end is told, and all that it said before was heard.
    told: bool,
}

impl Watch {
    pub(super) fn new(host: &str, recorder: Recorder, pid_file: PathBuf, stderr: File) -> Self {
        let teller = Teller { host: host.to_owned(), recorder };
        Self { teller, pid_file, stderr, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The process is there: leaves its pid in the run's folder, and tells.
    pub(super) fn started(&self, pid: u32) -> Result<()> {
        self.teller.note(MachineEvent::PoweredOn { pid: Some(pid) });
        std::fs::write(&self.pid_file, format!("{pid}\n"))
            .broken(|| format!("cannot write {}", self.pid_file.display()))
    }

    /// A line came on the console.
    pub(super) fn on_line(&self, line: &str) {
        self.teller.on_line(line);
    }

    /// QEMU told of something.
    pub(super) fn on_qmp(&self, event: &qmp::Event) {
        match self.teller.on_qmp(event) {
            Said::ShutDown(reason) => {
                self.state().shut_down = Some(reason.clone());
                self.teller.note(MachineEvent::ShutDown { reason });
            }
            Said::Ending(reason) => self.complain(format!("QEMU is shutting down: {reason}")),
            // QEMU stops the guest when it cannot go on: a full disk, an accelerator that gave up.
            Said::Stopped => {
                self.complain("QEMU stopped the guest".to_owned());
                self.teller.note(MachineEvent::Stopped);
            }
            Said::Complaint(what) => self.complain(what),
            Said::Nothing => {}
        }
    }

    /// The process did something. `heard` are disconnected when its console and its QMP connection are read to the end.
    pub(super) fn on_change(&self, change: Change, heard: &[Receiver<()>]) {
        let at = self.teller.recorder.clock().now();
        match change {
            Change::Stopped => {
                self.state().stopped = true;
                self.teller.note_at(at, MachineEvent::Stopped);
            }
            Change::Continued => self.state().stopped = false,
            Change::Ended(how) => {
                self.state().ended = Some(how.clone());
                for last in heard {
                    let _ = last.recv_timeout(LAST_WORDS);
                }
                self.on_end(at, how);
            }
        }
    }

    fn on_end(&self, at: LabTime, how: Ended) {
        let _ = std::fs::remove_file(&self.pid_file);
        let mut state = self.state();
        let killed = how == Ended::Signal("KILL".to_owned());
        let expected = how == Ended::Exit(0) || (state.power_cut && killed);
        if state.shut_down.is_some() && expected {
            // Told already, as what it was: the guest's own doing.
        } else if state.power_cut {
            self.teller.note_at(at, MachineEvent::PoweredOff { how, domain: None });
        } else {
            self.teller.note_at(at, MachineEvent::Died { how, words: self.words() });
        }
        state.told = true;
        self.changed.notify_all();
    }

    /// The power is to be cut now: the end that follows is ours. False if the process ended before.
    pub(super) fn cut_power(&self) -> bool {
        let mut state = self.state();
        state.power_cut = state.ended.is_none();
        state.power_cut
    }

    /// How the process ended.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.state().ended.clone()
    }

    /// Waits until the process has ended and its end is told.
    pub(super) fn wait(&self, within: Duration) -> Option<Ended> {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.state(), within, |state| !state.told)
            .unwrap_or_else(PoisonError::into_inner);
        state.ended.clone().filter(|_| state.told)
    }

    /// Why the guest shut down, if it did.
    pub(super) fn shut_down(&self) -> Option<String> {
        self.state().shut_down.clone()
    }

    /// The process and QEMU's words, for a person.
    pub(super) fn evidence(&self, pid: u32) -> String {
        let state = self.state();
        let mut lines = vec![match (&state.ended, state.stopped) {
            (Some(how), _) => format!("QEMU (process {pid}) {how}"),
            (None, true) => format!("QEMU (process {pid}) is stopped (SIGSTOP)"),
            (None, false) => format!("QEMU (process {pid}) is running"),
        }];
        lines.extend(state.shut_down.iter().map(|reason| format!("the guest shut down: {reason}")));
        lines.extend(state.complaints.iter().cloned());
        drop(state);
        let words = self.words();
        if !words.is_empty() {
            lines.push(format!("QEMU's last words:\n{words}"));
        }
        lines.join("\n")
    }

    /// The end of QEMU's standard error.
    fn words(&self) -> String {
        let length = self.stderr.metadata().map_or(0, |m| m.len());
        let from = length.saturating_sub(WORDS_SHOWN);
        let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
        let got = self.stderr.read_at(&mut bytes, from).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..got]).trim_end().to_owned()
    }

    fn complain(&self, what: String) {
        tracing::warn!(host = self.teller.host, "{what}");
        self.state().complaints.push(what);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
