//! With plugins that are made up: what a real one says is in `tests/lockstep`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::{Delivery, Departure, Id, Lockstep, OwnClock, Port, Sent, Wire};
use super::*;
use std::thread::JoinHandle;

const LATENCY: Duration = Duration::from_micros(1);
const FAR: LabTime = LabTime(1_000_000);

/// What is to be delivered: when, on which line, what.
type Items = Vec<(u64, u32, Vec<u8>)>;

/// A plugin's end of the socket.
struct Plugin(UnixStream);

impl Plugin {
    fn say(&mut self, parts: &[&[u8]]) {
        self.0.write_all(&parts.concat()).unwrap();
    }

    fn greet(&mut self) {
        self.say(&[b"deadpeer", &[2, 7, 2, 22, 1, 1].map(u32::to_le_bytes).concat()]);
    }

    /// Reports, with frames that its NIC 0 sent: when, and one byte.
    fn report(&mut self, now: i64, next: i64, last: u32, frames: &[(i64, u8)]) {
        let frame = |(at, byte): &(i64, u8)| [&at.to_le_bytes()[..], &[0; 4], &[1, 0, 0, 0], &[*byte]].concat();
        let body: Vec<u8> = frames.iter().flat_map(frame).collect();
        let numbers = [frames.len() as u32, body.len() as u32, 0, last].map(u32::to_le_bytes).concat();
        let stood = 1000 * (now + 1); // in microseconds, one more than its clock
        self.say(&[&now.to_le_bytes(), &next.to_le_bytes(), &numbers, &stood.to_le_bytes(), &body]);
    }

    /// The next grant: until when, to pause or not, and what comes with it.
    fn grant(&mut self) -> (u64, bool, Items) {
        let mut head = [0; protocol::GRANT];
        self.0.read_exact(&mut head).unwrap();
        let number = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let mut items = Vec::new();
        for _ in 0..number(12) {
            let mut item = [0; 16];
            self.0.read_exact(&mut item).unwrap();
            let mut content = vec![0; u32::from_le_bytes(item[12..].try_into().unwrap()) as usize];
            self.0.read_exact(&mut content).unwrap();
            let line = u32::from_le_bytes(item[8..12].try_into().unwrap());
            items.push((u64::from_le_bytes(item[..8].try_into().unwrap()), line, content));
        }
        (u64::from_le_bytes(head[..8].try_into().unwrap()), number(8) == 1, items)
    }
}

/// A machine takes in what a plugin of this behaviour says.
fn join<T: Send + 'static>(
    lockstep: &mut Lockstep,
    behaves: impl FnOnce(Plugin) -> T + Send + 'static,
) -> (Id, JoinHandle<T>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let plugin = std::thread::spawn(move || {
        let mut plugin = Plugin(theirs);
        plugin.greet();
        behaves(plugin)
    });
    (lockstep.join("client", ours, Duration::ZERO).unwrap(), plugin)
}

fn lockstep(patience: u64) -> Lockstep {
    Lockstep::new(LATENCY, Duration::from_millis(patience)).unwrap()
}

/// A wire that brings everything to one machine.
struct To(Id);

impl Wire for To {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        let to = Port { machine: self.0, nic: 0 };
        Ok(vec![Delivery { to, at: frame.at.after(LATENCY), bytes: frame.bytes.clone() }])
    }
}

/// The error of the first boundary, with a plugin that behaves so.
fn error(behaves: impl FnOnce(Plugin) + Send + 'static) -> Error {
    let mut lockstep = lockstep(20_000);
    let (machine, plugin) = join(&mut lockstep, behaves);
    let error = lockstep.advance(FAR, &mut To(machine)).unwrap_err();
    plugin.join().unwrap();
    error
}

#[test]
fn a_latency_that_is_too_short_is_wrong_usage() {
    let error = Lockstep::new(Duration::from_nanos(999), Duration::from_secs(1)).unwrap_err();
    assert_eq!(error.fact, "a latency of 999ns is too short for lockstep time");
}

#[test]
fn a_qemu_that_ends_before_it_greets_is_told_so() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    let error = lockstep(20_000).join("client", ours, Duration::ZERO).unwrap_err();
    assert_eq!(error.fact, "QEMU of 'client' ended before its lockstep plugin greeted");
}

#[test]
fn a_qemu_that_says_nothing_is_not_waited_for_longer_than_patience() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let error = lockstep(10).join("client", ours, Duration::ZERO).unwrap_err();
    assert_eq!(error.fact, "QEMU of 'client' did not load its lockstep plugin within 10ms");

    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut plugin = Plugin(theirs);
    plugin.greet();
    plugin.report(0, 0, 0, &[]);
    let mut lockstep = lockstep(10);
    let machine = lockstep.join("client", ours, Duration::ZERO).unwrap();
    let error = lockstep.advance(FAR, &mut To(machine)).unwrap_err();
    assert_eq!(error.fact, "QEMU of 'client' did not come to its boundary within 10ms");
    assert_eq!(error.detail.unwrap(), "its own clock stood at 0.000 when it was seen last");
}

#[test]
fn nonsense_is_told_with_the_machine_and_what_it_was() {
    let nonsense = error(|mut plugin| plugin.report(0, 0, 7, &[]));
    let fact =
        "the lockstep plugin in QEMU of 'client' makes no sense: a report of 0 frames in 0 bytes, its last mark 7";
    assert_eq!(nonsense.fact, fact);
    let from_the_past = error(|mut plugin| {
        plugin.report(5, 5, 0, &[]);
        plugin.grant();
        plugin.report(4, 5, 0, &[]);
    });
    assert!(from_the_past.fact.ends_with("a report at 4 ns, seen last at 5 ns"), "{from_the_past}");
    let too_late = error(|mut plugin| {
        plugin.report(0, 0, 0, &[]);
        plugin.grant();
        plugin.report(1000, 1000, 0, &[]);
    });
    assert!(too_late.fact.ends_with("a report at 1000 ns, granted until 996 ns"), "{too_late}");
    let frame = error(|mut plugin| plugin.report(9, 9, 0, &[(8, b'a')]));
    assert!(frame.fact.ends_with("frame 1 of 1 is out of its time, 9..=9 ns"), "{frame}");
}

#[test]
fn a_qemu_that_is_gone_has_departed_even_in_the_midst_of_its_report() {
    let mut lockstep = lockstep(20_000);
    let (machine, plugin) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, 0, 0, &[]);
        plugin.grant();
        plugin.say(&[&[0; 20]]);
    });
    let gone = lockstep.advance(FAR, &mut To(machine)).unwrap();
    assert_eq!(gone, [Departure { machine, at: LabTime(996), orderly: false }]);
    plugin.join().unwrap();
    assert_eq!(lockstep.advance(FAR, &mut To(machine)).unwrap(), [], "it is told once, and nobody holds the others");
    assert_eq!(lockstep.now(), FAR);
    assert_eq!(lockstep.pause(machine).unwrap_err().fact, "cannot pause a machine that is gone");
}

#[test]
fn what_a_guest_sent_before_it_switched_off_is_still_delivered() {
    let mut lockstep = lockstep(20_000);
    let (client, one) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, 0, 0, &[]);
        plugin.grant();
        plugin.report(400, i64::MAX, 1, &[(300, b'F')]);
    });
    let (server, other) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, i64::MAX, 0, &[]);
        plugin.grant() // not before there is something to do
    });
    let gone = lockstep.advance(FAR, &mut To(server)).unwrap();
    assert_eq!(gone, [Departure { machine: client, at: LabTime(996), orderly: true }]);
    let gone = lockstep.advance(FAR, &mut To(server)).unwrap();
    assert_eq!(gone, [Departure { machine: server, at: LabTime(2296), orderly: false }]);
    one.join().unwrap();
    assert_eq!(other.join().unwrap(), (2296, false, vec![(1300, 0, b"F".to_vec())]));
}

#[test]
fn a_machine_that_overran_a_boundary_stays_where_it_is_and_gets_the_rest_later() {
    let mut lockstep = lockstep(20_000);
    let (machine, plugin) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, 0, 0, &[]);
        assert_eq!(plugin.grant(), (50, false, vec![]));
        plugin.report(53, 53, 0, &[]);
        plugin.grant()
    });
    let mut wire = To(machine);
    lockstep.advance(LabTime(50), &mut wire).unwrap();
    lockstep.type_in(machine, LabTime(51), b"x");
    lockstep.advance(LabTime(52), &mut wire).unwrap();
    assert_eq!(lockstep.now(), LabTime(52));
    lockstep.advance(LabTime(100), &mut wire).unwrap();
    assert_eq!(plugin.join().unwrap(), (100, false, vec![(53, 256, b"x".to_vec())]), "not in its past");
}

#[test]
fn a_machine_that_sleeps_is_left_alone() {
    let mut lockstep = lockstep(20_000);
    let (sleeper, plugin) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, 900_000, 0, &[]);
        plugin.grant()
    });
    for until in [500_000, 800_000, 1_000_000] {
        lockstep.advance(LabTime(until), &mut To(sleeper)).unwrap();
    }
    assert_eq!(plugin.join().unwrap(), (900_996, false, vec![]));
}

#[test]
fn a_machine_that_joins_later_has_a_clock_of_its_own() {
    let mut lockstep = lockstep(20_000);
    let (first, one) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, 0, 0, &[]);
        assert_eq!(plugin.grant(), (500, false, vec![]));
        plugin.report(500, i64::MAX, 0, &[]);
        plugin
    });
    lockstep.advance(LabTime(500), &mut To(first)).unwrap();
    // One that was restored: its own clock is ahead of the lab's.
    let (second, other) = join(&mut lockstep, |mut plugin| {
        plugin.report(90_000, 90_000, 0, &[]);
        assert_eq!(plugin.grant(), (90_996, false, vec![]));
        plugin.report(90_996, 90_996, 0, &[(90_070, b'a')]);
        plugin.grant()
    });
    let mut wire = To(second);
    assert_eq!(lockstep.advance(FAR, &mut wire).unwrap(), []);
    assert_eq!(lockstep.now(), LabTime(1496));
    assert_eq!(lockstep.stood(), Some(Duration::from_micros(90_997)), "that of the one that moved");
    assert_eq!(lockstep.advance(LabTime(1600), &mut wire).unwrap().len(), 1, "the second; the first still sleeps");
    drop(one.join());
    assert_eq!(other.join().unwrap(), (91_100, false, vec![(91_070, 0, b"a".to_vec())]));
}

#[test]
fn a_machine_that_is_to_go_on_later_stands_still_until_then_and_holds_nobody() {
    let mut lockstep = lockstep(20_000);
    let (ours, theirs) = UnixStream::pair().unwrap();
    let plugin = std::thread::spawn(move || {
        let mut plugin = Plugin(theirs);
        plugin.greet();
        plugin.report(0, 0, 0, &[]);
        plugin.grant()
    });
    let machine = lockstep.join("client", ours, Duration::from_micros(500)).unwrap();
    let mut wire = To(machine);
    for (limit, now) in [(400_000, 400_000), (450_000, 450_000), (1_000_000, 500_996)] {
        lockstep.advance(LabTime(limit), &mut wire).unwrap();
        assert_eq!(lockstep.now(), LabTime(now));
    }
    assert_eq!(plugin.join().unwrap(), (996, false, vec![]), "by its own clock");
}

#[test]
fn a_paused_machine_holds_all_until_it_is_back_where_it_was() {
    let mut lockstep = lockstep(20_000);
    let (machine, plugin) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, i64::MAX, 0, &[]);
        assert_eq!(plugin.grant(), (1000, false, vec![]));
        plugin.report(1000, i64::MAX, 0, &[]);
        assert_eq!(plugin.grant(), (0, true, vec![]));
        plugin.report(1000, i64::MAX, 0, &[]);
        plugin.grant()
    });
    let mut wire = To(machine);
    let early = lockstep.pause(machine).unwrap_err();
    assert_eq!(early.fact, "cannot pause 'client': it has not come to its first boundary");
    lockstep.advance(LabTime(1000), &mut wire).unwrap();
    lockstep.type_in(machine, LabTime(1000), b"x");
    lockstep.pause(machine).unwrap();
    assert_eq!(lockstep.pause(machine).unwrap_err().fact, "cannot pause 'client': it is paused already");
    lockstep.advance(LabTime(2000), &mut wire).unwrap();
    assert_eq!(plugin.join().unwrap(), (1996, false, vec![(1000, 256, b"x".to_vec())]));
}

#[test]
fn a_paused_machine_that_went_on_by_itself_makes_no_sense() {
    let mut lockstep = lockstep(20_000);
    let (machine, plugin) = join(&mut lockstep, |mut plugin| {
        plugin.report(0, i64::MAX, 0, &[]);
        plugin.grant();
        plugin.report(1000, i64::MAX, 0, &[]);
        plugin.grant();
        plugin.report(1004, i64::MAX, 0, &[]);
    });
    let mut wire = To(machine);
    lockstep.advance(LabTime(1000), &mut wire).unwrap();
    lockstep.pause(machine).unwrap();
    let error = lockstep.advance(LabTime(2000), &mut wire).unwrap_err();
    assert!(error.fact.ends_with("a report at 1004 ns, paused at 1000 ns"), "{error}");
    plugin.join().unwrap();
}

/// What a machine reports that is restored at 500 ns of its own clock, when the lab's is at 700, having stood at `stood`.
fn resumed(stood: u64) -> (Result<()>, Lockstep) {
    let mut lockstep = lockstep(1000);
    let (id, plugin) = join(&mut lockstep, |mut plugin| {
        plugin.report(500, 900, 0, &[]);
        plugin
    });
    let done = lockstep.resume(LabTime(700), &[(id, OwnClock { now: stood, ahead: 200 })]);
    drop(plugin.join().unwrap());
    (done, lockstep)
}

#[test]
fn a_machine_that_was_restored_goes_on_where_it_stood_and_nowhere_else() {
    let (done, lockstep) = resumed(500);
    done.unwrap();
    assert_eq!(lockstep.now(), LabTime(700));
    assert!(
        lockstep.quiet(Duration::from_nanos(399)) && !lockstep.quiet(Duration::from_nanos(400)),
        "it wakes up at 1100"
    );
    let error = resumed(504).0.unwrap_err();
    assert!(error.fact.ends_with("a report at 500 ns, paused at 504 ns"), "{error}");
}
