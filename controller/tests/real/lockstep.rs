//! Runs in lockstep time: the same bytes every time, and what goes wrong under them is told as in real time.

use crate::bench::{Bench, alive_with, scenario};
use crate::own::{SCENARIO, Workshop, refused};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;

const LOCKSTEP: [&str; 2] = ["--time", "lockstep"];

/// Of virtual time: minutes of real time.
const PAUSE: &str = "  - pause: 20 h";

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// What a scenario can do to a host, under either init, and to a lab that is idle for minutes: `verify` runs each twice, and finds no
/// difference.
#[test]
fn two_runs_are_the_same_to_the_byte() {
    let _turn = crate::bench::turn();
    let busy = ["crash-reboot", "cable-flap", "five-clients-wait", "shutdown-sysvinit", "shutdown-systemd"];
    let scenarios = [&busy[..], &["outage-ten-minutes"]].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_controller")).arg("verify").args(&scenarios).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for name in scenarios {
        let same = format!("✓ {name}: two runs are the same in all ");
        assert!(said.lines().any(|line| line.starts_with(&same) && line.ends_with("(pass)")), "{name}: {said}");
    }
}

/// A program of the user's own that is no small one, on the program disk.
#[test]
fn two_runs_with_a_program_of_one_s_own_are_the_same_to_the_byte() {
    let _turn = crate::bench::turn();
    let workshop = Workshop::new();
    let client = workshop.compile("tcpcli.c", &["-static"]);
    let mut file = OpenOptions::new().append(true).open(&client).unwrap();
    let tail: Vec<u8> = (0..3_000_001_u32).map(|n| (n / 7 * 31) as u8).collect();
    file.write_all(&tail).unwrap();
    drop(file);
    let scenario = workshop.path("bench.yaml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    let mut verify = Command::new(env!("CARGO_BIN_EXE_controller"));
    verify.arg("verify").arg(scenario).arg("--program").arg(format!("client={client}"));
    let output = verify.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("✓ bench: two runs are the same in all "), "{said}");
}

#[test]
fn a_library_that_is_not_there_is_named_as_in_real_time() {
    let workshop = Workshop::new();
    let client = format!("client={}", workshop.compile_with_library("libabsent.so.1", ""));
    let ending = Bench::start(SCENARIO, &["--time", "lockstep", "--program", &client], &[]).end();
    refused(&ending, &["cannot be started on host 'client'", "library libabsent.so.1", "gcc -static"]);
}

#[test]
fn each_seed_is_run_and_told_in_what_came_of_all() {
    let _turn = crate::bench::turn();
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("bench.yaml"), scenario("  - pause: 1 s")).unwrap();
    let mut controller = Command::new(env!("CARGO_BIN_EXE_controller"));
    controller.args(["run", "bench.yaml", "--time", "lockstep", "--seeds", "3..4", "--jobs", "2", "--out", "runs"]);
    let output = controller.args(["--format", "json", "--junit", "junit.xml"]).current_dir(&home).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let batch: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let [case] = &batch["scenarios"][0]["cases"].as_array().unwrap()[..] else { panic!("{batch}") };
    assert_eq!(case["seeds"], serde_json::json!([3, 4]));
    assert_eq!(case["again"], "controller run bench.yaml --time lockstep --seed 3");
    let junit = std::fs::read_to_string(home.path().join("junit.xml")).unwrap();
    assert!(junit.contains("\"bench seed 3\"") && junit.contains("\"bench seed 4\""), "{junit}");
    let [first, second] = [3, 4].map(|seed| {
        let folder = home.path().join(format!("runs/bench-seed-{seed}"));
        let result: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("result.json")).unwrap()).unwrap();
        assert_eq!(result["seed"], seed);
        result["hosts"]["client"]["boot_ids"][0].clone()
    });
    assert_ne!(first, second, "another seed, another run");
}

#[test]
fn hosts_reboot_and_are_reset_and_an_hour_takes_seconds() {
    let steps = "  - reboot: server\n  - reset: client\n  - pause: 1 h\n  - start: echo-server\n    until: { prints: waiting }\n  \
                 - start: echo-client\n    until: { prints: connected }";
    let ending = Bench::start(&scenario(steps), &LOCKSTEP, &[]).end();
    // Its one expectation is that the client's boot id is kept, and it was reset.
    assert_eq!(ending.status.code(), Some(1), "{}", ending.said);
    let result = ending.result();
    let time = &result["time"];
    assert!(time["virtual_seconds"].as_f64().unwrap() > 3600.0, "{time}");
    assert!(time["wall_seconds"].as_f64().unwrap() < 170.0, "{time}");
    for host in ["client", "server"] {
        assert_eq!(result["hosts"][host]["boot_ids"].as_array().unwrap().len(), 2, "{result}");
    }
    assert_eq!(alive_with(&ending.folder), Vec::<String>::new());
}

#[test]
fn a_machine_that_is_killed_mid_run() {
    let mut bench = Bench::start(&scenario(PAUSE), &LOCKSTEP, &[]);
    bench.await_line("pause");
    signal(bench.machine_pid("server"), Signal::SIGKILL);
    bench.end().is_unknown_because(&["'server' ended by itself", "SIGKILL"]);
}

#[test]
fn a_machine_that_is_stopped_mid_run() {
    let mut bench = Bench::start(&scenario(PAUSE), &LOCKSTEP, &[]);
    bench.await_line("pause");
    signal(bench.machine_pid("client"), Signal::SIGSTOP);
    bench.end().is_unknown_because(&["QEMU of 'client' did not come to its boundary within 20s"]);
}

#[test]
fn a_guest_that_panics() {
    let panic =
        format!("  - run: (sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &\n    host: server\n{PAUSE}");
    Bench::start(&scenario(&panic), &LOCKSTEP, &[])
        .end()
        .is_unknown_because(&["kernel of host 'server' panicked", "Kernel panic - not syncing"]);
}

#[test]
fn ctrl_c_ends_all_and_leaves_nothing() {
    let mut bench = Bench::start(&scenario(PAUSE), &LOCKSTEP, &[]);
    bench.await_line("pause");
    signal(bench.pid(), Signal::SIGINT);
    let ending = bench.end();
    assert_eq!(ending.status.code(), Some(130), "{}", ending.said);
    ending.left_nothing();
}

#[test]
fn a_controller_that_is_killed_leaves_no_machine() {
    let mut bench = Bench::start(&scenario(PAUSE), &LOCKSTEP, &[]);
    bench.await_line("pause");
    let folder = bench.folder();
    assert_eq!(alive_with(&folder).len(), 2);
    signal(bench.pid(), Signal::SIGKILL);
    let _ending = bench.end();
    crate::bench::eventually("the end of all machines", || alive_with(&folder).is_empty());
}
