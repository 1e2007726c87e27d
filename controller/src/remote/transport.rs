//! The bytes between the TCP connection and libssh2.
//!
//! libssh2 is given one end of a socket pair as its socket. What it sends is taken out of the other end at once
//! and kept here until TCP takes it, so its sends never find the way blocked for longer than one repeated call
//! ([`Link::call`]). The end of the connection is not passed on to libssh2: it would refuse to hand out what had
//! come before. The pump is told instead ([`Transport::ended`]), when all of that is read.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Above so many bytes that TCP has not yet taken, channels write no more.
const CONGESTED: usize = 256 * 1024;

/// How much is read from a socket at once.
const CHUNK: usize = 64 * 1024;

/// Moves bytes between TCP and libssh2's socket.
pub(super) struct Transport {
    tcp: TcpStream,
    /// Our end of the pair.
    near: UnixStream,
    /// libssh2's end, to see whether it has read all.
    far: UnixStream,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    heard: Option<Instant>,
    /// Why nothing can be sent any more. What the host had said before may still wait to be read.
    mute: Option<String>,
    end: Option<String>,
    chunk: Box<[u8]>,
}

impl Transport {
    /// Takes over `tcp`; also gives libssh2's end of the pair.
    pub(super) fn new(tcp: TcpStream) -> io::Result<(Self, UnixStream)> {
        tcp.set_nonblocking(true)?;
        tcp.set_nodelay(true)?;
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let chunk = vec![0; CHUNK].into_boxed_slice();
        let (inbound, outbound, watched) = (Vec::new(), Vec::new(), far.try_clone()?);
        Ok((Self { tcp, near, far: watched, inbound, outbound, heard: None, mute: None, end: None, chunk }, far))
    }

    /// Moves what can be moved, both ways. True: something was moved, or the connection was found ended.
    pub(super) fn carry(&mut self) -> io::Result<bool> {
        let mut moved = self.collect()?;
        moved |= self.send();
        if self.inbound.is_empty() && self.end.is_none() {
            match self.tcp.read(&mut self.chunk) {
                Ok(0) => {
                    let closed = || "the connection was closed by the other side".to_owned();
                    self.end = Some(self.mute.take().unwrap_or_else(closed));
                }
                Ok(n) => {
                    self.heard = Some(Instant::now());
                    self.inbound.extend_from_slice(&self.chunk[..n]);
                }
                Err(e) if would_block(&e) => self.end = self.mute.take(),
                Err(e) => self.end = Some(format!("the connection was cut: {}", words(&e))),
            }
            moved |= self.end.is_some() || !self.inbound.is_empty();
        }
        while !self.inbound.is_empty() {
            match self.near.write(&self.inbound) {
                Ok(n) => {
                    self.inbound.drain(..n);
                    moved = true;
                }
                Err(e) if would_block(&e) => break,
                Err(e) => return Err(e),
            }
        }
        Ok(moved)
    }

    /// Takes what libssh2 has sent out of the pair, so that it can send more. True: there was something.
    pub(super) fn collect(&mut self) -> io::Result<bool> {
        let mut moved = false;
        loop {
            match self.near.read(&mut self.chunk) {
                Ok(0) => return Ok(moved),
                Ok(n) => {
                    self.outbound.extend_from_slice(&self.chunk[..n]);
                    moved = true;
                }
                Err(e) if would_block(&e) => return Ok(moved),
                Err(e) => return Err(e),
            }
        }
    }

    fn send(&mut self) -> bool {
        let mut sent = 0;
        while sent < self.outbound.len() && self.mute.is_none() && self.end.is_none() {
            match self.tcp.write(&self.outbound[sent..]) {
                Ok(n) => sent += n,
                Err(e) if would_block(&e) => break,
                Err(e) => self.mute = Some(format!("the connection was cut: {}", words(&e))),
            }
        }
        self.outbound.drain(..sent);
        sent > 0
    }

    /// Why the connection is over, if it is, and all that had come is with libssh2.
    pub(super) fn ended(&self) -> Option<&str> {
        self.inbound.is_empty().then_some(self.end.as_deref()).flatten()
    }

    /// Whether something waits for libssh2 in its socket. It says "try again" as soon as it has read a part of a
    /// packet only, without looking whether the rest is there as well: it expects to be called as long as there is
    /// something to read.
    pub(super) fn unread(&self) -> bool {
        let mut fds = [PollFd::new(self.far.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// When the last byte came from the host.
    pub(super) fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// Whether so much waits for TCP that nobody should write more.
    pub(super) fn congested(&self) -> bool {
        self.outbound.len() > CONGESTED
    }

    /// What to wait for with poll(2) before [`carry`](Self::carry) can move more.
    pub(super) fn awaited(&self) -> PollFd<'_> {
        let mut events = PollFlags::empty();
        // While libssh2 has not taken what came, no more is read.
        events.set(PollFlags::POLLIN, self.inbound.is_empty());
        events.set(PollFlags::POLLOUT, !self.outbound.is_empty());
        PollFd::new(self.tcp.as_fd(), events)
    }
}

/// libssh2's session and the transport below it.
pub(super) struct Link {
    // In this order: libssh2's last words at its end need somewhere to go.
    pub(super) ssh: ssh2::Session,
    pub(super) transport: Transport,
    /// The host's server ends the session if a command ends while another channel opens.
    pub(super) hasty: bool,
}

impl Link {
    /// Calls libssh2 once: `None` if the answer has not come yet. A packet that did not fit the socket is finished
    /// by making room and repeating the same call, as libssh2 demands, before anything else can happen.
    pub(super) fn call<T>(
        &mut self,
        mut call: impl FnMut(&mut ssh2::Session) -> Result<T, ssh2::Error>,
    ) -> Result<Option<T>, ssh2::Error> {
        loop {
            match call(&mut self.ssh) {
                Ok(value) => return Ok(Some(value)),
                Err(e) if e.code() == AGAIN => {}
                Err(e) => return Err(e),
            }
            let full =
                matches!(self.ssh.block_directions(), ssh2::BlockDirections::Outbound | ssh2::BlockDirections::Both);
            // An error of a socket pair within one process shows up in the next carry as well.
            if !(full && self.transport.collect().unwrap_or(false)) {
                return Ok(None);
            }
        }
    }
}

/// `LIBSSH2_ERROR_EAGAIN` of libssh2.h: the answer has not come yet.
pub(super) const AGAIN: ssh2::ErrorCode = ssh2::ErrorCode::Session(-37);

fn would_block(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// An I/O error in words, with its errno's name: "Connection reset by peer (ECONNRESET)".
pub(super) fn words(e: &io::Error) -> String {
    match e.raw_os_error() {
        Some(code) => {
            let errno = Errno::from_raw(code);
            format!("{} ({errno:?})", errno.desc())
        }
        None => e.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use nix::sys::socket::{setsockopt, sockopt};
    use std::net::{Ipv4Addr, TcpListener};

    /// A transport, libssh2's end of it, and the host's end of the connection.
    fn connected() -> (Transport, UnixStream, TcpStream) {
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let tcp = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
        let (transport, ssh) = Transport::new(tcp).unwrap();
        (transport, ssh, listening.accept().unwrap().0)
    }

    /// Waits until TCP has something to say, then carries as often as it helps.
    fn carry_all(transport: &mut Transport) {
        poll(&mut [transport.awaited()], PollTimeout::from(60_000u16)).unwrap();
        while transport.carry().unwrap() {}
    }

    #[test]
    fn what_had_come_is_handed_over_before_the_end_is_told() {
        let (mut transport, mut ssh, mut host) = connected();
        let said: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        let sent = said.clone();
        let host = std::thread::spawn(move || host.write_all(&sent).unwrap());
        let mut got = Vec::new();
        while transport.ended().is_none() {
            carry_all(&mut transport);
            let mut chunk = [0; 10_000];
            while let Ok(n @ 1..) = ssh.read(&mut chunk) {
                got.extend_from_slice(&chunk[..n]);
                transport.carry().unwrap();
            }
        }
        host.join().unwrap();
        assert!(got == said);
        assert_eq!(transport.ended(), Some("the connection was closed by the other side"));
    }

    #[test]
    fn a_reset_is_told_by_its_name() {
        let (mut transport, _ssh, host) = connected();
        setsockopt(&host, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
        drop(host);
        carry_all(&mut transport);
        assert_eq!(transport.ended(), Some("the connection was cut: Connection reset by peer (ECONNRESET)"));
    }

    #[test]
    fn what_tcp_does_not_take_is_kept_and_shows_as_congestion() {
        let (mut transport, mut ssh, mut host) = connected();
        let mut sent = 0;
        while !transport.congested() {
            sent += ssh.write(&[7; 10_000]).unwrap();
            transport.carry().unwrap();
        }
        drop(ssh);
        let host = std::thread::spawn(move || {
            let mut got = vec![0; sent];
            host.read_exact(&mut got).map(|()| got.iter().all(|&byte| byte == 7))
        });
        while !host.is_finished() {
            // Room in TCP is what is awaited here; the end of the thread closes the connection, which wakes too.
            carry_all(&mut transport);
        }
        assert!(host.join().unwrap().unwrap());
        assert!(!transport.congested());
    }

    #[test]
    fn what_libssh2_has_not_read_is_seen() {
        let (mut transport, mut ssh, mut host) = connected();
        assert!(!transport.unread());
        host.write_all(b"xy").unwrap();
        carry_all(&mut transport);
        let mut byte = [0];
        for left in [true, false] {
            ssh.read_exact(&mut byte).unwrap();
            assert_eq!(transport.unread(), left);
        }
    }
}
