//! What machines tell when QEMU does what it should not: with a fake one that misbehaves on demand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod machine_support;

use deadpeer::machine::qemu::{Config, Info, Probe, Qemu, Version};
use deadpeer::machine::{Accelerator, Choice, Link, Machine};
use deadpeer::progress::Reporter;
use deadpeer::timeline::{Ended, MachineEvent, What};
use machine_support::{Bench, Guest, SOON, fake, is_gone};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A machine under the QEMU with this fault.
fn machine(bench: &Bench, fault: &str) -> Qemu {
    machine_with(bench, fault, |_| ())
}

fn machine_with(bench: &Bench, fault: &str, change: impl FnOnce(&mut Config)) -> Qemu {
    let mut config = bench.config(&Guest::none());
    config.overlay = bench.path(&format!("{fault}.qcow2"));
    // A bench may see several machines of one name, and a flight recorder is never written twice.
    config.recordings = None;
    change(&mut config);
    bench.machine(config, fake(bench, fault))
}

/// Powers on a machine whose QEMU has started well, and takes that event.
fn on(bench: &Bench, machine: &mut Qemu) -> u32 {
    machine.power_on(vec![]).unwrap();
    let MachineEvent::PoweredOn { pid: Some(pid) } = bench.next() else { panic!("not powered on") };
    pid
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

#[test]
fn a_version_is_read_and_an_old_one_is_refused_with_what_helps() {
    let bench = Bench::new();
    let found = Info::qemu_at(&fake(&bench, "qemu").path).unwrap();
    assert_eq!(found.version, Version { major: 8, minor: 2, micro: 2 });
    let error = Info::qemu_at(&fake(&bench, "qemu-too-old").path).unwrap_err();
    assert_eq!(error.fact, "qemu-system-x86_64 is too old: found 6.2.0, needed 7.2.0 or newer");
    assert!(error.help.unwrap().contains("DEADPEER_QEMU"));
}

#[test]
fn a_qemu_that_tells_no_version_is_shown_with_what_it_said() {
    let bench = Bench::new();
    for (fault, evidence) in [
        ("qemu-without-version", "exited with status 0 and printed:\nSegmentation fault, almost"),
        ("qemu-with-broken-library", "exited with status 127 and printed:\nerror while loading shared libraries"),
    ] {
        let error = Info::qemu_at(&fake(&bench, fault).path).unwrap_err();
        assert!(error.fact.ends_with("does not tell its version"), "{error}");
        assert!(error.detail.as_ref().unwrap().contains(evidence), "{error}");
    }
}

#[test]
fn a_qemu_that_exits_at_once_is_an_error_with_its_last_words() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu-exits-at-once");
    let error = machine.power_on(vec![]).unwrap_err();
    assert_eq!(error.fact, "QEMU of 'server' exited with status 1");
    assert!(error.detail.unwrap().contains("-machine q35: unsupported machine type"));
    assert!(matches!(bench.next(), MachineEvent::PoweredOn { .. }));
    let MachineEvent::Died { how: Ended::Exit(1), words } = bench.next() else { panic!("not told") };
    assert_eq!(words, "qemu-system-x86_64: -machine q35: unsupported machine type");
    assert!(!machine.is_on() && !bench.path("server.pid").exists());
}

#[test]
fn a_qemu_that_cannot_be_executed_is_named() {
    let bench = Bench::new();
    let mut qemu = fake(&bench, "qemu");
    qemu.path = "/nonexistent/qemu".into();
    let mut machine = bench.machine(bench.config(&Guest::none()), qemu);
    let error = machine.power_on(vec![]).unwrap_err();
    assert!(error.fact.starts_with("cannot start /nonexistent/qemu: No such file"), "{error}");
    assert_eq!(bench.rest(), []);
}

#[test]
fn a_qemu_that_never_greets_is_given_up_and_ended() {
    let bench = Bench::new();
    for (fault, patience, came) in [
        ("qemu-never-greets", Duration::from_millis(300), "nothing came within 300ms"),
        ("qemu-speaks-nonsense", SOON, "VNC server running"),
    ] {
        let mut machine = machine_with(&bench, fault, |config| config.patience = patience);
        let error = machine.power_on(vec![]).unwrap_err();
        assert_eq!(error.fact, "QEMU of 'server' did not greet on QMP");
        assert!(error.detail.as_ref().unwrap().contains(came), "{error}");
        let MachineEvent::PoweredOn { pid: Some(pid) } = bench.next() else { panic!("not powered on") };
        assert!(is_gone(pid) && !machine.is_on(), "{fault}");
        assert_eq!(bench.next(), MachineEvent::PoweredOff { how: Ended::Signal("KILL".into()), domain: None });
    }
}

#[test]
fn a_qemu_that_does_not_tell_its_port_is_shown_with_what_it_said() {
    let bench = Bench::new();
    let error = machine(&bench, "qemu-without-port").power_on(vec![]).unwrap_err();
    assert!(error.fact.contains("did not tell which port"), "{error}");
}

#[test]
fn the_control_address_is_where_qemu_says() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu");
    assert!(machine.control_address().is_err());
    on(&bench, &mut machine);
    assert_eq!(machine.control_address().unwrap().to_string(), "127.0.0.1:40022");
}

#[test]
fn a_qemu_that_dies_mid_run_is_told_with_its_last_words() {
    let bench = Bench::new();
    for (fault, how, words) in [
        ("qemu-dies-mid-run", Ended::Exit(3), "qemu-system-x86_64: it was too much"),
        ("qemu-is-terminated", Ended::Exit(0), "terminating on signal 15 from pid 1 (/sbin/init)"),
        ("qemu-crashes-after-shutdown", Ended::Signal("SEGV".into()), ""),
    ] {
        let mut machine = machine(&bench, fault);
        on(&bench, &mut machine);
        let died = bench.await_event(|event| matches!(event, MachineEvent::Died { .. }));
        let MachineEvent::Died { how: told, words: said } = died else { unreachable!() };
        assert_eq!(told, how, "{fault}");
        assert!(said.contains(words), "{fault}: {said}");
        assert_eq!(machine.console_tail(1), "the guest runs");
        assert!(machine.power_off().unwrap_err().fact.contains("it is off"), "{fault}");
    }
}

#[test]
fn a_qemu_killed_by_somebody_else_died_and_was_not_powered_off() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu");
    let pid = on(&bench, &mut machine);
    signal(pid, Signal::SIGKILL);
    assert_eq!(bench.next(), MachineEvent::Died { how: Ended::Signal("KILL".into()), words: String::new() });
    assert!(!machine.is_on());
}

#[test]
fn a_qemu_that_is_stopped_is_told_and_is_the_reason_for_its_silence() {
    let bench = Bench::new();
    let mut machine = machine_with(&bench, "qemu", |config| config.patience = Duration::from_secs(5));
    let pid = on(&bench, &mut machine);
    signal(pid, Signal::SIGSTOP);
    assert_eq!(bench.next(), MachineEvent::Stopped);
    let error = machine.reset().unwrap_err();
    assert_eq!(error.fact, "QEMU of 'server' did not answer QMP `system_reset`");
    assert!(error.detail.unwrap().contains("is stopped (SIGSTOP)"));
    assert_eq!(machine.power_off().unwrap(), Ended::Signal("KILL".into()), "SIGKILL ends a stopped process, too");
}

#[test]
fn a_guest_that_qemu_stops_is_told_with_qemu_s_reason() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu-runs-out-of-disk");
    on(&bench, &mut machine);
    assert_eq!(bench.next(), MachineEvent::Stopped);
    assert!(machine.evidence().contains("disk error: No space left on device"), "{}", machine.evidence());
}

#[test]
fn power_off_asks_nobody() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu-ignores-sigterm");
    let pid = on(&bench, &mut machine);
    signal(pid, Signal::SIGTERM);
    assert_eq!(machine.power_off().unwrap(), Ended::Signal("KILL".into()));
    assert_eq!(bench.next(), MachineEvent::PoweredOff { how: Ended::Signal("KILL".into()), domain: None });
    assert!(is_gone(pid));
}

#[test]
fn power_on_waits_for_a_qemu_that_lingers_after_its_guest_s_shutdown() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu-lingers-after-shutdown");
    let pid = on(&bench, &mut machine);
    assert_eq!(bench.next(), MachineEvent::ShutDown { reason: "guest-shutdown".into() });
    assert!(!machine.is_on());
    // It ends while it is waited for. What it left is told before the next one is started.
    signal(pid, Signal::SIGKILL);
    machine.power_on(vec![]).unwrap();
    assert!(matches!(bench.next(), MachineEvent::Died { .. }));
    assert!(matches!(bench.next(), MachineEvent::PoweredOn { pid: Some(new) } if new != pid));
}

#[test]
fn a_reset_that_fails_says_what_came_instead() {
    let bench = Bench::new();
    for (fault, fact, came) in [
        ("qemu-goes-silent", "did not answer QMP `system_reset`", "nothing came within 5s"),
        ("qemu-refuses", "did not answer QMP `system_reset`", "QEMU refused: not today (GenericError)"),
        ("qemu-closes-qmp", "did not answer QMP `system_reset`", "the connection was closed"),
        ("qemu-dies-when-asked", "was ended by SIGABRT", "qemu: hardware error: reset"),
    ] {
        let mut machine = machine_with(&bench, fault, |config| config.patience = Duration::from_secs(5));
        machine.power_on(vec![]).unwrap();
        let error = machine.reset().unwrap_err();
        assert_eq!(error.fact, format!("QEMU of 'server' {fact}"), "{fault}");
        assert!(error.detail.as_ref().unwrap().contains(came), "{error}");
    }
}

#[test]
fn a_dropped_machine_is_powered_off() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu");
    let pid = on(&bench, &mut machine);
    drop(machine);
    assert!(is_gone(pid));
    assert_eq!(bench.next(), MachineEvent::PoweredOff { how: Ended::Signal("KILL".into()), domain: None });
    assert!(!bench.path("server.pid").exists());
}

#[test]
fn a_machine_that_is_on_is_not_powered_on_again() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu");
    assert!(machine.power_off().unwrap_err().fact.contains("never powered on"));
    on(&bench, &mut machine);
    assert!(machine.power_on(vec![]).unwrap_err().fact.contains("it is on"));
    assert_eq!(bench.rest(), [] as [What; 0]);
}

#[test]
fn kvm_that_does_not_get_a_guest_through_its_boot_means_tcg_and_is_tried_once() {
    let bench = Bench::new();
    let qemu = fake(&bench, "qemu-hangs-in-boot");
    let mut probe = Probe::new("/vmlinuz".as_ref(), "/initrd".as_ref(), bench.folder.path());
    (probe.device, probe.deadline) = ("/dev/null".into(), Duration::from_secs(3));
    for _ in 0..2 {
        let chosen = probe.choose(Choice::Auto, &qemu, &Reporter::silent()).unwrap();
        assert_eq!(chosen.accelerator, Accelerator::Tcg);
        assert_eq!(chosen.why, "/dev/null opens, but a guest did not get through its boot within 3s: using TCG");
    }
    let calls = std::fs::read_to_string(bench.path("qemu-hangs-in-boot.calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.contains("-accel kvm") && calls.contains("deadpeer.probe"), "{calls}");
    let error = probe.choose(Choice::Kvm, &qemu, &Reporter::silent()).unwrap_err();
    assert!(error.detail.unwrap().contains("KVM internal error. Suberror: 1"));
}

#[test]
fn kvm_that_boots_a_guest_is_used_even_if_asked_from_the_cache() {
    let bench = Bench::new();
    let qemu = fake(&bench, "qemu-boots-the-probe");
    let mut probe = Probe::new("/vmlinuz".as_ref(), "/initrd".as_ref(), bench.folder.path());
    (probe.device, probe.deadline) = ("/dev/null".into(), SOON);
    let fresh = probe.choose(Choice::Auto, &qemu, &Reporter::silent()).unwrap();
    assert_eq!(fresh.accelerator, Accelerator::Kvm);
    assert!(fresh.why.starts_with("KVM: a guest boots with it in "), "{}", fresh.why);
    assert_eq!(probe.choose(Choice::Kvm, &qemu, &Reporter::silent()).unwrap(), fresh);
    assert_eq!(std::fs::read_to_string(bench.path("qemu-boots-the-probe.calls")).unwrap().lines().count(), 1);
}

#[test]
fn a_parent_that_ignores_sigchld_does_not_take_the_proof_away() {
    let script = r#"trap '' CHLD; exec "$0" power_off_asks_nobody --exact"#;
    let out = Command::new("bash").args(["-c", script]).arg(std::env::current_exe().unwrap()).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success() && said.contains("1 passed"), "{said}");
}

/// The controller of the next test: this test program again, in a process of its own.
#[test]
#[ignore = "run by the next test"]
fn be_a_controller() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "qemu");
    // Its standard input is a socket. QEMU inherits it as the end of a cable, and nobody else has it.
    let end = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap();
    machine.power_on(vec![Link { mac: [2, 0, 0, 0, 0, 1], end }]).unwrap();
    println!("\nQEMU is {}", machine.pid().unwrap());
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_controller_killed_with_sigkill_takes_its_machines_along() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(SOON)).unwrap();
    let mut controller = Command::new(std::env::current_exe().unwrap())
        .args(["be_a_controller", "--exact", "--ignored", "--nocapture"])
        // Killed as it will be, it cannot remove its folder.
        .env("TMPDIR", folder.path())
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(controller.stdout.take().unwrap()).lines();
    let pid: u32 =
        said.map_while(Result::ok).find_map(|line| line.strip_prefix("QEMU is ")?.parse().ok()).expect("a pid");
    assert!(!is_gone(pid));
    controller.kill().unwrap();
    controller.wait().unwrap();
    // End of file: the controller is gone, and so is the QEMU that held the other end, which would run for ever.
    assert_eq!(ours.read(&mut [0; 1]).expect("QEMU is gone before the deadline"), 0);
    let start = std::time::Instant::now();
    while !is_gone(pid) {
        assert!(start.elapsed() < SOON, "process {pid} has closed its files but lives on");
        std::thread::yield_now();
    }
}
