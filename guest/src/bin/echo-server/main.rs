//! The concurrent echo server of UNP figure 5.12: a child for each connection, reaped by a SIGCHLD handler.
//!
//! Order: `socket`, `bind`, `listen`; then for ever `accept`, `fork`; the child closes the listening socket and
//! echoes until its client is done, the parent closes the connection and accepts the next.

mod children;
mod options;

use children::{forked, reap_children};
use deadpeer_guest::signals::{ignore, restore_sigpipe};
use deadpeer_guest::wrap::{EX_USAGE, accept, complain, failed, plain, say, writen};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getsockname, listen, setsockopt, socket, sockopt,
};
use nix::unistd::{getpid, read};
use options::{HELP, Options, options};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::exit;

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

/// Serves for ever; an error in words if it cannot.
fn serve(options: &Options) -> Result<(), String> {
    let listening = listening(options)?;
    reap_children(options)?;
    if options.ignore_term {
        ignore(Signal::SIGTERM);
    }
    let bound: SockaddrStorage = getsockname(listening.as_raw_fd()).map_err(|e| failed("getsockname", e))?;
    say(format_args!("waiting for connections on port {}", plain(&bound).map_or(options.port, |it| it.port())));
    loop {
        let (connection, peer) = match accept(&listening) {
            Ok(accepted) => accepted,
            Err(Errno::EINTR) if options.retry => continue,
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
            Err(Errno::EINTR) => {}
            Err(e) => return Err(failed("str_echo: read", e)),
        }
    }
}
