//! The cache of images: built once, shared, verified, removed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod image_world;

use image_world::{GOOD, World, be_child, line_beginning, text};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Not a test: what the children of the others do.
#[test]
fn child() {
    be_child();
}

#[test]
fn an_image_is_built_once_and_then_taken_from_the_cache() {
    let world = World::new(GOOD);
    let first = world.run("ensure");
    assert!(first.contains("SAID downloading packages\n"), "{first}");
    assert!(first.contains("HAVE built=true release=6.0-fake"), "{first}");
    assert!(world.run("ensure").contains("HAVE built=false"));
    assert_eq!(world.runs().len(), 1);
    for name in ["kernel", "initrd", "disk.ext4"] {
        let mode = fs::metadata(world.image().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444, "{name}");
    }
    assert!(!world.image().join("scratch").exists());
    assert!(world.run("list").contains("ENTRY trixie Some(\"6.0-fake\") true None\n"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, two) = (World::new(GOOD), World::new(GOOD));
    one.run("ensure");
    two.run("ensure");
    for name in ["kernel", "initrd", "disk.ext4", "lock.json"] {
        assert!(
            fs::read(one.image().join(name)).unwrap() == fs::read(two.image().join(name)).unwrap(),
            "{name} differs"
        );
    }
}

#[test]
fn of_two_builders_one_builds_and_the_other_waits() {
    let world = World::new(&format!("until [ -e \"$DEADPEER_TEST_IMAGE_RUNS.go\" ]; do sleep 0.01; done\n{GOOD}"));
    let one = world.start("ensure");
    world.await_runs(1);
    let mut two = world.start("ensure");
    let mut lines = BufReader::new(two.stdout.take().unwrap()).lines();
    let said = line_beginning(&mut lines, "SAID");
    assert_eq!(said, "SAID waiting for another controller that builds the guest image");
    fs::write(world.path("runs.go"), "").unwrap();
    assert!(text(&one.wait_with_output().unwrap()).contains("HAVE built=true"));
    line_beginning(&mut lines, "HAVE built=false");
    two.wait().unwrap();
    assert_eq!(world.runs().len(), 1);
}

#[test]
fn an_altered_image_is_built_anew() {
    let alter = |path: &Path, bytes: &[u8]| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let world = World::new(GOOD);
    world.run("ensure");
    alter(&world.image().join("kernel"), b"KERNEL\n");
    let listed = world.run("list");
    assert!(listed.contains("kernel was altered"), "{listed}");
    let said = world.run("ensure");
    assert!(said.contains("SAID building the guest image anew: kernel was altered: its SHA-256 is "), "{said}");
    assert!(said.contains("HAVE built=true"), "{said}");
    alter(&world.image().join("disk.ext4"), b"");
    let said = world.run("ensure");
    assert!(said.contains("anew: disk.ext4 has 0 bytes instead of "), "{said}");
    fs::remove_file(world.image().join("initrd")).unwrap();
    assert!(world.run("ensure").contains("anew: cannot look at initrd"));
    assert!(world.run("ensure").contains("HAVE built=false"));
    assert_eq!(fs::read(world.image().join("kernel")).unwrap(), b"kernel\n");
}

#[test]
fn an_image_in_use_cannot_be_removed_and_one_that_is_not_can() {
    let world = World::new(GOOD);
    let mut user = world.start("hold");
    let mut lines = BufReader::new(user.stdout.take().unwrap()).lines();
    line_beginning(&mut lines, "HAVE");
    let said = world.run("remove");
    assert!(said.contains("is in use by a controller that is running"), "{said}");
    drop(user.stdin.take());
    user.wait().unwrap();
    assert!(world.run("remove").contains("REMOVED 1"));
    assert_eq!(world.left(), [""; 0]);
    assert!(world.run("remove").contains("ERROR Usage no such image: trixie\n\nthe cache holds none"));
}
