//! One life of a machine: from the moment its QEMU connects to the sockets at which we listen to the end of that process.

use super::project::Project;
use super::up;
use super::watch::{Watch, words};
use crate::error::{Context, Error, Result};
use crate::machine::console::{self, Tail};
use crate::machine::qmp::{Client, Event, Failure};
use crate::process::{self, Child};
use crate::runlog::belonging;
use crate::timeline::{Ended, Recorder};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long libvirt may take from being asked to start a domain until its QEMU is there.
const START_WITHIN: Duration = Duration::from_secs(90);

/// How long QEMU may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(5);

/// The sockets at which a machine's QEMU finds us, over all its lives.
#[derive(Debug)]
pub(super) struct Ears {
    console: UnixListener,
    qmp: UnixListener,
}

impl Ears {
    /// Listens in the project's folder, which nobody else can enter.
    pub(super) fn open(project: &Project, host: &str) -> Result<Self> {
        let listen = |path: &Path| -> Result<UnixListener> {
            let fact = || format!("cannot listen at {}", path.display());
            let _ = std::fs::remove_file(path);
            let listener = UnixListener::bind(path).broken(fact)?;
            listener.set_nonblocking(true).broken(fact)?;
            project.site.admit(path)?;
            Ok(listener)
        };
        let plan = &project.plan;
        Ok(Self { console: listen(&plan.here(&plan.console(host)))?, qmp: listen(&plan.here(&plan.qmp(host)))? })
    }

    /// Nobody of an earlier life is waiting at the door.
    fn clear(&self) {
        while self.console.accept().is_ok() {}
        while self.qmp.accept().is_ok() {}
    }
}

/// What starts.
pub(super) struct Starting<'a> {
    pub(super) host: &'a str,
    pub(super) domain: &'a str,
    /// Vagrant starts it, and libvirt by itself no more.
    pub(super) by_vagrant: bool,
    pub(super) console_log: PathBuf,
    pub(super) pid_file: PathBuf,
}

/// A running QEMU, or what is left of it.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) watch: Arc<Watch>,
    /// It is asked for nothing: that is libvirt's to do.
    _qmp: Client,
}

impl Life {
    /// Has the machine started, by Vagrant or by libvirt, and waits until its QEMU is there.
    pub(super) fn begin(
        project: &Arc<Project>,
        ears: &Ears,
        it: &Starting<'_>,
        recorder: Recorder,
        tail: Tail,
    ) -> Result<Self> {
        ears.clear();
        let job = if it.by_vagrant { Job::Up } else { Job::start(project, it.domain)? };
        let (console, stream) = connected(project, ears, it, &job)?;
        let fact = || format!("cannot hear QEMU of '{}'", it.host);
        let pid = project.site.process(&project.plan, it.host, &stream)?;
        let watch = Arc::new(Watch::new(project, it, pid, recorder));
        // The start is told before anything that follows from it.
        watch.started()?;
        let (about_lines, about_events, about_end) = (Arc::clone(&watch), Arc::clone(&watch), Arc::clone(&watch));
        let console_done = console::read(console, &it.console_log, tail, move |line: &str| about_lines.on_line(line))?;
        let (cables, host) = (Arc::clone(project), it.host.to_owned());
        let on_event = move |event: Event| {
            // libvirt lets a QEMU whose guest has shut down live for a moment.
            if event.name == "SHUTDOWN" {
                cables.site.nobody_there(&cables.plan, &host);
            }
            about_events.on_qmp(&event);
        };
        let (mut qmp, qmp_done) = Client::new(stream, PATIENCE, on_event).broken(fact)?;
        let libvirt = project.info.virsh.clone();
        std::thread::Builder::new()
            .name("domain".to_owned())
            .spawn(belonging(move || about_end.until_the_end(&libvirt, &qmp_done, &console_done)))
            .broken(|| "cannot start a thread for a domain".to_owned())?;
        let greeted = qmp.greet().map_err(|failure| not_greeted(project, it, &failure));
        let started = job.finish(project, it);
        match (greeted, started) {
            (_, Err(error)) | (Err(error), Ok(())) => Err(error),
            (Ok(version), Ok(())) => {
                tracing::debug!(host = it.host, version, pid, "QEMU greets");
                Ok(Self { watch, _qmp: qmp })
            }
        }
    }
}

fn not_greeted(project: &Project, it: &Starting<'_>, failure: &Failure) -> Error {
    // It connects before it has looked at all that it was told.
    let words = words(&*project.site, it.domain);
    let fact = format!("QEMU of '{}' did not greet on QMP", it.host);
    up::why(&words, &fact).detail(format!("{fact}; came: {failure}")).detail(words)
}

/// Waits for both connections of the QEMU that is being started.
fn connected(project: &Project, ears: &Ears, it: &Starting<'_>, job: &Job) -> Result<(UnixStream, UnixStream)> {
    let fact = || format!("cannot hear QEMU of '{}'", it.host);
    let accept = |listener: &UnixListener| match listener.accept() {
        Ok((stream, _)) => stream.set_nonblocking(false).map(|()| Some(stream)).broken(fact),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e).broken(fact),
    };
    let (mut console, mut qmp) = (None, None);
    let began = Instant::now();
    loop {
        // Asked first: who has come by the time the job is done is seen below.
        let over = job.over(project, it)?;
        console = match console {
            None => accept(&ears.console)?,
            there => there,
        };
        qmp = match qmp {
            None => accept(&ears.qmp)?,
            there => there,
        };
        match (console.take(), qmp.take()) {
            (Some(console), Some(qmp)) => return Ok((console, qmp)),
            (one, other) => (console, qmp) = (one, other),
        }
        if (project.stop)() {
            return Err(Error::interrupted());
        }
        let late = matches!(job, Job::Start(..)) && began.elapsed() > START_WITHIN;
        if over || late {
            return Err(Error::broken(format!("the QEMU of '{}' never connected to the controller", it.host))
                .detail(format!(
                    "awaited: connections at {} and {}",
                    project.plan.console(it.host).display(),
                    project.plan.qmp(it.host).display()
                ))
                .detail(words(&*project.site, it.domain)));
        }
        std::thread::sleep(LOOK);
    }
}

/// What has the machine started.
enum Job {
    /// `vagrant up`, for all machines together.
    Up,
    /// `virsh start`, and what it says.
    Start(Child, File),
}

impl Job {
    fn start(project: &Project, domain: &str) -> Result<Self> {
        let said = tempfile::tempfile().broken(|| "cannot keep what virsh says".to_owned())?;
        let mut command = project.info.virsh.command(&["start", domain]);
        let other = said.try_clone().broken(|| "cannot keep what virsh says".to_owned())?;
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(other);
        Ok(Self::Start(process::spawn(command, |_| ())?, said))
    }

    /// Whether it is done; an error if it failed.
    fn over(&self, project: &Project, it: &Starting<'_>) -> Result<bool> {
        match self {
            Self::Up => up::go(project),
            Self::Start(child, said) => match child.ended() {
                None => Ok(false),
                Some(Ended::Exit(0)) => Ok(true),
                Some(how) => {
                    let mut text = String::new();
                    let _ = said
                        .try_clone()
                        .and_then(|mut said| said.rewind().and_then(|()| said.read_to_string(&mut text)));
                    let fact = format!("libvirt did not start the machine of '{}': virsh {how}", it.host);
                    Err(up::why(&text, &fact)
                        .detail(text.trim_end().to_owned())
                        .detail(words(&*project.site, it.domain)))
                }
            },
        }
    }

    /// Waits until libvirt has done its part. Vagrant's is waited for where it is needed.
    fn finish(&self, project: &Project, it: &Starting<'_>) -> Result<()> {
        if let Self::Start(child, _) = self {
            let _ = child.wait(START_WITHIN);
            self.over(project, it)?;
        }
        Ok(())
    }
}
