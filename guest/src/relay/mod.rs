//! The controller's outpost on a computer elsewhere, whose libvirt runs the machines: `witness relay`, started over SSH.
//!
//! Its standard input and output are the line to the controller ([`Order`], [`Word`]). It is the other end of the machines' cables, UDP
//! tunnels between two ports of 127.0.0.1; it hands on what the machines' flight recorders hold, and what their guests are told; and it
//! says how a process fares. Nothing of it listens to any network, and it ends with its line.
//!
//! Order: an answer is sent after all frames that the machines had sent, and all that they had recorded, when the question came. So
//! whoever hears that a process is gone has all that came of it.

mod cards;
mod message;
mod processes;

pub use message::{LONGEST, Order, Word, receive, send};
pub use processes::state;

use crate::recorder::{Copier, tell};
use cards::Cards;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Stdin, StdoutLock, Write, stdin, stdout};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How often the recorders are looked at.
const PAUSE: Duration = Duration::from_millis(3);

/// How much is taken from the line at once.
const PIECE: usize = 1 << 16;

/// Carries out what is said on standard input until that ends. The status to exit with.
#[must_use]
pub fn run() -> i32 {
    let mut relay = Relay { cards: Cards::default(), recorders: BTreeMap::new(), out: stdout().lock() };
    match relay.serve() {
        Ok(()) => 0,
        Err(error) => {
            crate::wrap::complain(format_args!("relay: {error}"));
            1
        }
    }
}

struct Relay {
    cards: Cards,
    /// By number.
    recorders: BTreeMap<u8, (Copier<File>, File)>,
    out: StdoutLock<'static>,
}

impl Relay {
    fn serve(&mut self) -> io::Result<()> {
        let line = stdin();
        let (mut heard, mut looked) = (Vec::new(), Instant::now());
        while self.listen(&line, &mut heard)? {
            self.hand_on_frames()?;
            let mut orders = Vec::new();
            while let Some((order, length)) = message::order(&heard)? {
                heard.drain(..length);
                orders.push(order);
            }
            if !orders.is_empty() || looked.elapsed() >= PAUSE {
                self.hand_on_records()?;
                looked = Instant::now();
            }
            for order in orders {
                if let Some(answer) = self.carry_out(order) {
                    self.hand_on_frames()?;
                    self.hand_on_records()?;
                    send(&mut self.out, &answer.bytes())?;
                }
            }
            self.out.flush()?;
        }
        Ok(())
    }

    /// Waits for something to come, for a short while; takes what came on the line. False once that has ended.
    fn listen(&self, line: &Stdin, heard: &mut Vec<u8>) -> io::Result<bool> {
        let mut waiting: Vec<PollFd<'_>> = vec![PollFd::new(line.as_fd(), PollFlags::POLLIN)];
        waiting.extend(self.cards.sockets().map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN)));
        let within = PollTimeout::try_from(PAUSE).map_err(io::Error::other)?;
        match poll(&mut waiting, within) {
            Err(nix::errno::Errno::EINTR) => return Ok(true),
            other => other?,
        };
        if waiting[0].revents().is_none_or(|it| it.is_empty()) {
            return Ok(true);
        }
        let mut piece = vec![0; PIECE];
        // Standard input's own buffer would hide from poll(2) what is in it.
        let mut line = File::from(line.as_fd().try_clone_to_owned()?);
        let length = line.read(&mut piece)?;
        heard.extend_from_slice(&piece[..length]);
        Ok(length > 0)
    }

    fn hand_on_frames(&mut self) -> io::Result<()> {
        let out = &mut self.out;
        self.cards.receive(|card, frame| send(out, &message::frame(card, frame)))
    }

    fn hand_on_records(&mut self) -> io::Result<()> {
        for (recorder, (copier, _)) in &mut self.recorders {
            if let Some(piece) = copier.next_piece()? {
                send(&mut self.out, &Word::Recorded { recorder: *recorder, piece }.bytes())?;
            }
        }
        Ok(())
    }

    /// The answer, if the order is one that is answered.
    fn carry_out(&mut self, order: Order) -> Option<Word> {
        let failed = |what: String, e: io::Error| Word::Failed(format!("{what}: {e}"));
        Some(match order {
            Order::Frame { card, frame } => {
                self.cards.send(card, &frame);
                return None;
            }
            Order::Told { recorder, now, frames_suffice } => {
                let (_, file) = self.recorders.get(&recorder)?;
                if let Err(error) = tell(file, now, frames_suffice) {
                    crate::wrap::complain(format_args!("relay: a guest cannot be told the time: {error}"));
                }
                return None;
            }
            Order::FreePorts { tcp, udp } => match cards::free_ports(tcp, udp) {
                Ok(ports) => Word::Ports(ports),
                Err(error) => failed("no free port of 127.0.0.1".to_owned(), error),
            },
            Order::Card { card, ours, machines } => match self.cards.plug(card, ours, machines) {
                Ok(()) => Word::Done,
                Err((port, error)) => failed(format!("UDP port {port} of 127.0.0.1"), error),
            },
            Order::Record { recorder, file } => match open(&file) {
                Ok(both) => {
                    self.recorders.insert(recorder, both);
                    Word::Done
                }
                Err(error) => failed(file, error),
            },
            Order::Find { word } => Word::Process { pid: processes::find(&word).unwrap_or_default() },
            Order::Look { pid } => Word::State(processes::state(pid)),
        })
    }
}

fn open(file: &str) -> io::Result<(Copier<File>, File)> {
    let file = OpenOptions::new().read(true).write(true).open(file)?;
    Ok((Copier::new(file.try_clone()?), file))
}
