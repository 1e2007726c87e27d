//! What the tests of the image room share: a cache of their own, and a fake `mmdebstrap`; the other tools are real.
//!
//! Each test runs its executable again as a child (the test `child`, which does nothing by itself), because cache and
//! `PATH` come from the environment, and because a controller that is killed has to be a process.
#![allow(dead_code, missing_docs)] // Each of the test programs uses a part.

use deadpeer::image::{self, Spec};
use deadpeer::progress::{Progress, Reporter};
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
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
pub(crate) const GOOD: &str = r#"
echo "I: downloading packages with apt..." >&2
mkdir -p "$root/.deadpeer/kernel/boot" "$root/.deadpeer/kernel/lib/modules/6.0-fake/kernel" "$root/usr/bin"
echo kernel >"$root/.deadpeer/kernel/boot/vmlinuz-6.0-fake"
for m in virtio_pci virtio_blk virtio_net virtio-rng ext4 af_packet libnvdimm nd_btt nd_pmem nfit; do
	echo "kernel/$m.ko"
done >"$root/.deadpeer/kernel/lib/modules/6.0-fake/modules.builtin"
echo busybox >"$root/usr/bin/busybox"
printf 'busybox 1 amd64 %064d\n' 0 >"$root/.deadpeer/packages"
"#;

/// A world of its own: a cache, and a fake mmdebstrap.
pub(crate) struct World {
    folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(script: &str) -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(world.path("bin")).unwrap();
        world.fake(script);
        world
    }

    pub(crate) fn fake(&self, script: &str) {
        let file = self.path("bin/mmdebstrap");
        fs::write(&file, format!("{FAKE}{script}")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.path("cache/deadpeer/images")
    }

    /// Everything in the cache but lock files.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.images()).into_iter().flatten().flatten();
        entries.map(|e| e.file_name().into_string().unwrap()).filter(|name| !name.ends_with(".lock")).collect()
    }

    /// The process ids of all runs of the fake.
    pub(crate) fn runs(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.path("runs")).unwrap_or_default();
        text.split_terminator('\n').map(|line| line.parse().unwrap()).collect()
    }

    pub(crate) fn command(&self, task: &str) -> Command {
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

    pub(crate) fn start(&self, task: &str) -> Child {
        self.command(task).spawn().unwrap()
    }

    /// Runs a task to its end: what it said.
    pub(crate) fn run(&self, task: &str) -> String {
        text(&self.start(task).wait_with_output().unwrap())
    }

    /// The folder of the one image.
    pub(crate) fn image(&self) -> PathBuf {
        let left = self.left();
        assert_eq!(left.len(), 1, "{left:?}");
        self.images().join(&left[0])
    }

    /// Waits until the fake noted `n` process ids.
    pub(crate) fn await_runs(&self, n: usize) {
        until("a run of mmdebstrap", || self.runs().len() >= n);
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !happened() {
        assert!(Instant::now() < deadline, "awaited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs (a zombie does not).
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// Reads a child's lines until one begins so.
pub(crate) fn line_beginning(lines: &mut impl Iterator<Item = std::io::Result<String>>, start: &str) -> String {
    lines.map(Result::unwrap).find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no line begins {start:?}"))
}

/// What the children do.
pub(crate) fn be_child() {
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
