//! The committed JSON Schema is that of the types, and agrees with the loader about what is a scenario.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod scenario;

use deadpeer::scenario::{load, parse, schema};
use serde_json::Value;

#[test]
fn the_committed_schema_is_current() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    scenario::is_current("docs/scenario.schema.json", &text, "UPDATE_SCHEMA");
}

#[test]
fn the_catalogue_is_read_and_named_after_its_files() {
    let catalogue = scenario::catalogue();
    assert!(!catalogue.is_empty());
    for (path, text) in catalogue {
        let scenario = load(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(Some(scenario.name.as_str()), path.file_stem().unwrap().to_str());
        assert_eq!(scenario.source, text);
        assert!(text.starts_with("# yaml-language-server: $schema=../docs/scenario.schema.json\n"));
        assert_eq!(fault(&json(&text), &schema(), &schema()), None);
    }
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let whole = scenario::read("scenarios/crash-reboot.yaml");
    // What stands in the file, what shall stand there instead.
    let changes = [
        ("title: The", "tittle: The"),
        ("- start: echo-server\n", "- start: echo-server\n    power-off: server\n"),
        ("    into: echo-client\n    until: ends", "    until: ends"),
        ("- start: echo-server\n", "- name: nothing\n"),
        ("until: ends", "until: end"),
        ("until: ends", "until: { prints: x, ends: true }"),
        ("  server:\n", "  server:\n    init: upstart\n"),
        ("flags: [FIN]", "flags: [fin]"),
        ("flags: [FIN]", "flags: []"),
        ("no-segment: { from: server, flags: [FIN] }", "no-segment: {}"),
        ("boot-id: changed", "boot-id: changed\n    within: 5 s"),
        ("    host: client\n    carrier: kept", "    carrier: kept"),
        ("carrier: kept", "carrier: kept\n    segment: { from: client }"),
        ("ended: { exit: 1 }", "ended: { exit: 256 }"),
        ("ended: { exit: 1 }", "ended: { exits: 1 }"),
        ("echo-server: { host: server, run: echo-server }", "echo-server: { host: server }"),
    ];
    let schema = schema();
    for (from, to) in changes {
        assert!(whole.contains(from), "{from}");
        let text = whole.replacen(from, to, 1);
        assert!(parse("x", &text).is_err(), "the loader takes {to}");
        assert!(fault(&json(&text), &schema, &schema).is_some(), "the schema takes {to}");
    }
}

#[test]
fn no_field_is_a_boolean_to_older_readers() {
    // YAML 1.1, which PyYAML and others still read, takes these for true and false.
    const BOOLEANS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
    let text = schema().to_string();
    for word in BOOLEANS {
        assert!(!text.contains(&format!("\"{word}\"")), "{word}");
    }
}

#[test]
fn a_host_may_be_its_name_alone() {
    let hosts = "hosts:\n  client:\n";
    let schema = schema();
    assert_eq!(fault(&json(hosts)["hosts"], &schema["properties"]["hosts"], &schema), None);
}

fn json(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

/// Where `value` does not fit `schema`, if anywhere. Knows the keywords that our schema uses, but for `pattern`, and
/// panics at others.
fn fault(value: &Value, schema: &Value, root: &Value) -> Option<String> {
    if let Some(allowed) = schema.as_bool() {
        return (!allowed).then(|| format!("{value} may not stand here"));
    }
    let at_fault = |keyword: &str| Some(format!("{value} against {keyword}"));
    let size = || value.as_object().map(|o| o.len()).or_else(|| value.as_array().map(Vec::len)).unwrap_or(0) as u64;
    let number = |v: &Value| v.as_u64().unwrap();
    for (keyword, rule) in schema.as_object().unwrap() {
        let wrong = match keyword.as_str() {
            "$ref" => {
                let target = root.pointer(rule.as_str().unwrap().trim_start_matches('#')).unwrap();
                fault(value, target, root)
            }
            "type" => {
                let names = rule.as_array().cloned().unwrap_or_else(|| vec![rule.clone()]);
                let fits = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64(),
                    "boolean" => value.is_boolean(),
                    "number" => value.is_number(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                if names.iter().any(fits) { None } else { at_fault("type") }
            }
            "properties" => {
                let rules = rule.as_object().unwrap();
                rules.iter().find_map(|(key, rule)| fault(value.get(key)?, rule, root))
            }
            "additionalProperties" => {
                let known = |key: &String| schema["properties"].get(key).is_some();
                value.as_object().into_iter().flatten().find_map(|(key, v)| match known(key) {
                    true => None,
                    false => fault(v, rule, root),
                })
            }
            "propertyNames" => {
                value.as_object().into_iter().flatten().find_map(|(k, _)| fault(&k.as_str().into(), rule, root))
            }
            "required" => {
                let missing = |key: &Value| value.is_object() && value.get(key.as_str().unwrap()).is_none();
                if rule.as_array().unwrap().iter().any(missing) { at_fault("required") } else { None }
            }
            "items" => value.as_array().into_iter().flatten().find_map(|item| fault(item, rule, root)),
            "allOf" => rule.as_array().unwrap().iter().find_map(|part| fault(value, part, root)),
            "oneOf" => {
                let fitting =
                    rule.as_array().unwrap().iter().filter(|branch| fault(value, branch, root).is_none()).count();
                if fitting == 1 { None } else { Some(format!("{value} fits {fitting} branches")) }
            }
            "enum" => {
                if rule.as_array().unwrap().contains(value) {
                    None
                } else {
                    at_fault("enum")
                }
            }
            "const" => {
                if rule == value {
                    None
                } else {
                    at_fault("const")
                }
            }
            "minItems" | "minProperties" => {
                if size() < number(rule) {
                    at_fault(keyword)
                } else {
                    None
                }
            }
            "maxProperties" => {
                if size() > number(rule) {
                    at_fault(keyword)
                } else {
                    None
                }
            }
            "minimum" => {
                if value.as_u64().is_some_and(|n| n < number(rule)) {
                    at_fault(keyword)
                } else {
                    None
                }
            }
            "maximum" => {
                if value.as_u64().is_some_and(|n| n > number(rule)) {
                    at_fault(keyword)
                } else {
                    None
                }
            }
            "minLength" => {
                if value == "" {
                    at_fault(keyword)
                } else {
                    None
                }
            }
            "maxLength" => {
                if value.as_str().is_some_and(|s| s.len() as u64 > number(rule)) {
                    at_fault(keyword)
                } else {
                    None
                }
            }
            "$schema" | "definitions" | "title" | "description" | "examples" | "pattern" => None,
            other => panic!("the keyword {other} is not known here"),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}
