//! What is told when Vagrant or libvirt does what it should not, with fakes that misbehave on demand; and that nothing is left then.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod machine_support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A computer with fakes, one image, and a machine of somebody else's.
struct World {
    home: TempDir,
}

/// Whose domain is not ours, though its name begins as ours do.
const FOREIGN: &str = "deadpeer-server";

impl World {
    fn new() -> Self {
        let image = machine_support::image();
        let home = tempfile::tempdir().unwrap();
        let world = Self { home };
        fs::create_dir_all(world.path("cache/deadpeer")).unwrap();
        symlink(deadpeer::image::cache_folder().unwrap(), world.path("cache/deadpeer/images")).unwrap();
        fs::create_dir(world.path("libvirt")).unwrap();
        fs::write(world.path("libvirt").join(FOREIGN), "running (booted)\n").unwrap();
        let (name, version) = deadpeer::image::vagrant::identity(&image).unwrap();
        let boxes = world.path("vagrant/boxes").join(name.replace('/', "-VAGRANTSLASH-"));
        fs::create_dir_all(boxes.join(version).join("libvirt")).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, fault: &str) -> Command {
        let fake = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_controller"));
        command.args(["run", "server-killed", "--quiet", "--accel", "tcg", "--provider", "vagrant"]);
        command.args(["--libvirt-uri", "qemu:///session", "--out"]).arg(self.path("run"));
        command.env("DEADPEER_VAGRANT", fake("fake-vagrant")).env("DEADPEER_VIRSH", fake("fake-virsh"));
        command.env("FAULT", fault).env("FAKE_LIBVIRT", self.path("libvirt"));
        command.env("XDG_CACHE_HOME", self.path("cache")).env("VAGRANT_HOME", self.path("vagrant"));
        command
    }

    /// Runs a scenario on it, which must come to this exit code; what was said.
    #[track_caller]
    fn run(&self, fault: &str, code: i32) -> String {
        said(&self.command(fault).output().unwrap(), code)
    }

    /// No domain of ours, no pool, no folder; and nothing was done to what is not ours.
    #[track_caller]
    fn left_nothing(&self) {
        let calls = fs::read_to_string(self.path("libvirt/calls")).unwrap_or_default();
        let left: Vec<_> = fs::read_dir(self.path("libvirt")).unwrap().flatten().map(|it| it.file_name()).collect();
        let mut left: Vec<String> =
            left.iter().map(|it| it.to_string_lossy().into_owned()).filter(|it| it != "calls").collect();
        left.sort();
        assert_eq!(left, [FOREIGN], "{calls}");
        assert_eq!(fs::read_to_string(self.path("libvirt").join(FOREIGN)).unwrap(), "running (booted)\n");
        assert!(!calls.lines().any(|line| line.split(' ').any(|word| word == FOREIGN)), "{calls}");
        let folders = fs::read_dir(self.path("cache/deadpeer/machines")).into_iter().flatten().count();
        assert_eq!(folders, 0, "project folders are left");
        assert!(!self.path("run/.private").exists());
    }
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}{}", String::from_utf8_lossy(&output.stdout));
    said
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "it does not say {word:?}:\n{said}");
    }
}

#[test]
fn what_is_missing_is_named_with_the_command_that_helps() {
    for (fault, words) in [
        (
            "plugin-missing",
            &["Vagrant has no plugin vagrant-libvirt", "vagrant-share (1.0.0", "./lab setup vagrant"][..],
        ),
        ("libvirt-silent", &["libvirt at qemu:///session does not answer", "failed to connect", "./lab setup vagrant"]),
    ] {
        let world = World::new();
        says(&world.run(fault, 2), words);
        world.left_nothing();
    }
    let world = World::new();
    let mut command = world.command("");
    let output = command
        .env_remove("DEADPEER_VAGRANT")
        .env("PATH", "/nonexistent")
        .env("DEADPEER_QEMU", "/usr/bin/qemu-system-x86_64");
    let output = output.env("DEADPEER_QEMU_IMG", "/usr/bin/qemu-img").output().unwrap();
    says(&said(&output, 2), &["vagrant is missing", "PATH=/nonexistent", "./lab setup vagrant", "--provider qemu"]);
}

#[test]
fn a_missing_box_is_named_with_the_command_that_adds_it() {
    let world = World::new();
    fs::remove_dir_all(world.path("vagrant/boxes")).unwrap();
    let said = world.run("", 2);
    says(&said, &["Vagrant has no box deadpeer/trixie of version", "controller image box --kernel trixie"]);
    world.left_nothing();
}

/// A box of somebody else's: what cannot be is told before anything is made, and what it lacks when it is found out.
#[test]
fn a_box_of_somebody_elses_that_cannot_be_used_is_told_of() {
    let world = World::new();
    let with_box =
        |fault: &str, more: &[&str]| world.command(fault).args(["--box", "debian/bookworm64"]).args(more).output();
    let words =
        ["Vagrant has no box debian/bookworm64 for libvirt", "vagrant box add --provider libvirt debian/bookworm64"];
    says(&said(&with_box("", &[]).unwrap(), 2), &words);
    fs::remove_dir_all(world.path("run")).unwrap();
    let mut without = Command::new(env!("CARGO_BIN_EXE_controller"));
    without.args(["run", "server-killed", "--box", "debian/bookworm64", "--out"]).arg(world.path("run"));
    says(
        &said(&without.output().unwrap(), 64),
        &["--box, --keep and --libvirt-uri are for machines", "--provider vagrant"],
    );
    let words = ["host 'server' of scenario shutdown-sysvinit has sysvinit, which no box brings", "systemd"];
    says(&said(&with_box("", &["shutdown-sysvinit"]).unwrap(), 64), &words);
    let words = ["cannot be used with", "--kernel"];
    says(&said(&with_box("", &["--kernel", "trixie"]).unwrap(), 64), &words);
    world.left_nothing();

    fs::create_dir_all(world.path("vagrant/boxes/debian-VAGRANTSLASH-bookworm64/12.1/amd64/libvirt")).unwrap();
    let words = ["the box lacks what a host of a lab needs", "deadpeer: the box lacks ping", "iputils-ping"];
    says(&said(&with_box("box-lacks", &[]).unwrap(), 2), &words);
    world.left_nothing();
}

#[test]
fn what_vagrant_says_when_it_fails_is_named_and_the_machines_that_it_left_are_gone() {
    for (fault, words) in [
        ("port-in-use", &["a port of 127.0.0.1", "is in use", "tcp:127.0.0.1:42001", "ss -ltnp"][..]),
        ("no-address", &["a machine did not let Vagrant log in", "Timed out while waiting"]),
        ("box-vanished", &["Vagrant does not have a box", "controller image box"]),
        ("unforeseen", &["Vagrant did not bring the machines up", "something that nobody foresaw"]),
        ("never-connects", &["the QEMU of", "never connected to the controller"]),
        ("libvirt-hangs-up", &["pool-define-as", "End of file while reading data"]),
    ] {
        let world = World::new();
        says(&world.run(fault, 2), words);
        world.left_nothing();
        let result = fs::read_to_string(world.path("run/result.json")).unwrap();
        assert!(result.contains("\"plugin\": \"0.11.2\"") && result.contains("\"outcome\": \"unknown\""), "{result}");
    }
}

#[test]
fn what_the_provider_cannot_do_is_wrong_usage_before_anything_is_made() {
    for (arguments, words) in [
        (&["--time", "lockstep"][..], &["cannot make machines in lockstep time", "--provider qemu"][..]),
        (
            &["--libvirt-uri", "qemu://lab/system"],
            &["cannot use the libvirt at qemu://lab/system", "qemu+ssh://[USER@]HOST/system"],
        ),
        (
            &["--libvirt-uri", "qemu+ssh://lab/system?proxy=auto"],
            &["is not where a libvirt can be", "its parameter 'proxy'"],
        ),
    ] {
        let world = World::new();
        let mut command = world.command("");
        let output = if arguments[0] == "--libvirt-uri" {
            Command::new(command.get_program())
                .args(["run", "server-killed", "--quiet", "--provider", "vagrant", "--out"])
                .arg(world.path("run"))
                .args(arguments)
                .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
                .output()
        } else {
            command.args(arguments).output()
        };
        says(&said(&output.unwrap(), 64), words);
        world.left_nothing();
    }
    let alone =
        Command::new(env!("CARGO_BIN_EXE_controller")).args(["run", "server-killed", "--keep"]).output().unwrap();
    says(&said(&alone, 64), &["--provider vagrant"]);
}

/// What ssh says is named with what helps, before anything is made.
#[test]
fn a_computer_elsewhere_that_cannot_be_reached_is_named_with_what_helps() {
    for (fault, words) in [
        (
            "ssh-unknown",
            &["the host key of me@lab is not known", "Host key verification failed", "?known_hosts=FILE"][..],
        ),
        ("ssh-denied", &["me@lab does not let us log in", "Permission denied (publickey)", "?keyfile=FILE"]),
        ("ssh-refused", &["me@lab does not answer by SSH", "Connection refused", "ssh me@lab"]),
        ("ssh-no-forwards", &["the SSH server of me@lab does not forward a socket", "AllowStreamLocalForwarding yes"]),
        ("ssh-no-libvirt", &["libvirt on me@lab does not answer", "ssh me@lab virsh"]),
        (
            "ssh-not-root",
            &["the system's libvirt on me@lab can be used by its root alone", "qemu+ssh://me@lab/session"],
        ),
        ("ssh-other-kind", &["me@lab is of another kind: riscv64"]),
        ("ssh-no-qemu", &["the libvirt at qemu+ssh://lab/system has no QEMU", "unable to find any emulator"]),
        ("ssh-old-qemu", &["QEMU at qemu+ssh://lab/system is too old: found 6.2.0", "needed 7.2.0 or newer"]),
        (
            "ssh-no-room",
            &["cannot make the folder /var/lib/deadpeer/elsewhere/", " on me@lab", "Read-only file system"],
        ),
    ] {
        let world = World::new();
        let mut command = world.command(fault);
        let ssh = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-ssh");
        command.env("DEADPEER_SSH", ssh).env("LIBVIRT_DEFAULT_URI", "qemu+ssh://me@lab/system");
        let output = without_uri(&command).output().unwrap();
        let code = if fault == "ssh-not-root" { 64 } else { 2 };
        says(&said(&output, code), words);
        world.left_nothing();
    }
}

/// The same command without `--libvirt-uri`.
fn without_uri(command: &Command) -> Command {
    let mut other = Command::new(command.get_program());
    let arguments: Vec<_> = command.get_args().collect();
    let at = arguments.iter().position(|it| *it == "--libvirt-uri").unwrap();
    other.args(&arguments[..at]).args(&arguments[at + 2..]);
    other.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other
}

/// Ctrl-C while Vagrant works, and SIGKILL, after which a guard cleans up.
#[test]
fn a_controller_that_is_ended_while_vagrant_works_leaves_nothing() {
    use nix::sys::signal::{Signal, kill};
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGKILL, None)] {
        let world = World::new();
        let mut child = world.command("up-hangs").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let made = || fs::read_dir(world.path("libvirt")).unwrap().count() >= 4;
        let deadline = Instant::now() + machine_support::SOON;
        while !made() {
            assert!(Instant::now() < deadline, "no domain is ever made");
            std::thread::sleep(Duration::from_millis(20));
        }
        kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), code);
        let gone = || fs::read_dir(world.path("cache/deadpeer/machines")).into_iter().flatten().count() == 0;
        while !gone() {
            assert!(Instant::now() < deadline, "the guard does not clean up");
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = fs::remove_dir_all(world.path("run/.private"));
        world.left_nothing();
    }
}

/// Machines that never came up are not kept, whatever was asked.
#[test]
fn what_never_came_up_is_not_kept() {
    let world = World::new();
    let output = world.command("unforeseen").arg("--keep").output().unwrap();
    says(&said(&output, 2), &["something that nobody foresaw"]);
    world.left_nothing();
}
