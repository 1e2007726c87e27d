//! The cable of lockstep time: every time is exact here.

mod capture;
mod coordinator;
mod delivery;
mod machines;

use crate::lab::mac;
use deadpeer::cable::{LockstepCable, Port};
use deadpeer::error::Result;
use deadpeer::time::lockstep::{Id, Lockstep, Port as Nic, Sent, Wire, protocol};
use deadpeer::timeline::{Clock, Event, Frame, Hand, LabTime, Recorder, Verdict, What};
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// An odd number of nanoseconds: 500 to the switch and 501 from there.
const LATENCY: Duration = Duration::from_nanos(1001);

/// The date of the clock's zero.
const DATE: Duration = Duration::from_secs(1_000_000_000);

/// When a frame that is sent at zero is at the switch, and at its end.
const AT_SWITCH: u64 = 500;
const AT_END: u64 = 1001;

/// What is delivered: to which machine, when, and the last byte.
type Delivered = (Nic, u64, u8);

/// Three hosts on a cable, each with a machine.
struct Lab {
    cable: LockstepCable,
    events: Receiver<Event>,
    hand: Hand,
    folder: TempDir,
    machines: Machines,
    /// The present machine of each host.
    nics: HashMap<String, Nic>,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ((clock, hand), (sink, events)) = (Clock::lockstep(DATE), channel());
        let recorder = Recorder::new(clock, sink);
        let cable = LockstepCable::new(recorder, &folder.path().join("wire.pcapng"), &ports(), LATENCY).unwrap();
        let mut lab = Self { cable, events, hand, folder, machines: Machines::new(), nics: HashMap::new() };
        for host in ["client", "server", "router"] {
            lab.switch_on(host);
        }
        lab
    }

    /// A new machine for a host.
    fn switch_on(&mut self, host: &str) -> Nic {
        let nic = self.machines.another(0);
        self.cable.plug(host, 0, nic).unwrap();
        self.nics.insert(host.to_owned(), nic);
        nic
    }

    fn nic(&self, host: &str) -> Nic {
        self.nics[host]
    }

    fn carry(&mut self, from: Nic, at: u64, bytes: &[u8]) -> Vec<Delivered> {
        carry(&mut self.cable, from, at, bytes).unwrap()
    }

    /// The frames on the timeline so far: when, and what.
    fn witnessed(&self) -> Vec<(u64, Frame)> {
        let frames = self.events.try_iter().map(|event| match event.what {
            What::Wire(frame) => (event.at.0, *frame),
            other => panic!("not a frame: {other:?}"),
        });
        frames.collect()
    }

    fn verdicts(&self) -> Vec<Verdict> {
        self.witnessed().into_iter().map(|(_, frame)| frame.verdict).collect()
    }

    fn capture(&self) -> PathBuf {
        self.folder.path().join("wire.pcapng")
    }
}

fn ports() -> [Port; 3] {
    let port = |host: &str| Port { host: host.to_owned(), link: 0, mac: mac(host), addresses: Vec::new() };
    ["client", "server", "router"].map(port)
}

fn carry(cable: &mut LockstepCable, from: Nic, at: u64, bytes: &[u8]) -> Result<Vec<Delivered>> {
    let deliveries = cable.carry(&Sent { from, at: LabTime(at), bytes: bytes.into() })?;
    Ok(deliveries.into_iter().map(|it| (it.to, it.at.0, *it.bytes.last().unwrap())).collect())
}

/// Where the numbers of machines come from: plugins that say hello and no more.
struct Machines(Lockstep);

impl Machines {
    fn new() -> Self {
        Self(Lockstep::new(LATENCY, Duration::from_secs(10)).unwrap())
    }

    fn another(&mut self, nic: u8) -> Nic {
        Nic { machine: join(&mut self.0).0, nic }
    }
}

/// A machine, and its plugin's end of the socket.
fn join(lockstep: &mut Lockstep) -> (Id, UnixStream) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs
        .write_all(&[b"deadpeer", &[protocol::VERSION, 7, 2, 22, 1, 1].map(u32::to_le_bytes).concat()[..]].concat())
        .unwrap();
    (lockstep.join("a machine", ours, Duration::ZERO).unwrap(), theirs)
}

/// A cable that records to nobody.
fn unheard(capture: &Path, ports: &[Port]) -> Result<LockstepCable> {
    LockstepCable::new(Recorder::new(Clock::lockstep(DATE).0, channel().0), capture, ports, LATENCY)
}
