//! The bricks of the file's types: fields that know whether and where they stand in the file.
//!
//! Scalars are kept as the text that stands in the file ([`Word`]) and read later, when everything that is wrong
//! with them can be told at once. Only the shape of the file (maps, lists, fields) is checked while parsing.

use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::kinds::Kind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_yaml::{Location, Spanned};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A field of a map, or an item of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Field<T> {
    /// It does not stand in the file.
    #[default]
    Absent,
    /// Its key stands there, but nothing follows.
    Empty(Span),
    /// It stands there.
    Given(T, Span),
}

impl<T> Field<T> {
    /// Where it stands, empty or not.
    pub(crate) fn span(&self) -> Option<&Span> {
        match self {
            Field::Absent => None,
            Field::Empty(span) | Field::Given(_, span) => Some(span),
        }
    }

    /// True if nothing of it stands in the file.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Field::Absent)
    }

    /// The value. A key without a value is a problem: `what` says what is missing.
    pub(crate) fn given(&self, what: &str, problems: &mut Problems) -> Option<(&T, &Span)> {
        match self {
            Field::Absent => None,
            Field::Empty(span) => {
                problems.add(Problem::at(span, format!("{what} is missing")).label("nothing stands here"));
                None
            }
            Field::Given(value, span) => Some((value, span)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Option<T>>::deserialize(deserializer)?;
        let span = bytes(spanned.referenced);
        Ok(match spanned.value {
            Some(value) => Field::Given(value, span),
            None => Field::Empty(span),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A scalar, as the text that stands in the file; `K` says what it shall mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Word<K>(String, PhantomData<K>);

impl<K> Word<K> {
    /// A scalar with this text.
    pub(super) fn new(text: String) -> Self {
        Self(text, PhantomData)
    }
}

impl<K: Kind> Word<K> {
    /// What the word at `span` means. None if it means nothing, which is then among the problems.
    pub(crate) fn read(&self, span: &Span, problems: &mut Problems) -> Option<K::Value> {
        K::read(&self.0).map_err(|wrong| problems.add(wrong.at(span))).ok()
    }
}

impl<'de, K> Deserialize<'de> for Word<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Word::new)
    }
}

impl<K: Kind> JsonSchema for Word<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        K::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        K::schema()
    }
}

/// A field with a scalar.
pub(crate) type Value<K> = Field<Word<K>>;

impl<K> Value<K> {
    /// The text that stands in the file.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Field::Given(word, _) => Some(&word.0),
            _ => None,
        }
    }
}

impl<K: Kind> Value<K> {
    /// What it means. None if it is absent, or if it means nothing, which is then among the problems.
    pub(crate) fn read(&self, problems: &mut Problems) -> Option<K::Value> {
        let (word, span) = self.given(K::WHAT, problems)?;
        word.read(span, problems)
    }
}

/// A list.
pub(crate) type List<T> = Field<Vec<Field<T>>>;

/// A map whose keys are names that the scenario's author chose.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Map<T>(pub(crate) Vec<Entry<T>>);

/// An entry of a [`Map`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry<T> {
    pub(crate) name: String,
    pub(crate) at: Span,
    pub(crate) value: Field<T>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Map<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Map<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = access.next_key::<Spanned<String>>()? {
                    let at = bytes(key.referenced);
                    entries.push(Entry { name: key.value, at, value: access.next_value()? });
                }
                Ok(Map(entries))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Map<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Map_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

/// A location of the YAML reader as bytes of the text.
pub(super) fn bytes(location: Location) -> Span {
    let span = location.span();
    let number = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let start = number(span.byte_offset());
    start..start.saturating_add(number(span.byte_len()))
}
