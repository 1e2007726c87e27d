//! The controller's end of the line to its [relay](deadpeer_guest::relay) on the computer elsewhere.
//!
//! A cable's end is here a socket pair's, whose other end is the switch's; a flight recorder's copy is the file that the kernel witness reads
//! and tells the guest's time in, as if it were the recorder. One thread hears the relay, one tells it what came from the switch and what
//! the guests are to be told.

use crate::error::{Context, Error, Result};
use crate::process::{self, Child};
use deadpeer_guest::recorder::{store, told};
use deadpeer_guest::relay::{Order, Word, receive, send};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{self, AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, setsockopt, sockopt};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often it is looked at what guests are to be told: as often as the kernel witness writes it, at most.
const PAUSE: Duration = Duration::from_millis(3);

/// How long the relay may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Room in a cable for frames that the other side has not taken yet.
const QUEUE_BYTES: usize = 1 << 20;

/// A longer frame than any.
const BUFFER: usize = 1 << 17;

/// So many frames are taken of one cable before it is another's turn.
const TURN: usize = 64;

/// The line. Dropped, it is closed, and the relay ends.
#[derive(Debug)]
pub(super) struct Relay {
    _session: Child,
    line: Arc<Mutex<ChildStdin>>,
    answers: Mutex<Receiver<Word>>,
    ends: Arc<Ends>,
}

/// What is at this end.
#[derive(Debug, Default)]
struct Ends {
    cards: Mutex<BTreeMap<u8, Cable>>,
    recorders: Mutex<BTreeMap<u8, Recorder>>,
    over: AtomicBool,
}

#[derive(Debug)]
struct Cable {
    end: Arc<OwnedFd>,
    /// Nobody is at its other end.
    off: bool,
}

#[derive(Debug)]
struct Recorder {
    copy: File,
    /// What the guest was told last.
    told: (u64, bool),
}

impl Relay {
    /// Starts the relay by this command, which is one of ssh's.
    ///
    /// # Errors
    /// It cannot be started.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let fact = || "cannot start the relay".to_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut session = process::spawn(command, |_| ())?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let line = Arc::new(Mutex::new(session.stdin.take().ok_or_else(gone).broken(fact)?));
        let from = session.stdout.take().ok_or_else(gone).broken(fact)?;
        let (answer, answers) = channel();
        let ends = Arc::new(Ends::default());
        let (here, there) = (Arc::clone(&ends), Arc::clone(&ends));
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        thread("relay-in").spawn(move || here.hear(from, &answer)).broken(fact)?;
        let to = Arc::clone(&line);
        thread("relay-out").spawn(move || there.tell(&to)).broken(fact)?;
        Ok(Self { _session: session, line, answers: Mutex::new(answers), ends })
    }

    /// The answer to an order that is answered. All that had come of the machines by then is here.
    ///
    /// # Errors
    /// The relay cannot do it, or the line is lost.
    pub(super) fn ask(&self, order: &Order) -> Result<Word> {
        let fact = || "the relay on the computer elsewhere does not answer".to_owned();
        let answers = own(&self.answers);
        {
            let mut line = own(&self.line);
            send(&mut *line, &order.bytes()).and_then(|()| line.flush()).broken(fact)?;
        }
        match answers.recv_timeout(PATIENCE).broken(fact)? {
            Word::Failed(why) => {
                Err(Error::broken(format!("the relay on the computer elsewhere cannot do that: {why}")))
            }
            word => Ok(word),
        }
    }

    /// A new cable in place of the one with this number: the switch's end.
    ///
    /// # Errors
    /// No more open files.
    pub(super) fn cable(&self, card: u8) -> Result<OwnedFd> {
        let fact = || "no cable for a machine elsewhere".to_owned();
        let (kind, flags) = (SockType::Datagram, SockFlag::SOCK_CLOEXEC);
        let (ours, switchs) = socket::socketpair(AddressFamily::Unix, kind, None, flags).broken(fact)?;
        for end in [&ours, &switchs] {
            setsockopt(end, sockopt::SndBuf, &QUEUE_BYTES).broken(fact)?;
        }
        own(&self.ends.cards).insert(card, Cable { end: Arc::new(ours), off: false });
        Ok(switchs)
    }

    /// Takes no more frames for a machine, which is off; those that it sent may still come.
    pub(super) fn nobody_there(&self, card: u8) {
        if let Some(cable) = own(&self.ends.cards).get_mut(&card) {
            cable.off = true;
            let _ = socket::shutdown(cable.end.as_raw_fd(), Shutdown::Read);
        }
    }

    /// Has `copy` be the copy of the recorder with this number, from now on.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn copy_to(&self, recorder: u8, copy: &Path) -> Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(copy);
        let copy = file.broken(|| format!("cannot open {}", copy.display()))?;
        own(&self.ends.recorders).insert(recorder, Recorder { copy, told: (0, false) });
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ends.over.store(true, Ordering::Release);
    }
}

impl Ends {
    /// Takes what the relay says, until it says no more.
    fn hear(&self, mut line: ChildStdout, answers: &Sender<Word>) {
        loop {
            match receive(&mut line) {
                Ok(Some(Word::Frame { card, frame })) => self.frame_came(card, &frame),
                Ok(Some(Word::Recorded { recorder, piece })) => {
                    if let Some(recorder) = own(&self.recorders).get(&recorder)
                        && let Err(error) = store(&recorder.copy, &piece)
                    {
                        tracing::warn!("what a kernel recorded elsewhere is lost: {error}");
                    }
                }
                Ok(Some(answer)) => drop(answers.send(answer)),
                Ok(None) => return,
                Err(error) => return tracing::warn!("what the relay elsewhere says cannot be read: {error}"),
            }
        }
    }

    /// Waits while the switch is busy. One that is gone needs no more frames.
    fn frame_came(&self, card: u8, frame: &[u8]) {
        let cable = own(&self.cards).get(&card).map(|it| Arc::clone(&it.end));
        if let Some(cable) = cable {
            let _ = socket::send(cable.as_raw_fd(), frame, MsgFlags::MSG_NOSIGNAL);
        }
    }

    /// Hands on what comes from the switch, and what the guests are to be told.
    fn tell(&self, line: &Mutex<ChildStdin>) {
        while !self.over.load(Ordering::Acquire) {
            let cards = self.cards();
            if let Err(error) = wait(&cards).and_then(|()| self.tell_once(&cards, line)) {
                return tracing::debug!("the line to the relay elsewhere: {error}");
            }
        }
    }

    /// The cables at whose other ends somebody may be.
    fn cards(&self) -> Vec<(u8, Arc<OwnedFd>)> {
        let cards = own(&self.cards);
        cards.iter().filter(|(_, it)| !it.off).map(|(number, it)| (*number, Arc::clone(&it.end))).collect()
    }

    fn tell_once(&self, cards: &[(u8, Arc<OwnedFd>)], line: &Mutex<ChildStdin>) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        for (card, cable) in cards {
            for _ in 0..TURN {
                match socket::recv(cable.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => {
                        let frame = buffer[..length].to_vec();
                        send(&mut *own(line), &Order::Frame { card: *card, frame }.bytes())?;
                    }
                }
            }
        }
        let mut news = Vec::new();
        for (number, recorder) in own(&self.recorders).iter_mut() {
            let now = told(&recorder.copy)?;
            if now != recorder.told {
                recorder.told = now;
                news.push(Order::Told { recorder: *number, now: now.0, frames_suffice: now.1 });
            }
        }
        news.iter().try_for_each(|it| send(&mut *own(line), &it.bytes()))
    }
}

/// Waits for a frame, for a short while.
fn wait(cards: &[(u8, Arc<OwnedFd>)]) -> io::Result<()> {
    let mut waiting: Vec<PollFd<'_>> = cards.iter().map(|(_, it)| PollFd::new(it.as_fd(), PollFlags::POLLIN)).collect();
    match poll(&mut waiting, PollTimeout::try_from(PAUSE).map_err(io::Error::other)?) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn own<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
