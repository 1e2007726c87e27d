//! The reference (`docs/scenarios.md`) says what the loader does: its tables are made from the types, its examples are read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod scenario;

use deadpeer::scenario::{parse, schema};
use serde_json::Value;

const REFERENCE: &str = "docs/scenarios.md";

#[test]
fn tables_are_those_of_the_types() {
    let text = scenario::read(REFERENCE);
    let schema = schema();
    let mut out = String::new();
    let mut skipping = false;
    for line in text.lines() {
        let marker = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        match marker.map(|marker| marker.split_once(": ").unwrap_or((marker, ""))) {
            Some(("fields", name)) => {
                skipping = true;
                out += &format!("{line}\n{}", fields(definition(&schema, name)));
            }
            Some(("verbs", name)) => {
                skipping = true;
                out += &format!("{line}\n{}", verbs(definition(&schema, name)));
            }
            Some(("end", _)) => {
                skipping = false;
                out += &format!("{line}\n");
            }
            _ if skipping => {}
            _ => out += &format!("{line}\n"),
        }
    }
    scenario::is_current(REFERENCE, &out, "UPDATE_SCHEMA");
}

#[test]
fn every_example_is_read() {
    let examples = examples();
    assert!(examples.len() > 5);
    for example in examples {
        let whole = completed(&example);
        if let Err(problems) = parse("example", &whole) {
            panic!("{problems}\n\n{example}");
        }
    }
}

#[test]
fn every_field_is_in_an_example() {
    let examples = examples().join("\n");
    let schema = schema();
    let root = schema["properties"].as_object().unwrap().keys();
    let inner = schema["definitions"].as_object().unwrap().values();
    let inner = inner.filter_map(|d| d["properties"].as_object()).flat_map(|p| p.keys());
    for key in root.chain(inner) {
        let shown = [format!("\n{key}:"), format!(" {key}:")].iter().any(|text| examples.contains(text));
        assert!(shown, "no example shows `{key}`");
    }
}

/// The YAML blocks of the reference.
fn examples() -> Vec<String> {
    let text = scenario::read(REFERENCE);
    let blocks = text.split("\n```yaml\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

/// An example with the sections that it leaves out.
fn completed(example: &str) -> String {
    let mut whole = example.to_owned();
    let programs = "programs:\n  echo-server: { host: server, run: x }\n  echo-client: { host: client, run: x }\n";
    let expectations = "expectations:\n- { name: x, host: server, boot-id: kept, held: x, not-held: x }\n";
    let base = [
        ("name:", "name: x\n"),
        ("title:", "title: x\n"),
        ("story:", "story: x\n"),
        ("hosts:", "hosts: { client: , server: }\n"),
        ("programs:", programs),
        ("steps:", "steps: [pause: 1 s]\n"),
        ("expectations:", expectations),
    ];
    for (key, section) in base {
        if !example.lines().any(|line| line.starts_with(key)) {
            whole += section;
        }
    }
    whole
}

fn definition<'a>(schema: &'a Value, name: &str) -> &'a Value {
    if name == "Scenario" {
        return schema;
    }
    let found = &schema["definitions"][name];
    assert!(!found.is_null(), "the schema has no definition {name}");
    found
}

/// A table of the fields of a map, or of the forms of a choice.
fn fields(definition: &Value) -> String {
    let mut out = "| field | what it says |\n|---|---|\n".to_owned();
    if let Some(properties) = definition["properties"].as_object() {
        // The schema has lost the order of the types: first what must be there, then verbs, then the rest.
        let words = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        let required = words(&definition["required"]);
        let verbs = definition["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|b| words(&b["required"]).into_iter().next());
        let mut keys: Vec<String> = required.iter().cloned().chain(verbs).collect();
        keys.extend(properties.keys().filter(|key| !keys.contains(key)).cloned().collect::<Vec<_>>());
        for key in keys {
            let needed = if required.contains(&key) { " Required." } else { "" };
            out += &format!("| `{key}` | {}{needed} |\n", description(&properties[&key]));
        }
    } else {
        for form in definition["oneOf"].as_array().unwrap() {
            let key = match form["const"].as_str() {
                Some(word) => format!("`{word}`"),
                None => format!("`{}:`", form["required"][0].as_str().unwrap()),
            };
            out += &format!("| {key} | {} |\n", description(form));
        }
    }
    out
}

/// A table of verbs with what they need and what they may have beside them.
fn verbs(definition: &Value) -> String {
    let mut out = "| verb | needs | may have |\n|---|---|---|\n".to_owned();
    let all: Vec<&String> = definition["properties"].as_object().unwrap().keys().collect();
    let always: Vec<&str> = definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for branch in definition["oneOf"].as_array().unwrap() {
        let required: Vec<&str> = branch["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let forbidden = branch["properties"].as_object().unwrap();
        let may = all.iter().map(|key| key.as_str());
        let may = may.filter(|key| !forbidden.contains_key(*key) && !required.contains(key) && !always.contains(key));
        let listed = |keys: Vec<&str>| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        out += &format!("| `{}` | {} | {} |\n", required[0], listed(required[1..].to_vec()), listed(may.collect()));
    }
    out
}

fn description(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_else(|| panic!("a field without a description: {value}"));
    text.replace('\n', " ").replace('|', "\\|")
}
