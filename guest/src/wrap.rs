//! The calls of the textbook, wrapped as it wraps them: W. R. Stevens, *UNIX Network Programming*, vol. 1, 3rd
//! ed., calls `Writen`, `Readline`, `err_sys` what is here [`writen`], [`Lines::next`], [`failed`].
//!
//! All output goes by one `write` per line, so that the lines of a parent and its children do not mix.

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{SockaddrLike, SockaddrStorage};
use nix::unistd;
use std::fmt;
use std::net::{SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Exit status for wrong arguments: `EX_USAGE` of sysexits.h.
pub const EX_USAGE: i32 = 64;

/// Size of the buffers for reading (UNP's `MAXLINE`).
const MAXLINE: usize = 4096;

/// Prints a line on standard output.
pub fn say(line: fmt::Arguments<'_>) {
    // Nobody is left to be told that nobody hears us: as after a C program's printf.
    let _ = writen(std::io::stdout(), format!("{line}\n").as_bytes());
}

/// Prints a line on standard error.
pub fn complain(line: fmt::Arguments<'_>) {
    // As above.
    let _ = writen(std::io::stderr(), format!("{line}\n").as_bytes());
}

/// What failed, in the textbook's form (`err_sys`), with the error's name: "connect error: Connection refused
/// (ECONNREFUSED)".
#[must_use]
pub fn failed(what: &str, errno: Errno) -> String {
    // The C library's words, strerror(3); nix has its own for some.
    let words = std::io::Error::from(errno).to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    format!("{what} error: {words} ({errno:?})")
}

/// Writes all of `bytes`, however many calls that takes (UNP figure 3.16).
///
/// # Errors
/// Those of write(2), but for `EINTR`.
pub fn writen(fd: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match unistd::write(&fd, bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Reads lines from a descriptor, through a buffer (UNP figure 3.18).
#[derive(Debug)]
pub struct Lines<Fd> {
    fd: Fd,
    buffer: Vec<u8>,
}

impl<Fd: AsFd> Lines<Fd> {
    /// Lines from `fd`.
    pub fn new(fd: Fd) -> Self {
        Self { fd, buffer: Vec::new() }
    }

    /// The descriptor, to write to it.
    pub fn fd(&self) -> &Fd {
        &self.fd
    }

    /// The next line with its newline, which the last one may lack; `None` at the end of file.
    ///
    /// # Errors
    /// Those of read(2).
    #[allow(clippy::should_implement_trait)] // An iterator that can fail is none.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, Errno> {
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|&b| b == b'\n') {
                let rest = self.buffer.split_off(searched + at + 1);
                return Ok(Some(std::mem::replace(&mut self.buffer, rest)));
            }
            searched = self.buffer.len();
            self.buffer.resize(searched + MAXLINE, 0);
            let read = unistd::read(&self.fd, &mut self.buffer[searched..]);
            self.buffer.truncate(searched + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                let last = std::mem::take(&mut self.buffer);
                return Ok((!last.is_empty()).then_some(last));
            }
        }
    }
}

/// Accepts a connection and says from whom. The address comes from accept(2) itself: a peer that has reset the
/// connection by now could not be asked for it.
///
/// # Errors
/// Those of accept(2).
#[allow(unsafe_code)] // nix's accept leaves the address out.
pub fn accept(listening: impl AsFd) -> Result<(OwnedFd, SocketAddr), Errno> {
    let mut length = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>()).map_err(|_| Errno::EINVAL)?;
    let fd = listening.as_fd().as_raw_fd();
    // SAFETY: the storage is large enough for any address, all zeroes are a valid value of it, its length is told,
    // and the kernel gives a descriptor that is nobody else's.
    let (connection, address) = unsafe {
        let mut storage: libc::sockaddr_storage = std::mem::zeroed();
        let storage = (&raw mut storage).cast();
        let connection = OwnedFd::from_raw_fd(Errno::result(libc::accept(fd, storage, &mut length))?);
        (connection, SockaddrStorage::from_raw(storage, Some(length)).ok_or(Errno::EAFNOSUPPORT)?)
    };
    Ok((connection, plain(&address).ok_or(Errno::EAFNOSUPPORT)?))
}

/// A socket address in Rust's form; an IPv4 address that came in an IPv6 one is IPv4 again.
#[must_use]
pub fn plain(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::new(v4.ip().into(), v4.port()));
    }
    let v6 = SocketAddrV6::from(*address.as_sockaddr_in6()?);
    Some(match v6.ip().to_ipv4_mapped() {
        Some(v4) => SocketAddr::new(v4.into(), v6.port()),
        None => v6.into(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_in_the_classic_words_with_their_names() {
        assert_eq!(
            failed("str_cli: read", Errno::ECONNRESET),
            "str_cli: read error: Connection reset by peer (ECONNRESET)"
        );
        assert_eq!(failed("str_cli: write", Errno::EPIPE), "str_cli: write error: Broken pipe (EPIPE)");
        assert_eq!(failed("connect", Errno::ETIMEDOUT), "connect error: Connection timed out (ETIMEDOUT)");
        assert_eq!(
            failed("str_cli: read", Errno::EAGAIN),
            "str_cli: read error: Resource temporarily unavailable (EAGAIN)"
        );
        assert_eq!(failed("connect", Errno::EHOSTUNREACH), "connect error: No route to host (EHOSTUNREACH)");
    }

    #[test]
    fn lines_come_whole_however_they_were_written() {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let long = "x".repeat(3 * MAXLINE);
        let text = format!("one\n\ntwo\n{long}\nlast");
        let writer = std::thread::spawn(move || writen(far, text.as_bytes()).unwrap());
        let mut lines = Lines::new(near);
        for expected in ["one\n", "\n", "two\n", &format!("{}\n", "x".repeat(3 * MAXLINE)), "last"] {
            assert_eq!(lines.next().unwrap().unwrap(), expected.as_bytes());
        }
        assert_eq!(lines.next().unwrap(), None);
        writer.join().unwrap();
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_is_shown_as_ipv4() {
        let mapped: SocketAddr = "[::ffff:192.0.2.1]:5".parse().unwrap();
        assert_eq!(plain(&mapped.into()).unwrap().to_string(), "192.0.2.1:5");
        let own: SocketAddr = "[2001:db8::1]:5".parse().unwrap();
        assert_eq!(plain(&own.into()).unwrap(), own);
    }
}
