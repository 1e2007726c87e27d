//! What the tests share: machines in lockstep, and a wire between them.

use crate::machine_support::{Bench, Guest, SOON};
use command_fds::CommandFdExt;
use deadpeer::error::Result;
use deadpeer::machine::qemu::Info;
use deadpeer::machine::qemu::lockstep::{Board, arguments, install};
use deadpeer::process::{self, Child};
use deadpeer::time::lockstep::{Delivery, Departure, Id, Lockstep, Port, Sent, Wire};
use deadpeer::timeline::LabTime;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub const LATENCY: Duration = Duration::from_millis(1);

pub fn seconds(seconds: u64) -> LabTime {
    LabTime(seconds * 1_000_000_000)
}

/// A guest whose first program is this script.
pub fn guest(bench: &Bench, script: &str) -> Guest {
    let mut guest = Guest::script(bench, script);
    guest.append = "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests tsc=reliable \
                    net.ifnames=0 rdinit=/deadpeer-test"
        .to_owned();
    guest
}

/// A cable between two NICs that takes [`LATENCY`], and all that it carried as text.
#[derive(Default)]
pub struct Cable {
    pub ends: Vec<Port>,
    pub capture: String,
    pub frames: u64,
}

impl Wire for Cable {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        write!(self.capture, "{} {}:", frame.at.0, u8::from(frame.from != self.ends[0])).unwrap();
        frame.bytes.iter().for_each(|byte| write!(self.capture, " {byte:02x}").unwrap());
        self.capture.push('\n');
        self.frames += 1;
        let others = self.ends.iter().filter(|end| **end != frame.from);
        let deliver = |to: &Port| Delivery { to: *to, at: frame.at.after(LATENCY), bytes: frame.bytes.clone() };
        Ok(others.map(deliver).collect())
    }
}

/// Machines in lockstep.
pub struct Lab {
    pub folder: PathBuf,
    plugin: PathBuf,
    qemu: Info,
    pub lockstep: Lockstep,
    pub machines: Vec<(Child, PathBuf)>,
}

impl Lab {
    pub fn new(bench: &Bench, name: &str) -> Self {
        let folder = bench.path(name);
        std::fs::create_dir(&folder).unwrap();
        let plugin = install(&folder).unwrap();
        let (qemu, lockstep) = (Info::qemu().unwrap(), Lockstep::new(LATENCY, SOON).unwrap());
        Self { folder, plugin, qemu, lockstep, machines: Vec::new() }
    }

    /// A machine named `name`, of this guest.
    pub fn board(&self, name: &str, guest: &Guest) -> Board {
        let number = self.machines.len() as u8;
        Board {
            name: name.to_owned(),
            memory: 128,
            kernel: Some((guest.kernel.clone(), guest.initrd.clone(), format!("{} host={name}", guest.append))),
            links: vec![[0x02, 0xde, 0xad, 0, 0, number + 1]],
            disk: None,
            programs: None,
            recorder: None,
            console: Some(self.folder.join(format!("{name}.console.log"))),
            agent: None,
            seed: 7 + u64::from(number),
            plugin: self.plugin.clone(),
            socket: -1,
            qmp: None,
            restored: false,
        }
    }

    /// Starts it, and takes it into lockstep.
    pub fn start(&mut self, mut board: Board, qmp: Option<UnixStream>) -> Id {
        let (ours, theirs) = UnixStream::pair().unwrap();
        board.socket = theirs.as_raw_fd();
        board.qmp = qmp.as_ref().map(AsRawFd::as_raw_fd);
        let errors = self.folder.join(format!("{}.stderr", board.name));
        let mut command = Command::new(&self.qemu.path);
        command.args(arguments(&board)).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&errors).unwrap());
        command.preserved_fds(std::iter::once(theirs.into()).chain(qmp.map(Into::into)).collect());
        let child = process::spawn(command, |_| ()).unwrap();
        self.machines.push((child, errors.clone()));
        self.lockstep.join(&board.name, ours, Duration::ZERO).unwrap_or_else(|e| panic!("{e}\n{}", text(&errors)))
    }

    /// Runs all until then, or until somebody departs.
    pub fn run_to(&mut self, until: LabTime, cable: &mut Cable) -> Vec<Departure> {
        let mut gone = Vec::new();
        while self.lockstep.now() < until && gone.is_empty() {
            gone = self.lockstep.advance(until, cable).unwrap();
        }
        gone
    }

    pub fn console(&self, name: &str) -> String {
        text(&self.folder.join(format!("{name}.console.log")))
    }
}

/// A QMP connection.
pub struct Qmp(BufReader<UnixStream>, u32);

impl Qmp {
    /// Ours, and QEMU's end of it.
    pub fn pair() -> (Self, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(SOON)).unwrap();
        (Self(BufReader::new(ours), 0), theirs)
    }

    /// Tells QEMU to do something. Its answer may have to wait for the next boundary: after `cont`.
    pub fn tell(&mut self, command: &str) {
        self.1 += 1;
        writeln!(self.0.get_mut(), "{{\"execute\": \"{command}\", \"id\": {}}}", self.1).unwrap();
    }

    /// The answer.
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.line(&format!("\"id\": {}", self.1))
    }

    pub fn await_event(&mut self, name: &str) {
        self.line(&format!("\"event\": \"{name}\""));
    }

    fn line(&mut self, with: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "QMP ended");
            assert!(!line.contains("\"error\""), "{line}");
            if line.contains(with) {
                return line;
            }
        }
    }
}

pub fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
