//! What a lab in lockstep said from its first moment on, as it was heard: what a checkpoint keeps beside the machines.
//!
//! To restore a lab is to hear it again: frames go through the same switch, lines to the same ears, at the same times. So capture, timeline
//! and all that was concluded on the way are what they were, and nothing of them need be saved.

use crate::error::{Context, Result};
use crate::time::lockstep::OwnClock;
use crate::timeline::LabTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that was heard, and when it was when that ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// The boundary at which the lab was saved.
    pub(super) now: LabTime,
    /// Where each machine stood then.
    pub(super) clocks: BTreeMap<String, OwnClock>,
    /// The boundaries at which something was heard, in order.
    pub(super) entries: Vec<Entry>,
}

/// What was heard at a boundary.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) at: LabTime,
    /// The frames that came to the switch, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) frames: Vec<Frame>,
    /// By host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) heard: BTreeMap<String, Heard>,
}

/// A frame that a host sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Frame {
    pub(super) host: String,
    pub(super) nic: u8,
    pub(super) at: LabTime,
    #[serde(with = "latin")]
    pub(super) bytes: Vec<u8>,
}

/// What a host said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Heard {
    /// What it wrote on its console.
    #[serde(with = "latin", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) console: Vec<u8>,
    /// How many records had been read in its flight recorder by then.
    #[serde(default)]
    pub(super) records: u64,
}

impl Journal {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).broken(|| "cannot write down what the lab said".to_owned())
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).broken(|| "cannot read what the lab said".to_owned())
    }
}

/// Bytes as text, a character for each: most of them are text.
mod latin {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        text.chars().map(|c| u8::try_from(c).map_err(D::Error::custom)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let frame = Frame { host: "client".into(), nic: 1, at: LabTime(7), bytes: all.clone() };
        let heard = BTreeMap::from([("client".to_owned(), Heard { console: all, records: 3 })]);
        let journal = Journal {
            now: LabTime(9),
            clocks: BTreeMap::from([("client".to_owned(), OwnClock { now: 9, ahead: u64::MAX })]),
            entries: vec![Entry { at: LabTime(8), frames: vec![frame], heard }],
        };
        let bytes = journal.to_bytes().unwrap();
        assert_eq!(Journal::of_bytes(&bytes).unwrap(), journal);
        assert!(Journal::of_bytes(&bytes[1..]).unwrap_err().fact.starts_with("cannot read what the lab said"));
        assert!(Journal::of_bytes(br#"{"now":0,"clocks":{},"entries":[],"more":1}"#).is_err());
    }
}
