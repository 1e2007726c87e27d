//! A jack of the switch: where a cable goes in. A cable is one end of a socket pair, whose other end is a machine's network card.
//!
//! The pair is `AF_UNIX`, `SOCK_DGRAM`: one datagram is one frame, in order, never torn, and nothing listens anywhere. What a
//! dying machine had sent stays readable, *until something is sent to it*: that is refused (`ECONNREFUSED`), and the kernel
//! then throws away what had come from it (`unix_dgram_disconnected` in net/unix/af_unix.c). So a jack must be emptied
//! before anything is sent by it.
//!
//! A machine whose provider cannot be handed an open socket (libvirt) is reached by UDP on 127.0.0.1: one datagram is one
//! frame there, too. That its other end is closed is known as soon as something is sent to it, as the kernel answers itself on the
//! loopback device, by ICMP, before `send` returns; what had come from it stays readable.

use super::fate::Fate;
use crate::error::{Context, Result};
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockType, sockopt};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The longest frame that is accepted: the longest IP packet with Ethernet header. QEMU's `dgram` negotiates no segmentation
/// offload, so that real ones are far shorter.
pub const LONGEST_FRAME: usize = 65_550;

/// Room for frames that a machine has not taken yet. The kernel charges a queued frame to its sender (`SO_SNDBUF`), doubles
/// what is asked and caps it at `net.core.wmem_max` (man 7 socket); a frame of 1,514 bytes is charged about 2.3 kB. So
/// it is some hundred frames, as many as the ring of a real card holds.
const QUEUE_BYTES: usize = 1 << 20;

/// A jack: the host it is for, and the cable in it.
#[derive(Debug)]
pub(super) struct Jack {
    pub(super) name: String,
    socket: Option<OwnedFd>,
    /// Whether there is a link at all: false while the cable is pulled out.
    linked: bool,
    /// Whether the machine's network card has not come to life yet.
    asleep: bool,
}

/// What came out of a jack.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A frame of this length.
    Frame(usize),
    /// A frame longer than [`LONGEST_FRAME`]: this long.
    TooLong(usize),
    /// Nothing (more) for now.
    Nothing,
}

impl Jack {
    /// A jack without a cable.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), socket: None, linked: true, asleep: false }
    }

    /// Puts a cable in, in place of the one that is there.
    pub(super) fn plug(&mut self, socket: OwnedFd) {
        self.socket = Some(socket);
        self.linked = true;
    }

    /// Pulls the cable out, or puts the same one in again.
    pub(super) fn link(&mut self, up: bool) {
        self.linked = up;
    }

    /// From now on nothing is handed to the machine until it has sent a frame: its network card is not there yet. Frames
    /// would pile up in the socket and come to a machine that was not alive when they were sent.
    pub(super) fn sleep(&mut self) {
        self.asleep = true;
    }

    /// Whether there is a link.
    pub(super) fn linked(&self) -> bool {
        self.linked
    }

    /// What to wait on.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Takes one frame into `buffer`, which holds [`LONGEST_FRAME`]. Never blocks. An error that is not about one frame
    /// takes the cable out, so that no machine can keep the switch busy with errors.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Received {
        let Some(socket) = &self.socket else { return Received::Nothing };
        // MSG_TRUNC: the true length is returned, even where the buffer was too short (man 2 recv).
        match socket::recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC) {
            Ok(length) if length > buffer.len() => Received::TooLong(length),
            Ok(length) => {
                self.asleep = false;
                Received::Frame(length)
            }
            // ECONNREFUSED: a frame that was sent before was refused. It is told once, by UDP alone.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => Received::Nothing,
            Err(errno) => {
                tracing::warn!(host = self.name, %errno, "a port failed; its cable is taken out");
                self.socket = None;
                Received::Nothing
            }
        }
    }

    /// Hands a frame to the machine. Never blocks. The jack must have been emptied before.
    pub(super) fn send(&self, frame: &[u8]) -> Fate {
        let Some(socket) = self.socket.as_ref().filter(|_| self.linked && !self.asleep) else { return Fate::NoLink };
        match socket::send(socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            // By UDP a refusal comes after the frame has gone.
            Ok(_) => match socket::getsockopt(socket, sockopt::SocketError) {
                Ok(error) if error == Errno::ECONNREFUSED as i32 => Fate::NoLink,
                _ => Fate::Sent,
            },
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Fate::Full,
            Err(Errno::ECONNREFUSED | Errno::ECONNRESET | Errno::ENOTCONN | Errno::EPIPE) => Fate::NoLink,
            Err(errno) => Fate::Refused(errno),
        }
    }
}

/// A new cable: the switch's end, and the machine's. Both are closed on exec.
pub(super) fn cable() -> Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socket::socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::SOCK_CLOEXEC)
        .broken(|| "no socket pair for a cable".to_owned())?;
    for end in [&ours, &theirs] {
        socket::setsockopt(end, sockopt::SndBuf, &QUEUE_BYTES).broken(|| "no buffer for a cable".to_owned())?;
    }
    Ok((ours, theirs))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};

    fn plugged() -> (Jack, OwnedFd) {
        let (ours, theirs) = cable().unwrap();
        (Jack { socket: Some(ours), ..Jack::new("a") }, theirs)
    }

    #[test]
    fn a_frame_of_the_longest_length_is_whole_and_a_longer_one_is_told() {
        let (mut jack, machine) = plugged();
        let mut buffer = vec![0; LONGEST_FRAME];
        for length in [LONGEST_FRAME, LONGEST_FRAME + 1, 0, 1] {
            socket::send(machine.as_raw_fd(), &vec![7; length], MsgFlags::empty()).unwrap();
        }
        assert_eq!(jack.receive(&mut buffer), Received::Frame(LONGEST_FRAME));
        assert_eq!(jack.receive(&mut buffer), Received::TooLong(LONGEST_FRAME + 1));
        assert_eq!(jack.receive(&mut buffer), Received::Frame(0));
        assert_eq!(jack.receive(&mut buffer), Received::Frame(1));
        assert_eq!(jack.receive(&mut buffer), Received::Nothing);
    }

    #[test]
    fn what_a_machine_sent_before_it_died_is_still_read_and_what_it_is_sent_is_lost() {
        let (mut jack, machine) = plugged();
        socket::send(machine.as_raw_fd(), b"last words", MsgFlags::empty()).unwrap();
        drop(machine);
        let mut buffer = vec![0; LONGEST_FRAME];
        assert_eq!(jack.receive(&mut buffer), Received::Frame(10));
        for _ in 0..3 {
            assert_eq!(jack.send(b"anybody there?"), Fate::NoLink);
        }
        assert_eq!(jack.receive(&mut buffer), Received::Nothing);
    }

    #[test]
    fn a_machine_that_is_asleep_is_handed_nothing_until_it_speaks() {
        let (mut jack, machine) = plugged();
        jack.sleep();
        assert_eq!(jack.send(b"too early"), Fate::NoLink);
        socket::send(machine.as_raw_fd(), b"awake", MsgFlags::empty()).unwrap();
        assert_eq!(jack.receive(&mut vec![0; LONGEST_FRAME]), Received::Frame(5));
        assert_eq!(jack.send(b"welcome"), Fate::Sent);
        let mut buffer = [0; 20];
        assert_eq!(socket::recv(machine.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT), Ok(7));
    }

    #[test]
    fn a_tunnel_carries_frames_of_its_machine_alone_and_tells_a_closed_end() {
        let machine = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let ours = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ours.connect(machine.local_addr().unwrap()).unwrap();
        let mut jack = Jack { socket: Some(ours.try_clone().unwrap().into()), ..Jack::new("a") };
        machine.connect(ours.local_addr().unwrap()).unwrap();
        other.send_to(b"foreign", ours.local_addr().unwrap()).unwrap();
        machine.send(b"own").unwrap();
        let mut buffer = vec![0; LONGEST_FRAME];
        assert_eq!(jack.receive(&mut buffer), Received::Frame(3));
        assert_eq!(jack.receive(&mut buffer), Received::Nothing);
        assert_eq!(jack.send(b"there"), Fate::Sent);
        machine.send(b"last words").unwrap();
        drop(machine);
        for _ in 0..3 {
            assert_eq!(jack.send(b"anybody there?"), Fate::NoLink);
        }
        assert_eq!(jack.receive(&mut buffer), Received::Frame(10));
        assert_eq!(jack.receive(&mut buffer), Received::Nothing);
        assert_eq!(jack.send(b"anybody there?"), Fate::NoLink);
    }

    #[test]
    fn a_full_queue_holds_some_hundred_frames_and_then_says_so() {
        let (jack, _machine) = plugged();
        let held = (0..100_000).take_while(|_| jack.send(&[0; 1514]) == Fate::Sent).count();
        assert!((100..10_000).contains(&held), "{held} frames");
        assert_eq!(jack.send(&[0; 1514]), Fate::Full);
    }

    #[test]
    fn a_jack_without_a_cable_has_no_link() {
        let mut jack = Jack::new("a");
        assert_eq!(jack.send(b"x"), Fate::NoLink);
        assert_eq!(jack.receive(&mut [0; 10]), Received::Nothing);
    }
}
