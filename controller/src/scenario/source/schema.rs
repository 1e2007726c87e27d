//! The JSON Schema of the scenario file, for editors: made from the types that the loader parses into.

use super::FileSource;
use super::step::Verb;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The JSON Schema (draft 7, which editors know best) of a scenario file.
pub(crate) fn schema() -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<FileSource>();
    schema.insert("title".to_owned(), json!("Deadpeer scenario"));
    schema.to_value()
}

/// Makes an object's schema take exactly one of `verbs`, with what it needs, what it may have, and `always`.
///
/// Each verb becomes a branch of `oneOf` that requires it and forbids what does not belong to it.
pub(crate) fn exactly_one(schema: &mut Schema, verbs: &[Verb], always: &[&str]) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    let keys: Vec<String> = properties.keys().cloned().collect();
    let branch = |verb: &Verb| {
        let belongs = |key: &str| {
            key == verb.key || verb.needs.contains(&key) || verb.may.contains(&key) || always.contains(&key)
        };
        let foreign = keys.iter().filter(|key| !belongs(key)).map(|key| (key.clone(), Value::Bool(false)));
        let required: Vec<&str> = std::iter::once(verb.key).chain(verb.needs.iter().copied()).collect();
        json!({ "title": verb.key, "required": required, "properties": Value::Object(foreign.collect()) })
    };
    let branches: Vec<Value> = verbs.iter().map(branch).collect();
    schema.insert("oneOf".to_owned(), Value::Array(branches));
}
