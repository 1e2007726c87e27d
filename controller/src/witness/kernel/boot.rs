//! What was recorded of one boot, before it has its place on the lab's clock.

use super::clock::{Bound, Source};
use crate::timeline::{KernelEvent, LabTime};
use deadpeer_guest::recorder::is_hosts_own;

/// A frame as the guest's kernel told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GuestFrame {
    /// When, on the guest's clock.
    pub(super) at: u64,
    /// The link.
    pub(super) link: u8,
    /// Bytes.
    pub(super) length: u32,
}

/// What was recorded of one boot.
#[derive(Debug, Clone, Default)]
pub(super) struct Boot {
    /// The kernel's id of it, and its release.
    pub(super) boot_id: String,
    pub(super) release: String,
    /// When its first record was read, on the lab's clock.
    pub(super) seen: LabTime,
    /// What it reads its clock from; nothing, if it did not say.
    pub(super) clock_source: String,
    /// What was told of it. Times are the guest's.
    pub(super) events: Vec<KernelEvent>,
    /// Frames handed to network cards: when, and how long.
    pub(super) sent: Vec<GuestFrame>,
    /// Frames that came from them.
    pub(super) received: Vec<GuestFrame>,
    /// How many trace events were read, and how many were lost.
    pub(super) traced: u64,
    pub(super) lost: u64,
    /// The guest time of the last one.
    pub(super) last: u64,
    /// Until when (guest time) everything was recorded.
    pub(super) drained: u64,
    /// The least that the lab's clock was ahead of the guest's whenever something had just been read: no more is possible.
    pub(super) ahead: Option<i64>,
    /// What could be read at what time, each saying how much the lab's clock is ahead at most.
    pub(super) heard: Vec<Bound>,
    /// What the guest was told of the lab's clock, each saying how much that is ahead at least.
    pub(super) told: Vec<Bound>,
    /// What went wrong with this kernel: an event or a setting, and why.
    pub(super) problems: Vec<(String, String)>,
    /// It has described a system call.
    pub(super) describes_calls: bool,
}

impl Boot {
    /// What its clock goes by in real time.
    pub(super) fn clock(&self) -> Source {
        if is_hosts_own(&self.clock_source) { Source::Hosts } else { Source::Other }
    }
}
