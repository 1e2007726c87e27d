//! Fields that hold a single value, or something larger in its place: a list of such values, or a map.

use super::field::{Field, Value, Word};
use super::kinds::{CallOutcome, Kind, Number};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// How many: just so many, or between bounds.
#[derive(Debug, Clone)]
pub(crate) enum CountSource {
    Just(Word<Number>),
    Between(BoundsSource),
}

/// Bounds of a number, both included. At least one of them must be given.
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Bounds", extend("minProperties" = 1))]
pub(crate) struct BoundsSource {
    /// So many at least. None at all will do if left out.
    pub(crate) at_least: Value<Number>,
    /// So many at most. Any number will do if left out.
    pub(crate) at_most: Value<Number>,
}

/// What a call returns: one result, or several of which any will do.
#[derive(Debug, Clone)]
pub(crate) enum ReturnsSource {
    One(Word<CallOutcome>),
    AnyOf(Vec<Field<Word<CallOutcome>>>),
}

/// What can be made of a scalar or of something larger. What it cannot be made of, the defaults refuse.
trait Either<'de>: Sized {
    /// What it is, as errors name it.
    const EXPECTED: &'static str;

    fn scalar(text: String) -> Self;

    fn list<A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &Self::EXPECTED))
    }

    fn map<A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }
}

impl<'de> Either<'de> for CountSource {
    const EXPECTED: &'static str = "a number, or a map with `at-least` and `at-most`,";

    fn scalar(text: String) -> Self {
        Self::Just(Word::new(text))
    }

    fn map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        BoundsSource::deserialize(MapAccessDeserializer::new(map)).map(Self::Between)
    }
}

impl<'de> Either<'de> for ReturnsSource {
    const EXPECTED: &'static str = "a result, or a list of results,";

    fn scalar(text: String) -> Self {
        Self::One(Word::new(text))
    }

    fn list<A: SeqAccess<'de>>(list: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Self::AnyOf)
    }
}

struct EitherVisitor<T>(PhantomData<T>);

impl<'de, T: Either<'de>> Visitor<'de> for EitherVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    // The reader tells numbers from texts; what a word means is for `resolve` to say.
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::scalar(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::scalar(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        Ok(T::scalar(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        Ok(T::scalar(number.to_string()))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<T, E> {
        Ok(T::scalar(truth.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

impl<'de> Deserialize<'de> for CountSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherVisitor(PhantomData))
    }
}

impl<'de> Deserialize<'de> for ReturnsSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherVisitor(PhantomData))
    }
}

impl JsonSchema for CountSource {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [Number::schema(), generator.subschema_for::<BoundsSource>()] })
    }
}

impl JsonSchema for ReturnsSource {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Returns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = CallOutcome::schema();
        json_schema!({ "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}
