//! What a domain's QEMU does, turned into events: its console, its QMP events and its end are seen by three threads, and this is where they
//! meet. The process is libvirt's child and not ours: that it is gone is seen in /proc, and how it ended libvirt says.

use super::life::Starting;
use super::project::Project;
use super::site::Site;
use super::virsh::{DESTROYED, Virsh};
use crate::error::{Context, Result};
use crate::machine::qmp;
use crate::machine::teller::{Said, Teller};
use crate::timeline::{Ended, LabTime, MachineEvent, Recorder};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
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
    project: Arc<Project>,
    domain: String,
    pid: u32,
    /// Where the process id is while the process lives; nowhere, where it is one of another computer.
    pid_file: Option<PathBuf>,
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
    pub(super) fn new(project: &Arc<Project>, it: &Starting<'_>, pid: u32, recorder: Recorder) -> Self {
        let teller = Teller { host: it.host.to_owned(), recorder };
        let (domain, state) = (it.domain.to_owned(), Mutex::default());
        let pid_file = project.site.is_here().then(|| it.pid_file.clone());
        Self { teller, project: Arc::clone(project), domain, pid, pid_file, state, changed: Condvar::new() }
    }

    /// The process is there: leaves its pid in the run's folder, and tells.
    pub(super) fn started(&self) -> Result<()> {
        self.teller.note(MachineEvent::PoweredOn { pid: Some(self.pid) });
        let Some(file) = &self.pid_file else { return Ok(()) };
        fs::write(file, format!("{}\n", self.pid)).broken(|| format!("cannot write {}", file.display()))
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
        let site = &self.project.site;
        while qmp.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
            let stopped = site.state(self.pid).is_ok_and(|state| state == Some('T'));
            let before = std::mem::replace(&mut self.state().stopped, stopped);
            if stopped && !before {
                self.teller.note(MachineEvent::Stopped);
            }
        }
        let mut at = self.teller.recorder.clock().now();
        if self.state().shut_down.is_none() {
            site.nobody_there(&self.project.plan, &self.teller.host);
        }
        let _ = console.recv_timeout(LAST_WORDS);
        let until = Instant::now() + DEATH;
        while self.is_alive() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        if !site.is_here() {
            // What it did last has come by now, and not before.
            at = self.teller.recorder.clock().now();
        }
        let standing = loop {
            let standing = match libvirt.state(&self.domain) {
                Ok(standing) => standing,
                Err(error) => break format!("unknown ({})", error.detail.unwrap_or(error.fact)),
            };
            if !standing.starts_with("running") && !standing.starts_with("in shutdown") || Instant::now() >= until {
                break standing;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        self.on_end(at, standing);
    }

    fn on_end(&self, at: LabTime, standing: String) {
        if let Some(file) = &self.pid_file {
            let _ = fs::remove_file(file);
        }
        let mut state = self.state();
        let gone = matches!(self.project.site.state(self.pid), Ok(None));
        if state.shut_down.is_some() && gone && standing == "shut off (shutdown)" {
            // Told already, as what it was: the guest's own doing.
        } else if state.power_cut && gone && standing == DESTROYED {
            let how = ended_by(state.signalled);
            self.teller.note_at(at, MachineEvent::PoweredOff { how, domain: Some(standing.clone()) });
        } else {
            let lost =
                self.project.info.virsh.lost().map(|it| format!("{} ({})", it.fact, it.detail.unwrap_or_default()));
            let how = Ended::Lost(lost.unwrap_or_else(|| format!("libvirt says: {standing}")));
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
        words(&*self.project.site, &self.domain)
    }

    /// Whether the process runs, as far as that can be told.
    fn is_alive(&self) -> bool {
        matches!(self.project.site.state(self.pid), Ok(Some(_)))
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
pub(super) fn words(site: &dyn Site, domain: &str) -> String {
    let text = site.log(domain);
    // The command line ends with the domain's last start; what QEMU says has no time before it that libvirt writes, or begins with its name.
    let said: Vec<&str> =
        text.lines().rev().take_while(|line| !line.ends_with("starting up") && !line.starts_with('-')).collect();
    let said: Vec<&str> = said.into_iter().rev().filter(|line| line.contains("qemu")).collect();
    let text = said.join("\n");
    let from = text.char_indices().rev().nth(WORDS_SHOWN).map_or(0, |(at, _)| at);
    text[from..].to_owned()
}
