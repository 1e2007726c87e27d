//! Several runs, several labs at once.
//!
//! Each run is a lab of its own with a folder, a log and machines of its own; they share the processors and nothing else.
//! Those that are likely to take longest begin first, so that none of them runs alone at the end.
//!
//! A run that breaks breaks no other: not even by a panic of the controller itself. The user's interrupt ends those
//! that are on, and those that were not begun are *skipped*.

use super::{Interrupt, Options, Run};
use crate::error::Error;
use crate::progress::Reporter;
use crate::scenario::{Action, Scenario};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// About what it takes to boot a host. For the order of runs alone.
const BOOT: Duration = Duration::from_secs(2);

/// One run to be made.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// What is run.
    pub scenario: &'a Scenario,
    /// How.
    pub options: Options,
}

/// Makes all runs, `at_once` side by side. `ended` is told of each as it ends, on the caller's thread, with its index
/// in `jobs`. Gives the runs in the order of `jobs`.
pub fn run_all(
    jobs: &[Job<'_>],
    at_once: NonZeroUsize,
    reporter: &(dyn Fn(usize) -> Reporter + Sync),
    interrupt: &Interrupt,
    ended: impl FnMut(usize, &Run),
) -> Vec<Run> {
    let make = |index: usize| {
        let Job { scenario, options } = &jobs[index];
        let run = || super::run(scenario, options, &reporter(index), interrupt);
        // What a run shares with others is behind locks that a panic does not leave in pieces.
        let made = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(panicked(&*panic)));
        made.unwrap_or_else(|error| Run::not_made(scenario, options, error))
    };
    let runs = share_out(&longest_first(jobs), at_once, &|| interrupt.raised(), &make, ended);
    let skipped = |job: &Job<'_>| Run::not_made(job.scenario, &job.options, Error::interrupted());
    jobs.iter().zip(runs).map(|(job, run)| run.unwrap_or_else(|| skipped(job))).collect()
}

/// Has `make` called once for every index in `order`, which are those of a list, by `at_once` threads; no more are begun
/// once `stop` says so. Gives what was made, in the order of the list.
pub fn share_out<T: Send>(
    order: &[usize],
    at_once: NonZeroUsize,
    stop: &(dyn Fn() -> bool + Sync),
    make: &(dyn Fn(usize) -> T + Sync),
    mut ended: impl FnMut(usize, &T),
) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let mut made: Vec<Option<T>> = order.iter().map(|_| None).collect();
    thread::scope(|scope| {
        let (tell, told) = channel();
        for _ in 0..at_once.get().min(order.len()) {
            let (tell, next) = (tell.clone(), &next);
            scope.spawn(move || {
                while !stop()
                    && let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    // The receiver outlives every worker.
                    let _ = tell.send((index, make(index)));
                }
            });
        }
        drop(tell);
        for (index, value) in told {
            ended(index, &value);
            made[index] = Some(value);
        }
    });
    made
}

/// The indices of `jobs`, those that are likely to take longest first; else as they stand.
fn longest_first(jobs: &[Job<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(guess(jobs[*index].scenario)));
    order
}

/// How long a run of `scenario` is likely to take: its boots and its pauses. What programs take is not written in it.
fn guess(scenario: &Scenario) -> Duration {
    let steps = scenario.steps.iter().map(|step| match &step.action {
        Action::PowerOn(_) | Action::Reset(_) | Action::Reboot(_) | Action::Shutdown(_) => BOOT,
        Action::Pause(time) => *time,
        _ => Duration::ZERO,
    });
    let hosts = u32::try_from(scenario.hosts.len()).unwrap_or(u32::MAX);
    steps.fold(BOOT.saturating_mul(hosts), Duration::saturating_add)
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::broken("the controller itself failed").detail(words.unwrap_or("a panic without words"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicBool;

    const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

    #[test]
    fn every_piece_of_work_is_done_once_and_told_of_and_given_in_the_lists_order() {
        let mut told = Vec::new();
        let made =
            share_out(&[2, 0, 1], TWO, &|| false, &|index| index * 10, |index, value| told.push((index, *value)));
        assert_eq!(made, [Some(0), Some(10), Some(20)]);
        told.sort_unstable();
        assert_eq!(told, [(0, 0), (1, 10), (2, 20)]);
    }

    #[test]
    fn as_many_as_asked_for_are_on_at_once_and_no_more() {
        // Two meet at each barrier: one alone would wait for ever, and a third would be counted.
        let (meet, on, most) = (Barrier::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        let make = |_| {
            most.fetch_max(on.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            meet.wait();
            on.fetch_sub(1, Ordering::SeqCst);
            // Nobody begins anew before both have gone.
            meet.wait();
        };
        assert_eq!(share_out(&[0, 1, 2, 3], TWO, &|| false, &make, |_, ()| ()).len(), 4);
        assert_eq!(most.into_inner(), 2);
    }

    #[test]
    fn nothing_is_begun_after_the_stop_and_what_was_not_begun_is_missing() {
        let stop = AtomicBool::new(false);
        let make = |index| {
            stop.store(index == 1, Ordering::SeqCst);
            index
        };
        let made = share_out(&[0, 1, 2], NonZeroUsize::MIN, &|| stop.load(Ordering::SeqCst), &make, |_, _| ());
        assert_eq!(made, [Some(0), Some(1), None]);
    }

    #[test]
    fn scenarios_with_more_boots_and_longer_pauses_begin_first() {
        let scenario = |steps: &str| {
            let head = "name: x\ntitle: X\nstory: Y\nhosts: { server: }\n";
            let tail = "expectations:\n  - { name: b, host: server, boot-id: kept, held: H, not-held: N }\n";
            crate::scenario::parse("x.yaml", &format!("{head}steps:\n{steps}{tail}")).unwrap()
        };
        let scenarios =
            ["  - pause: 1 s\n", "  - pause: 5 s\n", "  - reset: server\n", "  - pause: 1 s\n"].map(scenario);
        let options = Options::default();
        let jobs: Vec<Job<'_>> = scenarios.iter().map(|scenario| Job { scenario, options: options.clone() }).collect();
        assert_eq!(longest_first(&jobs), [1, 2, 0, 3]);
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_words() {
        let caught = catch_unwind(|| std::panic::panic_any("42 is not a port".to_owned())).unwrap_err();
        assert_eq!(panicked(&*caught).detail.unwrap(), "42 is not a port");
    }
}
