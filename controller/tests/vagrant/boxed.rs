//! Machines from a box of somebody else's making: a Debian with a boot loader, which knows nothing of us.

use crate::machines::{Libvirt, agree, passed};
use crate::turn;
use crate::waiting::{LONG, eventually};
use deadpeer::report::read_events;
use deadpeer::timeline::Event;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What Vagrant knows it as.
const BOX: &str = "debian/as-others-pack-it";

/// A box as others pack theirs, in the cache; none where it cannot be packed.
pub fn packed() -> Option<PathBuf> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT RUN: only root can pack a Debian with a boot loader, its owners kept");
        return None;
    }
    let packed = deadpeer::cache::folder("test-boxes").unwrap().join("bookworm.box");
    fs::create_dir_all(packed.parent().unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/debian-box");
    passed(script, &Command::new(script).arg(&packed).output().unwrap());
    Some(packed)
}

/// A libvirt whose Vagrant has that box as well.
fn libvirt_with_box() -> Option<Libvirt> {
    let packed = packed()?;
    let libvirt = Libvirt::new();
    let mut add = Command::new("vagrant");
    add.args(["box", "add", "--name", BOX]).arg(packed).env("VAGRANT_HOME", libvirt.vagrant_home());
    passed("vagrant box add", &add.output().unwrap());
    Some(libvirt)
}

/// What `result.json` says that a host was made from.
fn origin(out: &Path, host: &str) -> [serde_json::Value; 2] {
    let result: serde_json::Value = serde_json::from_slice(&fs::read(out.join("result.json")).unwrap()).unwrap();
    ["box", "image"].map(|key| result["hosts"][host][key].clone())
}

/// The same scenario on a QEMU of our own, with the kernel of the box: kernels differ in what they tell.
fn on_bookworm(name: &str, out: &Path) -> Vec<Event> {
    let mut run = Command::new(env!("CARGO_BIN_EXE_controller"));
    passed(name, &run.args(["run", name, "--quiet", "--kernel", "bookworm", "--out"]).arg(out).output().unwrap());
    read_events(&out.join("events.jsonl")).unwrap()
}

/// All hosts from the box, kept; the second run begins with what was furnished for the first.
#[test]
fn the_same_happens_on_a_debian_of_somebody_elses_making() {
    let _turn = turn();
    let Some(libvirt) = libvirt_with_box() else { return };
    let home = tempfile::tempdir().unwrap();
    for name in ["crash-reboot", "shutdown-systemd"] {
        let began = Instant::now();
        let out = home.path().join(name);
        let events = libvirt.run(name, &out, &["--keep", "--box", BOX, "--boot-within", "180 s"]);
        println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
        agree(name, &on_bookworm(name, &home.path().join(format!("{name}-on-qemu"))), &events);
        assert_eq!(origin(&out, "server"), [format!("{BOX}@0").into(), serde_json::Value::Null]);
    }
    passed("remove", &Command::new(env!("CARGO_BIN_EXE_controller")).args(["machines", "remove"]).output().unwrap());
    assert_eq!(libvirt.left(), Vec::<String>::new());
}

/// A client from an image of ours and a server from the box.
#[test]
fn a_host_from_a_box_and_one_from_an_image_are_one_lab() {
    let _turn = turn();
    let Some(libvirt) = libvirt_with_box() else { return };
    let home = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios/normal-exit.yaml")).unwrap();
    let (before, after) = text.split_once("\n  server:\n").unwrap();
    let file = home.path().join("normal-exit.yaml");
    fs::write(&file, format!("{before}\n  server:\n    box: {BOX}\n{after}")).unwrap();
    let out = home.path().join("run");
    let events = libvirt.run(&file.to_string_lossy(), &out, &["--boot-within", "180 s"]);
    agree("normal-exit", &on_bookworm("normal-exit", &home.path().join("on-qemu")), &events);
    assert!(origin(&out, "server")[0].is_string() && origin(&out, "client")[1].is_object());
    assert_eq!(libvirt.left(), Vec::<String>::new());
}

/// Machines that run, into which Vagrant is given too little time to log in: they are gone, though they were to be kept.
#[test]
fn machines_that_cannot_be_furnished_are_not_left_though_they_were_to_be_kept() {
    let _turn = turn();
    let Some(libvirt) = libvirt_with_box() else { return };
    let home = tempfile::tempdir().unwrap();
    let more = ["--keep", "--box", BOX, "--boot-within", "1 s"];
    let output = libvirt.controller("normal-exit", &home.path().join("run"), &more).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("a machine did not let Vagrant log in") && said.contains("--boot-within '180 s'"), "{said}");
    assert_eq!(libvirt.left(), Vec::<String>::new());
}

/// SIGKILL while a machine is being furnished, which no event of the run tells of: the guard removes it.
#[test]
fn a_controller_that_is_killed_while_a_box_is_furnished_leaves_nothing() {
    let _turn = turn();
    let Some(libvirt) = libvirt_with_box() else { return };
    let home = tempfile::tempdir().unwrap();
    let mut run = libvirt.controller("normal-exit", &home.path().join("run"), &["--box", BOX]);
    let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + LONG;
    while !libvirt.left().iter().any(|it| it.ends_with("-client")) {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "no machine is ever made");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("an end of what was being made", || libvirt.left().is_empty());
}
