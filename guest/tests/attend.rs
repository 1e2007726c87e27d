//! The attendant and the programs that it starts, on this machine. (That services are started by init is seen on real guests.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use deadpeer_guest::attend::{Mark, Word};
use nix::errno::Errno;
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, tcgetattr, tcsetattr};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// A terminal as the controller asks for, with an attendant on it.
struct Attended {
    attendant: Child,
    mark: Mark,
    input: File,
    output: BufReader<File>,
}

impl Attended {
    fn start(command: &[&str]) -> Self {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let mut modes = tcgetattr(&slave).unwrap();
        modes.local_flags = LocalFlags::ICANON;
        modes.output_flags = OutputFlags::empty();
        modes.control_chars[SpecialCharacterIndices::VEOF as usize] = 4;
        tcsetattr(&slave, SetArg::TCSANOW, &modes).unwrap();
        let attendant = Command::new(env!("CARGO_BIN_EXE_witness"))
            .args(["attend", "m4rk", "program", "--"])
            .args(command)
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let input = File::from(master);
        let output = BufReader::new(input.try_clone().unwrap());
        Self { attendant, mark: Mark::read("m4rk").unwrap(), input, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.strip_suffix('\n').expect("a whole line").to_owned()
    }

    fn word(&mut self) -> Word {
        let line = self.line();
        let (before, word) = self.mark.find(&line).unwrap_or_else(|| panic!("no word: {line:?}"));
        assert_eq!(before, "");
        word
    }

    fn started(&mut self) -> Pid {
        let Word::Started(pid) = self.word() else { panic!("not started") };
        Pid::from_raw(pid.cast_signed())
    }

    fn hang_up(&mut self) {
        kill(Pid::from_raw(self.attendant.id().cast_signed()), Signal::SIGHUP).unwrap();
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let _ = self.attendant.kill();
        self.attendant.wait().unwrap();
    }
}

#[test]
fn a_program_is_the_process_that_was_told_and_has_a_terminal() {
    let mut attended = Attended::start(&["sh", "-c", "echo $$; test -t 0 && test -t 1 && echo terminal; exit 3"]);
    let pid = attended.started();
    assert_eq!(attended.line(), pid.to_string());
    assert_eq!(attended.line(), "terminal");
    assert_eq!(attended.word(), Word::Exited(3));
}

#[test]
fn what_is_typed_is_read_and_control_d_is_the_end() {
    let mut attended = Attended::start(&["sh", "-c", "cat; echo over"]);
    attended.started();
    attended.input.write_all(b"hello\n\x04").unwrap();
    assert_eq!([attended.line(), attended.line()], ["hello", "over"]);
    assert_eq!(attended.word(), Word::Exited(0));
}

#[test]
fn every_signal_is_told_those_too_that_ssh_has_no_name_for() {
    for (signal, name) in [(Signal::SIGKILL, "KILL"), (Signal::SIGBUS, "BUS"), (Signal::SIGSYS, "SYS")] {
        let mut attended = Attended::start(&["sleep", "1000"]);
        let pid = attended.started();
        kill(pid, signal).unwrap();
        assert_eq!(attended.word(), Word::Killed(name.to_owned()));
    }
}

#[test]
fn an_end_without_a_newline_is_told_apart() {
    let mut attended = Attended::start(&["printf", "last words"]);
    attended.started();
    let line = attended.line();
    assert_eq!(attended.mark.find(&line), Some(("last words", Word::Exited(0))));
}

#[test]
fn children_outlive_a_parent_that_is_killed_and_are_still_heard() {
    let mut attended =
        Attended::start(&["sh", "-c", "exec 3<&0; (read x; echo child goes on; read y) <&3 & echo up; wait"]);
    let pid = attended.started();
    assert_eq!(attended.line(), "up");
    kill(pid, Signal::SIGKILL).unwrap();
    assert_eq!(attended.word(), Word::Killed("KILL".to_owned()));
    attended.input.write_all(b"\n").unwrap();
    assert_eq!(attended.line(), "child goes on");
    attended.input.write_all(b"\n").unwrap();
}

#[test]
fn a_program_begins_with_no_signal_ignored_or_blocked_and_leads_its_session() {
    let script = "grep -E '^Sig(Blk|Ign)' /proc/self/status; cut -d' ' -f1,6,7 /proc/$$/stat";
    let mut attended = Attended::start(&["sh", "-c", script]);
    let pid = attended.started();
    assert_eq!(attended.line(), "SigBlk:\t0000000000000000");
    // The C library keeps signals 32 and 33 to itself; whoever started the test may have set them.
    let ignored = attended.line().rsplit('\t').next().map(|it| u64::from_str_radix(it, 16).unwrap()).unwrap();
    assert_eq!(ignored & 0x7fff_ffff, 0, "{ignored:x}");
    assert_eq!(attended.line(), format!("{pid} {pid} 0"), "process, session, no controlling terminal");
}

#[test]
fn a_hang_up_is_passed_on_and_ends_the_attendant() {
    let mut attended = Attended::start(&["sh", "-c", "trap 'echo hung up; exit' HUP; echo up; read x"]);
    let pid = attended.started();
    assert_eq!(attended.line(), "up");
    attended.hang_up();
    assert_eq!(attended.line(), "hung up");
    assert!(attended.attendant.wait().unwrap().success());
    while kill(pid, None) != Err(Errno::ESRCH) {
        std::thread::yield_now();
    }
}

#[test]
fn what_cannot_be_started_is_told() {
    let mut attended = Attended::start(&["no-such-program", "x"]);
    assert_eq!(attended.word(), Word::Missing("no-such-program".to_owned()));
    assert_eq!(attended.attendant.wait().unwrap().code(), Some(127));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd");
    std::fs::write(&path, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut attended = Attended::start(&[path.to_str().unwrap()]);
    attended.started();
    let line = attended.line();
    assert!(line.ends_with("the loader or interpreter that it names is not on this host"), "{line}");
    assert_eq!(attended.word(), Word::Exited(127));
}

#[test]
fn wrong_arguments_are_refused() {
    for arguments in [
        &["attend"][..],
        &["attend", "m4rk"],
        &["attend", "a b", "x", "--", "true"],
        &["attend", "m", "x", "true"],
        &["attend", "m", "x", "--"],
        &["become"],
        &[],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_witness")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}
