//! How a process ends that is not our child: init reaps it, and is not asked.
//!
//! The kernel's process events connector (Documentation/driver-api/connector.rst, include/uapi/linux/cn_proc.h) tells root
//! of every exit on the host, with the status that wait(2) would give. That it *has* ended is told by a pidfd
//! (pidfd_open(2), Linux 5.3) as well, for a kernel without the connector.

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv, send};
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `CN_IDX_PROC` and `CN_VAL_PROC`, which are the same: whom the messages are from, and the multicast group.
const PROCESSES: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
/// `PROC_EVENT_EXIT`.
const EXIT: u32 = 0x8000_0000;
/// `struct nlmsghdr` and `struct cn_msg`: 16 and 20 bytes. Then come what, processor (4 bytes each), time stamp (8).
const EVENT: usize = 36;
const DATA: usize = EVENT + 16;

/// How long after the end of a process the kernel's message about it may take, in milliseconds. It is sent a moment after
/// those who wait for the end are woken (`do_exit` in kernel/exit.c).
const LATE: u16 = 1000;

/// The connector. Messages from before the process id was known wait in its socket.
pub(super) struct Exits(OwnedFd);

/// How a process that was watched ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// With this wait status.
    Status(i32),
    /// Nobody told how.
    Unknown,
}

impl Exits {
    /// Begins to listen; none on a kernel that does not tell.
    pub(super) fn listen() -> Option<Self> {
        let socket = socket().ok()?;
        let mut message = Vec::new();
        let length = 16 + 20 + 4_u32;
        // nlmsghdr: length, NLMSG_DONE and no flags, number, sender. cn_msg: whom (two), number, answer, length and flags.
        for word in [length, 3, 0, 0, PROCESSES, PROCESSES, 0, 0, 4, LISTEN] {
            message.extend(word.to_ne_bytes());
        }
        send(socket.as_raw_fd(), &message, MsgFlags::empty()).ok()?;
        Some(Self(socket))
    }

    fn drain(&self, pid: Pid) -> Option<i32> {
        let mut buffer = [0; 1024];
        loop {
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(length) => {
                    if let Some(status) = status_of(&buffer[..length.min(buffer.len())], pid) {
                        return Some(status);
                    }
                }
                // Some were lost: the pidfd will tell, without the status.
                Err(Errno::ENOBUFS | Errno::EINTR) => {}
                Err(_) => return None,
            }
        }
    }
}

/// Waits until the process `pid` has ended, or until `hangup` can be read: none then.
pub(super) fn wait(exits: Option<&Exits>, pid: Pid, hangup: BorrowedFd<'_>) -> Result<Option<Exit>, String> {
    let pidfd = pidfd(pid);
    let told = exits.map(|exits| exits.0.as_fd());
    loop {
        if let Some(status) = exits.and_then(|exits| exits.drain(pid)) {
            return Ok(Some(Exit::Status(status)));
        }
        let Some(pidfd) = &pidfd else { return Ok(Some(late(exits, pid))) };
        let mut fds = vec![PollFd::new(hangup, PollFlags::POLLIN), PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        fds.extend(told.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(format!("poll: {}", e.desc())),
        }
        let ready = |fd: &PollFd<'_>| fd.any() == Some(true);
        if ready(&fds[1]) {
            return Ok(Some(late(exits, pid)));
        }
        if ready(&fds[0]) {
            return Ok(None);
        }
    }
}

/// It has ended: the message about it, if it still comes.
fn late(exits: Option<&Exits>, pid: Pid) -> Exit {
    let Some(exits) = exits else { return Exit::Unknown };
    loop {
        if let Some(status) = exits.drain(pid) {
            return Exit::Status(status);
        }
        if !matches!(poll(&mut [PollFd::new(exits.0.as_fd(), PollFlags::POLLIN)], LATE), Ok(1..)) {
            return Exit::Unknown;
        }
    }
}

/// The wait status in a message, if it tells of the end of this process.
fn status_of(message: &[u8], pid: Pid) -> Option<i32> {
    let word = |at: usize| message.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let pid = pid.as_raw().unsigned_abs();
    // A thread's end has another first number.
    let is_ours = word(EVENT)? == EXIT && word(DATA)? == pid && word(DATA + 4)? == pid;
    if is_ours { word(DATA + 8).map(u32::cast_signed) } else { None }
}

#[allow(unsafe_code)] // nix does not know the connector.
fn socket() -> Result<OwnedFd, Errno> {
    // SAFETY: socket(2) gives a descriptor that is nobody else's.
    let socket = unsafe {
        let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
        OwnedFd::from_raw_fd(Errno::result(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_CONNECTOR))?)
    };
    let address = nix::sys::socket::NetlinkAddr::new(0, PROCESSES);
    nix::sys::socket::bind(socket.as_raw_fd(), &address)?;
    Ok(socket)
}

/// None: it is gone already.
#[allow(unsafe_code)] // nix has no pidfd_open.
pub(crate) fn pidfd(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: pidfd_open(2) takes two numbers and gives a descriptor that is nobody else's.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: as above.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(what: u32, pid: u32, tgid: u32, status: u32) -> Vec<u8> {
        let mut bytes = vec![0; EVENT];
        for word in [what, 0, 0, 0, pid, tgid, status, 17] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes
    }

    #[test]
    fn an_exit_tells_its_status_and_other_messages_nothing() {
        let pid = Pid::from_raw(7);
        assert_eq!(status_of(&message(EXIT, 7, 7, 256), pid), Some(256));
        assert_eq!(status_of(&message(EXIT, 8, 7, 256), pid), None, "a thread");
        assert_eq!(status_of(&message(1, 7, 7, 256), pid), None, "a fork");
        assert_eq!(status_of(&message(EXIT, 7, 7, 256)[..DATA + 8], pid), None, "torn");
        assert_eq!(status_of(&[], pid), None);
    }
}
