//! The switch of real time: one thread that waits for frames, commands and the time of frames held back.
//!
//! A frame goes this way: taken from its jack and stamped with the lab's clock; then, in the order of the stamps,
//! decoded, judged by the rules for each destination, handed on, captured, recorded ([`Core`]). One frame is done before the next is
//! begun, so that an answer always comes after what it answers.

use super::Status;
use super::capture::Capture;
use super::core::{Arrival, Core, Hands};
use super::fate::Fate;
use super::held::Held;
use super::jack::{Jack, LONGEST_FRAME, Received};
use crate::error::Error;
use crate::scenario::Rule;
use crate::timeline::{LabTime, Recorder};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::EventFd;
use nix::sys::time::TimeSpec;
use std::collections::VecDeque;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

/// At most so many frames wait in the switch: those beyond stay in their jacks. More than a jack's queue holds.
const ARRIVED_AT_MOST: usize = 8192;

/// What the thread is told to do. Each is answered when it is done.
#[derive(Debug)]
pub(super) enum Command {
    /// A new cable into a port.
    Plug { port: usize, socket: OwnedFd, done: Sender<()> },
    /// The cables of these ports are pulled out, or put in again.
    Link { ports: Vec<usize>, up: bool, done: Sender<()> },
    /// Nothing is handed to each of these ports until its machine has sent something by it.
    Sleep { ports: Vec<usize>, done: Sender<()> },
    /// New rules.
    Rules { rules: Vec<Rule>, done: Sender<()> },
    /// The end.
    Finish,
}

/// The switch. It lives in its thread.
pub(super) struct Switch {
    core: Core,
    panel: Panel,
}

/// The jacks, and the frames that are neither in them nor handed on.
struct Panel {
    recorder: Recorder,
    jacks: Vec<Jack>,
    held: Held,
    /// Frames taken from their jacks, in the order of their stamps.
    arrived: VecDeque<Arrival>,
    status: Arc<Status>,
    buffer: Vec<u8>,
}

impl Switch {
    /// A switch for these hosts, without a cable in any port.
    pub(super) fn new(recorder: Recorder, capture: Capture, ports: &[super::Port], status: Arc<Status>) -> Self {
        let core = Core::new(recorder.clone(), capture, ports, Arc::clone(&status));
        let panel = Panel {
            recorder,
            jacks: ports.iter().map(|port| Jack::new(&port.host)).collect(),
            held: Held::default(),
            arrived: VecDeque::new(),
            status,
            buffer: vec![0; LONGEST_FRAME],
        };
        Self { core, panel }
    }

    /// Works until it is told to finish.
    pub(super) fn run(mut self, commands: &Receiver<Command>, wake: &EventFd) {
        loop {
            let ready = match self.panel.wait(wake) {
                Ok(ready) => ready,
                Err(errno) => return self.panel.status.fault(Error::broken(format!("the cable cannot wait: {errno}"))),
            };
            self.panel.release();
            while let Ok(command) = commands.try_recv() {
                self.settle();
                match command {
                    Command::Plug { port, socket, done } => {
                        self.panel.jacks[port].plug(socket);
                        self.core.replugged(port);
                        let _ = done.send(());
                    }
                    Command::Link { ports, up, done } => {
                        ports.into_iter().for_each(|port| self.panel.jacks[port].link(up));
                        let _ = done.send(());
                    }
                    Command::Sleep { ports, done } => {
                        ports.into_iter().for_each(|port| self.panel.jacks[port].sleep());
                        let _ = done.send(());
                    }
                    Command::Rules { rules, done } => {
                        self.core.set_rules(rules);
                        let _ = done.send(());
                    }
                    Command::Finish => return self.panel.status.late(self.panel.held.len()),
                }
            }
            for port in ready {
                self.panel.take(port);
            }
            self.forward_all();
        }
    }

    /// Takes and forwards all that was sent before now, so that a command changes nothing for it.
    fn settle(&mut self) {
        self.panel.take_all(0..self.panel.jacks.len());
        self.forward_all();
    }

    /// Forwards the frames that have arrived by now. Those that arrive meanwhile wait for the next turn, so that
    /// machines that never stop sending cannot put off commands and frames that are due.
    fn forward_all(&mut self) {
        for _ in 0..self.panel.arrived.len() {
            if let Some(arrival) = self.panel.arrived.pop_front() {
                self.core.forward(&arrival, &mut self.panel);
            }
        }
    }
}

impl Panel {
    /// Waits for frames, a command, or the time of a frame held back; the ports that have frames.
    fn wait(&self, wake: &EventFd) -> Result<Vec<usize>, Errno> {
        let plugged = || self.jacks.iter().enumerate().filter_map(|(port, jack)| Some((port, jack.fd()?)));
        let mut fds: Vec<PollFd> = std::iter::once(wake.as_fd())
            .chain(plugged().map(|(_, fd)| fd))
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let timeout = match self.held.next_due() {
            _ if !self.arrived.is_empty() => Some(Duration::ZERO),
            due => due.map(|due| due.since(self.recorder.clock().now())),
        };
        match ppoll(&mut fds, timeout.map(TimeSpec::from), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        if fds[0].any() != Some(false) {
            // It says no more than that there are commands.
            let _ = wake.read();
        }
        let ready = fds[1..].iter().zip(plugged()).filter(|(fd, _)| fd.any() != Some(false)).map(|(_, (port, _))| port);
        Ok(ready.collect())
    }

    /// Hands on the frames whose time has come.
    fn release(&mut self) {
        let now = self.recorder.clock().now();
        while let Some((port, bytes)) = self.held.take_due(now) {
            let fate = self.hand_on(port, &bytes);
            if fate != Fate::Sent {
                tracing::debug!(to = self.jacks[port].name, ?fate, "a delayed frame was lost in the end");
                self.status.late(1);
            }
        }
    }

    /// Takes one frame from a port. False if there is none, or no room for it.
    fn take(&mut self, port: usize) -> bool {
        if self.arrived.len() >= ARRIVED_AT_MOST {
            return false;
        }
        let received = self.jacks[port].receive(&mut self.buffer);
        let at = self.recorder.clock().now();
        match received {
            Received::Frame(length) => {
                self.arrived.push_back(Arrival { port, at, bytes: Arc::from(&self.buffer[..length]) });
            }
            Received::TooLong(length) => {
                let fact = format!("host {} sent a frame of {length} bytes", self.jacks[port].name);
                tracing::error!(longest = LONGEST_FRAME, "{fact}: it was not handed on");
                self.status.fault(Error::broken(fact).detail(format!("the cable takes {LONGEST_FRAME} at most")));
            }
            Received::Nothing => return false,
        }
        true
    }

    /// Takes all that was sent before now: from all ports in turn, so that the stamps tell the order of arrival as far as can be
    /// told. A machine that never stops sending cannot keep this up for ever.
    fn take_all(&mut self, ports: Range<usize>) {
        for _ in 0..ARRIVED_AT_MOST {
            if ports.clone().filter(|port| self.take(*port)).count() == 0 {
                break;
            }
        }
    }
}

impl Hands for Panel {
    fn linked(&self, port: usize) -> bool {
        self.jacks[port].linked()
    }

    /// After emptying its jack: sending to a dead machine discards its last words.
    fn hand_on(&mut self, port: usize, bytes: &Arc<[u8]>) -> Fate {
        self.take_all(port..port + 1);
        self.jacks[port].send(bytes)
    }

    fn hold(&mut self, port: usize, until: LabTime, bytes: &Arc<[u8]>) {
        self.held.hold(until, port, Arc::clone(bytes));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cable::{Port, jack};
    use crate::timeline::{Clock, Verdict, What};
    use nix::sys::socket::{MsgFlags, recv, send};
    use std::os::fd::AsRawFd;

    /// A turn of the switch, step by step: here the test decides what is seen first.
    #[test]
    fn the_last_words_of_a_machine_are_taken_before_it_is_found_dead() {
        let ports =
            [1, 2].map(|n| Port { host: format!("host{n}"), link: 0, mac: [2, 0, 0, 0, 0, n], addresses: Vec::new() });
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::create(&folder.path().join("wire.pcapng"), &ports, Vec::new()).unwrap();
        let (sink, events) = std::sync::mpsc::channel();
        let mut switch = Switch::new(Recorder::new(Clock::start(), sink), capture, &ports, Arc::default());
        let [living, dying] = [0, 1].map(|port| {
            let (ours, theirs) = jack::cable().unwrap();
            switch.panel.jacks[port].plug(ours);
            theirs
        });
        let frame = |from: u8, to: u8, n: u8| [2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5, n];

        send(living.as_raw_fd(), &frame(1, 2, 0), MsgFlags::empty()).unwrap();
        for n in 1..=3 {
            send(dying.as_raw_fd(), &frame(2, 1, n), MsgFlags::empty()).unwrap();
        }
        drop(dying);
        assert!(switch.panel.take(0));
        switch.forward_all();
        switch.forward_all();

        let mut buffer = [0; 15];
        for n in 1..=3 {
            assert_eq!(recv(living.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT), Ok(15));
            assert_eq!(buffer, frame(2, 1, n));
        }
        let verdicts = events.try_iter().map(|event| match event.what {
            What::Wire(frame) => frame.verdict,
            _ => Verdict::Dropped,
        });
        assert_eq!(verdicts.collect::<Vec<_>>(), [Verdict::Lost, Verdict::Passed, Verdict::Passed, Verdict::Passed]);
    }
}
