//! Runs in lockstep time: the same bytes every time, and what goes wrong under them is told as in real time.

use crate::bench::{Bench, LONG, alive_with, scenario};
use crate::own::{SCENARIO, Workshop, refused};
use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const LOCKSTEP: [&str; 2] = ["--time", "lockstep"];

/// Of virtual time: minutes of real time.
const PAUSE: &str = "  - pause: 20 h";

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// The whole catalogue: every scenario's second run is the first to the byte, and of every lab one booted and one was restored. And what
/// happened to each connection is what happened in real time.
#[test]
fn two_runs_of_each_scenario_are_the_same_to_the_byte() {
    let _turn = crate::bench::turn_of_all();
    let home = tempfile::tempdir().unwrap();
    let runs = home.path().join("runs");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_controller"));
    let output = verify.args(["verify", "--all", "--quiet", "--out"]).arg(&runs).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios")).unwrap();
    for file in files {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let same = format!("✓ {name}: 2 runs are the same in all ");
        // All boot where another scenario is just saving the same lab.
        let how = ["1 booted and 1 restored (pass)", "all restored (pass)", "all booted (pass)"];
        let told = |line: &str| line.starts_with(&same) && how.iter().any(|how| line.ends_with(how));
        assert!(said.lines().any(told), "{name}: {said}");
    }
    assert!(said.contains(", 1 booted and 1 restored"), "{said}");
    crate::agree::with_recorded_runs(|name| runs.join(format!("{name}-1")));
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
    assert!(said.contains("✓ bench: 2 runs are the same in all "), "{said}");
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
    let _turn = crate::bench::turn_of_all();
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
    for seed in [3, 4] {
        let folder = home.path().join(format!("runs/bench-seed-{seed}"));
        let result: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("result.json")).unwrap()).unwrap();
        assert_eq!(result["seed"], seed);
    }
}

/// A lab that is used by a test alone, so that the test has its checkpoint to itself.
fn own_cache(home: &tempfile::TempDir) -> PathBuf {
    let cache = home.path().join("deadpeer");
    std::fs::create_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(deadpeer::image::cache_folder().unwrap(), cache.join("images")).unwrap();
    cache.join("checkpoints")
}

const SHORT: &str = "  - run: test -d /run/deadpeer\n    host: server";

/// Runs two booted hosts through a step, with its cache in `home`. What became of the checkpoint, and what was said.
fn short_run(home: &tempfile::TempDir) -> (String, String) {
    let ending = Bench::start(&scenario(SHORT), &LOCKSTEP, &[("XDG_CACHE_HOME", home.path())]).end();
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    ending.left_nothing();
    (ending.result()["time"]["checkpoint"]["used"].as_str().unwrap_or("none").to_owned(), ending.said)
}

/// Checkpoints that are whole, and nothing but them and their locks.
fn whole(folder: &Path) -> Vec<PathBuf> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, others): (Vec<_>, Vec<_>) = names.partition(|path| path.is_dir());
    assert!(others.iter().all(|path| path.extension().is_some_and(|it| it == "lock")), "{others:?}");
    assert!(folders.iter().all(|path| path.join("manifest.json").is_file()), "{folders:?}");
    folders
}

/// Damage of each kind is told, the hosts boot, and the checkpoint is made anew.
#[test]
fn a_checkpoint_that_is_damaged_is_made_anew() {
    let home = tempfile::tempdir().unwrap();
    let folder = own_cache(&home);
    assert_eq!(short_run(&home).0, "saved");
    let checkpoint = whole(&folder).pop().unwrap();
    let state = |name: &str| File::options().read(true).write(true).open(checkpoint.join(name)).unwrap();
    let cut = state("client.state");
    cut.set_len(cut.metadata().unwrap().len() / 2).unwrap();
    let (used, said) = short_run(&home);
    assert_eq!(used, "saved", "{said}");
    assert!(said.contains("the lab's checkpoint cannot be used") && said.contains("client.state has"), "{said}");
    // In the midst of the other one, whose machine is being loaded when it shows.
    let altered = state("server.state");
    let middle = altered.metadata().unwrap().len() / 2;
    altered.write_all_at(b"altered", middle).unwrap();
    let (used, said) = short_run(&home);
    assert_eq!(used, "saved", "{said}");
    assert!(said.contains("restoring host 'server'"), "{said}");
    assert_eq!(short_run(&home).0, "restored");
    assert_eq!(whole(&folder).len(), 1);
}

/// A machine that dies while its memory is being loaded: the hosts boot, as if there had been no checkpoint.
#[test]
fn a_machine_that_is_killed_while_it_is_restored() {
    const SOME_OF_IT: u64 = 60; // MiB; it has loaded 256 of a guest's when it is done
    let home = tempfile::tempdir().unwrap();
    let _folder = own_cache(&home);
    assert_eq!(short_run(&home).0, "saved");
    let bench = Bench::start(&scenario(SHORT), &LOCKSTEP, &[("XDG_CACHE_HOME", home.path())]);
    let file = bench.folder().join("server.pid");
    crate::bench::eventually("a machine that is being restored", || {
        let pid = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<i32>().ok());
        let resident = |pid: &i32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0").to_owned();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
        };
        pid.filter(|pid| resident(pid) >= SOME_OF_IT)
            .is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok())
    });
    let ending = bench.end();
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    assert!(ending.said.contains("the lab's checkpoint cannot be used, and the hosts boot"), "{}", ending.said);
    ending.left_nothing();
}

/// Saving is cut off by Ctrl-C and by SIGKILL: no half checkpoint is ever found, and the next run makes a whole one.
#[test]
fn a_controller_that_ends_while_it_saves_leaves_no_checkpoint() {
    let home = tempfile::tempdir().unwrap();
    let folder = own_cache(&home);
    for (how, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGKILL, None)] {
        let bench = Bench::start(&scenario(SHORT), &LOCKSTEP, &[("XDG_CACHE_HOME", home.path())]);
        let saving = || {
            let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            entries.into_iter().any(|it| it.path().join("client.state").exists())
        };
        let deadline = Instant::now() + LONG;
        while !saving() {
            assert!(Instant::now() < deadline, "no checkpoint is ever saved");
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(bench.pid(), how);
        let ending = bench.end();
        assert_eq!(ending.status.code(), code, "{}", ending.said);
        crate::bench::eventually("the end of all machines", || alive_with(&ending.folder).is_empty());
    }
    assert_eq!(short_run(&home).0, "saved");
    assert_eq!(whole(&folder).len(), 1);
}

/// The disk fills up while a machine is being saved: that is told, and the run goes on as if there were no checkpoints.
#[test]
fn a_disk_that_is_full_before_all_is_saved_costs_the_checkpoint_alone() {
    const SIZE: &str = "size=1100m"; // somewhat more than must be free where a checkpoint is begun
    const PIECE: u64 = 8 << 20;
    let home = tempfile::tempdir().unwrap();
    let folder = own_cache(&home);
    std::fs::create_dir(&folder).unwrap();
    let mount = format!("mount -t tmpfs -o {SIZE} none '{}' && exec \"$@\"", folder.display());
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", &mount, "sh"];
    let bench = Bench::start_under(&words, &scenario(SHORT), &LOCKSTEP, &[("XDG_CACHE_HOME", home.path())]);
    let inside = PathBuf::from(format!("/proc/{}/root{}", bench.pid(), folder.display()));
    crate::bench::eventually("a machine that is being saved", || {
        let entries = std::fs::read_dir(&inside).into_iter().flatten().flatten();
        entries.into_iter().any(|it| it.path().join("client.state").exists())
    });
    let filler = File::create_new(inside.join("filler")).unwrap();
    let fill = |piece: &u64| posix_fallocate(&filler, (piece * PIECE) as i64, PIECE as i64);
    let full = (0..).map(|piece| fill(&piece)).find_map(Result::err).unwrap();
    assert_eq!(full, Errno::ENOSPC);
    let ending = bench.end();
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    assert_eq!(ending.result()["time"]["checkpoint"], serde_json::Value::Null);
    let told = "no checkpoint of the lab was saved: ";
    let line = ending.said.lines().find(|line| line.contains(told)).unwrap_or_else(|| panic!("{}", ending.said));
    assert!(line.contains(".state: ") && line.contains("No space left on device"), "{line}");
    ending.left_nothing();
}

/// The run's seed is what differs between two labs from one checkpoint.
#[test]
fn ports_and_sequence_numbers_are_the_seed_s() {
    let steps = "  - start: echo-server\n    until: { prints: waiting }\n  - start: echo-client\n    until: { prints: connected }";
    let syn = |seed: &str| {
        let ending = Bench::start(&scenario(steps), &[&LOCKSTEP[..], &["--seed", seed]].concat(), &[]).end();
        let events = std::fs::read_to_string(ending.folder.join("events.jsonl")).unwrap();
        let line = events.lines().find(|line| line.contains("\"syn\"")).unwrap_or_else(|| panic!("{events}"));
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event.to_string()
    };
    assert_ne!(syn("1"), syn("2"));
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
