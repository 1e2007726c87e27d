//! A guest that boots, does nothing for a while, and powers off; and how long that took.

use crate::error::{Context, Error, Result};
use crate::machine::Accelerator;
use crate::machine::qemu::lockstep::{Board, arguments};
use crate::machine::qemu::{Info, bare};
use crate::process::{self, Child};
use crate::time::lockstep::{Delivery, Lockstep, PATIENCE, Sent, Wire};
use crate::timeline::LabTime;
use command_fds::CommandFdExt;
use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// In MiB. Where instructions are counted, a guest is told of no other size than this.
const MEMORY: u32 = 256;

/// No guest is idle for longer.
const END: LabTime = LabTime(86_400_000_000_000);

/// At each of so many boundaries it is looked whether the guests are idle, as looking takes longer than a boundary.
const LOOK: u64 = 16;

/// How long a boot and the idle time after it took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Booted {
    pub(super) boot: Duration,
    pub(super) idle: Duration,
    /// What the boot took on the guest's own clock, if that is known.
    pub(super) virtual_boot: Duration,
}

/// What guests are made of.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) qemu: Info,
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    /// The plugin's file.
    pub(super) plugin: PathBuf,
    /// Where consoles are written to.
    pub(super) folder: PathBuf,
}

impl Bench {
    /// In real time.
    ///
    /// # Errors
    /// QEMU cannot be started, or its guest ends too soon.
    pub(super) fn emulated(&self, append: &str) -> Result<Booted> {
        self.watched(bare(Accelerator::Tcg, MEMORY, &self.kernel, &self.initrd, append))
    }

    /// As a machine in lockstep, but without the plugin: its clock is its own.
    ///
    /// # Errors
    /// As [`Bench::emulated`].
    pub(super) fn counting(&self, append: &str) -> Result<Booted> {
        let mut board = self.board(0, append, -1);
        board.console = None;
        let mut words = arguments(&board).into_iter();
        let mut left = Vec::new();
        while let Some(word) = words.next() {
            if word == "-plugin" {
                words.next();
            } else {
                left.push(word);
            }
        }
        left.extend(["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"].map(str::to_owned));
        self.watched(left)
    }

    fn watched(&self, arguments: Vec<String>) -> Result<Booted> {
        let began = Instant::now();
        let (console, theirs) = std::io::pipe().broken(|| "cannot make a pipe".to_owned())?;
        let mut command = self.command(arguments)?;
        command.stdout(theirs);
        let child = process::spawn(command, |_| ())?;
        let mut seen = [None, None];
        for line in BufReader::new(console).lines() {
            let line = line.broken(|| "cannot read a guest's console".to_owned())?;
            match line.trim_end() {
                deadpeer_guest::IDLE => seen[0] = Some(began.elapsed()),
                deadpeer_guest::IDLE_OVER => seen[1] = Some(began.elapsed()),
                _ => {}
            }
        }
        drop(child);
        let [Some(boot), Some(over)] = seen else { return Err(self.ended()) };
        Ok(Booted { boot, idle: over - boot, virtual_boot: Duration::ZERO })
    }

    /// So many machines at once, with a boundary each `latency` while they are busy. How long they took, and for how long
    /// all stood still at each boundary until they had booted.
    ///
    /// # Errors
    /// As [`Bench::emulated`]; or QEMU cannot do lockstep time.
    pub(super) fn lockstep(&self, machines: u8, append: &str, latency: Duration) -> Result<(Booted, Vec<Duration>)> {
        let began = Instant::now();
        let mut lockstep = Lockstep::new(latency, PATIENCE)?;
        let mut running = Vec::new();
        for number in 0..machines {
            let (ours, theirs) = UnixStream::pair().broken(|| "cannot make a socket".to_owned())?;
            let theirs = OwnedFd::from(theirs);
            let board = self.board(number, append, theirs.as_raw_fd());
            let mut command = self.command(arguments(&board))?;
            command.stdout(Stdio::null()).preserved_fds(vec![theirs]);
            let child = process::spawn(command, |_| ())?;
            let (read, idle) = (Cell::default(), Cell::default());
            running.push(Machine { _child: child, console: self.console(number), read, idle });
            lockstep.join(&board.name, ours, Duration::ZERO)?;
        }
        let (mut booted, mut stood) = (None, Vec::new());
        let mut gone = 0;
        while gone < machines {
            if lockstep.now() >= END {
                return Err(self.ended());
            }
            gone += u8::try_from(lockstep.advance(END, &mut NoWire)?.len()).unwrap_or(u8::MAX);
            if booted.is_none() {
                stood.extend(lockstep.stood());
                if lockstep.boundaries() % LOOK == 0 && running.iter().all(Machine::is_idle) {
                    booted = Some((began.elapsed(), lockstep.now()));
                }
            }
        }
        let Some((boot, at)) = booted else { return Err(self.ended()) };
        let virtual_boot = Duration::from_nanos(at.0);
        for machine in &running {
            std::fs::remove_file(&machine.console).broken(|| "cannot remove a console's file".to_owned())?;
        }
        Ok((Booted { boot, idle: began.elapsed() - boot, virtual_boot }, stood))
    }

    fn board(&self, number: u8, append: &str, socket: i32) -> Board {
        Board {
            name: format!("guest{number}"),
            memory: MEMORY,
            kernel: Some((self.kernel.clone(), self.initrd.clone(), append.to_owned())),
            links: Vec::new(),
            disk: None,
            programs: None,
            recorder: None,
            console: Some(self.console(number)),
            agent: None,
            seed: u64::from(number),
            plugin: self.plugin.clone(),
            socket,
            qmp: None,
            restored: false,
        }
    }

    fn console(&self, number: u8) -> PathBuf {
        self.folder.join(format!("guest{number}.console.log"))
    }

    /// QEMU's last words go to a file.
    fn command(&self, arguments: Vec<String>) -> Result<Command> {
        let mut command = Command::new(&self.qemu.path);
        command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
        command.stderr(File::create(self.words()).broken(|| "cannot make a file for QEMU's words".to_owned())?);
        Ok(command)
    }

    fn words(&self) -> PathBuf {
        self.folder.join("stderr")
    }

    fn ended(&self) -> Error {
        let words = std::fs::read_to_string(self.words()).unwrap_or_default();
        Error::broken("a guest ended before it had been idle").detail(words.trim_end())
    }
}

struct Machine {
    /// Kept for its drop, which ends it.
    _child: Child,
    console: PathBuf,
    /// How long the console's file was when it was read last.
    read: Cell<u64>,
    idle: Cell<bool>,
}

impl Machine {
    /// Whether its console says that it is idle. A file that has not grown is not read.
    fn is_idle(&self) -> bool {
        let length = self.console.metadata().map_or(0, |file| file.len());
        if !self.idle.get() && length != self.read.replace(length) {
            self.idle.set(says(&self.console, deadpeer_guest::IDLE));
        }
        self.idle.get()
    }
}

fn says(console: &Path, what: &str) -> bool {
    let text = std::fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().any(|line| line.trim_end() == what)
}

/// Nobody is connected.
struct NoWire;

impl Wire for NoWire {
    fn carry(&mut self, _: &Sent) -> Result<Vec<Delivery>> {
        Ok(Vec::new())
    }
}
