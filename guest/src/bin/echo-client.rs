//! The echo client of UNP figures 5.4 and 5.5: stop and wait.
//!
//! It sits either in `fgets`, waiting for its user, or in `readline`, waiting for the server, and never listens to
//! both: what happens to the connection while it waits for its user, it learns at its next call on the socket. So
//! did the textbook's client, and that is what the scenarios of chapter 5 are about.

use deadpeer_guest::ECHO_PORT;
use deadpeer_guest::wrap::{EX_USAGE, Lines, complain, failed, resolve, restore_sigpipe, say, writen};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::exit;

const HELP: &str = "\
usage: echo-client HOST [PORT]

Sends each line of its standard input to an echo server, and prints the line that comes back.

  HOST      an IPv4 or IPv6 address, or a name in /etc/hosts
  PORT      TCP port of the server (9877)
  --help    show this

exit status: 0 at the end of the input, 1 if the connection failed";

fn main() {
    restore_sigpipe();
    let server = match server(std::env::args().skip(1)) {
        Ok(Some(server)) => server,
        Ok(None) => return say(format_args!("{HELP}")),
        Err(wrong) => {
            complain(format_args!("echo-client: {wrong}\n\n{HELP}"));
            exit(EX_USAGE);
        }
    };
    if let Err(error) = connected(server).and_then(str_cli) {
        complain(format_args!("{error}"));
        exit(1);
    }
}

/// The server's address; `None`: help was asked for.
fn server(arguments: impl Iterator<Item = String>) -> Result<Option<SocketAddr>, String> {
    let mut words = Vec::new();
    for argument in arguments {
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            _ if argument.starts_with('-') => return Err(format!("unknown option '{argument}'")),
            _ => words.push(argument),
        }
    }
    let (host, port) = match &words[..] {
        [] => return Err("which host?".to_owned()),
        [host] => (host, ECHO_PORT),
        [host, port] => (host, port.parse().map_err(|_| format!("'{port}' is no port"))?),
        [_, _, unexpected, ..] => return Err(format!("unexpected argument '{unexpected}'")),
    };
    let address = resolve(host).ok_or_else(|| format!("'{host}' is no address, nor a name in /etc/hosts"))?;
    Ok(Some(SocketAddr::new(address, port)))
}

fn connected(server: SocketAddr) -> Result<OwnedFd, String> {
    let family = if server.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let socket = socket(family, SockType::Stream, SockFlag::empty(), None).map_err(|e| failed("socket", e))?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(server)).map_err(|e| failed("connect", e))?;
    say(format_args!("connected to {} port {}", server.ip(), server.port()));
    Ok(socket)
}

/// A line from the user to the server, a line from the server to the user, until the user has no more.
fn str_cli(server: OwnedFd) -> Result<(), String> {
    let (mut user, mut server) = (Lines::new(std::io::stdin()), Lines::new(server));
    while let Some(mut line) = user.next().map_err(|e| failed("fgets", e))? {
        if !line.ends_with(b"\n") {
            // The last line, without its newline: waiting for the newline to come back would never end.
            line.push(b'\n');
        }
        writen(server.fd(), &line).map_err(|e| failed("str_cli: write", e))?;
        let back = server.next().map_err(|e| failed("str_cli: read", e))?;
        let back = back.ok_or("str_cli: server terminated prematurely")?;
        writen(std::io::stdout(), &back).map_err(|e| failed("fputs", e))?;
    }
    Ok(())
}
