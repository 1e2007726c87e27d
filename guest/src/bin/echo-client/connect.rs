//! A connection to the server, with the socket options that were asked for.

use crate::options::{Interrupted, Keepalive, Options, Wait};
use deadpeer_guest::wrap::{complain, failed, say};
use nix::errno::Errno;
use nix::libc;
use nix::sys::select::{FdSet, select};
use nix::sys::socket::{
    AddressFamily, SetSockOpt, SockFlag, SockType, SockaddrStorage, bind, connect, getsockopt, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Makes the connection, and says so.
pub(crate) fn connected(options: &Options) -> Result<OwnedFd, String> {
    let server = options.server;
    let family = if server.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let socket = socket(family, SockType::Stream, SockFlag::empty(), None).map_err(|e| failed("socket", e))?;
    set_options(&socket, options)?;
    if let Some(port) = options.local_port {
        bind_to(&socket, port, server.is_ipv6())?;
    }
    let address = SockaddrStorage::from(server);
    match (connect(socket.as_raw_fd(), &address), options.interrupted_connect) {
        (Ok(()), _) => {}
        (Err(Errno::EINTR), Interrupted::Again) => {
            complain(format_args!("{}", failed("connect", Errno::EINTR)));
            connect(socket.as_raw_fd(), &address).map_err(|e| failed("connect again", e))?;
        }
        (Err(Errno::EINTR), Interrupted::Wait) => {
            complain(format_args!("{}", failed("connect", Errno::EINTR)));
            writable(&socket)?;
        }
        (Err(e), _) => return Err(failed("connect", e)),
    }
    say(format_args!("connected to {} port {}", server.ip(), server.port()));
    Ok(socket)
}

/// Takes `port` on any address, even if connections of the past linger on it that had SO_REUSEADDR set as well.
fn bind_to(socket: &OwnedFd, port: u16, ipv6: bool) -> Result<(), String> {
    let any = if ipv6 { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
    set(socket, sockopt::ReuseAddr, &true)?;
    let address = SockaddrStorage::from(SocketAddr::new(any, port));
    bind(socket.as_raw_fd(), &address).map_err(|e| failed("bind", e))
}

/// Waits until the handshake is over, and says how it went (UNP section 16.3): the socket becomes writable either way.
fn writable(socket: &OwnedFd) -> Result<(), String> {
    let mut sockets = FdSet::new();
    sockets.insert(socket.as_fd());
    select(None, None, Some(&mut sockets), None, None).map_err(|e| failed("select", e))?;
    match getsockopt(socket, sockopt::SocketError).map_err(|e| failed("getsockopt", e))? {
        0 => Ok(()),
        error => Err(failed("connect", Errno::from_raw(error))),
    }
}

fn set_options(socket: &OwnedFd, options: &Options) -> Result<(), String> {
    if let Some(Keepalive { idle, interval, count }) = options.keepalive {
        set(socket, sockopt::KeepAlive, &true)?;
        set(socket, sockopt::TcpKeepIdle, &idle)?;
        set(socket, sockopt::TcpKeepInterval, &interval)?;
        set(socket, sockopt::TcpKeepCount, &count)?;
    }
    if let Some(seconds) = options.user_timeout {
        set(socket, sockopt::TcpUserTimeout, &(seconds * 1000))?;
    }
    if let Wait::Rcvtimeo(seconds) = options.wait {
        set(socket, sockopt::ReceiveTimeout, &TimeVal::new(seconds.into(), 0))?;
    }
    if options.linger_reset {
        set(socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    }
    Ok(())
}

fn set<Option: SetSockOpt>(socket: &OwnedFd, option: Option, value: &Option::Val) -> Result<(), String> {
    setsockopt(socket, option, value).map_err(|e| failed("setsockopt", e))
}
