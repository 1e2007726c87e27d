//! Waits for machines that are under way in such a way that the last of them loses no time.
//!
//! A thread that sleeps is woken tens of microseconds late, and there are a thousand boundaries in a busy second. So who waits for the last
//! machine stays awake for a while, on the processor that the others have left. Not for long: where other labs want that processor, it is
//! theirs. (Giving way to them each time, by sched_yield(2), costs milliseconds: until their turn is over.)

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

/// How long the last machine is waited for awake.
const AWAKE: Duration = Duration::from_micros(100);

/// How long the others are waited for here, in milliseconds. Who reads then waits on.
const ASLEEP: u16 = 5;

/// Waits until something can be read from all of these, or longer would do no good.
pub(super) fn until_the_last_comes<'a>(sockets: impl Iterator<Item = BorrowedFd<'a>>) {
    let mut awaited: Vec<_> = sockets.map(|socket| PollFd::new(socket, PollFlags::POLLIN)).collect();
    let mut alone_since = None;
    while !awaited.is_empty() {
        let timeout = if awaited.len() > 1 { PollTimeout::from(ASLEEP) } else { PollTimeout::ZERO };
        if poll(&mut awaited, timeout) == Ok(0) && awaited.len() > 1 {
            return;
        }
        awaited.retain(|it| it.revents().is_none_or(|came| came.is_empty()));
        if awaited.len() == 1 {
            let since = *alone_since.get_or_insert_with(Instant::now);
            if since.elapsed() > AWAKE {
                return;
            }
            std::hint::spin_loop();
        }
    }
}
