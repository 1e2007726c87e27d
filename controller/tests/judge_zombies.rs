//! Claims on a program's zombies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::scenario::Count;
use deadpeer::timeline::LabTime;
use support::claims::{judged, zombies};
use support::kernel::{self, child, process};
use support::scenarios::CRASH;

#[test]
fn zombies_are_those_that_ended_and_were_not_waited_for() {
    let mut story = kernel::quiet();
    let init = || deadpeer::timeline::Process { pid: 1, command: "init".to_owned(), program: None, child: false };
    for pid in [315, 316, 317, 318] {
        story.at(4.0 + f64::from(pid - 315) / 10.0).exited(child("echo-server", pid));
    }
    story.at(4.5).reaped("server", process("echo-server"), 316);
    let held = judged(&mut story, zombies(Count::exactly(3), None));
    assert_eq!((held.held, held.value.as_deref()), (Some(true), Some("3")));
    assert_eq!(held.why, "4 children of echo-server had ended, and 3 of them were not waited for.");
    assert_eq!(held.evidence.len(), 3);
    let failed = judged(&mut story, zombies(Count::NONE, None));
    assert_eq!(failed.expected, ["no zombie of echo-server"]);
    assert_eq!(failed.came[..2], ["3 zombies of echo-server", "4.000  echo-server's child 315 exited with status 0"]);
    // The parent ends: it is no child, and init waits for the orphans.
    story.at(5.0).exited(process("echo-server"));
    story.at(5.1).reaped("server", init(), 315).reaped("server", init(), 317);
    assert_eq!(judged(&mut story, zombies(Count::exactly(1), None)).value.as_deref(), Some("1"));
    // A process id that is used again is another process.
    story.at(5.2).exited(child("echo-server", 315));
    assert_eq!(judged(&mut story, zombies(Count::exactly(2), None)).held, Some(true));
    story.at(5.3).lost("server", 5.25);
    assert_eq!(judged(&mut story, zombies(Count::exactly(2), None)).held, None);
}

#[test]
fn zombies_are_counted_at_a_moment_and_die_with_their_host() {
    let mut story = kernel::crash_reboot();
    story.at(3.5).exited(child("echo-server", 315));
    assert_eq!(judged(&mut story, zombies(Count::exactly(1), Some(CRASH))).held, Some(true));
    assert_eq!(judged(&mut story, zombies(Count::NONE, None)).held, Some(true));
    let off = judged(&mut story, zombies(Count::exactly(0), Some(CRASH + 1)));
    assert_eq!(off.why, "server was off, and held no process any more.");
    let mut story = kernel::without_witness("server", 0.0);
    assert_eq!(judged(&mut story, zombies(Count::NONE, Some(CRASH))).held, None);
    story.events.retain(|event| event.at < LabTime(3_400_000_000));
    assert_eq!(judged(&mut story, zombies(Count::NONE, None)).held, None);
}
