//! The one thread that forks.

use super::{Change, Child, watch};
use nix::sys::prctl;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::{Pid, getpid, getppid};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// What the spawning thread is asked: a command, and where to answer.
struct Request {
    command: Command,
    reply: Sender<io::Result<std::process::Child>>,
}

/// The way to the spawning thread. Never emptied: the thread lives until the process ends.
static SPAWNER: Mutex<Option<Sender<Request>>> = Mutex::new(None);

/// Forks and executes `command` on the spawning thread, and watches the child from another.
pub(super) fn spawn(mut command: Command, on_change: Box<dyn FnMut(Change) + Send>) -> io::Result<Child> {
    die_with_us(&mut command);
    // The watcher comes first: once there is a child, nothing may fail any more.
    let fate = Arc::new(watch::Fate::default());
    let watcher = watch::prepare(Arc::clone(&fate), on_change)?;
    let (reply, answer) = channel();
    spawner()?.send(Request { command, reply }).map_err(|_| gone())?;
    let mut child = answer.recv().map_err(|_| gone())??;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    watcher.send(pid).map_err(|_| gone())?;
    Ok(Child { pid, fate, stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take() })
}

/// The way to the spawning thread, which is started on first use.
fn spawner() -> io::Result<Sender<Request>> {
    let mut slot = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*slot {
        return Ok(sender.clone());
    }
    keep_wait_statuses()?;
    let (sender, requests) = channel::<Request>();
    std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
        for Request { mut command, reply } in requests {
            // An asker that did not wait for the answer dropped its watcher: nobody would reap the child. It cannot
            // happen, as `spawn` waits without a deadline.
            let _ = reply.send(command.spawn());
        }
    })?;
    Ok(slot.insert(sender).clone())
}

/// Makes the child a group leader that dies with the thread that forks it.
#[allow(unsafe_code)]
fn die_with_us(command: &mut Command) {
    let us = getpid();
    command.process_group(0);
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. prctl(2) and getppid(2) are bare
    // system calls, nothing allocates, and `us` was copied before the fork.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The controller may have died before the line above: then there is nobody left to be told about.
            if getppid() == us { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
    }
}

/// Makes the kernel keep the wait status of a dead child until we take it. A parent that ignores SIGCHLD (a shell
/// after `trap '' CHLD`, some daemons) hands that on to us through exec, and there would be no proof of any death.
#[allow(unsafe_code)]
fn keep_wait_statuses() -> io::Result<()> {
    // SAFETY: the default disposition runs no code of ours, and nothing in this program handles SIGCHLD.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
    Ok(())
}

fn gone() -> io::Error {
    io::Error::other("the thread that starts processes is gone")
}
