//! Real time and lockstep time agree: what happens to a connection, and in which order, is the same (`deadpeer::compare` says what is
//! compared, and what is left out as time alone decides it).

use deadpeer::compare::{Compared, Comparison, Item, Side};
use deadpeer::judge::Outcome;
use deadpeer::report::read_events;
use deadpeer::timeline::Event;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn what_happens_to_a_connection_is_the_same_in_both_times() {
    let _turn = crate::bench::turn();
    let home = tempfile::tempdir().unwrap();
    // In this one no race decides.
    let [real, lockstep] = ["real", "lockstep"].map(|time| run("crash-reboot", time, &home.path().join(time)));
    assert_eq!(difference(&real, &lockstep), None);
}

/// All scenarios that run in both times: these runs in lockstep time, against the real one of each that is kept with the tests.
pub fn with_recorded_runs(lockstep: impl Fn(&str) -> PathBuf) {
    let mut differ = Vec::new();
    for (name, text) in deadpeer::embedded::SCENARIOS {
        // Those of the others take too long in real time.
        if text.lines().any(|line| line.starts_with("time: lockstep")) {
            continue;
        }
        let recorded = crate::recorded_runs::read(name).unwrap_or_else(|| panic!("{name}: there is no recorded run"));
        differ.extend(difference(&recorded, &events(&lockstep(name))).map(|it| format!("{name}, {it}")));
    }
    assert!(differ.is_empty(), "these differ:\n{}", differ.join("\n"));
}

/// By hand, for whatever was run in both times (`controller run --all --time real --out a`, likewise `--time lockstep --out b`):
/// `REAL=a LOCKSTEP=b cargo test --test real agree -- --ignored --nocapture`. Where a race decides, the two may differ: run it again, with
/// other seeds, and see whether the other outcome comes there too.
#[test]
#[ignore = "compares runs that are there already"]
fn the_runs_of_two_folders_agree() {
    let folder =
        |name: &str| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is the folder of runs")));
    let (real, lockstep) = (folder("REAL"), folder("LOCKSTEP"));
    let mut differ = Vec::new();
    for (name, _) in deadpeer::embedded::SCENARIOS {
        let [real, lockstep] = [&real, &lockstep].map(|folder| folder.join(name));
        if !(real.join("result.json").exists() && lockstep.join("result.json").exists()) {
            println!("– {name}: not in both folders");
            continue;
        }
        match difference(&events(&real), &events(&lockstep)) {
            None => println!("✓ {name}"),
            Some(difference) => {
                println!("✗ {name}: {difference}");
                differ.push(name);
            }
        }
    }
    assert!(differ.is_empty(), "these differ: {differ:?}");
}

/// Where two runs of a scenario part, in words.
fn difference(real: &[Event], lockstep: &[Event]) -> Option<String> {
    let side = |timeline| Side { outcome: Outcome::Pass, judged: &[], timeline };
    let compared = Comparison::new(&side(real), &side(lockstep));
    let parts = compared.strands.iter().filter(|it| it.name.starts_with("connection") && !it.is_same());
    let row = |[real, lockstep]: &[Option<Item>; 2]| {
        let kind = |item: &Option<Item>| item.as_ref().map_or("-", |it| it.kind.as_str()).to_owned();
        format!("\n  {:<40} {}", kind(real), kind(lockstep))
    };
    let told = |strand: &Compared| format!("{}{}", strand.name, strand.rows.iter().map(row).collect::<String>());
    let parts: Vec<String> = parts.map(told).collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn run(name: &str, time: &str, out: &Path) -> Vec<Event> {
    let mut controller = Command::new(env!("CARGO_BIN_EXE_controller"));
    controller.args(["run", name, "--quiet", "--time", time, "--out"]).arg(out);
    let output = controller.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{name} in {time} time: {said}");
    events(out)
}

/// The timeline of the run in this folder.
fn events(run: &Path) -> Vec<Event> {
    read_events(&run.join("events.jsonl")).unwrap()
}
