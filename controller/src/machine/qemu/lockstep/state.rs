//! All that a machine is, out of QEMU and into it: as QEMU migrates it, through a pipe.
//!
//! Memory, the NVDIMM and the flight recorder are all in the stream. The machine stands still meanwhile; so QEMU goes over its memory once.
//! A pipe, not a file: what QEMU can do with files differs between its versions, and what goes through here is packed and
//! hashed on its way.

use super::monitor::Monitor;
use crate::error::{Context, Error, Result};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;
use serde_json::json;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

/// How long QEMU may take to go on reading or writing, in milliseconds.
const PATIENCE_MS: u16 = 20_000;

/// What is copied at once; a pipe holds as much, where it may.
const PIECE: usize = 1 << 20;

/// The name by which QEMU knows the pipe.
const PIPE: &str = "state";

/// Has QEMU write the state of a machine that is paused.
pub(super) fn save(monitor: &mut Monitor, into: &mut dyn Write) -> Result<()> {
    let (ours, theirs) = pipe()?;
    prepare(monitor, theirs)?;
    monitor.command("migrate", json!({ "uri": format!("fd:{PIPE}") }))?;
    let copied = copy_out(ours, into);
    // With a pipe that nobody reads any more QEMU gives up: then why is told by the copy.
    let migrated = monitor.migrated();
    copied.and(migrated)
}

/// Has QEMU read the state of a machine that stands still since its start.
pub(super) fn load(monitor: &mut Monitor, from: &mut dyn Read) -> Result<()> {
    let (theirs, ours) = pipe()?;
    prepare(monitor, theirs)?;
    monitor.command("migrate-incoming", json!({ "uri": format!("fd:{PIPE}") }))?;
    copy_in(from, ours)?;
    monitor.migrated()
}

/// A pipe: its reader, its writer.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).broken(|| "no pipe to be had".to_owned())?;
    // Quicker; a user who has many pipes may not.
    let _ = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(PIECE as i32));
    Ok((reader, writer))
}

/// Gives QEMU its end of the pipe, and says how a state is to travel: as fast as it goes, and telling when it is there. A restored guest
/// is not to tell the network that it has moved.
fn prepare(monitor: &mut Monitor, theirs: OwnedFd) -> Result<()> {
    let events = json!([{ "capability": "events", "state": true }]);
    monitor.command("migrate-set-capabilities", json!({ "capabilities": events }))?;
    monitor.command("migrate-set-parameters", json!({ "max-bandwidth": i64::MAX, "announce-rounds": 0 }))?;
    monitor.command_with("getfd", json!({ "fdname": PIPE }), theirs)
}

/// To the end of what QEMU writes.
fn copy_out(from: OwnedFd, into: &mut dyn Write) -> Result<()> {
    let mut from = File::from(from);
    let mut piece = vec![0; PIECE];
    loop {
        ready(&from, PollFlags::POLLIN, "write the machine's state")?;
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => into.write_all(&piece[..length]).broken(|| "cannot write the machine's state".to_owned())?,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e).broken(|| "cannot read the machine's state from QEMU".to_owned()),
        }
    }
}

/// To the end of what there is. QEMU then finds the end of the pipe; it must not before all was found good, as it would take the machine for
/// whole.
fn copy_in(from: &mut dyn Read, into: OwnedFd) -> Result<()> {
    let cannot = || "cannot hand the machine's state to QEMU".to_owned();
    fcntl(&into, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).broken(cannot)?;
    let mut into = File::from(into);
    let mut piece = vec![0; PIECE];
    loop {
        let length = from.read(&mut piece).broken(|| "cannot read the machine's state".to_owned())?;
        let mut rest = &piece[..length];
        if rest.is_empty() {
            return Ok(());
        }
        while !rest.is_empty() {
            ready(&into, PollFlags::POLLOUT, "read the machine's state")?;
            match into.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(e) => return Err(e).broken(cannot),
            }
        }
    }
}

fn ready(end: &File, wanted: PollFlags, awaited: &str) -> Result<()> {
    let mut fds = [PollFd::new(end.as_fd(), wanted)];
    match poll(&mut fds, PollTimeout::from(PATIENCE_MS)) {
        Ok(0) => Err(Error::broken(format!("QEMU did not {awaited} within {} s", PATIENCE_MS / 1000))),
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(e) => Err(e).broken(|| "cannot wait for QEMU".to_owned()),
    }
}
