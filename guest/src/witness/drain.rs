//! Copies what the kernel traced to the flight recorder, as soon as may be and as cheaply.
//!
//! What costs is to look, not to trace: under emulation a look takes a millisecond, found or not. And to be woken by
//! the first event after a silence would cost the traced program most: in the midst of what it does. So the witness looks by the
//! clock. What a power cut can catch unread is what happened since the last look.
//!
//! Frames are traced to set the guest's clock by. A clock that is the host's own is set when the host has seen enough of
//! them; the rest would only slow what is watched.

use super::{Pace, cpus, events, page_size, problem, tracefs};
use crate::recorder::{Instance, Record, Writer, is_hosts_own};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::AddAssign;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// From one look to the next. An emulated guest traces 35 MB a second when it does nothing but system calls: a buffer
/// ([`super::setup`]) holds more than comes meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// [`Pace::ByEvents`]: how long what comes after the first event is waited for, and how often it says so when nothing happens, in
/// milliseconds.
const GATHER: Duration = Duration::from_millis(12);
const SIGN_OF_LIFE: u16 = 1000;

/// After a look that found this many pages, the next one is as soon as may be.
const BUSY: usize = 64;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// The kernel's counters are read at most this often, unless a page says that events were lost before it.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// Pages that are copied from one buffer before the others have their turn: more than a buffer holds.
const AT_ONCE: usize = 1024;

/// A trace buffer: of one instance, for one processor.
struct Buffer {
    instance: Instance,
    cpu: u32,
    pages: File,
    stats: PathBuf,
    /// The counters as last recorded.
    told: String,
}

/// Copies until something fails; that is returned. The kernel reads its clock from `clock_source`.
pub(super) fn drain(root: &Path, clock_source: &str, pace: Pace, writer: &mut Writer<'_>) -> io::Error {
    let Err(error) = try_drain(root, clock_source, pace, writer);
    error
}

fn try_drain(root: &Path, clock_source: &str, pace: Pace, writer: &mut Writer<'_>) -> io::Result<Infallible> {
    let layout = Layout::read(root)?;
    let mut buffers = Vec::new();
    for instance in Instance::ALL {
        for cpu in 0..cpus() {
            let folder = tracefs::folder(root, instance).join(format!("per_cpu/cpu{cpu}"));
            let nonblocking = nix::libc::O_NONBLOCK;
            let pages = OpenOptions::new().read(true).custom_flags(nonblocking).open(folder.join("trace_pipe_raw"))?;
            buffers.push(Buffer { instance, cpu, pages, stats: folder.join("stats"), told: String::new() });
        }
    }
    let mut page = vec![0; page_size() as usize];
    let mut counted = Instant::now();
    let mut last_told = None;
    let mut frames_may_end = is_hosts_own(clock_source);
    loop {
        // The host's clock first, then ours, and both before the buffers are looked into: what happens meanwhile may or may
        // not be found.
        let told = writer.host_clock();
        let until = boot_time()?;
        if let Some(host) = told.filter(|_| told != last_told) {
            last_told = told;
            writer.append(&Record::Clock { host, guest: until }).map_err(io::Error::other)?;
        }
        let mut found = Copied::default();
        for buffer in &mut buffers {
            found += copy(buffer, &mut page, &layout, writer)?;
        }
        if !found.more {
            writer.append(&Record::Drained { until }).map_err(io::Error::other)?;
        }
        if found.gap || counted.elapsed() >= COUNTERS_EVERY {
            counted = Instant::now();
            buffers.iter_mut().try_for_each(|buffer| count(buffer, writer))?;
        }
        if frames_may_end && writer.frames_suffice() {
            frames_may_end = false;
            end_frames(root, writer)?;
        }
        match pace {
            _ if found.pages >= BUSY => sleep(BUSY_PAUSE),
            Pace::ByTheClock => sleep(PAUSE),
            Pace::ByEvents => await_events(&buffers)?,
        }
    }
}

/// Waits until something was traced and some more may have been, or for a while.
fn await_events(buffers: &[Buffer]) -> io::Result<()> {
    let mut waited: Vec<_> = buffers.iter().map(|it| PollFd::new(it.pages.as_fd(), PollFlags::POLLIN)).collect();
    if poll(&mut waited, PollTimeout::from(SIGN_OF_LIFE))? > 0 {
        sleep(GATHER);
    }
    Ok(())
}

/// Has the kernel trace no more frames.
fn end_frames(root: &Path, writer: &mut Writer<'_>) -> io::Result<()> {
    for name in events::FRAMES {
        let file = tracefs::folder(root, Instance::Host).join("events").join(name).join("enable");
        if let Err(error) = tracefs::add(&file, "0") {
            writer.append(&problem(name, &error)).map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// What came of copying.
#[derive(Debug, Default, Clone, Copy)]
struct Copied {
    /// So many pages.
    pages: usize,
    /// Something may still be there.
    more: bool,
    /// The kernel says that events were lost.
    gap: bool,
}

impl AddAssign for Copied {
    fn add_assign(&mut self, other: Self) {
        *self = Self { pages: self.pages + other.pages, more: self.more | other.more, gap: self.gap | other.gap };
    }
}

/// Copies what is in a buffer.
fn copy(buffer: &mut Buffer, page: &mut [u8], layout: &Layout, writer: &mut Writer<'_>) -> io::Result<Copied> {
    let mut copied = Copied::default();
    for _ in 0..AT_ONCE {
        let length = match buffer.pages.read(page) {
            Ok(0) => return Ok(copied),
            Ok(length) => length,
            Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(copied),
            Err(e) => return Err(e),
        };
        let (used, gap) = layout.used(&page[..length]);
        copied += Copied { pages: 1, more: false, gap };
        let record = Record::Page { instance: buffer.instance, cpu: buffer.cpu, bytes: page[..used].to_vec() };
        writer.append(&record).map_err(io::Error::other)?;
    }
    Ok(Copied { more: true, ..copied })
}

/// Records the kernel's counters of a buffer if they tell of a loss that was not told before.
fn count(buffer: &mut Buffer, writer: &mut Writer<'_>) -> io::Result<()> {
    let stats = tracefs::read(&buffer.stats)?;
    let losses = losses(&stats);
    if losses != buffer.told {
        let record = Record::Loss { instance: buffer.instance, cpu: buffer.cpu, stats };
        writer.append(&record).map_err(io::Error::other)?;
        buffer.told = losses;
    }
    Ok(())
}

/// The counters of losses that are not nought (kernel: kernel/trace/trace.c, `tracing_stats_read`).
fn losses(stats: &str) -> String {
    let kinds = ["overrun: ", "commit overrun: ", "dropped events: "];
    stats.lines().filter(|line| kinds.iter().any(|kind| line.starts_with(kind)) && !line.ends_with(": 0")).collect()
}

fn boot_time() -> io::Result<u64> {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?);
    u64::try_from(now.as_nanos()).map_err(io::Error::other)
}

/// Where in a page it says how much of it is used, as `events/header_page` tells.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    commit: usize,
    data: usize,
}

impl Layout {
    fn read(root: &Path) -> io::Result<Self> {
        let text = tracefs::read(&root.join("events/header_page"))?;
        Self::parse(&text)
            .ok_or_else(|| io::Error::other("the kernel does not describe the pages of its trace buffers"))
    }

    fn parse(text: &str) -> Option<Self> {
        let offset = |field: &str| {
            let line = text.lines().find(|line| line.contains(field))?;
            line.split("offset:").nth(1)?.split(';').next()?.trim().parse().ok()
        };
        Some(Self { commit: offset(" commit;")?, data: offset(" data;")? })
    }

    /// How much of a page to keep, and whether events are missing before it.
    ///
    /// Two bits of the length tell of missing events, and of their number standing behind the last one (kernel:
    /// kernel/trace/ring_buffer.c, `RB_MISSED_EVENTS` and `RB_MISSED_STORED`).
    fn used(&self, page: &[u8]) -> (usize, bool) {
        let Some(commit) = page.get(self.commit..self.commit + 4) else { return (page.len(), false) };
        let commit = u32::from_le_bytes([commit[0], commit[1], commit[2], commit[3]]);
        let (missed, stored) = (commit & 1 << 31 != 0, commit & 1 << 30 != 0);
        let used = self.data + (commit & ((1 << 27) - 1)) as usize + if stored { 8 } else { 0 };
        (used.min(page.len()), missed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Of Linux 6.12.
    const HEADER_PAGE: &str = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n\
                               \tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n\
                               \tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n\
                               \tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";

    #[test]
    fn only_the_used_part_of_a_page_is_kept() {
        let layout = Layout::parse(HEADER_PAGE).unwrap();
        assert_eq!(layout, Layout { commit: 8, data: 16 });
        let used = |commit: u32| {
            let mut page = vec![0; 4096];
            page[8..12].copy_from_slice(&commit.to_le_bytes());
            layout.used(&page)
        };
        assert_eq!(used(0), (16, false));
        assert_eq!(used(100), (116, false));
        assert_eq!(used(100 | 1 << 31), (116, true));
        assert_eq!(used(100 | 1 << 31 | 1 << 30), (124, true));
        assert_eq!(used(4080 | 1 << 31 | 1 << 30), (4096, true), "the number of missing events did not fit");
        assert_eq!(layout.used(&[0; 10]), (10, false));
        assert_eq!(Layout::parse("\tfield: u64 timestamp;\toffset:0;"), None);
    }

    #[test]
    fn counters_are_told_when_they_tell_of_a_loss() {
        let stats = "entries: 7\noverrun: 0\ncommit overrun: 0\nbytes: 420\ndropped events: 0\nread events: 12\n";
        assert_eq!(losses(stats), "");
        assert_eq!(losses(&stats.replace("overrun: 0", "overrun: 3")), "overrun: 3commit overrun: 3");
        assert_eq!(losses(&stats.replace("events: 0", "events: 10")), "dropped events: 10");
    }
}
