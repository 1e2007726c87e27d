//! Programs that run while other things go on, against a real dropbear.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod remote_host;

use deadpeer::error::Kind;
use deadpeer::remote::{LAST_LINES, MAX_TYPED, MOST_LINES};
use deadpeer::timeline::{Ended, ProgramEvent};
use remote_host::{Events, Host, LONG, lines};

fn line(text: &str) -> ProgramEvent {
    ProgramEvent::Line { text: text.to_owned() }
}

#[test]
fn a_program_is_started_types_back_and_ends_at_end_of_input() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let program = host.start(&session, "cat", told).unwrap();
    assert_eq!(events.next(), ProgramEvent::Started { pid: program.pid(), command: "cat".to_owned() });
    program.type_line("hello, world").unwrap();
    assert_eq!(events.next(), ProgramEvent::Input { text: "hello, world".to_owned() });
    assert_eq!(events.next(), line("hello, world"));
    program.end_input().unwrap();
    assert_eq!(events.next(), ProgramEvent::InputEnded);
    assert_eq!(events.next(), ProgramEvent::Ended { how: Ended::Exit(0) });
    let error = program.type_line("too late").unwrap_err();
    assert_eq!(error.fact, format!("`cat` (process {}) reads no more: it is over", program.pid()));
}

#[test]
fn the_pid_is_the_programs_own() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let program = host.start(&session, r#"sh -c 'echo $$; exec sleep 1000'"#, told).unwrap();
    assert_eq!(events.line(), program.pid().to_string());
    let name = session.run(&format!("cat /proc/{}/comm", program.pid()), LONG).unwrap().stdout;
    assert!(name == "sh\n" || name == "sleep\n", "{name}");
}

#[test]
fn a_program_that_prints_through_stdio_is_heard_at_once() {
    // awk's own buffer is flushed per line only because its output is a terminal.
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let program = host.start(&session, r#"awk '{ print "got " $0 }'"#, told).unwrap();
    program.type_line("one").unwrap();
    assert_eq!(events.line(), "got one");
    program.type_line("two").unwrap();
    assert_eq!(events.line(), "got two");
}

#[test]
fn what_is_typed_arrives_as_it_was_typed() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let program = host.start(&session, "cat", told).unwrap();
    for text in [
        "",
        "a\tb",
        "\u{3}\u{11}\u{12}\u{13}\u{15}\u{16}\u{17}\u{1a}\u{1c}\u{7f}\u{8}x",
        "gr\u{fc}\u{df}e \u{20ac}",
        "mid\rdle",
    ] {
        program.type_line(text).unwrap();
        assert_eq!(events.line(), text);
    }
}

#[test]
fn the_longest_line_that_can_be_typed_arrives_whole_and_a_longer_one_is_refused() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let program = host.start(&session, "cat", told).unwrap();
    let longest = "x".repeat(MAX_TYPED);
    program.type_line(&longest).unwrap();
    assert_eq!(events.line(), longest);
    let error = program.type_line(&"x".repeat(MAX_TYPED + 1)).unwrap_err();
    assert_eq!((error.kind, error.fact.as_str()), (Kind::Usage, "a line of 4096 bytes is too long to be typed"));
    for bad in ["a\nb", "a\u{4}b", "a\0b"] {
        assert_eq!(program.type_line(bad).unwrap_err().kind, Kind::Usage);
    }
    program.type_line("well").unwrap();
    assert_eq!(events.line(), "well");
}

#[test]
fn long_input_waits_for_a_program_that_does_not_read_yet() {
    let host = Host::new();
    let session = host.connect();
    let go = host.path("go");
    let (told, events) = Events::new();
    let program = host.start(&session, &format!("sh -c 'until [ -e {go} ]; do sleep 0.01; done; wc'"), told).unwrap();
    for i in 0..20_000 {
        program.type_line(&format!("line {i:06}")).unwrap();
    }
    program.end_input().unwrap();
    session.run(&format!("touch {go}"), LONG).unwrap();
    assert_eq!(events.line().split_whitespace().collect::<Vec<_>>(), ["20000", "40000", "240000"]);
}

#[test]
fn signals_reach_the_program_and_its_end_names_them() {
    let host = Host::new();
    let session = host.connect();
    for name in ["KILL", "TERM", "USR1", "SEGV", "BUS", "SYS"] {
        let (told, events) = Events::new();
        let program = host.start(&session, "sleep 1000", told).unwrap();
        program.signal(name).unwrap();
        assert_eq!(events.rest().last(), Some(&ProgramEvent::Ended { how: Ended::Signal(name.to_owned()) }));
        let error = program.signal(name).unwrap_err().to_string();
        assert!(error.contains("No such process"), "{error}");
    }
}

#[test]
fn an_unknown_signal_is_refused_by_the_host() {
    let host = Host::new();
    let session = host.connect();
    let (told, _events) = Events::new();
    let program = host.start(&session, "sleep 1000", told).unwrap();
    let error = program.signal("NOSUCH").unwrap_err();
    assert!(error.fact.starts_with("sending SIGNOSUCH failed: the command exited with status"), "{error}");
}

#[test]
fn a_signal_goes_to_one_process_only() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let script = r#"sh -c 'trap "echo parent" USR1; sh -c "trap \"echo child\" USR1; echo up; read x"; echo over'"#;
    let program = host.start(&session, script, told).unwrap();
    assert_eq!(events.line(), "up");
    program.signal("USR1").unwrap();
    program.type_line("").unwrap();
    // The shell runs its trap when its child has ended.
    assert_eq!(lines(&events.rest()), ["parent", "over"]);
}

#[test]
fn a_command_that_does_not_exist_is_told_by_name() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let error = host.start(&session, "no-such-program 9877", told).unwrap_err();
    assert_eq!((error.kind, error.fact.as_str()), (Kind::Usage, "there is no command 'no-such-program' on this host"));
    assert!(events.0.recv().is_err(), "nothing was started, so nothing is told");
    assert_eq!(host.start(&session, "  ", |_| ()).unwrap_err().kind, Kind::Usage);
}

#[test]
fn a_command_that_the_shell_does_not_understand_is_told_in_its_words() {
    let host = Host::new();
    let error = host.start(&host.connect(), "echo 'unfinished", |_| ()).unwrap_err().to_string();
    assert!(
        error.starts_with("`echo 'unfinished` was not started: what should start it exited with status"),
        "{error}"
    );
    assert!(error.to_lowercase().contains("unterminated quoted string") || error.contains("unexpected EOF"), "{error}");
}

#[test]
fn the_last_line_is_told_without_its_newline_and_bytes_are_made_text() {
    let host = Host::new();
    let (told, events) = Events::new();
    host.connect();
    let session = host.connect();
    host.start(&session, r"printf 'one\r\ntwo \377\nrest'", told).unwrap();
    assert_eq!(lines(&events.rest()), ["one", "two \u{fffd}", "rest"]);
}

#[test]
fn a_flood_from_one_program_is_kept_within_limits_and_disturbs_no_other() {
    let host = Host::new();
    let session = host.connect();
    let (told, flood) = Events::new();
    let (told_too, echo) = Events::new();
    let seq = host.start(&session, "sh -c 'seq 100000; read x'", told).unwrap();
    let cat = host.start(&session, "cat", told_too).unwrap();
    for i in 0..50 {
        cat.type_line(&i.to_string()).unwrap();
        assert_eq!(echo.line(), i.to_string());
        assert_eq!(session.run("echo command", LONG).unwrap().stdout, "command\n");
    }
    seq.type_line("").unwrap();
    let events = flood.rest();
    assert_eq!(events.last(), Some(&ProgramEvent::Ended { how: Ended::Exit(0) }));
    let numbers: Vec<usize> = lines(&events).iter().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.into_iter().eq(1..=MOST_LINES));
    let [.., ProgramEvent::Muted, ProgramEvent::InputEnded | ProgramEvent::Input { .. }, beyond, _] = &events[..]
    else {
        panic!("{:?}", &events[MOST_LINES..]);
    };
    let last: Vec<String> = (100_001 - LAST_LINES..=100_000).map(|n| n.to_string()).collect();
    // 89,999 numbers have at least five digits, one has six, none of these has fewer.
    let bytes = 5 * (100_000 - MOST_LINES as u64) + 1;
    assert_eq!(*beyond, ProgramEvent::NotKept { lines: 100_000 - MOST_LINES as u64, bytes, last });
}

#[test]
fn two_endless_programs_and_an_upload_go_on_side_by_side() {
    let host = Host::new();
    let session = host.connect();
    let programs: Vec<_> = (0..2)
        .map(|_| {
            let (told, events) = Events::new();
            (host.start(&session, "yes", told).unwrap(), events)
        })
        .collect();
    session.upload(&vec![b'x'; 1_000_000], &host.path("large"), 0o644, LONG).unwrap();
    assert_eq!(std::fs::metadata(host.path("large")).unwrap().len(), 1_000_000);
    for (program, events) in programs {
        assert_eq!(events.line(), "y");
        program.signal("KILL").unwrap();
        assert_eq!(events.rest().last(), Some(&ProgramEvent::Ended { how: Ended::Signal("KILL".to_owned()) }));
    }
}

#[test]
fn many_ends_at_once_leave_the_session_whole() {
    // Each end of a command is a chance for an old dropbear to end the session, if a channel opens meanwhile.
    let host = Host::new();
    let session = host.connect();
    let programs: Vec<_> = (0..10)
        .map(|_| {
            let (told, events) = Events::new();
            host.start(&session, "true", told).unwrap();
            events
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..10).for_each(|_| drop(session.run("true", LONG).unwrap().success("nothing").unwrap())));
        }
    });
    for events in programs {
        assert_eq!(events.rest().last(), Some(&ProgramEvent::Ended { how: Ended::Exit(0) }));
    }
}

#[test]
fn a_program_that_is_muted_and_goes_on_is_told_of_when_that_is_asked_for() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let yes = host.start(&session, "yes", told).unwrap();
    while events.next() != ProgramEvent::Muted {}
    yes.settle().unwrap();
    assert!(matches!(events.next(), ProgramEvent::NotKept { lines: 1.., .. }));
}

#[test]
fn a_program_ends_with_its_session() {
    let host = Host::new();
    let session = host.connect();
    let (told, events) = Events::new();
    let program = host.start(&session, "cat", told).unwrap();
    drop(session);
    let how = Ended::Lost("the controller ended the session".to_owned());
    assert_eq!(events.rest().last(), Some(&ProgramEvent::Ended { how }));
    assert_eq!(program.type_line("x").unwrap_err().fact, "the control connection to the host is over");
}
