#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::Id;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const LATENCY: Duration = Duration::from_nanos(1000);
const FAR: LabTime = LabTime(1_000_000);

fn report(next: Option<u64>, sent: &[(u64, u8)]) -> Reported {
    let item = |(at, byte): &(u64, u8)| Item { at: LabTime(*at), line: Line::Nic(0), bytes: [*byte].into() };
    Reported { now: LabTime(0), next: next.map(LabTime), sent: sent.iter().map(item).collect() }
}

/// As many machines as this, each with what it reported.
fn schedule(reports: impl IntoIterator<Item = Reported>) -> Schedule {
    let mut schedule = Schedule::new(LATENCY);
    for report in reports {
        let machine = schedule.join();
        schedule.report(machine, report);
    }
    schedule
}

/// A wire that brings frames to one machine; a frame's first byte counts.
struct To(usize, Vec<(u64, u8)>, Duration);

impl Wire for To {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        self.1.push((frame.at.0, frame.bytes[0]));
        let to = Port { machine: Id(self.0), nic: 0 };
        Ok(vec![Delivery { to, at: frame.at.after(self.2), bytes: frame.bytes.clone() }])
    }
}

/// What is due at a machine: when, and the first byte.
fn due(schedule: &mut Schedule, machine: usize, until: u64) -> Vec<(u64, u8)> {
    schedule.due(machine, LabTime(until)).into_iter().map(|item| (item.at.0, item.bytes[0])).collect()
}

#[test]
fn a_machine_that_is_busy_holds_all_to_one_latency_less_an_instruction() {
    let mut schedule = schedule([report(Some(0), &[]), report(None, &[])]);
    assert_eq!(schedule.boundary(FAR), LabTime(996));
    schedule.reach(LabTime(996), &mut To(0, vec![], LATENCY)).unwrap();
    assert_eq!(schedule.boundary(FAR), LabTime(1992), "what a machine said of a time that is past counts as now");
}

#[test]
fn idle_machines_are_let_run_beyond_the_first_that_wakes_up() {
    assert_eq!(schedule([report(Some(50_000), &[]), report(Some(20_000), &[])]).boundary(FAR), LabTime(20_996));
}

#[test]
fn where_nothing_will_ever_happen_the_limit_comes() {
    assert_eq!(schedule([report(None, &[]), report(None, &[])]).boundary(FAR), FAR);
    assert_eq!(schedule([]).boundary(FAR), FAR);
}

#[test]
fn the_limit_is_never_passed_and_time_never_goes_back() {
    let mut schedule = schedule([report(Some(500), &[])]);
    assert_eq!(schedule.boundary(LabTime(600)), LabTime(600));
    schedule.reach(LabTime(600), &mut To(0, vec![], LATENCY)).unwrap();
    assert_eq!(schedule.boundary(LabTime(100)), LabTime(600));
}

#[test]
fn what_is_to_be_delivered_wakes_a_machine() {
    let mut schedule = schedule([report(None, &[]), report(None, &[])]);
    schedule.deliver(1, LabTime(30_000), Line::Serial, Arc::from(*b"x"));
    assert_eq!(schedule.boundary(FAR), LabTime(30_996));
}

#[test]
fn a_frame_that_was_sent_while_a_boundary_was_overrun_waits_for_the_next() {
    let mut schedule = schedule([report(None, &[(998, b'a')]), report(None, &[])]);
    let mut wire = To(1, vec![], LATENCY);
    schedule.reach(LabTime(996), &mut wire).unwrap();
    assert_eq!(wire.1, []);
    assert_eq!(schedule.boundary(FAR), LabTime(1994), "it is known, and holds all");
    schedule.reach(LabTime(1994), &mut wire).unwrap();
    assert_eq!(wire.1, [(998, b'a')]);
    assert_eq!(due(&mut schedule, 1, 1998), [(1998, b'a')]);
}

#[test]
fn frames_go_to_the_wire_by_time_then_by_machine_then_as_they_were_sent() {
    let mut schedule = Schedule::new(LATENCY);
    for _ in 0..2 {
        schedule.join();
    }
    // The second machine reports first.
    schedule.report(1, report(None, &[(5, b'c'), (9, b'e')]));
    schedule.report(0, report(None, &[(5, b'a'), (5, b'b'), (7, b'd')]));
    let mut wire = To(1, vec![], LATENCY);
    schedule.reach(LabTime(996), &mut wire).unwrap();
    assert_eq!(wire.1, [(5, b'a'), (5, b'b'), (5, b'c'), (7, b'd'), (9, b'e')]);
    assert_eq!(due(&mut schedule, 1, 1006), [(1005, b'a'), (1005, b'b'), (1005, b'c')]);
}

#[test]
fn what_is_not_due_is_held_back() {
    let mut schedule = schedule([report(None, &[])]);
    for (at, byte) in [(40, b'b'), (30, b'a'), (40, b'c'), (50, b'd')] {
        schedule.deliver(0, LabTime(at), Line::Serial, [byte].into());
    }
    assert_eq!(due(&mut schedule, 0, 40), [(30, b'a'), (40, b'b'), (40, b'c')]);
    assert_eq!(due(&mut schedule, 0, 49), []);
    assert_eq!(due(&mut schedule, 0, 50), [(50, b'd')]);
}

#[test]
fn a_machine_sleeps_until_it_wakes_up_or_is_woken() {
    let mut schedule = schedule([report(Some(500), &[]), report(None, &[])]);
    assert!(schedule.sleeps(0, LabTime(499)) && !schedule.sleeps(0, LabTime(500)));
    assert!(schedule.sleeps(1, FAR));
    schedule.deliver(1, LabTime(300), Line::Serial, Arc::from(*b"x"));
    assert!(schedule.sleeps(1, LabTime(299)) && !schedule.sleeps(1, LabTime(300)));
    let unknown = schedule.join();
    assert!(!schedule.sleeps(unknown, LabTime(0)), "one that has not reported yet");
}

#[test]
fn what_is_late_is_delivered_now() {
    let mut schedule = schedule([report(None, &[])]);
    schedule.reach(LabTime(700), &mut To(0, vec![], LATENCY)).unwrap();
    schedule.deliver(0, LabTime(30), Line::Serial, Arc::from(*b"x"));
    assert_eq!(due(&mut schedule, 0, 700), [(700, b'x')]);
}

#[test]
fn a_machine_that_is_gone_gets_nothing_and_what_it_sent_arrives() {
    let mut schedule = schedule([report(Some(0), &[(5, b'a')]), report(None, &[])]);
    schedule.deliver(0, LabTime(90), Line::Serial, Arc::from(*b"x"));
    schedule.leave(0);
    schedule.deliver(0, LabTime(90), Line::Serial, Arc::from(*b"y"));
    assert_eq!(schedule.boundary(FAR), LabTime(1001), "the frame holds all; it that sent it does not");
    schedule.reach(LabTime(1001), &mut To(1, vec![], LATENCY)).unwrap();
    assert_eq!((due(&mut schedule, 0, 5000), due(&mut schedule, 1, 5000)), (vec![], vec![(1005, b'a')]));
    assert_eq!(schedule.join(), 2, "a number is never given again");
}

#[test]
fn a_wire_that_is_quicker_than_the_shortest_latency_is_an_error() {
    let mut schedule = schedule([report(None, &[(5, b'a')])]);
    let error = schedule.reach(LabTime(996), &mut To(0, vec![], Duration::from_nanos(999))).unwrap_err();
    assert!(error.fact.ends_with("no link is quicker than 1µs"), "{error}");
}

/// A machine that sends by itself at some times, and answers what it gets some time later; each answer has one hop less. It does
/// things at instructions alone, which begin every 4 ns.
#[derive(Debug, Clone, Default)]
struct Model {
    now: u64,
    plans: BTreeSet<(u64, u8, u64)>,
    thinks: u64,
    phase: u64,
    count: u64,
}

impl Model {
    /// The first instruction that does not begin before this time.
    fn instruction(&self, at: u64) -> u64 {
        at + (self.phase + 4 - at % 4) % 4
    }

    fn plan(&mut self, at: u64, hops: u8) {
        self.count += 1;
        self.plans.insert((self.instruction(at), hops, self.count));
    }

    /// When it answers what is delivered at this time.
    fn answers(&self, at: u64) -> u64 {
        self.instruction(self.instruction(at) + self.thinks)
    }

    /// Runs to the first instruction that does not begin before this boundary. Gives what it sent.
    fn run(&mut self, boundary: u64, delivered: &[(u64, u8)]) -> Vec<(u64, u8)> {
        for (at, hops) in delivered {
            if *hops > 0 {
                self.plan(self.answers((*at).max(self.now)), hops - 1);
            }
        }
        assert!(self.plans.first().is_none_or(|(at, ..)| *at >= self.now), "{self:?} does something in its past");
        self.now = self.instruction(boundary);
        // What begins at that time is still to come.
        let later = self.plans.split_off(&(self.now, 0, 0));
        std::mem::replace(&mut self.plans, later).into_iter().map(|(at, hops, _)| (at, hops)).collect()
    }
}

/// Brings each frame to the next machine, after the latency and some more that the frame decides.
struct Ring(usize, Vec<(u64, usize, u8)>);

fn latency(hops: u8) -> u64 {
    1000 + u64::from(hops) * 7
}

impl Wire for Ring {
    fn carry(&mut self, frame: &Sent) -> Result<Vec<Delivery>> {
        let (from, hops) = (frame.from.machine.0, frame.bytes[0]);
        self.1.push((frame.at.0, from, hops));
        let to = Port { machine: Id((from + 1) % self.0), nic: 0 };
        Ok(vec![Delivery { to, at: LabTime(frame.at.0 + latency(hops)), bytes: frame.bytes.clone() }])
    }
}

/// What the machines send to each other in all, if everything is done in the order of time.
fn by_time(models: &[Model], end: u64) -> Vec<(u64, usize, u8)> {
    let mut agenda: BTreeSet<(u64, usize, u8, u64)> = BTreeSet::new();
    for (machine, model) in models.iter().enumerate() {
        agenda.extend(model.plans.iter().map(|(at, hops, count)| (*at, machine, *hops, *count)));
    }
    let (mut sent, mut count) = (Vec::new(), 1000);
    while let Some((at, machine, hops, _)) = agenda.pop_first().filter(|(at, ..)| *at < end) {
        sent.push((at, machine, hops));
        if hops > 0 {
            let to = (machine + 1) % models.len();
            count += 1;
            agenda.insert((models[to].answers(at + latency(hops)), to, hops - 1, count));
        }
    }
    sent
}

proptest! {
    /// However the boundaries fall, it is as if there were none.
    #[test]
    fn boundaries_change_nothing(
        plans in prop::collection::vec(prop::collection::vec((0_u64..20_000, 0_u8..9), 0..6), 1..4),
        machines in prop::collection::vec((0_u64..3000, 0_u64..4), 4),
        limits in prop::collection::vec(1_u64..9000, 1..20),
    ) {
        let mut models: Vec<Model> = Vec::new();
        for (plans, (thinks, phase)) in plans.iter().zip(&machines) {
            let mut model = Model { thinks: *thinks, phase: *phase, ..Model::default() };
            plans.iter().for_each(|(at, hops)| model.plan(*at, *hops));
            models.push(model);
        }
        let end: u64 = 60_000;
        let expected = by_time(&models, end);
        let mut schedule = schedule(models.iter().map(|_| report(Some(0), &[])));
        let mut wire = Ring(models.len(), vec![]);
        let mut limits = limits.iter().cycle();
        while schedule.now().0 < end {
            let limit = LabTime(end.min(schedule.now().0 + limits.next().unwrap()));
            let boundary = schedule.boundary(limit);
            for (machine, model) in models.iter_mut().enumerate() {
                if boundary.0 <= model.now || schedule.sleeps(machine, boundary) {
                    continue; // it has overrun this one too, or has nothing to do before it
                }
                let delivered = due(&mut schedule, machine, boundary.0);
                let sent = model.run(boundary.0, &delivered);
                let next = model.plans.first().map(|(at, ..)| *at);
                schedule.report(machine, report(next, &sent));
            }
            schedule.reach(boundary, &mut wire).unwrap();
        }
        // Of equal times the wire knows the machine alone, the agenda the hops too.
        let mut carried = wire.1.clone();
        prop_assert!(carried.is_sorted_by_key(|(at, machine, _)| (*at, *machine)));
        carried.retain(|(at, ..)| *at < end);
        carried.sort();
        prop_assert_eq!(carried, expected);
    }
}

#[test]
fn a_lab_is_quiet_if_nobody_wakes_up_soon_and_nothing_is_under_way() {
    let quiet = |schedule: &Schedule| schedule.quiet(Duration::from_nanos(500));
    assert!(quiet(&schedule([report(Some(501), &[]), report(None, &[])])));
    assert!(!quiet(&schedule([report(Some(500), &[]), report(None, &[])])), "one wakes up soon");
    assert!(!quiet(&schedule([report(None, &[(7, 1)])])), "a frame has not come to the wire");
    let mut typed = schedule([report(None, &[])]);
    typed.deliver(0, LabTime(9_000), Line::Serial, [1].into());
    assert!(!quiet(&typed), "something is to be delivered, however late");
    let mut one_left = schedule([report(Some(0), &[]), report(None, &[])]);
    one_left.leave(0);
    assert!(quiet(&one_left), "one that is gone does nothing");
    let mut starting = Schedule::new(LATENCY);
    starting.join();
    assert!(!quiet(&starting), "one that has not reported yet may do anything");
}
