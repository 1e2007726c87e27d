//! The events that were told of one boot, in bounds.

use super::descriptors::Id;
use crate::timeline::{
    Call, CallResult, Connection, Descriptor, DescriptorKind, KernelEvent, KernelFact, LabTime, OUTPUTS_TOLD, Process,
};
use std::collections::HashMap;

/// More events than that of one boot are counted and not kept: some 100 MB of memory.
const AT_MOST: usize = 200_000;

/// Where events are lost that are too many to be kept.
const PLACE: &str = "the controller, which keeps 200,000 events of a boot";

/// What was told so far. Times are the guest's: [`Call::began`] and the beginning of a loss, too, until [`super::place`] maps them.
#[derive(Debug)]
pub(super) struct Told {
    host: String,
    events: Vec<KernelEvent>,
    /// Events that tell of a connection whose ends are not all known yet, by socket.
    incomplete: HashMap<Id, Vec<usize>>,
    outputs: HashMap<u32, u32>,
    /// Since when, and how many, events were not kept.
    dropped: Option<(u64, u64)>,
    /// Events before this one were fetched by [`Told::fresh`].
    fetched: usize,
}

impl Told {
    /// Nothing told yet, of `host`.
    pub(super) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            events: Vec::new(),
            incomplete: HashMap::new(),
            outputs: HashMap::new(),
            dropped: None,
            fetched: 0,
        }
    }

    /// Tells a fact.
    pub(super) fn tell(&mut self, at: u64, process: Option<Process>, fact: KernelFact) {
        if self.events.len() >= AT_MOST {
            self.dropped.get_or_insert((at, 0)).1 += 1;
            return;
        }
        if let (Some(Process { pid, .. }), KernelFact::Call(call)) = (&process, &fact)
            && matches!(
                call,
                Call { on: Some(Descriptor { kind: DescriptorKind::Output, .. }), result: CallResult::Returned(_), .. }
            )
        {
            let count = self.outputs.entry(*pid).or_default();
            *count += 1;
            if *count > OUTPUTS_TOLD {
                return;
            }
        }
        self.events.push(KernelEvent { host: self.host.clone(), guest_time: at, process, fact });
    }

    /// As [`Told::tell`], of a connection: if its ends are not all known, they are filled in by [`Told::completed`].
    pub(super) fn tell_of(&mut self, at: u64, process: Option<Process>, fact: KernelFact, socket: Id) {
        let index = self.events.len();
        self.tell(at, process, fact);
        if self.events.get_mut(index).and_then(|event| ends(&mut event.fact)).is_some_and(|ends| !is_complete(ends)) {
            self.incomplete.entry(socket).or_default().push(index);
        }
    }

    /// The ends of a socket's connection are known.
    pub(super) fn completed(&mut self, socket: Id, known: Connection) {
        if !is_complete(&known) {
            return;
        }
        for index in self.incomplete.remove(&socket).unwrap_or_default() {
            if let Some(ends) = self.events.get_mut(index).and_then(|event| ends(&mut event.fact)) {
                *ends = known;
            }
        }
    }

    /// The last event has been told. Those that were not kept are told as one loss.
    pub(super) fn end(&mut self, at: u64) {
        if let Some((since, events)) = self.dropped.take() {
            let fact = KernelFact::Lost { events, place: PLACE.to_owned(), since: LabTime(since) };
            self.events.push(KernelEvent { host: self.host.clone(), guest_time: at, process: None, fact });
        }
    }

    /// What was told since this was asked last.
    pub(super) fn fresh(&mut self) -> &[KernelEvent] {
        let from = std::mem::replace(&mut self.fetched, self.events.len());
        self.events.get(from..).unwrap_or_default()
    }

    /// Everything.
    pub(super) fn into_events(self) -> Vec<KernelEvent> {
        self.events
    }
}

/// The ends of the connection that a fact is about.
fn ends(fact: &mut KernelFact) -> Option<&mut Connection> {
    match fact {
        KernelFact::State { connection, .. } => Some(connection),
        KernelFact::Call(Call {
            on: Some(Descriptor { kind: DescriptorKind::Connection(connection), .. }), ..
        }) => Some(connection),
        _ => None,
    }
}

/// Both ports are known. (A listening socket has no remote end, and no [`Told::tell_of`].)
fn is_complete(ends: &Connection) -> bool {
    ends.local.port() != 0 && ends.remote.port() != 0
}
