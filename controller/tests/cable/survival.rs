//! A controller that is killed, and a disk that fills up. Both need a process of their own: this test program again.

use crate::capture::{packets, tshark};
use crate::lab::{Lab, frame, mac};
use deadpeer::timeline::{Clock, Recorder};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the process that plays the controller is told to write its capture.
const CAPTURE: &str = "DEADPEER_TEST_CAPTURE";

/// This program, to run one test of those below that are ignored.
fn player(test: &str, capture: &Path) -> [String; 6] {
    let program = std::env::current_exe().unwrap();
    let words = [
        "env",
        &format!("{CAPTURE}={}", capture.display()),
        &program.to_string_lossy(),
        "--ignored",
        "--nocapture",
        test,
    ];
    words.map(str::to_owned)
}

/// A lab of the player's, or none if nobody asked for a play.
fn stage() -> Option<Lab> {
    let path = std::env::var_os(CAPTURE)?;
    Some(Lab::with_capture(Path::new(&path)))
}

#[test]
fn a_controller_that_is_killed_leaves_a_capture_of_whole_packets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcapng");
    for round in 1..=5 {
        let [program, arguments @ ..] = player("survival::plays_a_controller_that_never_ends", &path);
        let mut child = Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let witnessed = lines.map(Result::unwrap).filter(|line| line == "ten more").take(20 * round).count();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "killed while it was writing");
        assert_eq!(witnessed, 20 * round);

        let packets = packets(&path);
        assert!(packets.len() >= 10 * witnessed, "{} packets of {} or more", packets.len(), 10 * witnessed);
        for (number, packet) in packets.iter().enumerate() {
            assert_eq!(packet.data.as_ref(), frame("client", mac("server"), number as u8));
        }
        assert_eq!(tshark(&path, &[]).len(), packets.len());
    }
}

#[test]
#[ignore = "a part in the test above"]
fn plays_a_controller_that_never_ends() {
    let Some(lab) = stage() else { return };
    for number in 0_u64.. {
        lab.guest("client").send(&frame("client", mac("server"), number as u8));
        lab.guest("server").receive();
        if number % 10 == 9 {
            lab.settle();
            println!("ten more");
        }
    }
}

#[test]
fn a_full_disk_stops_the_capture_and_not_the_switch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcapng");
    // A limit on the size of files is a disk that is full: the last write is cut short, the next fails. In units of 512 bytes (POSIX ulimit).
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    let player = player("survival::plays_a_controller_on_a_full_disk", &path);
    let ran = Command::new("sh").args(["-c", script, "sh"]).args(player).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&ran.stderr));

    let packets = packets(&path);
    assert!((20..100).contains(&packets.len()), "{} packets", packets.len());
    assert!(path.metadata().unwrap().len() < 4096, "the packet cut short is gone");
    assert_eq!(tshark(&path, &[]).len(), packets.len());
}

#[test]
#[ignore = "a part in the test above"]
fn plays_a_controller_on_a_full_disk() {
    let Some(lab) = stage() else { return };
    for number in 0..200 {
        lab.guest("client").send(&frame("client", mac("server"), number));
        assert_eq!(lab.got("server"), [frame("client", mac("server"), number)]);
    }
    assert!(lab.cable.fault().unwrap().fact.contains("wire.pcapng stopped: File too large"), "{:?}", lab.cable.fault());
    assert_eq!(lab.witnessed().len(), 200);
    assert_eq!(lab.cable.frames().passed, 200);
    let error = lab.cable.finish().unwrap_err();
    assert_eq!(error.kind, deadpeer::error::Kind::Broken);
}

/// A capture with a hole would be no evidence: numbers would not fit.
#[test]
fn a_capture_that_stopped_does_not_go_on_when_it_could() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wire.pcapng");
    mkfifo(&path, Mode::S_IRWXU).unwrap();
    let reader = || OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).unwrap();
    let first = reader();
    let lab = Lab::with_capture(&path);
    drop(first);
    lab.guest("client").send(&frame("client", mac("server"), 1));
    assert_eq!(lab.got("server").len(), 1);
    assert!(lab.cable.fault().unwrap().fact.contains("Broken pipe"), "{:?}", lab.cable.fault());
    let mut second = reader();
    lab.guest("client").send(&frame("client", mac("server"), 2));
    assert_eq!(lab.got("server").len(), 1);
    let mut written = Vec::new();
    second.read_to_end(&mut written).unwrap();
    assert!(written.is_empty(), "{} bytes", written.len());
}

#[test]
fn a_disk_full_from_the_start_is_an_error_at_the_start() {
    let recorder = Recorder::new(Clock::start(), std::sync::mpsc::channel().0);
    let error = deadpeer::cable::Cable::start(recorder, Path::new("/dev/full"), &[]).unwrap_err();
    assert!(error.fact.contains("/dev/full: No space left on device"), "{error}");
}
