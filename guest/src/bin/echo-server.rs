//! The concurrent echo server of UNP figure 5.12: a child for each connection, reaped by a SIGCHLD handler.
//!
//! Order: `socket`, `bind`, `listen`; then for ever `accept`, `fork`; the child closes the listening socket and
//! echoes until its client is done, the parent closes the connection and accepts the next.

use deadpeer_guest::ECHO_PORT;
use deadpeer_guest::wrap::{EX_USAGE, accept, complain, failed, plain, read, restore_sigpipe, say, writen};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getsockname, listen, setsockopt, socket, sockopt,
};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, fork, getpid};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::process::exit;

const HELP: &str = "\
usage: echo-server [--address ADDRESS] [PORT]

Echoes every line that a client sends, in a child process of its own for each connection.

  PORT                 listen on this TCP port (9877); 0: on any that is free
  --address ADDRESS    listen on this IPv4 or IPv6 address alone (on all of both kinds)
  --help               show this";

/// What was asked for.
struct Options {
    /// All addresses, if none.
    address: Option<IpAddr>,
    port: u16,
}

fn main() {
    restore_sigpipe();
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return say(format_args!("{HELP}")),
        Err(wrong) => {
            complain(format_args!("echo-server: {wrong}\n\n{HELP}"));
            exit(EX_USAGE);
        }
    };
    if let Err(error) = serve(&options) {
        complain(format_args!("{error}"));
        exit(1);
    }
}

/// `None`: help was asked for.
fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options { address: None, port: ECHO_PORT };
    let mut port = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--address" => {
                let address = arguments.next().ok_or("--address needs an address")?;
                options.address = Some(address.parse().map_err(|_| format!("'{address}' is no address"))?);
            }
            _ if argument.starts_with('-') => return Err(format!("unknown option '{argument}'")),
            _ if port.is_some() => return Err(format!("unexpected argument '{argument}'")),
            _ => port = Some(argument.parse().map_err(|_| format!("'{argument}' is no port"))?),
        }
    }
    options.port = port.unwrap_or(options.port);
    Ok(Some(options))
}

/// Serves for ever; an error in words if it cannot.
fn serve(options: &Options) -> Result<(), String> {
    let listening = listening(options)?;
    reap_children(SaFlags::SA_RESTART)?;
    let bound: SockaddrStorage = getsockname(listening.as_raw_fd()).map_err(|e| failed("getsockname", e))?;
    say(format_args!("waiting for connections on port {}", plain(&bound).map_or(options.port, |it| it.port())));
    loop {
        let (connection, peer) = match accept(&listening) {
            Ok(accepted) => accepted,
            Err(Errno::EINTR) => continue,
            Err(e) => return Err(failed("accept", e)),
        };
        if forked()? {
            drop(listening);
            exit(child(&connection, peer));
        }
        // Dropped here, the connection is closed in the parent.
    }
}

/// A listening socket: on all addresses, IPv6 and IPv4, unless one was asked for.
fn listening(options: &Options) -> Result<OwnedFd, String> {
    let address = SocketAddr::new(options.address.unwrap_or(Ipv6Addr::UNSPECIFIED.into()), options.port);
    let (socket, address) = match tcp_socket(address) {
        // A kernel without IPv6.
        Err(Errno::EAFNOSUPPORT) if options.address.is_none() => {
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), options.port);
            (tcp_socket(address), address)
        }
        socket => (socket, address),
    };
    let socket = socket.map_err(|e| failed("socket", e))?;
    setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(|e| failed("setsockopt", e))?;
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &options.address.is_some()).map_err(|e| failed("setsockopt", e))?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(address)).map_err(|e| failed("bind", e))?;
    listen(&socket, Backlog::MAXCONN).map_err(|e| failed("listen", e))?;
    Ok(socket)
}

fn tcp_socket(address: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    socket(family, SockType::Stream, SockFlag::empty(), None)
}

/// Forks; true in the child.
#[allow(unsafe_code)] // fork is unsafe where there are threads: a lock that one of them holds stays shut in the child.
fn forked() -> Result<bool, String> {
    // SAFETY: this process has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => Ok(true),
        Ok(ForkResult::Parent { .. }) => Ok(false),
        Err(e) => Err(failed("fork", e)),
    }
}

/// What the child does; its exit status.
fn child(connection: &OwnedFd, peer: SocketAddr) -> i32 {
    let pid = getpid();
    say(format_args!("child {pid} serves {} port {}", peer.ip(), peer.port()));
    match str_echo(connection) {
        Ok(()) => {
            say(format_args!("child {pid}: client closed the connection"));
            0
        }
        Err(error) => {
            complain(format_args!("{error}"));
            1
        }
    }
}

/// Sends back what comes, until the client has no more (UNP figure 5.3).
fn str_echo(connection: &OwnedFd) -> Result<(), String> {
    let mut buffer = [0; 4096];
    loop {
        match read(connection, &mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => writen(connection, &buffer[..n]).map_err(|e| failed("str_echo: write", e))?,
            Err(e) => return Err(failed("str_echo: read", e)),
        }
    }
}

/// Installs the SIGCHLD handler.
#[allow(unsafe_code)] // A handler may do anything; see the promise below.
fn reap_children(flags: SaFlags) -> Result<(), String> {
    let action = SigAction::new(SigHandler::Handler(sig_chld), flags, SigSet::empty());
    // SAFETY: the handler makes async-signal-safe calls only (signal-safety(7)): waitpid and write; it does not
    // allocate, and leaves errno as it was.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.map(drop).map_err(|e| failed("sigaction", e))
}

/// Reaps every child that has ended (UNP figure 5.11): several may have, for one signal.
extern "C" fn sig_chld(_: nix::libc::c_int) {
    let errno = Errno::last_raw();
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        let Some(pid) = status.pid() else { break };
        let mut line = Line::new();
        line.push(b"child ");
        line.push_number(pid.as_raw().unsigned_abs());
        line.push(b" terminated\n");
        line.write();
    }
    Errno::set_raw(errno);
}

/// A short line put together without allocating.
struct Line {
    bytes: [u8; 64],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().take(self.bytes.len() - self.length) {
            self.bytes[self.length] = byte;
            self.length += 1;
        }
    }

    fn push_number(&mut self, number: u32) {
        let (mut digits, mut rest, mut first) = ([0; 10], number, 10);
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                return self.push(&digits[first..]);
            }
        }
    }

    #[allow(unsafe_code)] // std's own handle for standard output has a lock, which a handler must not wait for.
    fn write(&self) {
        // SAFETY: descriptor 1 is standard output for as long as this process lives.
        let stdout = unsafe { BorrowedFd::borrow_raw(1) };
        // A handler has nobody to tell that this failed.
        let _ = nix::unistd::write(stdout, &self.bytes[..self.length]);
    }
}
