//! What the ladder shows: marks, in words, before anything has a place.

use super::super::style::Paint;
use crate::timeline::LabTime;

/// One thing on the ladder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) at: LabTime,
    /// Which event of the timeline it stands for, from 0; the first, if it stands for several.
    pub(super) event: usize,
    /// Whose it is, for the filter; none if it is nobody's alone.
    pub(super) host: Option<usize>,
    pub(super) kind: Kind,
    pub(super) paint: Paint,
    pub(super) what: Shape,
}

/// What a mark looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A point on a lane, with a text.
    Note {
        lane: usize,
        /// Who did it, where the lane does not say it already.
        who: String,
        text: String,
    },
    /// A frame, from one kernel's lane to another's.
    Arrow(Arrow),
    /// A band across all lanes: something happened to a host, and how that is known.
    Band { head: String, proof: String },
    /// Something that belongs to no lane: background frames, and what was left out.
    Across(String),
}

/// A frame between two lanes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Arrow {
    pub(super) number: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    /// From whom to whom, where the lanes are not named: "client → server".
    pub(super) way: String,
    /// Ways to name it, the fullest first.
    pub(super) names: Vec<String>,
    pub(super) fate: Fate,
}

/// Where an arrow ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    /// It arrives, and was held back on the way.
    Late,
    /// A rule of the cable dropped it.
    Cut,
    /// There was nobody to get it.
    Lost,
}

/// What a mark is about, for the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Call,
    State,
    Segment,
    Process,
    Said,
    Host,
    Background,
    /// What the controller did.
    Step,
}

impl Kind {
    /// Those that can be filtered, in the order in which the filter offers them. Steps are always shown: they are the chapters.
    pub(super) const FILTERED: [Kind; 7] =
        [Kind::Segment, Kind::State, Kind::Call, Kind::Process, Kind::Said, Kind::Host, Kind::Background];

    /// In letters that can stand in an id and a class.
    pub(super) fn id(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::State => "state",
            Kind::Segment => "segment",
            Kind::Process => "process",
            Kind::Said => "said",
            Kind::Host => "host",
            Kind::Background => "background",
            Kind::Step => "step",
        }
    }

    /// As a reader says it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Call => "system calls",
            Kind::State => "TCP states",
            Kind::Segment => "segments",
            Kind::Process => "signals and processes",
            Kind::Said => "typed and printed",
            Kind::Host => "host events",
            Kind::Background => "background frames",
            Kind::Step => "steps",
        }
    }
}
