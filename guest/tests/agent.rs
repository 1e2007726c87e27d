//! The agent, with this test in the host's place and a socket pair in that of the serial line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use deadpeer_guest::agent::{How, Message, Order, PIECE, Reader, Shell, Stream, WINDOW, Word, serve};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::ttyname;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than anything takes that does not hang.
const LONG: Duration = Duration::from_secs(60);

struct Host {
    line: UnixStream,
    sent: usize,
    words: Reader<Word>,
    agent: Option<JoinHandle<Result<(), String>>>,
}

impl Host {
    fn new() -> Self {
        let (line, far) = UnixStream::pair().unwrap();
        line.set_read_timeout(Some(LONG)).unwrap();
        let shell = Shell { path: "/bin/sh".to_owned(), home: "/".to_owned() };
        let agent = Some(std::thread::spawn(move || serve(far.into(), shell)));
        Self { line, sent: 0, words: Reader::default(), agent }
    }

    fn order(&mut self, order: &Order) {
        let mut bytes = Vec::new();
        order.encode(&mut bytes).unwrap();
        self.line.write_all(&bytes).unwrap();
        self.sent += bytes.len();
    }

    fn open(&mut self, channel: u32, terminal: bool, command: &str) {
        self.order(&Order::Open { channel, terminal, command: command.to_owned() });
    }

    fn input(&mut self, channel: u32, bytes: &[u8]) {
        self.order(&Order::Input { channel, bytes: bytes.to_vec() });
    }

    fn word(&mut self) -> Word {
        let mut bytes = [0; 4096];
        loop {
            if let Some(word) = self.words.next().unwrap() {
                return word;
            }
            let length = self.line.read(&mut bytes).expect("the agent's next word");
            assert_ne!(length, 0, "the agent is gone");
            self.words.push(&bytes[..length]);
        }
    }

    /// All that a channel still prints, each stream by itself, and how it ends. No other channel may say anything.
    fn rest(&mut self, number: u32) -> (String, String, How) {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        loop {
            match self.word() {
                Word::Output { channel, stream, bytes } => {
                    assert_eq!(channel, number);
                    assert!((1..=PIECE).contains(&bytes.len()));
                    if stream == Stream::Stdout { &mut stdout } else { &mut stderr }.extend(bytes);
                }
                Word::Ended { channel, how } => {
                    assert_eq!(channel, number);
                    return (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), how);
                }
                Word::Heard { .. } => {}
                word => panic!("{word:?}"),
            }
        }
    }

    /// What a channel prints, until it has printed this much.
    fn printed(&mut self, number: u32, length: usize) -> String {
        let mut printed = Vec::new();
        while printed.len() < length {
            match self.word() {
                Word::Output { channel, bytes, .. } if channel == number => printed.extend(bytes),
                word => panic!("{word:?}"),
            }
        }
        String::from_utf8(printed).unwrap()
    }

    /// Closes the line; what the agent says of that.
    fn hang_up(mut self) -> Result<(), String> {
        self.line.shutdown(std::net::Shutdown::Both).unwrap();
        self.agent.take().unwrap().join().unwrap()
    }
}

fn ended(stdout: &str, stderr: &str, how: How) -> (String, String, How) {
    (stdout.to_owned(), stderr.to_owned(), how)
}

#[test]
fn both_outputs_and_the_exit_status_are_told() {
    let mut host = Host::new();
    host.open(1, false, "echo out; echo err >&2; exit 3");
    assert_eq!(host.rest(1), ended("out\n", "err\n", How::Exit(3)));
    assert_eq!(host.hang_up(), Ok(()));
}

#[test]
fn a_signal_that_ends_a_command_is_told_by_name() {
    let mut host = Host::new();
    for (channel, name) in ["KILL", "TERM", "BUS"].into_iter().enumerate() {
        let channel = u32::try_from(channel).unwrap();
        host.open(channel, false, &format!("kill -{name} $$"));
        assert_eq!(host.rest(channel), ended("", "", How::Signal(name.to_owned())));
    }
}

#[test]
fn input_is_read_to_its_end() {
    let mut host = Host::new();
    host.open(1, false, "cat; echo over");
    host.input(1, b"one\n");
    assert_eq!(host.printed(1, 4), "one\n");
    host.input(1, b"two\n");
    host.order(&Order::EndInput { channel: 1 });
    assert_eq!(host.rest(1), ended("two\nover\n", "", How::Exit(0)));
}

#[test]
fn the_environment_is_that_of_a_login_and_nothing_is_ignored_or_blocked() {
    let mut host = Host::new();
    let script = r#"echo "$HOME $USER $LOGNAME $SHELL $PATH ${TERM-none} $0"; pwd; grep -E '^Sig(Blk|Ign)' /proc/self/status;
        [ "$(cut -d' ' -f1 /proc/$$/stat)" = "$(cut -d' ' -f6 /proc/$$/stat)" ] && echo leads"#;
    host.open(1, false, script);
    let (stdout, stderr, how) = host.rest(1);
    assert_eq!((stderr.as_str(), how), ("", How::Exit(0)));
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[..2], ["/ root root /bin/sh /usr/sbin:/usr/bin:/sbin:/bin none sh", "/"]);
    assert_eq!(lines[2], "SigBlk:\t0000000000000000");
    // The C library keeps signals 32 and 33 to itself; whoever started the test may have set them.
    let ignored = u64::from_str_radix(lines[3].rsplit('\t').next().unwrap(), 16).unwrap();
    assert_eq!((ignored & 0x7fff_ffff, lines[4]), (0, "leads"));
}

#[test]
fn a_terminal_passes_on_lines_as_they_were_typed_and_control_d_is_the_end() {
    let mut host = Host::new();
    host.open(7, true, "test -t 0 && test -t 1 && test -t 2 && : </dev/tty && echo $TERM && stty size && cat");
    assert_eq!(host.printed(7, 13), "dumb\n50 1000\n");
    host.input(7, b"a\x03\x11\x13\x15\x16\x7f\x08\rb\n");
    assert_eq!(host.printed(7, 11), "a\x03\x11\x13\x15\x16\x7f\x08\rb\n");
    // Means nothing to a terminal.
    host.order(&Order::EndInput { channel: 7 });
    host.input(7, b"last\n\x04");
    assert_eq!(host.rest(7), ended("last\n", "", How::Exit(0)));
}

#[test]
fn a_terminals_modes_are_those_that_the_controller_asks_ssh_for() {
    let mut host = Host::new();
    host.open(1, true, "stty -a");
    let (stdout, _, how) = host.rest(1);
    assert_eq!(how, How::Exit(0));
    let words: Vec<&str> = stdout.split([' ', '\n']).collect();
    for off in [
        "echo", "echonl", "isig", "iexten", "icrnl", "inlcr", "igncr", "istrip", "ixon", "ixany", "imaxbel", "opost",
        "onlcr",
    ] {
        assert!(words.contains(&format!("-{off}").as_str()), "{off}: {stdout}");
    }
    for on in ["icanon", "cs8"] {
        assert!(words.contains(&on), "{on}: {stdout}");
    }
    for key in ["erase", "kill", "eol", "eol2", "werase", "lnext", "rprnt"] {
        assert!(stdout.contains(&format!("{key} = <undef>;")), "{key}: {stdout}");
    }
    assert!(stdout.contains("eof = ^D;"), "{stdout}");
}

#[test]
fn a_terminal_is_over_with_who_leads_it_and_pipes_with_who_holds_them() {
    let mut host = Host::new();
    host.open(1, true, "(trap '' HUP; exec sleep 1000) & echo $!");
    let (pid, _, how) = host.rest(1);
    assert_eq!(how, How::Exit(0));
    assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success(), "it lived on");
    host.open(2, false, "(read x; echo left) <&0 & exit 5");
    host.input(2, b"\n");
    assert_eq!(host.rest(2), ended("left\n", "", How::Exit(5)));
}

#[test]
fn one_that_floods_leaves_the_other_its_turn_and_nothing_is_lost() {
    let mut host = Host::new();
    host.open(1, false, "seq 200000");
    host.open(2, false, "cat");
    let (mut numbers, mut echo, mut typed) = (Vec::new(), Vec::new(), 0);
    loop {
        match host.word() {
            Word::Output { channel: 1, bytes, .. } => {
                numbers.extend(bytes);
                if typed < 20 {
                    host.input(2, b"hello\n");
                    typed += 1;
                }
            }
            Word::Output { channel: 2, bytes, .. } => echo.extend(bytes),
            Word::Ended { channel: 1, how } => {
                assert_eq!(how, How::Exit(0));
                break;
            }
            word => panic!("{word:?}"),
        }
    }
    let expected: String = (1..=200_000).map(|n| format!("{n}\n")).collect();
    assert!(numbers == expected.as_bytes());
    assert!(!echo.is_empty(), "it was heard before the flood was over");
    host.order(&Order::EndInput { channel: 2 });
    let (rest, ..) = host.rest(2);
    assert_eq!(echo.len() + rest.len(), 6 * typed);
}

#[test]
fn much_input_waits_for_who_does_not_read_yet_and_is_told_as_heard() {
    let mut host = Host::new();
    host.open(1, false, "read x; wc -c");
    let mut heard = 0;
    for _ in 0..100 {
        host.input(1, &[b'x'; PIECE]);
        while host.sent - heard > WINDOW {
            match host.word() {
                Word::Heard { bytes } => heard += bytes as usize,
                word => panic!("{word:?}"),
            }
        }
    }
    host.input(1, b"\nrest");
    host.order(&Order::EndInput { channel: 1 });
    assert_eq!(host.rest(1), ended("4\n", "", How::Exit(0)));
}

#[test]
fn what_cannot_be_done_is_told() {
    let mut host = Host::new();
    host.open(1, false, "no-such-command");
    let (stdout, stderr, how) = host.rest(1);
    assert_eq!((stdout.as_str(), how), ("", How::Exit(127)));
    assert!(stderr.contains("no-such-command"), "{stderr}");
    host.open(2, false, "read x");
    host.open(2, false, "echo twice");
    assert_eq!(host.word(), Word::Refused { channel: 2, why: "its number is another command's".to_owned() });
    host.open(3, false, "a\0b");
    let Word::Refused { channel: 3, why } = host.word() else { panic!() };
    assert!(why.contains("nul byte"), "{why}");
}

#[test]
fn what_is_closed_is_heard_no_more_and_lives_on() {
    let mut host = Host::new();
    let folder = tempfile::tempdir().unwrap();
    let up = folder.path().join("up");
    host.open(1, false, "echo up; read x; echo unheard");
    assert_eq!(host.printed(1, 3), "up\n");
    host.order(&Order::Close { channel: 1 });
    // Its input has ended; and what it prints has no reader.
    host.open(2, true, &format!("trap ': >{}; exit' HUP; echo up; while :; do sleep 0.01; done", up.display()));
    assert_eq!(host.printed(2, 3), "up\n");
    host.order(&Order::Close { channel: 2 });
    // Words for who is gone disturb nobody.
    host.input(2, b"x\n");
    host.order(&Order::Close { channel: 2 });
    host.open(3, false, &format!("until [ -e {} ]; do sleep 0.01; done", up.display()));
    assert_eq!(host.rest(3), ended("", "", How::Exit(0)));
    assert_eq!(host.hang_up(), Ok(()));
}

#[test]
fn garbage_ends_the_agent_and_it_says_what_came() {
    let mut host = Host::new();
    host.line.write_all(b"login: ").unwrap();
    let why = host.agent.take().unwrap().join().unwrap().unwrap_err();
    assert_eq!(why, "where a message should begin came \"login: \"");
}

#[test]
fn the_witness_leaves_an_agent_behind_on_a_line_that_is_raw() {
    let pty = openpty(None, None).unwrap();
    // Else the agent would hold its own line open, and never end.
    for fd in [&pty.master, &pty.slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let device = ttyname(&pty.slave).unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_witness")).arg("agent").arg(&device).status().unwrap();
    assert!(status.success());
    let modes = tcgetattr(&pty.slave).unwrap();
    assert!(!modes.local_flags.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
    let mut line = std::fs::File::from(pty.master);
    let mut order = Vec::new();
    Order::Open { channel: 9, terminal: false, command: "echo hello".to_owned() }.encode(&mut order).unwrap();
    line.write_all(&order).unwrap();
    let mut words = Reader::<Word>::default();
    let mut told = Vec::new();
    while told.len() < 2 {
        let mut bytes = [0; 100];
        let length = line.read(&mut bytes).unwrap();
        words.push(&bytes[..length]);
        while let Some(word) = words.next().unwrap() {
            told.push(word);
        }
    }
    let hello = Word::Output { channel: 9, stream: Stream::Stdout, bytes: b"hello\n".to_vec() };
    assert_eq!(told, [hello, Word::Ended { channel: 9, how: How::Exit(0) }]);
}

#[test]
fn a_device_that_is_none_is_told() {
    for device in ["/dev/no-such-line", "/dev/null"] {
        let done = Command::new(env!("CARGO_BIN_EXE_witness")).args(["agent", device]).output().unwrap();
        assert_eq!(done.status.code(), Some(1));
        let stderr = String::from_utf8(done.stderr).unwrap();
        assert!(stderr.starts_with(&format!("deadpeer: the agent cannot use {device}: ")), "{stderr}");
    }
}
