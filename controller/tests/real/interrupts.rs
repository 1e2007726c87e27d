//! Ctrl-C at any moment, and a controller that is killed.

use crate::bench::{Bench, alive_with, eventually, scenario};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

fn interrupted_at(moment: &str) {
    let mut bench =
        Bench::start(&scenario("  - start: echo-server\n    until: { prints: waiting }\n  - pause: 2 min"), &[], &[]);
    bench.await_line(moment);
    kill(Pid::from_raw(bench.pid()), Signal::SIGINT).unwrap();
    let ending = bench.end();
    assert_eq!(ending.status.code(), Some(130), "{}", ending.said);
    ending.left_nothing();
    assert_eq!(ending.result()["outcome"], "unknown");
}

#[test]
fn ctrl_c_while_booting() {
    interrupted_at("booting");
}

#[test]
fn ctrl_c_while_logging_in() {
    interrupted_at("logging in");
}

#[test]
fn ctrl_c_in_a_step() {
    interrupted_at("start echo-server");
}

#[test]
fn ctrl_c_in_a_pause() {
    interrupted_at("pause");
}

#[test]
fn ctrl_c_at_odd_moments() {
    for delay in [0, 5, 30, 150, 700, 2500] {
        let bench = Bench::start(&scenario("  - pause: 2 min"), &[], &[]);
        std::thread::sleep(Duration::from_millis(delay));
        kill(Pid::from_raw(bench.pid()), Signal::SIGINT).unwrap();
        let ending = bench.end();
        // Before its handler is set, the signal's default action ends the controller: nothing was begun yet then.
        assert!(
            ending.status.code() == Some(130) || ending.status.code().is_none(),
            "after {delay} ms: {}",
            ending.said
        );
        assert_eq!(alive_with(&ending.folder), Vec::<String>::new());
        assert!(!ending.folder.join(".private").exists(), "after {delay} ms");
    }
}

#[test]
fn a_killed_controller_takes_its_machines_with_it_and_leaves_a_readable_capture() {
    let mut bench = Bench::start(&scenario("  - pause: 2 min"), &[], &[]);
    bench.await_line("pause");
    assert_eq!(alive_with(&bench.folder()).len(), 2, "two machines run");
    let server = bench.machine_pid("server");
    kill(Pid::from_raw(bench.pid()), Signal::SIGKILL).unwrap();
    let ending = bench.end();
    eventually("the end of the machines", || alive_with(&ending.folder).is_empty());
    eventually("the end of the server's process", || kill(Pid::from_raw(server), None).is_err());
    crate::bench::tshark(&ending.folder.join("wire.pcapng"), &[]);
}
