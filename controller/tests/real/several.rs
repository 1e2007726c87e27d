//! Labs side by side: neither disturbs the other, and all end together.

use crate::bench::{Bench, LONG, alive_with, scenario};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Instant;

#[test]
fn labs_side_by_side_have_a_folder_a_log_and_a_wire_each() {
    let steps = "  - start: echo-server\n    until: { prints: waiting }\n  - start: echo-client\n    until: { prints: connected }";
    let ending = Bench::start(&scenario(steps), &["--repeat", "2", "--jobs", "2", "--junit", "junit.xml"], &[]).end();
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    let read = |name: &str| fs::read_to_string(ending.folder.join(name)).unwrap();
    for run in ["bench-1", "bench-2"] {
        let log = read(&format!("{run}/controller.log"));
        assert_eq!(log.matches("QEMU greets").count(), 2, "its own machines and no others: {log}");
        let events = read(&format!("{run}/events.jsonl"));
        assert_eq!(events.matches(r#""event":"booted""#).count(), 2, "{run}: its own machines and no others");
        assert!(ending.folder.join(run).join("result.json").exists());
        assert!(!ending.folder.join(run).join(".private").exists());
    }
    assert_eq!(ending.said.matches("pass, 1/1 held").count(), 2, "a line for each run: {}", ending.said);
    assert_eq!(alive_with(&ending.folder), Vec::<String>::new());
}

#[test]
fn ctrl_c_ends_all_labs_and_begins_no_other() {
    let bench = Bench::start(&scenario("  - pause: 2 min"), &["--repeat", "3", "--jobs", "2"], &[]);
    let deadline = Instant::now() + LONG;
    while alive_with(&bench.folder()).len() < 4 {
        assert!(Instant::now() < deadline, "four machines never ran");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    kill(Pid::from_raw(bench.pid()), Signal::SIGINT).unwrap();
    let ending = bench.end();
    assert_eq!(ending.status.code(), Some(130), "{}", ending.said);
    assert_eq!(alive_with(&ending.folder), Vec::<String>::new());
    let mut runs: Vec<_> =
        fs::read_dir(&ending.folder).unwrap().flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    runs.sort();
    assert_eq!(runs, ["bench-1", "bench-2"], "the third was not begun");
    for run in runs {
        assert!(!ending.folder.join(&run).join(".private").exists(), "{run}");
    }
}
