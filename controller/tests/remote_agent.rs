//! A session over a guest's agent: the real one, with a socket pair in the place of its serial line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod remote_host;

use deadpeer::error::Result;
use deadpeer::remote::{Agent, Drive, Launch, Program, Session};
use deadpeer::timeline::{Clock, Ended, ProgramEvent};
use deadpeer_guest::agent::{Shell, serve};
use nix::poll::{PollFd, PollFlags, poll};
use remote_host::{LONG, lines};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex};

/// A lab with one host. Its time is real here: what the host does takes some.
struct Lab {
    agent: Mutex<Option<Agent>>,
    line: UnixStream,
    clock: Clock,
    folder: tempfile::TempDir,
}

impl Drive for Lab {
    fn drive(&self) -> Result<()> {
        let mut agent = self.agent.lock().unwrap();
        let agent = agent.as_mut().unwrap();
        let typed = agent.turn(self.clock.now(), &[])?;
        (&self.line).write_all(&typed).unwrap();
        if poll(&mut [PollFd::new(self.line.as_fd(), PollFlags::POLLIN)], 10_u8).unwrap() > 0 {
            let mut heard = [0; 4096];
            let length = (&self.line).read(&mut heard).unwrap();
            assert_ne!(length, 0, "the agent is gone");
            let typed = agent.turn(self.clock.now(), &heard[..length])?;
            (&self.line).write_all(&typed).unwrap();
        }
        Ok(())
    }
}

impl Lab {
    fn new() -> (Arc<Self>, Session) {
        let (line, far) = UnixStream::pair().unwrap();
        let shell = Shell { path: "/bin/sh".to_owned(), home: "/".to_owned() };
        std::thread::spawn(move || serve(far.into(), shell).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let witness = folder.path().join("witness");
        std::fs::write(&witness, deadpeer::embedded::guest_program("witness").unwrap()).unwrap();
        std::fs::set_permissions(&witness, PermissionsExt::from_mode(0o755)).unwrap();
        let lab = Arc::new(Lab { agent: Mutex::new(None), line, clock: Clock::start(), folder });
        let (session, agent) = Session::over(Arc::clone(&lab) as Arc<dyn Drive>);
        *lab.agent.lock().unwrap() = Some(agent);
        (lab, session)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn start(&self, session: &Session, command: &str) -> (Program, Receiver<ProgramEvent>) {
        let (told, events) = channel();
        let witness = self.path("witness");
        let launch = Launch { witness: &witness, name: "program", command, service: false };
        (session.start(&launch, move |event| drop(told.send(event))).unwrap(), events)
    }

    fn next(&self, events: &Receiver<ProgramEvent>) -> ProgramEvent {
        loop {
            match events.try_recv() {
                Ok(event) => return event,
                Err(TryRecvError::Empty) => self.drive().unwrap(),
                Err(TryRecvError::Disconnected) => panic!("nothing more is told"),
            }
        }
    }

    fn rest(&self, events: &Receiver<ProgramEvent>) -> Vec<ProgramEvent> {
        let mut all = Vec::new();
        while !matches!(all.last(), Some(ProgramEvent::Ended { .. })) {
            all.push(self.next(events));
        }
        all
    }
}

#[test]
fn commands_are_run_and_tell_both_outputs_and_their_end() {
    let (_lab, session) = Lab::new();
    let done = session.run("echo out; echo err >&2; exit 7", LONG).unwrap();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str(), done.ended), ("out\n", "err\n", Ended::Exit(7)));
    let done = session.run("kill -SEGV $$", LONG).unwrap();
    assert_eq!(done.ended, Ended::Signal("SEGV".to_owned()));
    // Longer than a command may be: it is given to read.
    let long = format!("echo {} | wc -c", "x".repeat(100_000));
    assert_eq!(session.run(&long, LONG).unwrap().stdout.trim(), "100001");
    assert_eq!(session.run("seq 100000 | tail -1", LONG).unwrap().stdout, "100000\n");
}

#[test]
fn files_are_uploaded_whole() {
    let (lab, session) = Lab::new();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n * 7 / 3) as u8).collect();
    session.upload(&bytes, &lab.path("file"), 0o640, LONG).unwrap();
    assert!(std::fs::read(lab.path("file")).unwrap() == bytes);
    assert_eq!(std::fs::metadata(lab.path("file")).unwrap().permissions().mode() & 0o7777, 0o640);
    let error = session.upload(b"x", &lab.path("no/such/folder"), 0o644, LONG).unwrap_err();
    assert!(error.detail.unwrap().contains("cannot create"), "the shell's words");
}

/// Such a disk has a machine in lockstep alone.
#[test]
fn what_cannot_be_read_from_the_program_disk_is_told_and_leaves_nothing() {
    let (lab, session) = Lab::new();
    let error = session.bring(b"a program", 4096, &lab.path("file"), 0o755, LONG).unwrap_err();
    assert!(error.fact.ends_with("cannot be written on the host: its shell exited with status 1"), "{error}");
    assert!(error.detail.unwrap().contains("what arrived in "), "the shell's words");
    let left = std::fs::read_dir(lab.folder.path()).unwrap().flatten().map(|it| it.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["witness"]);
}

#[test]
fn a_program_types_back_and_ends_at_end_of_input() {
    let (lab, session) = Lab::new();
    let (program, events) = lab.start(&session, "cat");
    assert_eq!(lab.next(&events), ProgramEvent::Started { pid: program.pid(), command: "cat".to_owned() });
    program.type_line("hello \u{3}\u{15}\u{7f}").unwrap();
    program.end_input().unwrap();
    let text = "hello \u{3}\u{15}\u{7f}".to_owned();
    let rest = lab.rest(&events);
    assert_eq!(lines(&rest), [&text]);
    assert!(rest.contains(&ProgramEvent::Input { text }) && rest.contains(&ProgramEvent::InputEnded));
    assert_eq!(rest.last(), Some(&ProgramEvent::Ended { how: Ended::Exit(0) }));
    assert!(program.type_line("too late").unwrap_err().fact.ends_with("reads no more: it is over"));
}

#[test]
fn programs_are_signalled_side_by_side_and_a_flood_disturbs_no_other() {
    let (lab, session) = Lab::new();
    let (flood, flooded) = lab.start(&session, "yes");
    let (cat, events) = lab.start(&session, "cat");
    lab.next(&events);
    for n in 0..20 {
        cat.type_line(&n.to_string()).unwrap();
        assert_eq!(lab.next(&events), ProgramEvent::Input { text: n.to_string() });
        assert_eq!(lab.next(&events), ProgramEvent::Line { text: n.to_string() });
    }
    for (program, events, name) in [(&flood, &flooded, "KILL"), (&cat, &events, "BUS")] {
        program.signal(name).unwrap();
        assert_eq!(lab.rest(events).last(), Some(&ProgramEvent::Ended { how: Ended::Signal(name.to_owned()) }));
    }
}

#[test]
fn much_typed_for_who_does_not_read_yet_is_read_in_the_end() {
    let (lab, session) = Lab::new();
    let go = lab.path("go");
    let (program, events) = lab.start(&session, &format!("sh -c 'until [ -e {go} ]; do sleep 0.01; done; wc'"));
    let line = "x".repeat(999);
    for _ in 0..300 {
        program.type_line(&line).unwrap();
    }
    program.end_input().unwrap();
    session.run(&format!("touch {go}"), LONG).unwrap();
    let rest = lab.rest(&events);
    let counted: Vec<&str> = lines(&rest)[0].split_whitespace().collect();
    assert_eq!(counted, ["300", "300", "300000"]);
}

#[test]
fn a_machine_that_is_gone_is_told_to_its_programs() {
    let (lab, session) = Lab::new();
    let (program, events) = lab.start(&session, "cat");
    lab.agent.lock().unwrap().as_mut().unwrap().lost("its power was cut");
    let how = Ended::Lost("its power was cut".to_owned());
    assert_eq!(lab.rest(&events).last(), Some(&ProgramEvent::Ended { how }));
    assert_eq!(program.type_line("x").unwrap_err().fact, "the control connection to the host is over");
}
