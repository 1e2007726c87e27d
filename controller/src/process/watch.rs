//! One thread per child: it learns from the kernel what the child does, and reaps it.

use super::Change;
use crate::runlog::belonging;
use crate::timeline::Ended;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;
use std::io;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How a child ended, shared by its owner and its watcher.
#[derive(Debug, Default)]
pub(super) struct Fate {
    ended: Mutex<Option<Ended>>,
    changed: Condvar,
}

impl Fate {
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wait(&self, within: Duration) -> Option<Ended> {
        let guard = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = self
            .changed
            .wait_timeout_while(guard, within, |ended| ended.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        guard.clone()
    }

    /// Sends a signal, unless the child is reaped already: the lock is held while the watcher reaps.
    pub(super) fn kill(&self, pid: Pid, signal: Signal) -> nix::Result<bool> {
        let guard = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if guard.is_some() { Ok(false) } else { kill(pid, signal).map(|()| true) }
    }

    /// Takes what the child did from the kernel, if it did anything.
    fn take(&self, pid: Pid) -> Option<Change> {
        let mut guard = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED;
        let change = translate(waitpid(pid, Some(flags)))?;
        if let Change::Ended(how) = &change {
            *guard = Some(how.clone());
            self.changed.notify_all();
        }
        Some(change)
    }
}

/// Starts a thread that watches the child whose pid it will be sent.
pub(super) fn prepare(fate: Arc<Fate>, mut on_change: Box<dyn FnMut(Change) + Send>) -> io::Result<Sender<Pid>> {
    let (sender, pids) = channel::<Pid>();
    std::thread::Builder::new().name("watcher".to_owned()).spawn(belonging(move || {
        let Ok(pid) = pids.recv() else { return };
        // Look only (WNOWAIT); `take` reaps. An error (ECHILD) is seen by `take` as well.
        let news = WaitPidFlag::WEXITED | WaitPidFlag::WSTOPPED | WaitPidFlag::WCONTINUED | WaitPidFlag::WNOWAIT;
        loop {
            let _ = waitid(Id::Pid(pid), news);
            let Some(change) = fate.take(pid) else { continue };
            let last = matches!(change, Change::Ended(_));
            on_change(change);
            if last {
                return;
            }
        }
    }))?;
    Ok(sender)
}

/// What a wait status says; nothing for a child that did nothing.
fn translate(status: nix::Result<WaitStatus>) -> Option<Change> {
    match status {
        Ok(WaitStatus::Exited(_, status)) => Some(Change::Ended(Ended::Exit(status))),
        Ok(WaitStatus::Signaled(_, signal, _)) => {
            let name = signal.as_str();
            Some(Change::Ended(Ended::Signal(name.strip_prefix("SIG").unwrap_or(name).to_owned())))
        }
        Ok(WaitStatus::Stopped(..)) => Some(Change::Stopped),
        Ok(WaitStatus::Continued(_)) => Some(Change::Continued),
        Ok(_) | Err(Errno::EINTR) => None,
        // ECHILD: somebody else reaped it. Nobody should.
        Err(e) => Some(Change::Ended(Ended::Lost(format!("the kernel kept no wait status ({e})")))),
    }
}
