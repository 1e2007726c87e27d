//! What a domain's QEMU does, turned into events: its console, its QMP events and its end are seen by three threads, and this is where they
//! meet. The process is libvirt's child and not ours: that it is gone is seen in /proc, and how it ended libvirt says.

use super::virsh::{DESTROYED, Virsh};
use crate::error::{Context, Result};
use crate::machine::qmp;
use crate::machine::teller::{Said, Teller};
use crate::timeline::{Ended, LabTime, MachineEvent, Recorder};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the process is looked at while it lives: somebody may have stopped it.
const LOOK: Duration = Duration::from_millis(100);

/// How long a process whose QMP connection is closed may take to be gone, and libvirt to have noticed.
const DEATH: Duration = Duration::from_secs(20);

/// How long a dead process's console is read on.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How much of QEMU's own words is shown.
const WORDS_SHOWN: usize = 2000;

/// What is known of one QEMU process.
#[derive(Debug)]
pub(super) struct Watch {
    teller: Teller,
    domain: String,
    pid: u32,
    pid_file: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// libvirt is about to be told to destroy it.
    power_cut: bool,
    /// The guest shut down, for this reason.
    shut_down: Option<String>,
    /// QEMU said that a signal ends it.
    signalled: bool,
    /// Somebody stopped the process.
    stopped: bool,
    /// What QEMU said that is not part of a machine's life.
    complaints: Vec<String>,
    /// It is gone, and so its domain stands, as libvirt says; told.
    ended: Option<String>,
}

impl Watch {
    pub(super) fn new(host: &str, domain: &str, pid: u32, recorder: Recorder, pid_file: PathBuf) -> Self {
        let teller = Teller { host: host.to_owned(), recorder };
        let (domain, state) = (domain.to_owned(), Mutex::default());
        Self { teller, domain, pid, pid_file, state, changed: Condvar::new() }
    }

    /// The process is there: leaves its pid in the run's folder, and tells.
    pub(super) fn started(&self) -> Result<()> {
        self.teller.note(MachineEvent::PoweredOn { pid: Some(self.pid) });
        fs::write(&self.pid_file, format!("{}\n", self.pid))
            .broken(|| format!("cannot write {}", self.pid_file.display()))
    }

    /// A line came on the console.
    pub(super) fn on_line(&self, line: &str) {
        self.teller.on_line(line);
    }

    /// QEMU told of something. libvirt has it stop when its guest has shut down, and when a signal ends it.
    pub(super) fn on_qmp(&self, event: &qmp::Event) {
        match self.teller.on_qmp(event) {
            Said::ShutDown(reason) => {
                self.state().shut_down = Some(reason.clone());
                self.teller.note(MachineEvent::ShutDown { reason });
            }
            Said::Ending(reason) if reason == "host-signal" => self.state().signalled = true,
            Said::Ending(reason) => self.complain(format!("QEMU is shutting down: {reason}")),
            Said::Stopped => {
                let state = self.state();
                if state.shut_down.is_none() && !state.signalled {
                    drop(state);
                    self.complain("QEMU stopped the guest".to_owned());
                    self.teller.note(MachineEvent::Stopped);
                }
            }
            Said::Complaint(what) => self.complain(what),
            Said::Nothing => {}
        }
    }

    /// Watches the process until it is gone and that is told. `qmp` and `console` are disconnected when these are read to the end.
    pub(super) fn until_the_end(&self, libvirt: &Virsh, qmp: &Receiver<()>, console: &Receiver<()>) {
        while qmp.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let stopped = process_state(self.pid) == Some('T');
            let before = std::mem::replace(&mut self.state().stopped, stopped);
            if stopped && !before {
                self.teller.note(MachineEvent::Stopped);
            }
        }
        let at = self.teller.recorder.clock().now();
        let _ = console.recv_timeout(LAST_WORDS);
        let until = Instant::now() + DEATH;
        while is_alive(self.pid) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        let standing = loop {
            let standing = match libvirt.state(&self.domain) {
                Ok(standing) => standing,
                Err(error) => format!("unknown ({})", error.detail.unwrap_or(error.fact)),
            };
            if !standing.starts_with("running") && !standing.starts_with("in shutdown") || Instant::now() >= until {
                break standing;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        self.on_end(at, standing);
    }

    fn on_end(&self, at: LabTime, standing: String) {
        let _ = fs::remove_file(&self.pid_file);
        let mut state = self.state();
        let gone = !is_alive(self.pid);
        if state.shut_down.is_some() && gone && standing == "shut off (shutdown)" {
            // Told already, as what it was: the guest's own doing.
        } else if state.power_cut && gone && standing == DESTROYED {
            let how = ended_by(state.signalled);
            self.teller.note_at(at, MachineEvent::PoweredOff { how, domain: Some(standing.clone()) });
        } else {
            let how = Ended::Lost(format!("libvirt says: {standing}"));
            self.teller.note_at(at, MachineEvent::Died { how, words: self.words() });
        }
        state.ended = Some(standing);
        self.changed.notify_all();
    }

    /// libvirt is to destroy it now: the end that follows is ours. False if it ended before.
    pub(super) fn cut_power(&self) -> bool {
        let mut state = self.state();
        state.power_cut = state.ended.is_none() && state.shut_down.is_none();
        state.power_cut
    }

    /// Waits until the process is gone and its end is told; gives how its domain stands, and the signal that ended the process.
    pub(super) fn wait(&self, within: Duration) -> Option<(String, Ended)> {
        let (state, _) = self
            .changed
            .wait_timeout_while(self.state(), within, |state| state.ended.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        Some((state.ended.clone()?, ended_by(state.signalled)))
    }

    /// Power is on: the process is there, and its guest has not shut down.
    pub(super) fn is_on(&self) -> bool {
        let state = self.state();
        state.ended.is_none() && state.shut_down.is_none()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.state().ended.is_none().then_some(self.pid)
    }

    /// The process, its domain and QEMU's words, for a person.
    pub(super) fn evidence(&self) -> String {
        let state = self.state();
        let (pid, domain) = (self.pid, &self.domain);
        let mut lines = vec![match (&state.ended, state.stopped) {
            (Some(standing), _) => format!("QEMU (process {pid}) is gone; domain {domain}: {standing}"),
            (None, true) => format!("QEMU (process {pid}) of domain {domain} is stopped (SIGSTOP)"),
            (None, false) => format!("QEMU (process {pid}) of domain {domain} is running"),
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

    /// What QEMU said, as libvirt logs it: after its command line.
    fn words(&self) -> String {
        words(&self.domain)
    }

    fn complain(&self, what: String) {
        tracing::warn!(host = self.teller.host, "{what}");
        self.state().complaints.push(what);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What ended a QEMU that libvirt destroyed: SIGTERM, of which QEMU tells; or else SIGKILL, of which it cannot (libvirt's
/// `virProcessKillPainfully` sends the one and, if that does not help, the other).
fn ended_by(signalled: bool) -> Ended {
    Ended::Signal(if signalled { "TERM" } else { "KILL" }.to_owned())
}

/// QEMU's own words of a domain's last life, as libvirt logs them.
pub(super) fn words(domain: &str) -> String {
    let log = super::remains::logs(domain).into_iter().find_map(|path| fs::read(path).ok()).unwrap_or_default();
    let text = String::from_utf8_lossy(&log);
    // The command line ends with the domain's last start; what QEMU says has no time before it that libvirt writes, or begins with its name.
    let said: Vec<&str> =
        text.lines().rev().take_while(|line| !line.ends_with("starting up") && !line.starts_with('-')).collect();
    let said: Vec<&str> = said.into_iter().rev().filter(|line| line.contains("qemu")).collect();
    let text = said.join("\n");
    let from = text.char_indices().rev().nth(WORDS_SHOWN).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}

/// A process's state, as proc_pid_stat(5) has it; none if there is no such process.
fn process_state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Whether a process runs: one that is dead and not reaped does not.
fn is_alive(pid: u32) -> bool {
    !matches!(process_state(pid), None | Some('Z' | 'X'))
}
