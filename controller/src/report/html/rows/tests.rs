use super::*;
use crate::report::html::lanes::tests::lanes;
use crate::report::html::mark::{Kind, Shape};
use crate::report::style::Paint;
use crate::timeline::{Call, Connection, Descriptor, Ended, KernelEvent, Process};

const MS: u64 = 1_000_000;

fn mark(at: u64) -> Mark {
    let what = Shape::Across(String::new());
    Mark { at: LabTime(at * MS), event: 0, host: None, kind: Kind::Said, paint: Paint::Plain, what }
}

fn chapter(step: Option<u64>, marks: &[u64]) -> Chapter {
    let step = step.map(|at| (LabTime(at * MS), 0, "step".to_owned()));
    Chapter { step, marks: marks.iter().map(|at| mark(*at)).collect(), broken_off: false }
}

/// What the rows are, and the blank above them.
fn told(parts: &[Part]) -> Vec<Vec<(String, i32)>> {
    let row = |row: &Row| match &row.what {
        Cell::Mark(mark) => (mark.at.to_string(), row.space),
        Cell::Fold(silence) => (folded(*silence), row.space),
        Cell::BrokenOff => ("broken off".to_owned(), row.space),
    };
    parts.iter().map(|part| part.rows.iter().map(row).collect()).collect()
}

#[test]
fn long_silences_are_folded_and_short_ones_leave_a_blank() {
    let parts = parts(vec![chapter(None, &[1, 5, 50, 600, 1_600, 7_201_600])], &lanes(&[1, 1]), &[]);
    let rows = |texts: &[(&str, i32)]| texts.iter().map(|(text, space)| ((*text).to_owned(), *space)).collect();
    let wanted: Vec<Vec<(String, i32)>> = vec![rows(&[
        ("0.001", 0),
        ("0.005", 0),
        ("0.050", 4),
        ("0.600", 8),
        ("1.0 s pass", 0),
        ("1.600", 0),
        ("120 min 0 s pass", 0),
        ("7201.600", 0),
    ])];
    assert_eq!(told(&parts), wanted);
}

#[test]
fn a_silence_before_a_step_is_folded_in_the_step_before() {
    let parts = parts(vec![chapter(None, &[1]), chapter(Some(3_001), &[3_001])], &lanes(&[1, 1]), &[]);
    let texts: Vec<Vec<String>> =
        told(&parts).into_iter().map(|it| it.into_iter().map(|(text, _)| text).collect()).collect();
    assert_eq!(texts, [vec!["0.001", "3.0 s pass"], vec!["3.001"]]);
}

fn machine(at: u64, event: MachineEvent) -> Event {
    Event { at: LabTime(at * MS), what: What::Machine { host: "host-0".to_owned(), event } }
}

fn program(at: u64, event: ProgramEvent) -> Event {
    let (host, program) = ("host-0".to_owned(), "program-00".to_owned());
    Event { at: LabTime(at * MS), what: What::Program { host, program, event } }
}

/// A read of a connection.
fn read(began: u64, at: u64) -> Event {
    let end = std::net::SocketAddr::from(([192, 0, 2, 1], 9));
    let on = Descriptor { number: 3, kind: DescriptorKind::Connection(Connection { local: end, remote: end }) };
    let call = Call {
        call: "read".to_owned(),
        began: LabTime(began * MS),
        on: Some(on),
        arguments: String::new(),
        result: CallResult::Returned(1),
    };
    let name = Some("program-00".to_owned());
    let process = Some(Process { pid: 1, command: String::new(), program: name, child: false });
    let told = KernelEvent { host: "host-0".to_owned(), guest_time: 0, process, fact: KernelFact::Call(call) };
    Event { at: LabTime(at * MS), what: What::Kernel(Box::new(told)) }
}

#[test]
fn a_lane_shows_when_its_machine_boots_and_its_program_waits() {
    use Stroke::{Booting, Off, Up, Waiting};
    let boot = MachineEvent::Booted { boot_id: String::new(), kernel: String::new() };
    let timeline = [
        machine(10, MachineEvent::PoweredOn { pid: None }),
        machine(20, boot),
        program(30, ProgramEvent::Started { pid: 1, command: String::new() }),
        read(40, 60),
        read(61, 61),
        program(70, ProgramEvent::Ended { how: Ended::Exit(0) }),
        machine(80, MachineEvent::PoweredOff { how: Ended::Signal("KILL".to_owned()), domain: None }),
    ];
    let parts = parts(vec![chapter(None, &[5, 10, 20, 30, 50, 60, 65, 70, 80])], &lanes(&[1, 1]), &timeline);
    let rows: Vec<&Row> = parts.iter().flat_map(|part| &part.rows).collect();
    let lane = |lane: usize| rows.iter().map(|row| (row.before[lane], row.after[lane])).collect::<Vec<_>>();
    let program = [Off, Off, Off, Up, Waiting, Up, Up, Off, Off];
    assert_eq!(lane(0).iter().map(|(_, after)| *after).collect::<Vec<_>>(), program);
    let kernel = [Off, Booting, Up, Up, Up, Up, Up, Up, Off];
    assert_eq!(lane(1).iter().map(|(_, after)| *after).collect::<Vec<_>>(), kernel);
    assert_eq!(lane(1)[8], (Up, Off), "it changes at the row of its event");
    assert!(lane(2).iter().all(|strokes| *strokes == (Stroke::Wire, Stroke::Wire)));
}
