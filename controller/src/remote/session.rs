//! The handle to a host's control connection.

use super::agent::Agent;
use super::desk::Desk;
use super::drive::Drive;
use super::keys::{HostKeyPublic, Keys};
use super::line::Line;
use super::pump::Pump;
use super::upload::Source;
use super::{Launch, Output, Program};
use super::{connect, program, run, upload};
use crate::error::{Context, Result};
use crate::runlog::belonging;
use crate::timeline::ProgramEvent;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Who the controller is on a guest.
const USER: &str = "root";

/// A control connection to a host. Usable from several threads at once; dropping it ends the connection, and with it
/// the programs started over it (those over an agent at its next turn).
#[derive(Debug)]
pub struct Session {
    line: Line,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Connects to a host's SSH server as root, checks that its key is `host_key`, and logs in with `keys`.
    ///
    /// `on_lost` is called once, from the session's own thread, if the connection is lost; not when it is dropped.
    ///
    /// # Errors
    /// Nobody listens at `address`, the host key is another one, our key is refused, or it is not done `within` the
    /// time given. The error says what was awaited.
    pub fn connect(
        address: SocketAddr,
        keys: &Keys,
        host_key: &HostKeyPublic,
        within: Duration,
        on_lost: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self> {
        Self::connect_as(USER, address, keys, host_key, within, on_lost)
    }

    /// As [`connect`](Self::connect), as another user.
    ///
    /// # Errors
    /// As there.
    pub fn connect_as(
        user: &str,
        address: SocketAddr,
        keys: &Keys,
        host_key: &HostKeyPublic,
        within: Duration,
        on_lost: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self> {
        let link = connect::connect(address, user, keys, host_key, within)?;
        let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
            .broken(|| "no eventfd to be had".to_owned())?;
        let bell = Arc::new(bell);
        let (orders, taken) = mpsc::channel();
        let pump = Pump::new(link, taken, Arc::clone(&bell));
        let thread = std::thread::Builder::new()
            .name(format!("ssh {}", address.port()))
            .spawn(belonging(move || pump.work(on_lost)))
            .broken(|| "no thread to be had for the control connection".to_owned())?;
        let line = Line::new(Desk::new(orders, Some(bell)), None);
        Ok(Self { line, thread: Some(thread) })
    }

    /// A session over a host's agent, with nothing that acts by itself: whoever waits for the host calls `drive` until it has
    /// answered. Whoever lets time pass gives the agent its turns; so `events` of programs are told in that thread.
    #[must_use]
    pub fn over(drive: Arc<dyn Drive>) -> (Self, Agent) {
        let (orders, taken) = mpsc::channel();
        let line = Line::new(Desk::new(orders, None), Some(drive));
        (Self { line, thread: None }, Agent::new(taken))
    }

    /// Runs `command` by the user's shell, with nothing to read, until it ends.
    ///
    /// # Errors
    /// It did not end `within` the time given: its channel is closed, and the error shows what it had printed. Or it
    /// printed more than [`MAX_OUTPUT`](super::MAX_OUTPUT), or the host was lost. *How* it ended is no error: see
    /// [`Output::success`].
    pub fn run(&self, command: &str, within: Duration) -> Result<Output> {
        run::run(&self.line, command, within)
    }

    /// Has `command` carried out, which nobody waits for: what it does ends this session, too.
    ///
    /// # Errors
    /// The session is over already.
    pub fn tell(&self, command: &str, within: Duration) -> Result<()> {
        run::tell(&self.line, command, within)
    }

    /// Writes `bytes` to the file `path` on the host, with permissions `mode` (as in `0o755`): whole or not at all,
    /// its SHA-256 checked there, and safe from a power cut once this returns. A file that already is so is left
    /// as it is, and nothing is sent.
    ///
    /// # Errors
    /// It cannot be written, in the host's own words; or not `within` the time given; or the host was lost.
    pub fn upload(&self, bytes: &[u8], path: &str, mode: u32, within: Duration) -> Result<()> {
        upload::upload(&self.line, bytes, &Source::Line, path, mode, within)
    }

    /// As [`upload`](Self::upload), but that the host takes these bytes from its program disk, where they begin at `offset`.
    ///
    /// # Errors
    /// As there; or the host has no such disk, or it holds something else.
    pub fn bring(&self, bytes: &[u8], offset: u64, path: &str, mode: u32, within: Duration) -> Result<()> {
        upload::upload(&self.line, bytes, &Source::Disk(offset), path, mode, within)
    }

    /// Starts a program, with an attendant on the host that tells how it fares (`deadpeer_guest::attend`). Returns when it runs.
    ///
    /// The program has a terminal that does not echo, so it prints its lines when they are whole. `events` is told
    /// [`Started`](ProgramEvent::Started) first, then each line as it comes and each input as it goes, and
    /// [`Ended`](ProgramEvent::Ended); after that only what children print that it left. Of what it prints beyond
    /// [`MOST_LINES`](super::MOST_LINES) only the number is told, and the last. `events` is called from the session's
    /// own thread: it must not block, nor call this session.
    ///
    /// # Errors
    /// There is no such command on the host (of kind usage; nothing was told to `events` then), the host does not
    /// start it, or the host was lost.
    pub fn start(&self, launch: &Launch<'_>, events: impl FnMut(ProgramEvent) + Send + 'static) -> Result<Program> {
        program::start(&self.line, launch, Box::new(events))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.line.quit();
        // Dropped by `on_lost` or by a program's events, it would wait for itself.
        if let Some(thread) = self.thread.take().filter(|it| it.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }
}
