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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::embedded::guest_program;
    use deadpeer_guest::recorder::{Found, HEADER, Reader, Record, Writer, tell};
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::unix::fs::{FileExt, PermissionsExt};
    use std::path::PathBuf;
    use std::sync::atomic::AtomicU64;
    use std::time::Instant;
    use tempfile::TempDir;

    const LONG: Duration = Duration::from_secs(30);

    /// A relay on this computer, without SSH.
    fn relay() -> (TempDir, Relay) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("witness");
        std::fs::write(&program, guest_program("witness").unwrap()).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut command = Command::new(program);
        command.arg("relay");
        let relay = Relay::start(command).unwrap();
        (folder, relay)
    }

    fn ports(relay: &Relay) -> Vec<u16> {
        let Word::Ports(ports) = relay.ask(&Order::FreePorts { tcp: 0, udp: 2 }).unwrap() else { unreachable!() };
        ports
    }

    #[test]
    fn frames_go_both_ways_and_come_before_the_answer_that_a_process_is_gone() {
        let (_folder, relay) = relay();
        let ports = ports(&relay);
        let switch = std::os::unix::net::UnixDatagram::from(relay.cable(0).unwrap());
        switch.set_read_timeout(Some(LONG)).unwrap();
        relay.ask(&Order::Card { card: 0, ours: ports[0], machines: ports[1] }).unwrap();
        let machine = UdpSocket::bind((Ipv4Addr::LOCALHOST, ports[1])).unwrap();
        machine.connect((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
        machine.set_read_timeout(Some(LONG)).unwrap();
        let mut buffer = [0; 2000];
        switch.send(b"to the machine").unwrap();
        let length = machine.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"to the machine");

        for n in 0..50_u8 {
            machine.send(&[n; 1000]).unwrap();
        }
        assert_eq!(relay.ask(&Order::Look { pid: u32::MAX >> 1 }).unwrap(), Word::State(None));
        switch.set_nonblocking(true).unwrap();
        for n in 0..50_u8 {
            let length = switch.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], [n; 1000]);
        }
        // Nobody is there: a frame is refused at once, as by a cable of this computer's own.
        relay.nobody_there(0);
        assert!(switch.send(b"to nobody").is_err());
    }

    #[test]
    fn a_recorder_elsewhere_is_read_here_and_its_guest_told_the_time() {
        let (folder, relay) = relay();
        let file = |name: &str| -> (PathBuf, File) {
            let path = folder.path().join(name);
            let file = OpenOptions::new().create_new(true).read(true).write(true).open(&path).unwrap();
            file.set_len(HEADER + 8192).unwrap();
            (path, file)
        };
        let ((there, guests), (here, copy)) = (file("there"), file("here"));
        relay.copy_to(1, &here).unwrap();
        relay.ask(&Order::Record { recorder: 1, file: there.to_string_lossy().into_owned() }).unwrap();
        let memory: Vec<AtomicU64> = (0..(HEADER + 8192) / 8).map(|_| AtomicU64::new(0)).collect();
        Writer::open(&memory).unwrap().append(&Record::Drained { until: 77 }).unwrap();
        let bytes: Vec<u8> = memory.iter().flat_map(|it| it.load(Ordering::Relaxed).to_le_bytes()).collect();
        guests.write_all_at(&bytes, 0).unwrap();
        // The answer is behind all that was recorded.
        relay.ask(&Order::Look { pid: 1 }).unwrap();
        let found = Reader::new(copy.try_clone().unwrap()).next().unwrap();
        assert_eq!(found, Some(Found::Record(Record::Drained { until: 77 })));

        tell(&copy, 4711, true).unwrap();
        let until = Instant::now() + LONG;
        while told(&guests).unwrap() != (4711, true) {
            assert!(Instant::now() < until, "the guest is never told");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn what_cannot_be_done_is_told_and_a_relay_that_is_gone_does_not_answer() {
        let (_folder, relay) = relay();
        let error = relay.ask(&Order::Record { recorder: 0, file: "/nonexistent".into() }).unwrap_err();
        assert!(error.fact.contains("/nonexistent: No such file"), "{error}");
        let ports = ports(&relay);
        let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, ports[1])).unwrap();
        let error = relay.ask(&Order::Card { card: 0, ours: ports[0], machines: ports[1] }).unwrap_err();
        assert!(error.fact.contains(&format!("UDP port {}", ports[1])), "{error}");
        let relay = Relay::start(Command::new("false")).unwrap();
        assert!(relay.ask(&Order::Look { pid: 1 }).unwrap_err().fact.contains("does not answer"));
    }
}
