//! Which events decided what: from an expectation to its marks, and back.

use super::proof;
use crate::judge::{Evidence, Judged};
use crate::timeline::{Event, LabTime, MachineEvent, What};
use std::collections::{BTreeMap, HashSet};

/// The events that decided expectations, each with the expectations that it decided.
pub(super) struct Proofs<'a> {
    timeline: &'a [Event],
    marked: &'a HashSet<usize>,
    by_event: BTreeMap<usize, Vec<&'a Judged>>,
}

impl<'a> Proofs<'a> {
    /// `marked` are the events that have a mark on the ladder.
    pub(super) fn of(expectations: &'a [Judged], timeline: &'a [Event], marked: &'a HashSet<usize>) -> Self {
        let mut proofs = Self { timeline, marked, by_event: BTreeMap::new() };
        for judged in expectations {
            for event in judged.evidence.iter().filter_map(|evidence| proofs.event(evidence)).collect::<Vec<_>>() {
                let known = proofs.by_event.entry(event).or_default();
                if !known.iter().any(|other| other.name == judged.name) {
                    known.push(judged);
                }
            }
        }
        proofs
    }

    /// The event that this evidence is, from 0: the frame of that number, or what was witnessed at that time.
    pub(super) fn event(&self, evidence: &Evidence) -> Option<usize> {
        let first = self.timeline.partition_point(|event| event.at < evidence.at);
        let then = self.timeline.iter().enumerate().skip(first).take_while(|(_, event)| event.at == evidence.at);
        let mut fitting = then.filter(|(_, event)| match &event.what {
            What::Wire(frame) => evidence.frame == Some(frame.number),
            What::Step { .. } => false,
            _ => evidence.frame.is_none(),
        });
        fitting.next().map(|(number, _)| number)
    }

    /// Where to look at an event: at its mark on the ladder, or at its row in the table if it has none.
    pub(super) fn place(&self, event: usize) -> String {
        format!("#{}{event}", if self.marked.contains(&event) { "m" } else { "e" })
    }

    /// The expectations that an event decided.
    pub(super) fn expectations(&self, event: usize) -> &[&'a Judged] {
        self.by_event.get(&event).map_or(&[], Vec::as_slice)
    }

    /// What was seen that decided anything, and what happened to hosts, in the order of time: the event, when, and its words.
    pub(super) fn story(&self, expectations: &'a [Judged]) -> Vec<(usize, LabTime, String)> {
        let decisive = expectations.iter().flat_map(|judged| &judged.evidence);
        let mut story: Vec<(usize, LabTime, String)> =
            decisive.filter_map(|it| Some((self.event(it)?, it.at, it.text.clone()))).collect();
        if !story.is_empty() {
            story.extend(self.timeline.iter().enumerate().filter_map(|(number, event)| match &event.what {
                What::Machine { host, event: done } if ends(done) => {
                    proof::told(host, done, None).map(|(head, ..)| (number, event.at, head))
                }
                _ => None,
            }));
        }
        story.sort_by_key(|(event, ..)| *event);
        story.dedup_by_key(|(event, ..)| *event);
        story
    }
}

/// Whether it is the end of a host, or of its link.
fn ends(event: &MachineEvent) -> bool {
    !matches!(
        event,
        MachineEvent::PoweredOn { .. }
            | MachineEvent::Booted { .. }
            | MachineEvent::Carrier { .. }
            | MachineEvent::ControlLost { .. }
    )
}
