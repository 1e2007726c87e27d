//! Two runs beside each other: what happened in both, and where they part.
//!
//! Times, ports, process ids and sequence numbers differ from run to run and say nothing. What is compared is the order of
//! *kinds* of events (`data`, `RST`, `read: ECONNRESET`), in [`Strand`]s within which an order is no accident: what one end of
//! a connection put on the wire, what one kernel did with it, what became of a host. Left out is
//! what time alone decides: whether an acknowledgement travels alone or with data, whether a segment that was delivered is sent
//! again before its acknowledgement comes, how often the same comes in a row (a retransmission, a byte stream cut into reads), and whether a
//! signal found another of its kind waiting.
//!
//! Knows timelines and verdicts, nothing of machines.

mod connections;
mod kinds;
mod strands;
#[cfg(test)]
mod tests;

pub use strands::{Item, Strand, strands};

use crate::judge::{Judged, Outcome};
use crate::timeline::Event;
use serde::Serialize;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::BTreeMap;

/// One of the two runs.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What it came to.
    pub outcome: Outcome,
    /// Its expectations.
    pub judged: &'a [Judged],
    /// What happened.
    pub timeline: &'a [Event],
}

/// What two runs have in common, and where they part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What they came to.
    pub outcomes: [Outcome; 2],
    /// Each expectation that either has, and whether it held in them: none where it is not there or could not be judged.
    pub expectations: Vec<Claimed>,
    /// Each strand that either has.
    pub strands: Vec<Compared>,
}

/// An expectation in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claimed {
    /// Its name.
    pub name: String,
    /// Whether it held.
    pub held: [Option<bool>; 2],
    /// By what that was seen.
    pub why: [String; 2],
    /// What was measured, where it leaves several outcomes open. Runs that differ in it may be the same all the same.
    pub values: [Option<String>; 2],
}

/// A strand in two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What happened in it, aligned: in both, or in one alone.
    pub rows: Vec<[Option<Item>; 2]>,
}

impl Compared {
    /// Whether it is the same in both.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.rows.iter().all(|[one, other]| one.is_some() && other.is_some())
    }
}

/// Whether a run came out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// The same outcome, the same verdicts, the same kinds of events in the same order.
    Reproduced,
    /// Something of that differs.
    NotReproduced,
    /// One of the two labs broke: nothing can be said.
    Unknown,
}

impl Comparison {
    /// Compares two runs.
    #[must_use]
    pub fn new(one: &Side<'_>, other: &Side<'_>) -> Self {
        Self {
            outcomes: [one.outcome, other.outcome],
            expectations: claimed(one.judged, other.judged),
            strands: aligned(&strands(one.timeline), &strands(other.timeline)),
        }
    }

    /// Whether the second run is the first one again.
    #[must_use]
    pub fn again(&self) -> Again {
        let judged = |outcome: &Outcome| matches!(outcome, Outcome::Pass | Outcome::Fail);
        if !self.outcomes.iter().all(judged) {
            Again::Unknown
        } else if self.is_same() {
            Again::Reproduced
        } else {
            Again::NotReproduced
        }
    }

    /// Whether nothing that is compared differs.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.same_verdicts() && self.strands.iter().all(Compared::is_same)
    }

    /// Whether the outcome and what became of each expectation are the same.
    #[must_use]
    pub fn same_verdicts(&self) -> bool {
        self.outcomes[0] == self.outcomes[1] && self.expectations.iter().all(|it| it.held[0] == it.held[1])
    }
}

/// The first run's expectations in its order, then those that only the second has.
fn claimed(one: &[Judged], other: &[Judged]) -> Vec<Claimed> {
    let mut names: Vec<&str> = Vec::new();
    for judged in one.iter().chain(other) {
        if !names.contains(&judged.name.as_str()) {
            names.push(&judged.name);
        }
    }
    let claim = |name: &str| {
        let found = [one, other].map(|run| run.iter().find(|judged| judged.name == name));
        Claimed {
            name: name.to_owned(),
            held: found.map(|judged| judged.and_then(|it| it.held)),
            why: found.map(|judged| judged.map(|it| it.why.clone()).unwrap_or_default()),
            values: found.map(|judged| judged.and_then(|it| it.value.clone())),
        }
    };
    names.into_iter().map(claim).collect()
}

/// Strands of the same name side by side, in the order of the first run.
fn aligned(one: &[Strand], other: &[Strand]) -> Vec<Compared> {
    let others: BTreeMap<&str, &Strand> = other.iter().map(|strand| (strand.name.as_str(), strand)).collect();
    let known: BTreeMap<&str, &Strand> = one.iter().map(|strand| (strand.name.as_str(), strand)).collect();
    let both = one.iter().map(|strand| {
        let other = others.get(strand.name.as_str()).map_or(&[][..], |it| &it.items);
        Compared { name: strand.name.clone(), rows: rows(&strand.items, other) }
    });
    let only_other = other.iter().filter(|strand| !known.contains_key(strand.name.as_str()));
    both.chain(only_other.map(|strand| Compared { name: strand.name.clone(), rows: rows(&[], &strand.items) }))
        .collect()
}

/// Items of the same kind beside each other, so that as many as can be are.
fn rows(one: &[Item], other: &[Item]) -> Vec<[Option<Item>; 2]> {
    let kinds = |items: &[Item]| items.iter().map(|item| item.kind.clone()).collect::<Vec<_>>();
    let mut rows = Vec::new();
    for operation in capture_diff_slices(Algorithm::Myers, &kinds(one), &kinds(other)) {
        let (left, right) = (&one[operation.old_range()], &other[operation.new_range()]);
        if matches!(operation, DiffOp::Equal { .. }) {
            rows.extend(left.iter().zip(right).map(|(a, b)| [Some(a.clone()), Some(b.clone())]));
        } else {
            rows.extend(left.iter().map(|it| [Some(it.clone()), None]));
            rows.extend(right.iter().map(|it| [None, Some(it.clone())]));
        }
    }
    rows
}
