//! The cable: a userspace Ethernet switch with one-clock capture.
//!
//! Every network card of every host has a port. A machine that is switched on gets new cables ([`Cable::plug`]): socket pairs
//! whose other ends are QEMU's (`-netdev dgram,local.type=fd`). Every frame is stamped with the lab's clock when it comes in,
//! judged by the rules, handed on, written to `wire.pcapng`, and recorded on the timeline.
//!
//! There may be several links. Each is a network of its own: a frame goes to ports of the link that it came in by alone. What gets
//! from one link to another was forwarded by a guest, and is a frame of its own then, sent by that guest.
//!
//! A host whose machine is dead loses its frames, and nobody is told: that is what a real switch shows the survivors.
//! A machine that does not take its frames (stopped, or slow) loses those that do not fit its queue; the switch never
//! waits for anybody. What goes wrong with the capture itself is told by [`Cable::fault`] and [`Cable::finish`], and the
//! switch goes on.
//!
//! All this is real time. Machines in lockstep have a cable without a thread, a [`LockstepCable`]: the same switch with other hands.
//!
//! ```
//! # fn main() -> deadpeer::error::Result<()> {
//! use deadpeer::cable::{Cable, Port};
//! use deadpeer::timeline::{Clock, Recorder};
//! let (sink, events) = std::sync::mpsc::channel();
//! let folder = tempfile::tempdir().unwrap();
//! let ports = ["client", "server"].map(|host| {
//!     Port { host: host.to_owned(), link: 0, mac: [2, 0, 0, 0, 0, host.as_bytes()[0]], addresses: Vec::new() }
//! });
//! let cable = Cable::start(Recorder::new(Clock::start(), sink), &folder.path().join("wire.pcapng"), &ports)?;
//! let client = cable.plug("client", 0)?; // hand it to QEMU: -netdev dgram,id=link0,local.type=fd,local.str=FD
//! let summary = cable.finish()?;
//! assert_eq!(summary.counts.frames, 0);
//! # Ok(())
//! # }
//! ```

mod capture;
mod core;
mod fate;
mod held;
mod jack;
mod lockstep;
mod port;
mod remark;
mod rules;
mod status;
mod switch;
mod table;

pub use jack::LONGEST_FRAME;
pub use lockstep::LockstepCable;
pub use port::Port;
pub use remark::remark;
pub use rules::verdict;
pub use status::Counts;

use crate::error::{Context, Error, Result};
use crate::runlog::belonging;
use crate::scenario::Rule;
use crate::timeline::Recorder;
use capture::Capture;
use nix::sys::eventfd::{EfdFlags, EventFd};
use port::Ports;
use status::Status;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use switch::{Command, Switch};

/// How long the switch's thread may take to obey. It never waits for a machine, only for the disk.
const OBEY_WITHIN: Duration = Duration::from_secs(30);

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
    ports: Ports,
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
    /// If a host is on a link twice or an address is, if the capture cannot be written, or if the system refuses a thread.
    pub fn start(recorder: Recorder, capture: &Path, ports: &[Port]) -> Result<Cable> {
        let known = Ports::new(ports)?;
        let status = Arc::new(Status::default());
        let switch = Switch::new(
            recorder,
            Capture::create(capture, ports, capture::this_computer())?,
            ports,
            Arc::clone(&status),
        );
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .broken(|| "no event for the cable's thread".to_owned())?;
        let wake = Arc::new(wake);
        let (commands, inbox) = channel();
        let woken = Arc::clone(&wake);
        let thread = std::thread::Builder::new()
            .name("cable".to_owned())
            .spawn(belonging(move || switch.run(&inbox, &woken)))
            .broken(|| "no thread for the cable".to_owned())?;
        Ok(Self { path: capture.to_owned(), ports: known, commands, wake, status, thread: Some(thread) })
    }

    /// Puts a new cable into a host's port on a link, in place of the one that is there, and returns its other end for the
    /// machine's network card. Frames that the old machine had sent are taken first. Frames held back for the host come by the new
    /// cable. The end is closed on exec: it must be handed to QEMU on purpose, and the caller's copy be closed after that, as
    /// a machine is known to be gone when nobody holds that end.
    ///
    /// # Errors
    /// If there is no such host on that link, or no socket pair to be had.
    pub fn plug(&self, host: &str, link: u8) -> Result<OwnedFd> {
        let port = self.ports.on_link(host, link)?;
        let (socket, theirs) = jack::cable()?;
        self.tell(|done| Command::Plug { port, socket, done })?;
        Ok(theirs)
    }

    /// As [`Cable::plug`], with a cable that somebody else made: `socket` is the switch's end of it, a connected datagram socket in which a
    /// datagram is a frame.
    ///
    /// # Errors
    /// There is no such host on that link.
    pub fn plug_in(&self, host: &str, link: u8, socket: OwnedFd) -> Result<()> {
        let port = self.ports.on_link(host, link)?;
        self.tell(|done| Command::Plug { port, socket, done })
    }

    /// Pulls a host's cables out of the switch (`up` false), or puts the same ones in again. Without a link, frames to and from the
    /// host are lost, and the capture says why. The guest itself learns of it by its carrier alone, which is
    /// the machine's to take away (QMP `set_link`). A new cable ([`Cable::plug`]) has a link.
    ///
    /// # Errors
    /// If there is no such host.
    pub fn set_link(&self, host: &str, up: bool) -> Result<()> {
        let ports = self.ports.of(host)?;
        self.tell(|done| Command::Link { ports, up, done })
    }

    /// Hands nothing to a host's port from now on, until it has sent a frame by it: its machine boots, and there is no network card yet that
    /// could take one. (A Linux guest speaks as soon as its card is up: it joins its IPv6 multicast groups.)
    ///
    /// # Errors
    /// If there is no such host.
    pub fn sleep(&self, host: &str) -> Result<()> {
        let ports = self.ports.of(host)?;
        self.tell(|done| Command::Sleep { ports, done })
    }

    /// Replaces the rules. When this returns, the new ones hold. Frames sent before it was called are judged by the old rules, and
    /// frames held back already stay held as long as the rule of their time said.
    ///
    /// # Errors
    /// If a rule names a host that is not on the cable.
    pub fn set_rules(&self, rules: Vec<Rule>) -> Result<()> {
        self.ports.know(&rules)?;
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
