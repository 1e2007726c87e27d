//! What the image room does when things go wrong, with a fake `mmdebstrap` and the other tools real.
//!
//! Each test runs this executable again as a child (the test `child`, which does nothing by itself), because cache and
//! `PATH` come from the environment, and because a controller that is killed has to be a process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use deadpeer::image::{self, Spec};
use deadpeer::progress::{Progress, Reporter};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Set in a child: what it shall do.
const TASK: &str = "DEADPEER_TEST_IMAGE_TASK";

/// A file whose appearance is the user's Ctrl-C.
const INTERRUPT: &str = "DEADPEER_TEST_IMAGE_INTERRUPT";

/// These tests wait for events; this is when they give up.
const LIMIT: Duration = Duration::from_secs(60);

/// A fake mmdebstrap's beginning: answers for its version, notes its process id, finds out its root folder.
const FAKE: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo "mmdebstrap 9.9"; exit 0; }
echo $$ >>"$DEADPEER_TEST_IMAGE_RUNS"
for root; do :; done
"#;

/// The rest of one that succeeds: the least that an image can be made of.
const GOOD: &str = r#"
echo "I: downloading packages with apt..." >&2
mkdir -p "$root/.deadpeer/kernel/boot" "$root/.deadpeer/kernel/lib/modules/6.0-fake/kernel" "$root/usr/bin"
echo kernel >"$root/.deadpeer/kernel/boot/vmlinuz-6.0-fake"
for m in virtio_pci virtio_blk virtio_net virtio-rng ext4 af_packet; do
	echo "kernel/$m.ko"
done >"$root/.deadpeer/kernel/lib/modules/6.0-fake/modules.builtin"
echo busybox >"$root/usr/bin/busybox"
printf 'busybox 1 amd64 %064d\n' 0 >"$root/.deadpeer/packages"
"#;

/// A world of its own: a cache, and a fake mmdebstrap.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new(script: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(world.path("bin")).unwrap();
        world.fake(script);
        world
    }

    fn fake(&self, script: &str) {
        let file = self.path("bin/mmdebstrap");
        fs::write(&file, format!("{FAKE}{script}")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn images(&self) -> PathBuf {
        self.path("cache/deadpeer/images")
    }

    /// Everything in the cache but lock files.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.images()).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().into_string().unwrap()).filter(|name| !name.ends_with(".lock")).collect()
    }

    /// The process ids of all runs of the fake.
    fn runs(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.path("runs")).unwrap_or_default();
        text.split_terminator('\n').map(|line| line.parse().unwrap()).collect()
    }

    fn command(&self, task: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let path = std::env::var("PATH").unwrap();
        command
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(TASK, task)
            .env(INTERRUPT, self.path("interrupt"))
            .env("DEADPEER_TEST_IMAGE_RUNS", self.path("runs"))
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    fn start(&self, task: &str) -> Child {
        self.command(task).spawn().unwrap()
    }

    /// Runs a task to its end: what it said.
    fn run(&self, task: &str) -> String {
        text(&self.start(task).wait_with_output().unwrap())
    }

    /// The folder of the one image.
    fn image(&self) -> PathBuf {
        let left = self.left();
        assert_eq!(left.len(), 1, "{left:?}");
        self.images().join(&left[0])
    }

    /// Waits until the fake noted `n` process ids.
    fn await_runs(&self, n: usize) {
        until("a run of mmdebstrap", || self.runs().len() >= n);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !happened() {
        assert!(Instant::now() < deadline, "awaited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs (a zombie does not).
fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Reads a child's lines until one begins so.
fn line_beginning(lines: &mut impl Iterator<Item = std::io::Result<String>>, start: &str) -> String {
    lines.map(Result::unwrap).find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no line begins {start:?}"))
}

/// Not a test: what the children of the others do.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let interrupt = PathBuf::from(std::env::var_os(INTERRUPT).unwrap());
    let reporter = Reporter::new(|progress| match progress {
        Progress::Began { what, .. } | Progress::Now { what, .. } | Progress::Done { what, .. } => {
            println!("SAID {what}")
        }
        Progress::Failed { what, .. } => println!("FAILED {what}"),
    });
    println!(); // the test runner has begun this line
    match task.as_str() {
        "remove" => match image::remove("trixie") {
            Ok(keys) => println!("REMOVED {}", keys.len()),
            Err(e) => println!("ERROR {:?} {e}", e.kind),
        },
        "list" => {
            for entry in image::list().unwrap() {
                println!("ENTRY {} {:?} {} {:?}", entry.suite, entry.kernel_release, entry.current, entry.damage);
            }
        }
        _ => match image::ensure(&Spec::default(), &reporter, &|| interrupt.exists()) {
            Ok(image) => {
                println!("HAVE built={} release={}", image.built, image.kernel_release);
                if task == "hold" {
                    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
                }
                drop(image);
            }
            Err(e) => println!("ERROR {:?} {e}", e.kind),
        },
    }
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
