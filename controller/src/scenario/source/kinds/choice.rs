//! Fields that hold one of a few words.

use super::{Kind, Wrong};
use crate::scenario::model::{Init, SegmentKind, Time};
use crate::scenario::names;
use schemars::{Schema, json_schema};

/// One of a few words.
pub(crate) trait Choice: Sized + Clone + 'static {
    /// What it is, as errors name it: "a kind of segment".
    const WHAT: &'static str;

    /// The words, with what they mean.
    const WORDS: &'static [(&'static str, Self)];
}

impl<C: Choice> Kind for C {
    type Value = C;
    const WHAT: &'static str = C::WHAT;

    fn schema() -> Schema {
        let words: Vec<&str> = C::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }

    fn read(text: &str) -> Result<C, Wrong> {
        if let Some((_, value)) = C::WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        let words: Vec<&str> = C::WORDS.iter().map(|(word, _)| *word).collect();
        let help = match names::nearest(text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("one of {}", names::listed(&words)),
        };
        Err(Wrong::new(format!("{text:?} is not {}", C::WHAT), "unknown").help(help))
    }
}

impl Choice for Init {
    const WHAT: &'static str = "an init";
    const WORDS: &'static [(&'static str, Self)] = &[("sysvinit", Init::Sysvinit), ("systemd", Init::Systemd)];
}

impl Choice for Time {
    const WHAT: &'static str = "a time that a lab can live on";
    const WORDS: &'static [(&'static str, Self)] = &[("real", Time::Real), ("lockstep", Time::Lockstep)];
}

impl Choice for SegmentKind {
    const WHAT: &'static str = "a kind of segment";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("tcp", SegmentKind::Tcp),
        ("syn", SegmentKind::Syn),
        ("syn-ack", SegmentKind::SynAck),
        ("data", SegmentKind::Data),
        ("pure-ack", SegmentKind::PureAck),
        ("fin", SegmentKind::Fin),
        ("rst", SegmentKind::Rst),
        ("retransmission", SegmentKind::Retransmission),
        ("icmp", SegmentKind::Icmp),
        ("arp", SegmentKind::Arp),
    ];
}

/// What a rule is for: a kind of segment, or `all` frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct KindOrAll(pub(crate) Option<SegmentKind>);

impl Choice for KindOrAll {
    const WHAT: &'static str = "`all` or a kind of segment";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("all", KindOrAll(None)),
        ("tcp", KindOrAll(Some(SegmentKind::Tcp))),
        ("syn", KindOrAll(Some(SegmentKind::Syn))),
        ("syn-ack", KindOrAll(Some(SegmentKind::SynAck))),
        ("data", KindOrAll(Some(SegmentKind::Data))),
        ("pure-ack", KindOrAll(Some(SegmentKind::PureAck))),
        ("fin", KindOrAll(Some(SegmentKind::Fin))),
        ("rst", KindOrAll(Some(SegmentKind::Rst))),
        ("retransmission", KindOrAll(Some(SegmentKind::Retransmission))),
        ("icmp", KindOrAll(Some(SegmentKind::Icmp))),
        ("arp", KindOrAll(Some(SegmentKind::Arp))),
    ];
}

/// What became of a boot id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootId {
    Changed,
    Kept,
}

impl Choice for BootId {
    const WHAT: &'static str = "what became of a boot id";
    const WORDS: &'static [(&'static str, Self)] = &[("changed", BootId::Changed), ("kept", BootId::Kept)];
}

/// What became of a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Lost,
    Kept,
}

impl Choice for Carrier {
    const WHAT: &'static str = "what became of a carrier";
    const WORDS: &'static [(&'static str, Self)] = &[("lost", Carrier::Lost), ("kept", Carrier::Kept)];
}

/// A Debian suite that has a kernel of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Suite(pub(crate) &'static str);

impl Choice for Suite {
    const WHAT: &'static str = "a Debian suite whose kernel can be had";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("bullseye", Suite("bullseye")),
        ("bookworm", Suite("bookworm")),
        ("trixie", Suite("trixie")),
        ("sid", Suite("sid")),
    ];
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Truth;

impl Kind for Truth {
    type Value = bool;
    const WHAT: &'static str = "`true` or `false`";

    fn schema() -> Schema {
        json_schema!({ "type": "boolean" })
    }

    fn read(text: &str) -> Result<bool, Wrong> {
        text.parse().map_err(|_| Wrong::new(format!("{text:?} is neither `true` nor `false`"), "one of the two"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_the_model_is_written_with() {
        for (word, kind) in SegmentKind::WORDS {
            assert_eq!(serde_json::to_value(kind).unwrap(), *word);
            assert_eq!(kind.word(), *word);
            assert_eq!(KindOrAll::read(word).unwrap(), KindOrAll(Some(*kind)));
        }
        for (word, init) in Init::WORDS {
            assert_eq!(serde_json::to_value(init).unwrap(), *word);
        }
        assert_eq!(KindOrAll::WORDS.len(), SegmentKind::WORDS.len() + 1);
    }
}
