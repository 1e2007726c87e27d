//! QMP's words: a JSON object a line, either way (QEMU's docs/interop/qmp-spec.rst).

use serde::Deserialize;
use serde_json::{Value, json};

/// What QEMU says.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::machine) enum Message {
    /// The first line. QMP is in negotiation then, until `qmp_capabilities`.
    Greeting {
        /// QEMU's version, as `7.2.22`.
        version: String,
    },
    /// The answer to the command with this id: its value, or why not.
    Reply {
        /// The command's id; none where QEMU could not even read the command.
        id: Option<u64>,
        /// What came of it.
        result: Result<Value, String>,
    },
    /// Something happened by itself.
    Event(Event),
}

/// Something that happened in QEMU by itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// As in `SHUTDOWN`.
    pub(crate) name: String,
    /// Its data; null where there is none.
    pub(crate) data: Value,
}

impl Event {
    /// A text of its data.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key).and_then(Value::as_str)
    }
}

/// A line from QEMU, as it is on the wire. What makes the variants is which keys are there.
#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "QMP")]
    greeting: Option<Greeting>,
    event: Option<String>,
    #[serde(default)]
    data: Value,
    #[serde(rename = "return")]
    value: Option<Value>,
    error: Option<Refusal>,
    id: Option<u64>,
}

#[derive(Deserialize)]
struct Greeting {
    version: Versions,
}

#[derive(Deserialize)]
struct Versions {
    qemu: Triple,
}

#[derive(Deserialize)]
struct Triple {
    major: u32,
    minor: u32,
    micro: u32,
}

#[derive(Deserialize)]
struct Refusal {
    class: String,
    desc: String,
}

/// Reads one line.
pub(in crate::machine) fn decode(line: &str) -> Result<Message, String> {
    let wire: Wire = serde_json::from_str(line).map_err(|e| format!("not QMP ({e}): {line:?}"))?;
    if let Some(Greeting { version: Versions { qemu: Triple { major, minor, micro } } }) = wire.greeting {
        return Ok(Message::Greeting { version: format!("{major}.{minor}.{micro}") });
    }
    match (wire.event, wire.value, wire.error) {
        (Some(name), None, None) => Ok(Message::Event(Event { name, data: wire.data })),
        (None, Some(value), None) => Ok(Message::Reply { id: wire.id, result: Ok(value) }),
        (None, None, Some(Refusal { class, desc })) => {
            Ok(Message::Reply { id: wire.id, result: Err(format!("{desc} ({class})")) })
        }
        _ => Err(format!("not QMP: {line:?}")),
    }
}

/// A command as a line. Null arguments are left out.
pub(in crate::machine) fn encode(id: u64, command: &str, arguments: &Value) -> String {
    let mut message = json!({ "execute": command, "id": id });
    if !arguments.is_null() {
        message["arguments"] = arguments.clone();
    }
    format!("{message}\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_qemu_7_2_really_says() {
        let greeting = r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}"#;
        assert_eq!(decode(greeting), Ok(Message::Greeting { version: "7.2.22".into() }));
        assert_eq!(
            decode(r#"{"return": {}, "id": 3}"#),
            Ok(Message::Reply { id: Some(3), result: Ok(json!({})) }),
            "an empty value is a value"
        );
        let refusal = r#"{"id": 4, "error": {"class": "DeviceNotFound", "desc": "Device 'nic7' not found"}}"#;
        assert_eq!(
            decode(refusal),
            Ok(Message::Reply { id: Some(4), result: Err("Device 'nic7' not found (DeviceNotFound)".into()) })
        );
        let event = r#"{"timestamp": {"seconds": 1795390523, "microseconds": 990181}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}}"#;
        let Ok(Message::Event(event)) = decode(event) else { unreachable!() };
        assert_eq!((event.name.as_str(), event.text("reason")), ("SHUTDOWN", Some("guest-shutdown")));
        let bare = r#"{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}"#;
        assert_eq!(decode(bare), Ok(Message::Event(Event { name: "STOP".into(), data: Value::Null })));
    }

    #[test]
    fn refuses_what_is_not_qmp_and_shows_it() {
        for line in [
            "",
            "hello",
            "[]",
            "{}",
            "null",
            r#"{"return": {}, "event": "STOP"}"#,
            r#"{"QMP": {}}"#,
            r#"{"return": null}"#,
        ] {
            assert!(decode(line).unwrap_err().contains(&format!("{line:?}")), "{line:?}");
        }
    }

    #[test]
    fn writes_a_command_on_one_line() {
        let line = encode(7, "set_link", &json!({ "name": "link0", "up": false }));
        let back: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(back, json!({ "execute": "set_link", "id": 7, "arguments": { "name": "link0", "up": false } }));
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
        assert!(!encode(1, "cont", &Value::Null).contains("arguments"));
    }
}
