//! What a result says of hosts and frames, taken from the timeline.

use super::result::{Frames, HostResult};
use crate::scenario::Scenario;
use crate::timeline::{Event, FrameKind, MachineEvent, Segment, What};
use indexmap::IndexMap;

/// The kinds by which frames are counted, in the order in which a result lists them.
const KINDS: [&str; 11] =
    ["syn", "syn-ack", "data", "pure-ack", "retransmission", "fin", "rst", "tcp", "icmp", "arp", "other"];

impl Frames {
    /// The frames of `timeline`, counted. Kinds that did not come are left out.
    #[must_use]
    pub fn of(timeline: &[Event]) -> Self {
        let kinds: Vec<&str> = timeline
            .iter()
            .filter_map(|event| match &event.what {
                What::Wire(frame) => Some(kind(&frame.kind)),
                _ => None,
            })
            .collect();
        let count = |kind: &str| kinds.iter().filter(|k| **k == kind).count() as u64;
        let by_kind = KINDS.iter().map(|kind| ((*kind).to_owned(), count(kind))).filter(|(_, n)| *n > 0).collect();
        Self { total: kinds.len() as u64, by_kind }
    }
}

/// The one kind that says most of a frame.
fn kind(kind: &FrameKind) -> &'static str {
    match kind {
        FrameKind::Tcp(segment) => segment_kind(segment),
        FrameKind::Icmp { .. } => "icmp",
        FrameKind::Arp { .. } => "arp",
        FrameKind::Other { .. } => "other",
    }
}

fn segment_kind(segment: &Segment) -> &'static str {
    let flags = segment.flags;
    match () {
        () if flags.rst => "rst",
        () if segment.retransmission => "retransmission",
        () if flags.syn && flags.ack => "syn-ack",
        () if flags.syn => "syn",
        () if flags.fin => "fin",
        () if segment.length > 0 => "data",
        () if flags.ack => "pure-ack",
        () => "tcp",
    }
}

/// The hosts of `scenario` with their boots in `timeline`.
#[must_use]
pub fn hosts(scenario: &Scenario, timeline: &[Event]) -> IndexMap<String, HostResult> {
    let of = |name: &String| boots(timeline, name).map(|(id, _)| id.to_owned()).collect();
    let host = |(name, host): (&String, &crate::scenario::Host)| {
        let addresses = host.addresses.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect();
        (name.clone(), HostResult { boot_ids: of(name), init: host.init(), addresses, image: None, boxed: None })
    };
    scenario.hosts.iter().map(host).collect()
}

/// The kernel of each host's last boot in `timeline`.
#[must_use]
pub fn guest_kernels(scenario: &Scenario, timeline: &[Event]) -> IndexMap<String, String> {
    let last = |name: &String| boots(timeline, name).last().map(|(_, kernel)| (name.clone(), kernel.to_owned()));
    scenario.hosts.keys().filter_map(last).collect()
}

fn boots<'a>(timeline: &'a [Event], name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    timeline.iter().filter_map(move |event| match &event.what {
        What::Machine { host, event: MachineEvent::Booted { boot_id, kernel } } if host == name => {
            Some((boot_id.as_str(), kernel.as_str()))
        }
        _ => None,
    })
}
