#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use serde_json::json;

const GREETING: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}"#;
const SOON: Duration = Duration::from_secs(20);

/// A client, QEMU's end, and the events.
fn connected(patience: Duration) -> (Client, UnixStream, Receiver<Event>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (tell, events) = channel();
    let (client, _done) = Client::new(ours, patience, move |event| tell.send(event).unwrap()).unwrap();
    (client, theirs, events)
}

fn say(qemu: &mut UnixStream, text: &str) {
    qemu.write_all(text.as_bytes()).unwrap();
    qemu.write_all(b"\r\n").unwrap();
}

#[test]
fn an_event_may_come_before_the_answer() {
    let (mut client, mut qemu, events) = connected(SOON);
    say(&mut qemu, GREETING);
    say(&mut qemu, r#"{"return": {}, "id": 1}"#);
    assert_eq!(client.greet(), Ok("10.0.0".to_owned()));
    say(&mut qemu, r#"{"event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}"#);
    say(&mut qemu, r#"{"return": {"done": true}, "id": 2}"#);
    assert_eq!(client.command("system_reset", Value::Null), Ok(json!({ "done": true })));
    assert_eq!(events.recv_timeout(SOON).unwrap().text("reason"), Some("host-qmp-system-reset"));
    let mut sent = BufReader::new(qemu).lines();
    assert_eq!(sent.next().unwrap().unwrap(), r#"{"execute":"qmp_capabilities","id":1}"#);
    assert_eq!(sent.next().unwrap().unwrap(), r#"{"execute":"system_reset","id":2}"#);
}

#[test]
fn silence_ends_at_the_deadline_and_a_late_answer_is_not_taken_for_another() {
    let (mut client, mut qemu, _events) = connected(Duration::from_millis(50));
    assert_eq!(client.greet(), Err(Failure::Silent(Duration::from_millis(50))));
    assert_eq!(client.command("stop", Value::Null), Err(Failure::Silent(Duration::from_millis(50))));
    say(&mut qemu, r#"{"return": {"late": true}, "id": 1}"#);
    say(&mut qemu, r#"{"return": {"fresh": true}, "id": 2}"#);
    assert_eq!(client.command("cont", Value::Null), Ok(json!({ "fresh": true })));
}

#[test]
fn refusal_closing_and_garbage_are_told_apart() {
    let (mut client, mut qemu, _events) = connected(SOON);
    say(&mut qemu, r#"{"id": 1, "error": {"class": "GenericError", "desc": "no"}}"#);
    assert_eq!(client.command("cont", Value::Null), Err(Failure::Refused("no (GenericError)".into())));
    say(&mut qemu, "qemu: hello?");
    let Err(Failure::Garbled(what)) = client.command("cont", Value::Null) else { panic!("taken for an answer") };
    assert!(what.contains("qemu: hello?"), "{what}");
    drop(qemu);
    assert_eq!(client.command("cont", Value::Null), Err(Failure::Closed));
}

#[test]
fn the_end_of_the_connection_is_an_event() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (client, done) = Client::new(ours, SOON, |_| ()).unwrap();
    drop(client);
    drop(theirs);
    assert_eq!(done.recv_timeout(SOON), Err(RecvTimeoutError::Disconnected));
}
