//! The thread that owns a connection and carries every errand on it forward.

use super::conversation::Conversation;
use super::desk::{Order, take_orders};
use super::transport::Link;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// A host that has said nothing at all for this long, although asked, is lost.
const SILENCE: Duration = Duration::from_secs(5);

/// Why the pump stops.
enum Stop {
    /// It was asked to.
    Asked,
    /// The session is of no more use, for this reason.
    Lost(String),
}

pub(super) struct Pump {
    link: Link,
    orders: Receiver<Order>,
    bell: Arc<EventFd>,
    conversations: BTreeMap<u32, Conversation>,
    /// A sign of life was asked for at this time.
    probed: Option<Instant>,
}

impl Pump {
    pub(super) fn new(link: Link, orders: Receiver<Order>, bell: Arc<EventFd>) -> Self {
        link.ssh.set_keepalive(true, 2); // less is refused; it is sent when `probe` says so alone
        Self { link, orders, bell, conversations: BTreeMap::new(), probed: None }
    }

    /// Works until the session is over, then tells everybody who waits, and last `on_lost`, unless asked to stop.
    pub(super) fn work(mut self, on_lost: impl FnOnce(String)) {
        let stop = loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => {
                    if let Err(e) = self.wait() {
                        break Stop::Lost(format!("waiting for the host failed: {e}"));
                    }
                }
                Err(stop) => break stop,
            }
        };
        let why = match &stop {
            Stop::Asked => "the controller ended the session",
            Stop::Lost(why) => why,
        };
        for (_, mut conversation) in std::mem::take(&mut self.conversations) {
            conversation.give_up(conversation.lost(why));
        }
        match stop {
            Stop::Asked => self.farewell(),
            Stop::Lost(why) => {
                drop(self);
                on_lost(why);
            }
        }
    }

    /// One round over everything. True: something got on, so that another round may get on too.
    fn turn(&mut self) -> Result<bool, Stop> {
        if !take_orders(&self.orders, &mut self.conversations, Conversation::new) {
            return Err(Stop::Asked);
        }
        let lost = |e: std::io::Error| Stop::Lost(format!("the way to libssh2 failed: {e}"));
        let mut moved = self.link.transport.carry().map_err(lost)?;
        // libssh2 opens one channel at a time: its state for that is the session's, not the channel's.
        let mut opening = self.in_haste().is_some();
        for conversation in self.conversations.values_mut() {
            if conversation.opening() && std::mem::replace(&mut opening, true) {
                continue;
            }
            moved |= conversation.advance(&mut self.link).map_err(Stop::Lost)?;
        }
        self.conversations.retain(|_, conversation| !conversation.over());
        moved |= self.link.transport.carry().map_err(lost)?;
        // Every conversation reads for all of them; without one, nobody does.
        moved |= !self.conversations.is_empty() && self.link.transport.unread();
        if !moved && let Some(why) = self.link.transport.ended() {
            return Err(Stop::Lost(why.to_owned()));
        }
        self.watch_time()?;
        Ok(moved)
    }

    /// Until when no channel is to be opened, because a command may end meanwhile and the host's server does not bear that.
    fn in_haste(&self) -> Option<Instant> {
        let now = Instant::now();
        let ends = self.conversations.values().filter_map(Conversation::may_end_until).filter(|end| *end > now);
        ends.max().filter(|_| self.link.hasty)
    }

    /// Ends what is overdue, and the session if the host is silent.
    fn watch_time(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        let heard = self.link.transport.heard();
        let silent_since = |asked: Instant| heard.is_none_or(|heard| heard < asked);
        let silent = |asked: Instant| {
            let silence = now.duration_since(asked);
            (silence >= SILENCE && silent_since(asked))
                .then(|| Stop::Lost(format!("the host has been silent for {:.1} s", silence.as_secs_f64())))
        };
        if let Some(asked) = self.probed {
            if let Some(lost) = silent(asked) {
                return Err(lost);
            }
            if !silent_since(asked) {
                self.probed = None;
            }
        }
        let mut overdue = false;
        for conversation in self.conversations.values_mut() {
            if conversation.deadline().is_some_and(|deadline| deadline <= now) {
                if let Some(lost) = silent(conversation.asked()) {
                    return Err(lost);
                }
                conversation.give_up(conversation.overdue());
                overdue = true;
            }
        }
        if overdue && self.probed.is_none() {
            self.probe()?;
        }
        Ok(())
    }

    /// Asks the host for a sign of life; any byte will do. The command is late: is it the command, or the host?
    fn probe(&mut self) -> Result<(), Stop> {
        self.link
            .call(|ssh| ssh.keepalive_send())
            .map_err(|e| Stop::Lost(format!("SSH could not ask for a sign of life: {}", e.message())))?;
        self.probed = Some(Instant::now());
        Ok(())
    }

    /// Waits until the host or a caller has something to say, or a deadline passes.
    fn wait(&mut self) -> Result<(), Errno> {
        let probe = self.probed.map(|asked| asked + SILENCE);
        let haste = self.in_haste().filter(|_| self.conversations.values().any(Conversation::opening));
        let next = self.conversations.values().filter_map(Conversation::deadline).chain(probe).chain(haste).min();
        let timeout = match next {
            None => PollTimeout::NONE,
            Some(next) => {
                let left = next.saturating_duration_since(Instant::now());
                // Rounded up: waking a moment too early would be a busy loop.
                PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut fds = [self.link.transport.awaited(), PollFd::new(self.bell.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) | Ok(_) => {}
            Err(e) => return Err(e),
        }
        if fds[1].any() == Some(true) {
            self.bell.read()?;
        }
        Ok(())
    }

    /// Says goodbye, as far as that goes without waiting.
    fn farewell(mut self) {
        let _ = self.link.call(|ssh| ssh.disconnect(None, "the run is over", None));
        let _ = self.link.transport.carry();
    }
}
