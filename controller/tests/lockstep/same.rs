//! The same bytes every time.

use crate::lab::{Cable, Lab, Qmp, guest, seconds};
use crate::machine_support::Bench;
use deadpeer::time::lockstep::{Departure, Port};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What the machines do: each by the name on its kernel's command line.
const CLIENT_AND_SERVER: &str = r#"
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
random=$($B head -c 16 /dev/urandom | $B md5sum)
case $($B cat /proc/cmdline) in
*host=client)
  $B ip addr add 192.0.2.1/24 dev eth0; $B ip link set eth0 up
  echo $random; $B date; up; $B sleep 3
  $B ping -c 3 192.0.2.2; echo hello | $B nc -w 5 192.0.2.2 9877
  $B dd if=/dev/zero bs=1k count=128 2>/dev/null | $B nc -w 5 192.0.2.2 9878 | $B md5sum
  $B ping -c 25 192.0.2.2
  $B sleep 2000; $B cat /proc/uptime /proc/interrupts; echo finished; $B poweroff -f
  ;;
*)
  $B ip addr add 192.0.2.2/24 dev eth0; $B ip link set eth0 up
  $B nc -l -p 9877 -e $B cat & $B nc -l -p 9878 -e $B cat &
  echo $random; up
  read -r line; echo "got '$line' at $($B cat /proc/uptime)"
  ;;
esac"#;

/// Boots both, has them talk, types, cuts the server's power at 12 s, switches it on again at 15 s, and waits until the client
/// has slept for half an hour. Gives all that can be seen of it.
fn run(bench: &Bench, name: &str) -> [String; 4] {
    let start = Instant::now();
    let mut lab = Lab::new(bench, name);
    let guest = guest(bench, CLIENT_AND_SERVER);
    let mut cable = Cable::default();
    for host in ["client", "server"] {
        let machine = lab.start(lab.board(host, &guest), None);
        cable.ends.push(Port { machine, nic: 0 });
    }
    let [client, server] = [cable.ends[0].machine, cable.ends[1].machine];
    lab.lockstep.type_in(server, seconds(7), b"some words\r");
    assert_eq!(lab.run_to(seconds(12), &mut cable), []);
    drop(lab.machines.pop()); // SIGKILL
    lab.lockstep.leave(server);
    assert_eq!(lab.run_to(seconds(15), &mut cable), []);
    let mut again = lab.board("server-again", &guest);
    again.seed = 99;
    cable.ends[1].machine = lab.start(again, None);
    assert_eq!(lab.run_to(seconds(40), &mut cable), []);
    let (busy, boundaries) = (start.elapsed(), lab.lockstep.boundaries());
    let gone = lab.run_to(seconds(2100), &mut cable);
    assert!(matches!(gone[..], [Departure { machine, orderly: true, .. }] if machine == client), "{gone:?}");
    println!("40 s: {busy:?}, {boundaries} boundaries; then 2,060 s: {:?}", start.elapsed() - busy);
    println!("{} boundaries, {} frames, {gone:?}", lab.lockstep.boundaries() - boundaries, cable.frames);
    [cable.capture, lab.console("client"), lab.console("server"), lab.console("server-again")]
}

#[test]
fn the_same_bytes_come_in_every_run() {
    let bench = Bench::new();
    let (first, second) = (run(&bench, "first"), run(&bench, "second"));
    let [capture, client, server, again] = &first;
    println!("{client}\n{server}\n{again}");
    for (console, words) in [
        (client, "3 packets transmitted, 3 packets received, 0% packet loss"),
        (client, "\nhello\n"),
        (client, "0dfbe8aa4c20b52e1b8bf3cb6cbdf193"), // 128 KiB of nothing, to the server and back
        (client, "25 packets transmitted, "),
        (client, "\nfinished\n"),
        (server, "got 'some words' at 6.8"),
    ] {
        assert!(console.replace('\r', "").contains(words), "{words} is missing in\n{console}");
    }
    assert!(client.contains("seq=24 "), "the server that was switched on again answers:\n{client}");
    assert!(!client.contains("25 packets received"), "the server that had no power answered:\n{client}");
    assert!(capture.len() > 128 << 10);
    assert!(first == second, "the runs differ");
}

#[test]
fn a_pause_is_exact_and_changes_nothing() {
    let bench = Bench::new();
    let guest =
        guest(&bench, "up; n=0; while [ $n -lt 40 ]; do $B usleep 90000; echo $((n = n + 1)) $($B date +%s); done");
    let run = |name: &str, pauses: bool| {
        let mut lab = Lab::new(&bench, name);
        let (mut qmp, theirs) = Qmp::pair();
        let machine = lab.start(lab.board("client", &guest), Some(theirs));
        qmp.ask("qmp_capabilities");
        qmp.tell("cont");
        let mut cable = Cable { ends: vec![Port { machine, nic: 0 }], ..Cable::default() };
        for second in 1..12 {
            assert_eq!(lab.run_to(seconds(second), &mut cable), []);
            if pauses {
                lab.lockstep.pause(machine).unwrap();
                qmp.await_event("STOP");
                assert!(qmp.ask("query-status").contains("\"paused\""));
                qmp.tell("cont");
            }
        }
        lab.console("client")
    };
    let without = run("without", false);
    assert!(without.contains("\n40 "), "{without}");
    assert_eq!(run("with", true), without);
}

/// Keeps all processors busy until it is dropped, and QEMU's main loop, which is to end a machine, from having a share of them.
struct Crowd(Arc<AtomicBool>);

impl Crowd {
    fn around(qemu: u32) -> Self {
        let done = Command::new("chrt").args(["--idle", "--pid", "0", &qemu.to_string()]).status().unwrap();
        assert!(done.success());
        let crowd = Self(Arc::default());
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            let over = Arc::clone(&crowd.0);
            std::thread::spawn(move || while !over.load(Ordering::Relaxed) {});
        }
        crowd
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// However long QEMU takes to end after its guest has switched it off.
#[test]
fn a_guest_that_switches_itself_off_is_gone_at_the_same_boundary_in_every_run() {
    let bench = Bench::new();
    let guest = guest(&bench, "up; $B sleep 1; $B poweroff -f");
    let run = |name: &str, crowded: bool| {
        let mut lab = Lab::new(&bench, name);
        let machine = lab.start(lab.board("client", &guest), None);
        let mut cable = Cable { ends: vec![Port { machine, nic: 0 }], ..Cable::default() };
        while !lab.console("client").contains("deadpeer: up") {
            assert_eq!(lab.lockstep.advance(seconds(30), &mut cable).unwrap(), []);
        }
        let crowd = crowded.then(|| Crowd::around(lab.machines[0].0.pid()));
        let gone = lab.run_to(seconds(30), &mut cable);
        drop(crowd);
        assert!(matches!(gone[..], [Departure { orderly: true, .. }]), "{gone:?}");
        (gone[0].at, lab.lockstep.now())
    };
    let alone = run("alone", false);
    for name in ["crowded", "crowded-again"] {
        assert_eq!(run(name, true), alone);
    }
}

#[test]
fn a_guest_that_resets_its_machine_boots_at_the_same_time_in_every_run() {
    let bench = Bench::new();
    let guest = guest(&bench, "up; $B head -c 9 /dev/urandom | $B base64; $B date; $B sleep 1; $B reboot -f");
    let run = |name: &str| {
        let mut lab = Lab::new(&bench, name);
        let machine = lab.start(lab.board("client", &guest), None);
        let mut cable = Cable { ends: vec![Port { machine, nic: 0 }], ..Cable::default() };
        // Whoever reads /dev/urandom before the kernel was given chance waits a second until it has found some.
        assert_eq!(lab.run_to(seconds(20), &mut cable), []);
        (lab.console("client"), cable.capture)
    };
    let first = run("first");
    let boots: Vec<&str> = first.0.lines().filter(|line| line.starts_with("deadpeer: up ")).collect();
    assert!(boots.len() == 3 && boots[0] != boots[1] && boots[1] != boots[2], "{}", first.0);
    assert_eq!(run("second"), first);
}
