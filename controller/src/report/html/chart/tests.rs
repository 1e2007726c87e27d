use super::*;
use crate::timeline::{Ended, Flags, Frame, KernelEvent, Verdict};

const MS: u64 = 1_000_000;

fn ends(host: &str) -> Connection {
    let (client, server) = ("192.0.2.1:40000".parse().unwrap(), "192.0.2.2:9877".parse().unwrap());
    if host == "client" {
        Connection { local: client, remote: server }
    } else {
        Connection { local: server, remote: client }
    }
}

fn kernel(at: u64, host: &str, fact: KernelFact) -> Event {
    let told = KernelEvent { host: host.to_owned(), guest_time: 0, process: None, fact };
    Event { at: LabTime(at * MS), what: What::Kernel(Box::new(told)) }
}

fn state(at: u64, host: &str, from: TcpState, to: TcpState) -> Event {
    kernel(at, host, KernelFact::State { connection: ends(host), from, to })
}

fn again(at: u64) -> Event {
    kernel(at, "client", KernelFact::Retransmitted { connection: ends("client") })
}

/// Data of the client, or a probe, which is one byte before what it sends next.
fn data(at: u64, seq: u32, length: usize, retransmission: bool) -> Event {
    let Connection { local, remote } = ends("client");
    let segment = Segment {
        source: local.ip(),
        source_port: local.port(),
        destination: remote.ip(),
        destination_port: remote.port(),
        flags: Flags { ack: true, ..Flags::default() },
        seq,
        ack: 1,
        relative_seq: seq,
        relative_ack: 1,
        window: 0,
        length,
        retransmission,
    };
    let (from, to) = ("client".to_owned(), Some("server".to_owned()));
    let kind = FrameKind::Tcp(segment);
    let frame = Frame { number: 1, from, link: 0, to, bound_for: None, length: 60, verdict: Verdict::Lost, kind };
    Event { at: LabTime(at * MS), what: What::Wire(Box::new(frame)) }
}

fn waits(course: &Course) -> Vec<(Again, u64)> {
    course.waits.iter().map(|wait| (wait.kind, wait.nanos / MS)).collect()
}

#[test]
fn a_side_whose_machine_dies_ends_there_and_the_other_goes_on() {
    use TcpState::{Closed, Established, SynSent};
    let death = MachineEvent::PoweredOff { how: Ended::Signal("KILL".to_owned()), domain: None };
    let timeline = [
        state(1, "client", Closed, SynSent),
        state(2, "client", SynSent, Established),
        state(3, "server", TcpState::SynReceived, Established),
        Event { at: LabTime(50 * MS), what: What::Machine { host: "server".to_owned(), event: death } },
        state(90, "client", Established, Closed),
    ];
    let courses = courses(&timeline);
    assert_eq!(courses.len(), 1);
    let [client, server] = &courses[0].sides[..] else { panic!("two sides") };
    let spans =
        |side: &Side| side.spans.iter().map(|it| (it.state, it.from.0 / MS, it.until.0 / MS)).collect::<Vec<_>>();
    assert_eq!((spans(client), client.end), (vec![(SynSent, 1, 2), (Established, 2, 90)], End::Closed));
    assert_eq!((spans(server), server.end), (vec![(Established, 3, 50)], End::Died));
}

#[test]
fn the_waits_of_the_wire_are_followed_by_those_of_which_only_the_kernel_knows() {
    let timeline = [
        data(0, 100, 13, false),
        again(199),
        data(200, 100, 13, true),
        again(600),
        data(601, 100, 13, true),
        again(1_400),
        again(3_000),
    ];
    let courses = courses(&timeline);
    let wanted =
        [(Again::Retransmission, 200), (Again::Retransmission, 401), (Again::Unsent, 799), (Again::Unsent, 1_600)];
    assert_eq!(waits(&courses[0]), wanted);
}

#[test]
fn a_keep_alive_probe_is_no_retransmission() {
    let timeline = [
        data(0, 100, 13, false),
        data(5_000, 112, 0, false),
        data(80_000, 112, 0, false),
        data(155_000, 112, 0, false),
    ];
    let wanted = [(Again::Probe, 5_000), (Again::Probe, 75_000), (Again::Probe, 75_000)];
    assert_eq!(waits(&courses(&timeline)[0]), wanted);
}

#[test]
fn what_a_router_hands_on_is_not_sent_twice() {
    let mut copy = data(1, 100, 13, true);
    if let What::Wire(frame) = &mut copy.what {
        frame.from = "router".to_owned();
    }
    let courses = courses(&[data(0, 100, 13, false), copy, data(200, 100, 13, true)]);
    assert_eq!((waits(&courses[0]), courses[0].segments.len()), (vec![(Again::Retransmission, 200)], 2));
}
