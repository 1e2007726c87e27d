//! A session over an agent, with a script in the guest's place and time that passes when it is waited for.

use super::super::{Drive, Launch, Program, Session};
use super::*;
use crate::error::Kind;
use crate::timeline::ProgramEvent;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

/// What the guest answers to an order.
type Script = Box<dyn FnMut(&Order) -> Vec<Word> + Send>;

/// A guest, and the lab that it is in.
struct Guest {
    agent: Option<Agent>,
    now: LabTime,
    orders: Reader<Order>,
    script: Script,
    /// What it says at the next boundary.
    says: Vec<u8>,
    /// All that it was told: bytes, and orders.
    typed: Vec<u8>,
    told: Vec<Order>,
    /// The machine fails, or the lab does.
    dies: Option<&'static str>,
    fails: bool,
}

struct Lab(Mutex<Guest>);

impl Lab {
    fn new(script: impl FnMut(&Order) -> Vec<Word> + Send + 'static) -> (Arc<Self>, Session) {
        let guest = Guest {
            agent: None,
            now: LabTime(0),
            orders: Reader::default(),
            script: Box::new(script),
            says: Vec::new(),
            typed: Vec::new(),
            told: Vec::new(),
            dies: None,
            fails: false,
        };
        let lab = Arc::new(Lab(Mutex::new(guest)));
        let (session, agent) = Session::over(Arc::clone(&lab) as Arc<dyn Drive>);
        lab.guest().agent = Some(agent);
        (lab, session)
    }

    fn guest(&self) -> MutexGuard<'_, Guest> {
        self.0.lock().unwrap()
    }

    fn boundaries(&self) -> u64 {
        self.guest().now.0 / 1_000_000
    }

    fn idle(&self) -> bool {
        self.guest().agent.as_ref().unwrap().idle()
    }
}

impl Drive for Lab {
    fn drive(&self) -> Result<()> {
        let mut guest = self.guest();
        let guest = &mut *guest;
        if guest.fails {
            return Err(Error::broken("a machine does not reach the boundary"));
        }
        let agent = guest.agent.as_mut().unwrap();
        if let Some(why) = guest.dies {
            agent.lost(why);
        }
        guest.now = guest.now.after(Duration::from_millis(1));
        let typed = agent.turn(guest.now, &std::mem::take(&mut guest.says))?;
        guest.orders.push(&typed);
        guest.typed.extend(typed);
        while let Some(order) = guest.orders.next().unwrap() {
            for word in (guest.script)(&order) {
                word.encode(&mut guest.says).unwrap();
            }
            guest.told.push(order);
        }
        Ok(())
    }
}

fn output(channel: u32, text: &str) -> Word {
    Word::Output { channel, stream: Output::Stdout, bytes: text.as_bytes().to_vec() }
}

/// Has every command print its own text, and end when it was told all.
fn echoes(order: &Order) -> Vec<Word> {
    match order {
        Order::Open { channel, command, .. } => vec![output(*channel, command)],
        Order::EndInput { channel } => vec![Word::Ended { channel: *channel, how: How::Exit(3) }],
        _ => Vec::new(),
    }
}

/// An attendant and its program, which prints back what it reads; a command otherwise.
fn attends(order: &Order) -> Vec<Word> {
    match order {
        Order::Open { channel, terminal: true, command } => {
            let mark = command.split(' ').nth(3).unwrap();
            vec![output(*channel, &format!("\u{1e}{mark} started 42\n"))]
        }
        Order::Input { channel, bytes } => {
            vec![Word::Output { channel: *channel, stream: Output::Stdout, bytes: bytes.clone() }]
        }
        order => echoes(order),
    }
}

/// A program, and what was told of it.
fn start(session: &Session, command: &str) -> Result<(Program, Arc<Mutex<Vec<ProgramEvent>>>)> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let launch = Launch { witness: "/witness", name: "program", command, service: false };
    session.start(&launch, move |event| teller.lock().unwrap().push(event)).map(|program| (program, told))
}

#[test]
fn a_command_is_opened_told_to_read_nothing_and_heard_to_its_end() {
    let (lab, session) = Lab::new(echoes);
    let done = session.run("uname", LIMIT).unwrap();
    assert_eq!((done.stdout.as_str(), done.ended), ("uname", Ended::Exit(3)));
    let open = Order::Open { channel: 0, terminal: false, command: "uname".to_owned() };
    assert_eq!(lab.guest().told, [open, Order::EndInput { channel: 0 }]);
    assert_eq!(lab.boundaries(), 2, "one to type it, one to hear what came of it");
    assert!(lab.idle());
}

#[test]
fn a_limit_counts_on_the_labs_clock_and_ends_in_a_close() {
    let (lab, session) = Lab::new(|_| Vec::new());
    let error = session.run("sleep 9", LIMIT).unwrap_err();
    assert_eq!(error.fact, "`sleep 9` was not done within 5s");
    assert_eq!(error.detail.as_deref(), Some("Awaited: its end.\nIt had printed nothing."));
    assert_eq!(lab.boundaries(), 5001);
    assert_eq!(lab.guest().told.last(), Some(&Order::Close { channel: 0 }));
    assert!(lab.idle());
}

#[test]
fn what_is_typed_and_settled_is_answered_at_the_next_boundary() {
    let (lab, session) = Lab::new(attends);
    let (program, told) = start(&session, "cat").unwrap();
    assert_eq!(program.pid(), 42);
    let before = lab.boundaries();
    program.type_line("hello").unwrap();
    program.settle().unwrap();
    assert_eq!(lab.boundaries(), before + 2);
    assert!(lab.idle(), "a program that runs is not waited for");
    let hello = "hello".to_owned();
    let events = [
        ProgramEvent::Started { pid: 42, command: "cat".to_owned() },
        ProgramEvent::Input { text: hello.clone() },
        ProgramEvent::Line { text: hello },
    ];
    assert_eq!(*told.lock().unwrap(), events);
}

#[test]
fn whoever_waits_for_a_machine_that_is_gone_is_told_why() {
    let (lab, session) = Lab::new(attends);
    let (program, told) = start(&session, "cat").unwrap();
    lab.guest().dies = Some("its power was cut");
    let error = program.type_line("x").unwrap_err();
    assert_eq!(error.fact, "`cat` (process 42) reads no more: it is over");
    let lost = ProgramEvent::Ended { how: Ended::Lost("its power was cut".to_owned()) };
    assert_eq!(told.lock().unwrap().last(), Some(&lost));
    let error = session.run("true", LIMIT).unwrap_err();
    assert_eq!(error.fact, "the control connection to the host is over");
    assert!(lab.idle());
}

#[test]
fn a_command_under_way_says_what_it_was_when_the_machine_is_gone() {
    let mut words = 0;
    let (lab, session) = Lab::new(move |_| {
        words += 1;
        vec![output(0, &format!("word {words}\n"))]
    });
    // Killed by whoever hears: the guest says something once, then dies.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while lab.guest().told.len() < 2 {
                std::thread::yield_now();
            }
            lab.guest().dies = Some("its power was cut");
        });
        let error = session.run("uname", Duration::from_secs(1_000_000)).unwrap_err();
        assert_eq!(error.fact, "the host was lost before `uname` was done");
        assert!(error.detail.unwrap().starts_with("its power was cut\nSo far: stdout:\nword 1\nword 2"));
    });
}

#[test]
fn garbage_is_an_error_for_the_lab_and_the_host_is_lost() {
    let (lab, session) = Lab::new(attends);
    let (_program, told) = start(&session, "cat").unwrap();
    lab.guest().says = b"Kernel panic".to_vec();
    let error = session.run("true", LIMIT).unwrap_err();
    assert_eq!(error.fact, "the host's agent cannot be understood");
    let how =
        Ended::Lost("its agent cannot be understood: where a message should begin came \"Kernel panic\"".to_owned());
    assert_eq!(told.lock().unwrap().last(), Some(&ProgramEvent::Ended { how }));
}

#[test]
fn no_more_is_typed_than_the_guest_has_room_for() {
    let (lab, session) = Lab::new(|_| Vec::new());
    let long = "x".repeat(10 * WINDOW);
    let error = session.run(&long, Duration::from_millis(20)).unwrap_err();
    assert!(error.fact.ends_with("was not done within 20ms"), "{}", error.fact);
    assert_eq!(lab.guest().typed.len(), WINDOW);
    Word::Heard { bytes: 1000 }.encode(&mut lab.guest().says).unwrap();
    lab.drive().unwrap();
    assert_eq!(lab.guest().typed.len(), WINDOW + 1000);
}

#[test]
fn much_input_is_typed_whole_as_the_guest_hears() {
    let mut read = Vec::new();
    let (_lab, session) = Lab::new(move |order| match order {
        Order::Input { bytes, .. } => {
            read.extend_from_slice(bytes);
            vec![Word::Heard { bytes: u32::try_from(bytes.len() + 8).unwrap() }]
        }
        Order::EndInput { .. } => {
            let right = read == "x".repeat(10 * WINDOW).as_bytes();
            vec![Word::Ended { channel: 0, how: How::Exit(i32::from(!right)) }]
        }
        _ => Vec::new(),
    });
    let done = session.run(&"x".repeat(10 * WINDOW), LIMIT).unwrap();
    assert_eq!(done.ended, Ended::Exit(0));
}

#[test]
fn the_same_calls_type_the_same_bytes() {
    let typed = || {
        let (lab, session) = Lab::new(attends);
        let (program, _) = start(&session, "cat").unwrap();
        program.type_line("x").unwrap();
        let (other, _) = start(&session, "cat").unwrap();
        other.end_input().unwrap();
        lab.guest().typed.clone()
    };
    let once = typed();
    assert!(!once.is_empty());
    assert_eq!(once, typed());
}

#[test]
fn what_cannot_be_carried_out_is_an_error() {
    let (lab, session) = Lab::new(|order| match order {
        Order::Open { channel, .. } => vec![Word::Refused { channel: *channel, why: "no pipes left".to_owned() }],
        _ => Vec::new(),
    });
    let error = session.run("true", LIMIT).unwrap_err();
    assert_eq!(error.fact, "the host refused to execute a command");
    assert!(error.detail.unwrap().starts_with("no pipes left"));
    let error = start(&session, &"x".repeat(70_000)).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert!(error.fact.contains("too long for the agent's line"), "{}", error.fact);
    lab.guest().fails = true;
    let error = session.run("true", LIMIT).unwrap_err();
    assert_eq!(error.fact, "a machine does not reach the boundary");
}

#[test]
fn a_session_that_is_dropped_closes_what_is_open() {
    let (lab, session) = Lab::new(attends);
    let (_program, told) = start(&session, "cat").unwrap();
    drop(session);
    lab.drive().unwrap();
    assert!(matches!(lab.guest().told.last(), Some(Order::Close { .. })));
    let how = Ended::Lost("the controller ended the session".to_owned());
    assert_eq!(told.lock().unwrap().last(), Some(&ProgramEvent::Ended { how }));
}
