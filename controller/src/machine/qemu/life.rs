//! One QEMU process from its start to its end: a machine while its power is on.

use super::arguments::{Wiring, arguments, nic};
use super::watch::Watch;
use super::{Config, Info, usernet};
use crate::error::{Context, Error, Result};
use crate::machine::Link;
use crate::machine::console::{self, Tail};
use crate::machine::qmp::{Client, Failure};
use crate::process::{self, Child, DEATH};
use crate::timeline::{Ended, Recorder};
use command_fds::CommandFdExt;
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::unistd::pipe2;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long after the QMP connection was closed the process may take to be gone.
const AFTER_CLOSING: Duration = Duration::from_secs(2);

/// A running QEMU, or what is left of it.
#[derive(Debug)]
pub(super) struct Life {
    host: String,
    child: Child,
    qmp: Client,
    watch: Arc<Watch>,
    links: usize,
}

impl Life {
    /// Starts the process. The guest stands still until [`Life::go`].
    pub(super) fn begin(
        config: &Config,
        qemu: &Info,
        recorder: Recorder,
        tail: Tail,
        links: Vec<Link>,
        flight_recorder: Option<PathBuf>,
    ) -> Result<Self> {
        let fact = || format!("cannot prepare QEMU for '{}'", config.name);
        let (ours, theirs) = UnixStream::pair().broken(fact)?;
        let (console_ours, console_theirs) = pipe2(OFlag::O_CLOEXEC).broken(fact)?;
        let stderr = tempfile::tempfile().broken(fact)?;
        let wiring = Wiring {
            qmp: theirs.as_raw_fd(),
            links: links.iter().map(|link| (link.mac, link.end.as_raw_fd())).collect(),
            recorder: flight_recorder,
        };
        let count = links.len();

        let mut command = Command::new(&qemu.path);
        command.args(arguments(config, &wiring)).env("LC_ALL", "C").stdin(Stdio::null()).stdout(console_theirs);
        command.stderr(stderr.try_clone().broken(fact)?);
        // Kept under the numbers they have here: to move one (dup2) could hit the pipe over which a failing exec
        // tells of itself.
        let inherited = std::iter::once(OwnedFd::from(theirs)).chain(links.into_iter().map(|link| link.end));
        command.preserved_fds(inherited.collect());

        let watch = Arc::new(Watch::new(&config.name, recorder, config.pid_file(), stderr));
        let (about_lines, about_events, about_end) = (Arc::clone(&watch), Arc::clone(&watch), Arc::clone(&watch));
        let on_line = move |line: &str| about_lines.on_line(line);
        let console_done = console::read(File::from(console_ours), &config.console_log(), tail, on_line)?;
        let (qmp, qmp_done) =
            Client::new(ours, config.patience, move |event| about_events.on_qmp(&event)).broken(fact)?;
        let heard = [qmp_done, console_done];
        // The start is told before anything that follows from it.
        let (start_told, told) = channel::<()>();
        let child = process::spawn(command, move |change| {
            let _ = told.recv();
            about_end.on_change(change, &heard);
        })?;
        let started = watch.started(child.pid());
        drop(start_told);
        let life = Self { host: config.name.clone(), child, qmp, watch, links: count };
        started.map(|()| life)
    }

    /// Shakes hands, unplugs what is unplugged, and lets the guest run. Gives the control address.
    pub(super) fn go(&mut self, unplugged: &BTreeSet<usize>) -> Result<SocketAddr> {
        let version = self.qmp.greet().map_err(|failure| self.fault("greet on QMP", &failure))?;
        tracing::debug!(host = self.host, version, pid = self.child.pid(), "QEMU greets");
        let links = self.links;
        for &link in unplugged.range(..links) {
            self.set_link(link, false)?;
        }
        let answer = self.command("human-monitor-command", json!({ "command-line": "info usernet" }))?;
        let text = answer.as_str().unwrap_or_default();
        let control = usernet::control_address(text).ok_or_else(|| {
            Error::broken(format!("QEMU of '{}' did not tell which port it forwards to the guest's SSH", self.host))
                .detail(format!("awaited: a TCP[HOST_FORWARD] line in `info usernet`; came:\n{}", text.trim_end()))
        })?;
        self.command("cont", Value::Null)?;
        Ok(control)
    }

    pub(super) fn reset(&mut self) -> Result<()> {
        self.command("system_reset", Value::Null).map(drop)
    }

    pub(super) fn set_carrier(&mut self, link: usize, up: bool) -> Result<()> {
        if link >= self.links {
            return Err(Error::usage(format!("'{}' has no link {link}: it has {}", self.host, self.links)));
        }
        self.set_link(link, up)
    }

    fn set_link(&mut self, link: usize, up: bool) -> Result<()> {
        self.command("set_link", json!({ "name": nic(link), "up": up })).map(drop)
    }

    /// SIGKILL, and the proof that it was this that ended the process.
    pub(super) fn cut_power(&self) -> Result<Ended> {
        let fact = || format!("the power of '{}' could not be cut", self.host);
        let killed = self.watch.cut_power() && self.child.kill(Signal::SIGKILL)?;
        let Some(how) = self.watch.wait(DEATH) else {
            return Err(Error::broken(fact())
                .detail(format!("awaited: the end of process {} after SIGKILL", self.child.pid()))
                .detail(format!("came: nothing within {DEATH:?}; it may hang in the kernel")));
        };
        let shut_down = self.watch.shut_down().is_some();
        if killed && !shut_down && how == Ended::Signal("KILL".to_owned()) {
            return Ok(how);
        }
        Err(Error::broken(fact())
            .detail("awaited: QEMU ended by SIGKILL while its guest ran, the proof of a power cut")
            .detail(format!("came: it {how}{}", if shut_down { ", after its guest had shut down" } else { "" }))
            .detail(self.evidence()))
    }

    /// Waits until the process is gone: the guest has shut down, and QEMU follows.
    pub(super) fn wait(&self, within: Duration) -> Option<Ended> {
        self.watch.wait(within)
    }

    pub(super) fn is_on(&self) -> bool {
        self.watch.ended().is_none() && self.watch.shut_down().is_none()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.ended().is_none().then(|| self.child.pid())
    }

    pub(super) fn evidence(&self) -> String {
        self.watch.evidence(self.child.pid())
    }

    fn command(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let answer = self.qmp.command(command, arguments);
        answer.map_err(|failure| self.fault(&format!("answer QMP `{command}`"), &failure))
    }

    /// Why QEMU did not do what it should, with all that it left behind.
    fn fault(&self, what: &str, failure: &Failure) -> Error {
        let ended = match failure {
            Failure::Closed => self.watch.wait(AFTER_CLOSING),
            _ => self.watch.ended(),
        };
        let fact = match ended {
            Some(how) => format!("QEMU of '{}' {how}", self.host),
            None => format!("QEMU of '{}' did not {what}", self.host),
        };
        Error::broken(fact).detail(format!("awaited: that it would {what}; came: {failure}")).detail(self.evidence())
    }
}

impl Drop for Life {
    /// Whoever drops a machine cuts its power. When this returns, its end is told and its pid file is gone.
    fn drop(&mut self) {
        self.watch.cut_power();
        let killed = self.child.kill(Signal::SIGKILL);
        if killed.is_err() || self.watch.wait(DEATH).is_none() {
            tracing::warn!(host = self.host, ?killed, "QEMU did not end after SIGKILL");
        }
    }
}
