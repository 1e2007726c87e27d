//! The textbook's `str_cli`: a line from the user to the server, a line from the server to the user, until the user has
//! no more.

use crate::options::{Options, Wait};
use deadpeer_guest::wrap::{Lines, failed, writen};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::select::{FdSet, select};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::time::TimeVal;
use nix::unistd::{self, alarm};
use std::io::{Stdin, stdin, stdout};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The server's end of file, where a line was awaited.
const TERMINATED: &str = "str_cli: server terminated prematurely";

/// Stop and wait (UNP figure 5.5).
pub(crate) fn one_at_a_time(server: &OwnedFd, options: &Options) -> Result<(), String> {
    let (mut user, mut lines) = (Lines::new(stdin()), Lines::new(server));
    while let Some(mut line) = user.next().map_err(|e| failed("fgets", e))? {
        if !line.ends_with(b"\n") {
            // The last line, without its newline: waiting for the newline to come back would never end.
            line.push(b'\n');
        }
        write_line(server, &line.repeat(options.copies), options.two_writes)?;
        for _ in 0..options.copies {
            let back = read_line(&mut lines, options.wait)?.ok_or(TERMINATED)?;
            writen(stdout(), &back).map_err(|e| failed("fputs", e))?;
        }
    }
    Ok(())
}

/// Writes a line or several, at once or in two parts (UNP figure 5.14, which waits for a second between them).
fn write_line(server: &OwnedFd, mut line: &[u8], two_writes: bool) -> Result<(), String> {
    if two_writes && let (first, rest @ [_, ..]) = line.split_at(1) {
        writen(server, first).map_err(|e| failed("str_cli: write", e))?;
        answered(server)?;
        line = rest;
    }
    writen(server, line).map_err(|e| failed("str_cli: write", e))
}

/// Reads a line, by one of the three ways to wait no longer than one wants (UNP section 14.2), or without a limit.
fn read_line(server: &mut Lines<&OwnedFd>, wait: Wait) -> Result<Option<Vec<u8>>, String> {
    let wrong = |e| failed("str_cli: read", e);
    match wait {
        Wait::Alarm(seconds) => {
            alarm::set(seconds);
            let line = server.next();
            alarm::cancel();
            line.map_err(wrong)
        }
        Wait::SelectTimeout(seconds) => {
            if readable_timeo(server.fd(), seconds)? {
                server.next().map_err(wrong)
            } else {
                Err("str_cli: socket timeout".to_owned())
            }
        }
        Wait::LateRead => {
            answered(server.fd())?;
            server.next().map_err(wrong)
        }
        // SO_RCVTIMEO is the socket's own affair: read fails with EAGAIN.
        Wait::Read | Wait::Rcvtimeo(_) | Wait::Select | Wait::Poll => server.next().map_err(wrong),
    }
}

/// Waits until `fd` can be read, for so long (UNP figure 14.3); false: it cannot.
fn readable_timeo(fd: impl AsFd, seconds: u32) -> Result<bool, String> {
    let mut ready = FdSet::new();
    ready.insert(fd.as_fd());
    let mut timeout = TimeVal::new(seconds.into(), 0);
    let number = select(None, Some(&mut ready), None, None, Some(&mut timeout)).map_err(|e| failed("select", e))?;
    Ok(number > 0)
}

/// Waits until what was written was answered: by data, or, where the peer has sent its FIN, by RST.
fn answered(server: &OwnedFd) -> Result<(), String> {
    let fin = poll_one(server, libc::POLLIN | libc::POLLRDHUP).map_err(|e| failed("poll", e))? & libc::POLLRDHUP != 0;
    if fin {
        // It leaves the socket readable for good. From now on only a RST is news, and of that poll tells unasked.
        poll_one(server, 0).map_err(|e| failed("poll", e))?;
    }
    Ok(())
}

/// Waits for these events on one descriptor; those that came.
#[allow(unsafe_code)] // nix knows no POLLRDHUP.
fn poll_one(fd: &OwnedFd, events: i16) -> Result<i16, Errno> {
    let mut fd = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: the pointer is to one valid structure, as is told, and the descriptor is open.
    Errno::result(unsafe { libc::poll(&mut fd, 1, -1) }).map(|_| fd.revents)
}

/// Waits until the user (if he is still to be heard) or the server can be read; which of the two.
type Both = fn(&Stdin, bool, &OwnedFd) -> Result<(bool, bool), Errno>;

/// Listens to both at once (UNP figure 6.13). At the end of the user's input it closes its half of the connection, and
/// goes on until the server has closed the other.
pub(crate) fn at_once(server: &OwnedFd, wait: Both) -> Result<(), String> {
    let (user, mut buffer, mut more_input) = (stdin(), [0; 4096], true);
    loop {
        let (from_user, from_server) = wait(&user, more_input, server).map_err(|e| failed("select", e))?;
        if from_server {
            match unistd::read(server, &mut buffer).map_err(|e| failed("str_cli: read", e))? {
                0 if more_input => return Err(TERMINATED.to_owned()),
                0 => return Ok(()),
                n => writen(stdout(), &buffer[..n]).map_err(|e| failed("fputs", e))?,
            }
        }
        if from_user {
            match unistd::read(&user, &mut buffer).map_err(|e| failed("fgets", e))? {
                0 => {
                    more_input = false;
                    shutdown(server.as_raw_fd(), Shutdown::Write).map_err(|e| failed("shutdown", e))?;
                }
                n => writen(server, &buffer[..n]).map_err(|e| failed("str_cli: write", e))?,
            }
        }
    }
}

/// By select(2), as figure 6.13 does.
pub(crate) fn select_both(user: &Stdin, more_input: bool, server: &OwnedFd) -> Result<(bool, bool), Errno> {
    let mut ready = FdSet::new();
    ready.insert(server.as_fd());
    if more_input {
        ready.insert(user.as_fd());
    }
    select(None, Some(&mut ready), None, None, None)?;
    Ok((ready.contains(user.as_fd()), ready.contains(server.as_fd())))
}

/// By poll(2).
pub(crate) fn poll_both(user: &Stdin, more_input: bool, server: &OwnedFd) -> Result<(bool, bool), Errno> {
    // An error or a hang-up is told unasked; the read that follows tells which.
    let interest = if more_input { PollFlags::POLLIN } else { PollFlags::empty() };
    let mut fds = [PollFd::new(user.as_fd(), interest), PollFd::new(server.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE)?;
    let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|it| !it.is_empty());
    Ok((more_input && ready(&fds[0]), ready(&fds[1])))
}
