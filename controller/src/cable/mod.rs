//! The cable: a userspace Ethernet switch with one-clock capture.
//!
//! Every host has a port. A machine that is switched on gets a new cable ([`Cable::plug`]): a socket pair whose other end is
//! QEMU's (`-netdev dgram,local.type=fd`). Every frame is stamped with the lab's clock when it comes in, judged
//! by the rules, handed on, written to `wire.pcapng`, and recorded on the timeline.
//!
//! A host whose machine is dead loses its frames, and nobody is told: that is what a real switch shows the survivors.
//! A machine that does not take its frames (stopped, or slow) loses those that do not fit its queue; the switch never
//! waits for anybody. What goes wrong with the capture itself is told by [`Cable::fault`] and [`Cable::finish`], and the
//! switch goes on.
//!
//! ```
//! # fn main() -> deadpeer::error::Result<()> {
//! use deadpeer::cable::{Cable, Port};
//! use deadpeer::timeline::{Clock, Recorder};
//! let (sink, events) = std::sync::mpsc::channel();
//! let folder = tempfile::tempdir().unwrap();
//! let ports = ["client", "server"].map(|name| Port { name: name.to_owned(), mac: [2, 0, 0, 0, 0, name.as_bytes()[0]] });
//! let cable = Cable::start(Recorder::new(Clock::start(), sink), &folder.path().join("wire.pcapng"), &ports)?;
//! let client = cable.plug("client")?; // hand it to QEMU: -netdev dgram,id=link0,local.type=fd,local.str=FD
//! let summary = cable.finish()?;
//! assert_eq!(summary.counts.frames, 0);
//! # Ok(())
//! # }
//! ```

mod capture;
mod fate;
mod held;
mod jack;
mod rules;
mod status;
mod switch;
mod table;

pub use jack::LONGEST_FRAME;
pub use rules::verdict;
pub use status::Counts;

use crate::error::{Context, Error, Result};
use crate::runlog::belonging;
use crate::scenario::Rule;
use crate::timeline::Recorder;
use crate::witness::wire::Mac;
use capture::Capture;
use nix::sys::eventfd::{EfdFlags, EventFd};
use status::Status;
use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use switch::{Command, Switch};

/// How long the switch's thread may take to obey. It never waits for a machine, only for the disk.
const OBEY_WITHIN: Duration = Duration::from_secs(30);

/// A port of the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The host it is for.
    pub name: String,
    /// The Ethernet address of that host's network card.
    pub mac: Mac,
}

/// What the cable did, when it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The capture.
    pub path: PathBuf,
    /// Frames, and what became of them.
    pub counts: Counts,
}

/// A running switch. Usable from any thread. Dropped, it stops.
#[derive(Debug)]
pub struct Cable {
    path: PathBuf,
    hosts: Vec<String>,
    commands: Sender<Command>,
    wake: Arc<EventFd>,
    status: Arc<Status>,
    thread: Option<JoinHandle<()>>,
}

impl Cable {
    /// Starts a switch with these ports, no cable in any of them and no rules, that records to `recorder` and captures to the
    /// file `capture`.
    ///
    /// # Errors
    /// If two ports have one name or one address, if the capture cannot be written, or if the system refuses a thread.
    pub fn start(recorder: Recorder, capture: &Path, ports: &[Port]) -> Result<Cable> {
        let (mut names, mut addresses) = (HashSet::new(), HashSet::new());
        if let Some(twice) = ports.iter().find(|port| !names.insert(&port.name) || !addresses.insert(port.mac)) {
            return Err(Error::broken(format!(
                "host {} is on the cable twice, by its name or its address",
                twice.name
            )));
        }
        let status = Arc::new(Status::default());
        let switch = Switch::new(recorder, Capture::create(capture, ports)?, ports, Arc::clone(&status));
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .broken(|| "no event for the cable's thread".to_owned())?;
        let wake = Arc::new(wake);
        let (commands, inbox) = channel();
        let woken = Arc::clone(&wake);
        let thread = std::thread::Builder::new()
            .name("cable".to_owned())
            .spawn(belonging(move || switch.run(&inbox, &woken)))
            .broken(|| "no thread for the cable".to_owned())?;
        let hosts = ports.iter().map(|port| port.name.clone()).collect();
        Ok(Self { path: capture.to_owned(), hosts, commands, wake, status, thread: Some(thread) })
    }

    /// Puts a new cable into a host's port, in place of the one that is there, and returns its other end for the
    /// machine's network card. Frames that the old machine had sent are taken first. Frames held back for the host come by the new
    /// cable. The end is closed on exec: it must be handed to QEMU on purpose, and the caller's copy be closed after that, as
    /// a machine is known to be gone when nobody holds that end.
    ///
    /// # Errors
    /// If there is no such host, or no socket pair to be had.
    pub fn plug(&self, host: &str) -> Result<OwnedFd> {
        let port = self.port(host)?;
        let (socket, theirs) = jack::cable()?;
        self.tell(|done| Command::Plug { port, socket, done })?;
        Ok(theirs)
    }

    /// Pulls a host's cable out of the switch (`up` false), or puts the same one in again. Without a link, frames to and from the
    /// host are lost, and the capture says why. The guest itself learns of it by its carrier alone, which is
    /// the machine's to take away (QMP `set_link`). A new cable ([`Cable::plug`]) has a link.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn set_link(&self, host: &str, up: bool) -> Result<()> {
        let port = self.port(host)?;
        self.tell(|done| Command::Link { port, up, done })
    }

    /// Hands nothing to a host from now on, until it has sent a frame: its machine boots, and there is no network card yet that
    /// could take one. (A Linux guest speaks as soon as its card is up: it joins its IPv6 multicast groups.)
    ///
    /// # Errors
    /// If there is no such host.
    pub fn sleep(&self, host: &str) -> Result<()> {
        let port = self.port(host)?;
        self.tell(|done| Command::Sleep { port, done })
    }

    /// Replaces the rules. When this returns, the new ones hold. Frames sent before it was called are judged by the old rules, and
    /// frames held back already stay held as long as the rule of their time said.
    ///
    /// # Errors
    /// If a rule names a host that is not on the cable.
    pub fn set_rules(&self, rules: Vec<Rule>) -> Result<()> {
        for host in rules.iter().flat_map(|rule| rule.from.iter().chain(&rule.to)) {
            self.port(host)?;
        }
        self.tell(|done| Command::Rules { rules, done })
    }

    /// How many frames came in so far, and what became of them.
    #[must_use]
    pub fn frames(&self) -> Counts {
        self.status.counts()
    }

    /// What went wrong with the capture, if anything did: the run's outcome is then unknown. The switch goes on all the same.
    #[must_use]
    pub fn fault(&self) -> Option<Error> {
        self.status.first_fault()
    }

    /// Ends the switch, after the frames that have arrived. Frames still held back are never handed on.
    ///
    /// # Errors
    /// [`Cable::fault`], or that the switch's thread panicked.
    pub fn finish(mut self) -> Result<Summary> {
        self.stop()?;
        match self.fault() {
            Some(fault) => Err(fault),
            None => Ok(Summary { path: self.path.clone(), counts: self.frames() }),
        }
    }

    fn port(&self, host: &str) -> Result<usize> {
        self.hosts.iter().position(|name| name == host).ok_or_else(|| {
            Error::broken(format!("no host {host} on the cable")).detail(format!("there are {}", self.hosts.join(", ")))
        })
    }

    /// Tells the thread to do something, and waits until it has.
    fn tell(&self, command: impl FnOnce(Sender<()>) -> Command) -> Result<()> {
        let (done, answer) = channel();
        self.send(command(done));
        answer.recv_timeout(OBEY_WITHIN).map_err(|error| {
            self.fault().unwrap_or_else(|| Error::broken(format!("the cable's thread does not obey: {error}")))
        })
    }

    /// A thread that is gone is found out by the missing answer.
    fn send(&self, command: Command) {
        let _ = self.commands.send(command);
        let _ = self.wake.write(1);
    }

    fn stop(&mut self) -> Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.send(Command::Finish);
        thread.join().map_err(|_| Error::broken("the cable's thread panicked"))
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!("{error}");
        }
    }
}
