//! What goes wrong under a run ends it as unknown, says what came instead of what, and leaves nothing behind.

use crate::bench::{Bench, scenario};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const PAUSE: &str = "  - pause: 2 min";

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

#[test]
fn a_machine_that_is_killed_mid_run() {
    let mut bench = Bench::start(&scenario(PAUSE), &[], &[]);
    bench.await_line("pause");
    signal(bench.machine_pid("server"), Signal::SIGKILL);
    bench.end().is_unknown_because(&["'server' ended by itself", "SIGKILL"]);
}

#[test]
fn a_machine_that_is_stopped_mid_run() {
    let mut bench = Bench::start(&scenario(PAUSE), &[], &[]);
    bench.await_line("pause");
    signal(bench.machine_pid("client"), Signal::SIGSTOP);
    bench.end().is_unknown_because(&["'client' was stopped from outside"]);
}

#[test]
fn a_machine_that_is_killed_while_it_boots() {
    let mut bench = Bench::start(&scenario(PAUSE), &[], &[]);
    bench.await_line("booting");
    let pid = bench.folder().join("server.pid");
    crate::bench::eventually("a machine", || pid.exists());
    signal(bench.machine_pid("server"), Signal::SIGKILL);
    bench.end().is_unknown_because(&["'server'", "SIGKILL"]);
}

#[test]
fn a_guest_that_panics() {
    let panic =
        "  - run: (sleep 1; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &\n    host: server\n  - pause: 2 min";
    Bench::start(&scenario(panic), &[], &[])
        .end()
        .is_unknown_because(&["kernel of host 'server' panicked", "Kernel panic - not syncing"]);
}

#[test]
fn a_guest_that_shuts_down_unasked() {
    let off = "  - run: (sleep 1; echo o > /proc/sysrq-trigger) >/dev/null 2>&1 &\n    host: server\n  - pause: 2 min";
    Bench::start(&scenario(off), &[], &[]).end().is_unknown_because(&["'server' shut down unasked"]);
}

#[test]
fn a_guest_that_hangs_in_its_boot() {
    // Half a second is never enough for a boot: to the controller such a guest hangs.
    let ending = Bench::start(&scenario(PAUSE), &["--boot-within", "500ms"], &[]).end();
    ending.is_unknown_because(&["waited", "to boot", "last lines of server's console"]);
}

#[test]
fn a_control_channel_that_is_cut() {
    // dropbear serves our session in a child of its own: ending all of them cuts the channel while the machine lives.
    let cut = "  - run: (sleep 1; for p in /proc/[0-9]*; do [ \"$(cat $p/comm 2>/dev/null)\" = dropbear ] && kill -KILL ${p#/proc/}; done) >/dev/null 2>&1 &\n    host: server\n  - pause: 2 min";
    Bench::start(&scenario(cut), &[], &[]).end().is_unknown_because(&["control channel to host 'server' was cut"]);
}

#[test]
fn a_program_that_is_not_there() {
    let text = scenario("  - start: absent\n    until: { prints: anything }")
        .replace("programs:\n", "programs:\n  absent: { host: server, run: no-such-program }\n");
    let ending = Bench::start(&text, &[], &[]).end();
    // The scenario asks for something that cannot be: that is wrong usage, although only the host could tell.
    assert_eq!(ending.status.code(), Some(64), "{}", ending.said);
    assert!(
        ending.said.contains("step 1 (start absent, line 12): there is no command 'no-such-program'"),
        "{}",
        ending.said
    );
    assert_eq!(ending.result()["outcome"], "unknown");
    ending.left_nothing();
}

#[test]
fn a_wait_that_does_not_end_says_what_came_instead() {
    let steps = "  - start: echo-server\n    until: { prints: something else }\n    within: 3 s";
    Bench::start(&scenario(steps), &[], &[])
        .end()
        .is_unknown_because(&["something else", "waiting for connections on port 9877"]);
}
