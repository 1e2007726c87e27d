//! What the image room does when its tools fail, are interrupted, or outlive a killed controller.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod image_world;

use image_world::{GOOD, World, be_child, line_beginning, runs, text, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};

/// Not a test: what the children of the others do.
#[test]
fn child() {
    be_child();
}

#[test]
fn a_failing_mmdebstraps_last_words_are_shown_and_nothing_is_left() {
    let world = World::new("echo 'E: Could not resolve the mirror' >&2; exit 25");
    let said = world.run("ensure");
    assert!(said.contains("ERROR Broken building the guest image: mmdebstrap ended with exit status 25"), "{said}");
    assert!(said.contains("E: Could not resolve the mirror"), "{said}");
    assert!(said.contains("is this host online"), "{said}");
    assert!(said.contains("FAILED "), "{said}");
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_killed_mmdebstrap_is_told_by_its_signal() {
    let world = World::new("kill -KILL $$");
    let said = world.run("ensure");
    assert!(said.contains("mmdebstrap was ended by SIGKILL"), "{said}");
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_full_disk_is_told_as_such() {
    let world = World::new("echo 'tar: x: Cannot write: No space left on device' >&2; exit 2");
    let said = world.run("ensure");
    assert!(said.contains("ERROR Broken not enough space to build the guest image: "), "{said}");
    assert!(said.contains("export XDG_CACHE_HOME="), "{said}");
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_root_full_of_garbage_is_refused() {
    for (script, error) in [
        ("mkdir \"$root\"", "does not hold the modules of exactly one kernel"),
        ("mkdir \"$root\"; echo x >\"$root/.deadpeer\"", "does not hold the modules of exactly one kernel"),
        (&format!("{GOOD} echo garbage >\"$root/.deadpeer/packages\""), "has a line of another form\n\ngarbage"),
        (&format!("{GOOD} rm \"$root/usr/bin/busybox\""), "busybox-static did not bring its program"),
        (
            &format!("{GOOD} : >\"$root/.deadpeer/kernel/lib/modules/6.0-fake/modules.builtin\""),
            "has no driver virtio_pci",
        ),
        (&format!("{GOOD} touch \"$root/usr/a\nb\""), "a file name that debugfs cannot be told"),
    ] {
        let world = World::new(script);
        let said = world.run("ensure");
        assert!(said.contains("ERROR Broken") && said.contains(error), "awaited {error:?} in:\n{said}");
        assert_eq!(world.left(), [""; 0]);
    }
}

#[test]
fn an_interrupt_ends_the_tool_and_its_children_and_leaves_nothing() {
    let world = World::new("sleep 1000 & echo $! >>\"$DEADPEER_TEST_IMAGE_RUNS\"; wait");
    let child = world.start("ensure");
    world.await_runs(2);
    fs::write(world.path("interrupt"), "").unwrap();
    let said = text(&child.wait_with_output().unwrap());
    assert!(said.contains("ERROR Interrupted interrupted"), "{said}");
    for pid in world.runs() {
        until("the end of the tool and its child", || !runs(pid));
    }
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn a_killed_controllers_tool_ends_and_the_next_one_cleans_up() {
    let world = World::new("trap 'exit 1' TERM; mkdir -p \"$root/half\"; while :; do sleep 0.01; done");
    let mut child = world.start("ensure");
    world.await_runs(1);
    child.kill().unwrap();
    child.wait().unwrap();
    until("the end of mmdebstrap", || !runs(world.runs()[0]));
    assert_eq!(world.left().len(), 1, "the build that was cut off");
    world.fake(GOOD);
    let said = world.run("ensure");
    assert!(said.contains("HAVE built=true"), "{said}");
    assert!(world.image().join("lock.json").exists());
}

#[test]
fn a_killed_controllers_tool_keeps_the_lock_as_long_as_it_lives() {
    let world = World::new("trap '' TERM; echo $$ >>\"$DEADPEER_TEST_IMAGE_RUNS\"; while :; do sleep 0.01; done");
    let mut child = world.start("ensure");
    world.await_runs(2);
    child.kill().unwrap();
    child.wait().unwrap();
    world.fake(GOOD);
    let mut next = world.start("ensure");
    let mut lines = BufReader::new(next.stdout.take().unwrap()).lines();
    let said = line_beginning(&mut lines, "SAID");
    assert!(said.starts_with("SAID waiting"), "{said}");
    kill(Pid::from_raw(world.runs()[0]), Signal::SIGKILL).unwrap();
    line_beginning(&mut lines, "HAVE built=true");
    next.wait().unwrap();
}

#[test]
fn missing_tools_are_named_with_the_command_that_brings_them() {
    let world = World::new(GOOD);
    fs::remove_file(world.path("bin/mmdebstrap")).unwrap();
    let output = world.command("ensure").env("PATH", world.path("bin")).output().unwrap();
    let said = text(&output);
    assert!(said.contains("ERROR Broken building the guest image needs what this host lacks: "), "{said}");
    assert!(said.contains("sudo apt-get install --no-install-recommends "), "{said}");
    assert!(said.contains(" mmdebstrap"), "{said}");
    assert_eq!(world.left(), [""; 0]);
}
