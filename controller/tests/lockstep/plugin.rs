//! The plugin refuses what it was not made for, with what that is; and QEMU never outlives its coordinator.

use crate::lab::text;
use crate::machine_support::{Bench, SOON};
use command_fds::CommandFdExt;
use deadpeer::machine::qemu::Info;
use deadpeer::machine::qemu::lockstep::{Board, arguments, install};
use deadpeer::process::{self, Child};
use deadpeer::time::lockstep::protocol::{self, HELLO, Hello, Item, Line, REPORT};
use deadpeer::timeline::Ended;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A machine with one NIC and nothing to boot.
fn board(bench: &Bench, socket: &OwnedFd) -> Board {
    let plugin = bench.path("lockstep.so");
    Board {
        name: "client".to_owned(),
        memory: 32,
        kernel: None,
        links: vec![[0x02, 0xde, 0xad, 0, 0, 1]],
        disk: None,
        programs: None,
        recorder: None,
        console: Some(bench.path("console")),
        agent: None,
        seed: 1,
        plugin: if plugin.exists() { plugin } else { install(bench.folder.path()).unwrap() },
        socket: socket.as_raw_fd(),
        qmp: None,
        restored: false,
    }
}

fn start(bench: &Bench, arguments: Vec<String>, socket: OwnedFd) -> (Child, PathBuf) {
    let errors = bench.path("stderr");
    let mut command = Command::new(Info::qemu().unwrap().path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&errors).unwrap());
    command.preserved_fds(vec![socket]);
    (process::spawn(command, |_| ()).unwrap(), errors)
}

/// What a QEMU that was started so says before it ends with status 1.
#[track_caller]
fn refused(bench: &Bench, change: impl FnOnce(&mut Vec<String>), socket: OwnedFd) -> String {
    let mut args = arguments(&board(bench, &socket));
    change(&mut args);
    let (child, errors) = start(bench, args, socket);
    assert_eq!(child.wait(SOON), Some(Ended::Exit(1)), "{}", text(&errors));
    text(&errors)
}

/// Puts another value in place of an option's.
fn replace(option: &str, change: impl FnOnce(&str) -> String) -> impl FnOnce(&mut Vec<String>) {
    move |args| {
        let at = args.iter().position(|arg| arg == option).unwrap() + 1;
        args[at] = change(&args[at]);
    }
}

#[test]
fn arguments_that_cannot_be_are_refused_by_name() {
    let bench = Bench::new();
    for (more, said) in [
        (",nic=link0", "the argument 'nic=link0' cannot be"),
        (",net=", "the argument 'net=' cannot be"),
        (",fd=4", "the argument 'fd=4' cannot be"),
        (",net=a,net=b,net=c", "the argument 'net=c' cannot be"),
        (",serial=console", "the argument 'serial=console' cannot be"),
    ] {
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let words = refused(&bench, replace("-plugin", |value| format!("{value}{more}")), theirs.into());
        assert!(words.contains(&format!("lockstep: {said}")), "{words}");
    }
    for (fd, said) in [("", "the argument fd=N is missing"), (",fd=x", "the argument 'fd=x' cannot be")] {
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let without = |value: &str| format!("{}{fd}", value.split(",fd=").next().unwrap());
        let words = refused(&bench, replace("-plugin", without), theirs.into());
        assert!(words.contains(&format!("lockstep: {said}")), "{words}");
    }
}

#[test]
fn what_is_no_stream_socket_is_refused() {
    let bench = Bench::new();
    let file = File::open("/dev/null").unwrap();
    let words = refused(&bench, |_| (), file.into());
    assert!(words.contains("is no socket: Socket operation on non-socket"), "{words}");
    let (_ours, theirs) = UnixDatagram::pair().unwrap();
    let words = refused(&bench, |_| (), theirs.into());
    assert!(words.contains("is no stream socket"), "{words}");
    // One that nobody inherited.
    let words = refused(
        &bench,
        replace("-plugin", |value| format!("{},fd=999", value.split(",fd=").next().unwrap())),
        File::open("/dev/null").unwrap().into(),
    );
    assert!(words.contains("fd=999 is no socket: Bad file descriptor"), "{words}");
}

#[test]
fn a_machine_that_cannot_be_bound_is_refused() {
    let bench = Bench::new();
    for (change, said) in [
        (("-icount", "shift=auto"), "needs a machine that counts its instructions: -icount shift=2,sleep=off"),
        (("-netdev", "hubport,id=other,hubid=0"), "there is no netdev 'link0'"),
        (("-netdev", "user,id=link0,restrict=on"), "NetClientInfo of 'link0' is not laid out as in QEMU 7.2 to 10.0"),
        (("-chardev", "null,id=other"), "there is no chardev 'console'"),
    ] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let remove_users = |args: &mut Vec<String>| {
            replace(change.0, |_| change.1.to_owned())(args);
            // Who uses what is not there any more would be QEMU's own complaint.
            while let Some(at) = args.iter().position(|arg| {
                (arg.starts_with("virtio-net-pci") && change.1.contains("other,hubid")) || arg == "chardev:console"
            }) {
                args.drain(at - 1..=at);
            }
        };
        let words = refused(&bench, remove_users, theirs.into());
        assert!(words.contains(&format!("lockstep: {said}")), "{words}");
        drop(ours);
    }
}

/// A machine at its first boundary, and our end of its socket.
fn at_first_boundary(bench: &Bench) -> (Child, PathBuf, UnixStream) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(SOON)).unwrap();
    let theirs = OwnedFd::from(theirs);
    let (child, errors) = start(bench, arguments(&board(bench, &theirs)), theirs);
    let (mut hello, mut report) = ([0; HELLO], [0; REPORT]);
    ours.read_exact(&mut hello).unwrap_or_else(|_| panic!("{}", text(&errors)));
    let hello = Hello::decode(&hello).unwrap();
    assert_eq!((hello.nics, hello.serial), (1, true));
    let version = Info::qemu().unwrap().version;
    assert_eq!(hello.qemu, [version.major, version.minor, version.micro]);
    ours.read_exact(&mut report).unwrap();
    (child, errors, ours)
}

#[track_caller]
fn assert_ends(child: &Child, errors: &Path, said: &str) {
    assert_eq!(child.wait(SOON), Some(Ended::Exit(1)), "{}", text(errors));
    assert!(text(errors).contains(&format!("lockstep: {said}")), "{}", text(errors));
}

#[test]
fn qemu_ends_when_its_coordinator_is_gone_wherever_it_stands() {
    let bench = Bench::new();
    let (child, errors, ours) = at_first_boundary(&bench);
    drop(ours);
    assert_ends(&child, &errors, "the coordinator is gone: ");

    // A machine that computes, and has still an hour of its own time to do so.
    let (child, errors, mut ours) = at_first_boundary(&bench);
    ours.write_all(&protocol::run(3_600_000_000_000, &[]).unwrap()).unwrap();
    drop(ours);
    assert_ends(&child, &errors, "the coordinator is gone: ");

    // In the midst of a grant.
    let (child, errors, mut ours) = at_first_boundary(&bench);
    ours.write_all(&protocol::run(1000, &[]).unwrap()[..10]).unwrap();
    drop(ours);
    assert_ends(&child, &errors, "the coordinator is gone: ");

    // A machine that stands still until somebody lets it go, which nobody will.
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = OwnedFd::from(theirs);
    let mut args = arguments(&board(&bench, &theirs));
    args.push("-S".to_owned());
    let (child, errors) = start(&bench, args, theirs);
    (&ours).read_exact(&mut [0; HELLO]).unwrap();
    drop(ours);
    assert_ends(&child, &errors, "the coordinator is gone: hangup");
}

#[test]
fn a_grant_that_cannot_be_ends_qemu_with_what_it_was() {
    let bench = Bench::new();
    let item = |at, line, bytes: &[u8]| Item { at, line, bytes: bytes.into() };
    let run = |until, items: &[_]| protocol::run(until, items).unwrap();
    let mut cut_short = run(1000, &[item(500, Line::Nic(0), b"abc")]);
    cut_short[24 + 12] = 200;
    let mut more = run(1000, &[item(500, Line::Nic(0), b"abc")]);
    more[12] = 0;
    let mut pause_with_items = run(1000, &[item(500, Line::Nic(0), b"abc")]);
    pause_with_items[8] = 1;
    for (grant, said) in [
        (vec![0xff; 24], "a grant is malformed: what 4294967295, 4294967295 bytes, 4294967295"),
        (run(0, &[]), "granted until 0, which is past: now 0"),
        (run(1000, &[item(500, Line::Nic(1), b"abc")]), "a granted item is malformed: 3 bytes for line 0x1 at 500"),
        (run(1000, &[item(500, Line::Nic(0), b"")]), "a granted item is malformed: 0 bytes for line 0 at 500"),
        (cut_short, "a granted item is malformed: 200 bytes for line 0 at 500"),
        (more, "a grant has 19 bytes too many"),
        (pause_with_items, "a pause came with 1 items"),
    ] {
        let (child, errors, mut ours) = at_first_boundary(&bench);
        ours.write_all(&grant).unwrap();
        assert_ends(&child, &errors, said);
    }
}

/// What the plugin says in a QEMU that was compiled with these flags, and how that ended.
fn in_fake(bench: &Bench, flags: &[&str]) -> (Ended, String) {
    let program = bench.path("fake-qemu");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lockstep/fake-qemu.c");
    let mut gcc = Command::new("gcc");
    gcc.args(flags).args(["-rdynamic", "-o"]).arg(&program).arg(source).arg("-ldl");
    let built = process::output(gcc, SOON).unwrap();
    assert_eq!(built.how, Ended::Exit(0), "{}", built.stderr);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let theirs = OwnedFd::from(theirs);
    (&ours).write_all(&protocol::run(1000, &[]).unwrap()).unwrap();
    let mut command = Command::new(program);
    command.arg(board(bench, &theirs).plugin);
    command.args([format!("fd={}", theirs.as_raw_fd()), "net=link0".to_owned(), "serial=console".to_owned()]);
    command.preserved_fds(vec![theirs]);
    let out = process::output(command, SOON).unwrap();
    (out.how, out.stderr)
}

#[test]
fn a_qemu_that_lacks_something_is_refused_by_its_name() {
    let bench = Bench::new();
    for (flags, said) in [
        (vec!["-DMAJOR=7", "-DMINOR=1"], "made for QEMU 7.2 to 10.0; this is 7.1.5"),
        (vec!["-DMAJOR=10", "-DMINOR=1"], "made for QEMU 7.2 to 10.0; this is 10.1.5"),
        (vec!["-DTARGET=\"aarch64\""], "made for qemu-system-x86_64, not for the emulation of aarch64"),
        (
            vec!["-Dqemu_chr_find=x", "-Duse_icount=y"],
            "this QEMU does not export what is needed: qemu_chr_find use_icount",
        ),
        (vec!["-Dqemu_mutex_iothread_locked=x"], "this QEMU does not export what is needed: bql_locked"),
        // `receive_iov` gone; a further function; a client too small.
        (vec!["-DLAYOUT=3,400,F,0,0,F,0,0,0,F,0"], "NetClientInfo of 'link0' is not laid out"),
        (vec!["-DLAYOUT=3,400,F,0,F,F,0,F,0,F,0"], "NetClientInfo of 'link0' is not laid out"),
        (vec!["-DLAYOUT=3,40,F,0,F,F,0,0,0,F,0"], "NetClientInfo of 'link0' is not laid out"),
        (vec!["-DLAYOUT=0"], "NetClientInfo of 'link0' is not laid out"),
    ] {
        let (how, words) = in_fake(&bench, &flags);
        assert_eq!(how, Ended::Exit(1), "{words}");
        assert!(words.contains(&format!("lockstep: {said}")), "{words}");
    }
}

#[test]
fn each_qemu_is_offered_an_interface_that_it_takes() {
    let bench = Bench::new();
    assert_eq!(in_fake(&bench, &[]), (Ended::Exit(0), "interface 1\n".to_owned()));
    // 9.0: another interface, and no `receive_raw`.
    let newer = ["-DMAJOR=9", "-DMINOR=0", "-Dfunction=qemu_plugin_scoreboard_new", "-Dstatic="];
    let renamed = ["-Dqemu_mutex_iothread_locked=bql_locked", "-DLAYOUT=3,400,F,F,F,0,0,0,F,0"];
    let newer = [&newer[..], &renamed].concat();
    assert_eq!(in_fake(&bench, &newer), (Ended::Exit(0), "interface 2\n".to_owned()));
}
