//! What the tests of machines share: a folder, a timeline to wait on, and guests that do as they are told.

#![allow(dead_code)] // Each test file uses a part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use deadpeer::image::{self, Image, Spec};
use deadpeer::machine::Accelerator;
use deadpeer::machine::qemu::{Config, Info, Qemu, Version};
use deadpeer::progress::Reporter;
use deadpeer::timeline::{Clock, Event, MachineEvent, Recorder, What};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything takes on a busy machine; a test that works never waits so long.
pub(crate) const SOON: Duration = Duration::from_secs(120);

/// What the base image of every test begins with.
pub(crate) const BASE: &[u8; 16] = b"BASEIMAGEPATTERN";

/// A run's folder and its timeline.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) recorder: Recorder,
    events: Receiver<Event>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (sink, events) = channel();
        let folder = tempfile::tempdir().unwrap();
        let mut base = vec![0; 1 << 20];
        base[..BASE.len()].copy_from_slice(BASE);
        std::fs::write(folder.path().join("base.raw"), base).unwrap();
        Self { folder, recorder: Recorder::new(Clock::start(), sink), events }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A machine named `server`, of this guest.
    pub(crate) fn config(&self, guest: &Guest) -> Config {
        Config {
            name: "server".into(),
            memory: 256,
            kernel: guest.kernel.clone(),
            initrd: guest.initrd.clone(),
            base: self.path("base.raw"),
            overlay: self.path("server.qcow2"),
            append: guest.append.clone(),
            control_mac: [0x02, 0xde, 0xad, 0x00, 0xff, 0x01],
            accelerator: Accelerator::Tcg,
            folder: self.folder.path().to_owned(),
            recordings: Some(self.folder.path().to_owned()),
            patience: Duration::from_secs(30),
        }
    }

    /// Its machine under this QEMU.
    pub(crate) fn machine(&self, config: Config, qemu: Info) -> Qemu {
        Qemu::new(config, qemu, &Info::qemu_img().unwrap(), self.recorder.clone()).unwrap()
    }

    /// The next event of the machine.
    #[track_caller]
    pub(crate) fn next(&self) -> MachineEvent {
        let event = self.events.recv_timeout(SOON).expect("an event");
        let What::Machine { host, event } = event.what else { panic!("not a machine's: {event:?}") };
        assert_eq!(host, "server");
        event
    }

    /// Events until one fits; that one.
    #[track_caller]
    pub(crate) fn await_event(&self, fits: impl Fn(&MachineEvent) -> bool) -> MachineEvent {
        let deadline = Instant::now() + SOON;
        let mut others = Vec::new();
        while Instant::now() < deadline {
            let event = self.next();
            if fits(&event) {
                return event;
            }
            others.push(event);
        }
        panic!("awaited another event; came: {others:?}");
    }

    /// All that came by now.
    pub(crate) fn rest(&self) -> Vec<What> {
        self.events.try_iter().map(|event| event.what).collect()
    }
}

/// What a machine boots.
pub(crate) struct Guest {
    pub(crate) kernel: PathBuf,
    pub(crate) initrd: PathBuf,
    pub(crate) append: String,
}

/// The default image; built where it is not in the cache.
pub(crate) fn image() -> Image {
    image::ensure(&Spec::default(), &Reporter::silent(), &|| false).unwrap()
}

impl Guest {
    /// A guest for a fake QEMU, which boots nothing.
    pub(crate) fn none() -> Self {
        Self { kernel: "/vmlinuz".into(), initrd: "/initrd".into(), append: String::new() }
    }

    /// A guest whose first program is this shell script, after the modules are loaded; `$B` is busybox.
    ///
    /// Kernel, busybox and the modules of the virtio NIC and disk are the image's; nothing else of it is used.
    pub(crate) fn script(bench: &Bench, script: &str) -> Self {
        Self::script_on(bench, &Spec::default().suite, script)
    }

    /// The same with the kernel of another Debian suite. The witness is `/witness`.
    pub(crate) fn script_on(bench: &Bench, suite: &str, script: &str) -> Self {
        let spec = Spec { suite: suite.to_owned() };
        let image = image::ensure(&spec, &Reporter::silent(), &|| false).unwrap();
        let script = format!("{PROLOGUE}\n{script}\n{EPILOGUE}\n");
        let witness = deadpeer::embedded::guest_program("witness").unwrap();
        let mut archive = std::fs::read(&image.initrd).unwrap();
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(cpio(&[("deadpeer-test", script.as_bytes()), ("witness", witness)]));
        let initrd = bench.path("initrd");
        std::fs::write(&initrd, archive).unwrap();
        Self { kernel: image.kernel, initrd, append: PARAMETERS.into() }
    }
}

const PARAMETERS: &str = "console=ttyS0 quiet panic=0 mitigations=off cryptomgr.notests tsc=unstable clocksource=hpet \
                          nolapic_timer rdinit=/deadpeer-test";

const PROLOGUE: &str = r#"#!/bin/busybox sh
B=/bin/busybox
$B mkdir -p /dev /proc /sys
$B mount -t devtmpfs dev /dev; $B mount -t proc proc /proc; $B mount -t sysfs sys /sys
exec </dev/console >/dev/console 2>&1
for m in /modules/*.ko; do $B insmod $m; done
for n in /sys/class/net/*; do
  [ "$($B cat $n/address)" = 02:de:ad:00:00:01 ] && LINK=$n && $B ip link set ${n##*/} up
done
up() { echo "deadpeer: up $($B cat /proc/sys/kernel/random/boot_id) $($B uname -r)"; }
"#;

const EPILOGUE: &str = "while :; do $B sleep 1000; done";

/// An archive of executable files (newc: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst).
fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    let files = files.iter().map(|(name, body)| (*name, 0o100_755_u32, *body));
    for (name, mode, body) in files.chain([("TRAILER!!!", 0, &b""[..])]) {
        let fields = [0, mode, 0, 0, 1, 0, body.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        archive.extend(b"070701");
        fields.iter().for_each(|field| archive.extend(format!("{field:08x}").bytes()));
        for part in [format!("{name}\0").as_bytes(), body] {
            archive.extend(part);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
    }
    archive
}

/// Whether a process is gone: reaped, or dead and waiting for somebody else to reap it.
pub(crate) fn is_gone(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")) else { return true };
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// The fake QEMU with this fault. It is a link, for a script that was just written may not be executable yet
/// (ETXTBSY, if another thread forks meanwhile).
pub(crate) fn fake(bench: &Bench, fault: &str) -> Info {
    let path = bench.path(fault);
    if !path.exists() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-qemu");
        std::os::unix::fs::symlink(script, &path).unwrap();
    }
    Info { path, version: Version { major: 8, minor: 2, micro: 2 } }
}
