//! Programs that take all they can get are held within limits: the run ends with a clear outcome, and the controller stays small.

use crate::bench::{Bench, Ending, scenario};
use std::fs;

/// The most memory that the controller may ever have held, in MiB.
const MOST_MEMORY: u64 = 50;

/// Runs a scenario with a program `bad` on the server; `sh` is what it does.
fn run(sh: &str, steps: &str, arguments: &[&str]) -> (Ending, u64) {
    let program = format!("programs:\n  bad: {{ host: server, run: {:?} }}\n", format!("sh -c '{sh}'"));
    let text = scenario(steps).replace("programs:\n", &program);
    let mut bench = Bench::start(&text, arguments, &[]);
    bench.await_line("step 1:");
    let memory = bench.peak_memory_at_the_end();
    (bench.end(), memory)
}

/// The timeline's events of the program `bad`.
fn events(ending: &Ending) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(ending.folder.join("events.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.filter(|event| event["program"] == "bad").collect()
}

#[test]
fn a_program_that_prints_a_gigabyte() {
    // As fast as it goes, from memory. The echo beside it is not kept waiting.
    let sh = "yes an ordinary line of text | head -c 4194304 >/dev/shm/text; for n in $(seq 256); do cat /dev/shm/text; done";
    let steps = "  - start: bad\n  - start: echo-server\n    until: { prints: waiting for connections }\n  \
                 - start: echo-client\n    until: { prints: connected to }\n  \
                 - type: hello\n    into: echo-client\n    until: { prints: hello }\n  - pause: 5 s";
    let (ending, memory) = run(sh, steps, &[]);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    ending.left_nothing();
    let events = events(&ending);
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds[..2], ["started", "line"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "muted").count(), 1);
    let beyond = events.iter().find(|event| event["event"] == "not-kept").expect("what was not kept is told");
    assert!(beyond["lines"].as_u64().unwrap() > 0, "{beyond}");
    let size = fs::metadata(ending.folder.join("events.jsonl")).unwrap().len();
    assert!(size < 8 << 20, "{size} bytes of events");
    assert!(memory < MOST_MEMORY, "{memory} MiB");
}

#[test]
fn a_program_that_forks_without_end() {
    // Each shell starts two more. Past the limit a fork fails, which the group counts (`pids.events`); a shell whose fork
    // failed ends, but for the first, which forks but once.
    let sh = "f() { f | f & f; }; f & while :; do wait; done";
    let steps = "  - start: bad\n  - pause: 5 s\n  \
                 - run: cd /sys/fs/cgroup/deadpeer/bad && grep '^max [1-9]' pids.events && test $(cat pids.current) -le 256\n    \
                 host: server\n    within: 30 s\n  \
                 - signal: KILL\n    to: bad\n  - wait-for: bad\n    until: ends\n    within: 30 s";
    let (ending, memory) = run(sh, steps, &[]);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    ending.left_nothing();
    assert!(memory < MOST_MEMORY, "{memory} MiB");
}

#[test]
fn a_program_that_never_stops() {
    let steps = "  - start: bad\n  - wait-for: bad\n    until: ends\n    within: 3 s";
    let (ending, _) = run("while :; do :; done", steps, &[]);
    ending.is_unknown_because(&["waited 3s for bad to do this: ends", "it printed nothing"]);
}

#[test]
fn a_program_that_takes_all_memory_is_ended_by_its_kernel() {
    let steps = "  - start: bad\n  - wait-for: bad\n    until: ends\n    within: 1 min";
    let (ending, _) = run("x=1234567890123456; while :; do x=$x$x; done", steps, &[]);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    let last = events(&ending).pop().unwrap();
    assert_eq!((&last["event"], &last["how"]["signal"]), (&"ended".into(), &"KILL".into()), "{last}");
}

#[test]
fn a_run_that_is_given_too_little_time() {
    let (ending, _) = run("sleep 1000", "  - start: bad\n  - pause: 2 min", &["--within", "30 s"]);
    ending.is_unknown_because(&["the run was not over within 30s", "--within"]);
}
