//! Machines that are real: QEMU, a kernel, and an initramfs that does what the test asks for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod machine_support;

use deadpeer::machine::qemu::{Info, Probe, Qemu};
use deadpeer::machine::{Choice, Link, Machine};
use deadpeer::progress::Reporter;
use deadpeer::timeline::{Ended, MachineEvent};
use machine_support::{BASE, Bench, Guest, SOON, image, is_gone};
use std::os::unix::net::UnixDatagram;

const LINK_MAC: [u8; 6] = [0x02, 0xde, 0xad, 0x00, 0x00, 0x01];

/// A machine whose guest runs this script.
fn machine(bench: &Bench, script: &str) -> Qemu {
    bench.machine(bench.config(&Guest::script(bench, script)), Info::qemu().unwrap())
}

/// A link, and the cable's end of it.
fn link() -> (Vec<Link>, UnixDatagram) {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_read_timeout(Some(SOON)).unwrap();
    (vec![Link { mac: LINK_MAC, end: theirs.into() }], ours)
}

fn is_booted(event: &MachineEvent) -> bool {
    matches!(event, MachineEvent::Booted { .. })
}

fn boot_id(event: MachineEvent) -> String {
    let MachineEvent::Booted { boot_id, .. } = event else { panic!("{event:?}") };
    boot_id
}

#[test]
fn a_power_cut_is_sigkill_and_the_disk_outlives_it() {
    let bench = Bench::new();
    let mut machine = machine(
        &bench,
        "echo disk: $($B head -c 16 /dev/vda)
         printf 'SYNCED TO DISK..' | $B dd of=/dev/vda conv=notrunc,fsync 2>/dev/null
         up",
    );
    let (links, _cable) = link();
    machine.power_on(links).unwrap();
    let pid = machine.pid().unwrap();
    assert_eq!(bench.next(), MachineEvent::PoweredOn { pid: Some(pid) });
    assert_eq!(std::fs::read_to_string(bench.path("server.pid")).unwrap(), format!("{pid}\n"));
    let first = boot_id(bench.await_event(is_booted));
    assert!(machine.control_address().unwrap().ip().is_loopback());

    let proof = Ended::Signal("KILL".into());
    assert_eq!(machine.power_off().unwrap(), proof);
    assert!(is_gone(pid) && !machine.is_on() && machine.pid().is_none());
    assert_eq!(bench.rest().len(), 1, "told before power_off returns");
    assert!(!bench.path("server.pid").exists());
    assert!(machine.control_address().is_err());
    assert!(machine.power_off().unwrap_err().fact.contains("it is off"));

    let (links, _cable) = link();
    machine.power_on(links).unwrap();
    assert_ne!(boot_id(bench.await_event(is_booted)), first);
    let console = std::fs::read_to_string(bench.path("server.console.log")).unwrap();
    assert!(console.contains(&format!("disk: {}", String::from_utf8_lossy(BASE))), "{console}");
    assert!(console.contains("disk: SYNCED TO DISK.."), "{console}");
    assert_eq!(&std::fs::read(bench.path("base.raw")).unwrap()[..16], BASE, "the image is never written");
    assert!(machine.console_tail(1).starts_with("deadpeer: up "));
}

#[test]
fn a_reset_is_told_with_its_reason_and_the_process_goes_on() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "up");
    machine.power_on(link().0).unwrap();
    let pid = machine.pid();
    let first = boot_id(bench.await_event(is_booted));
    machine.reset().unwrap();
    assert_eq!(bench.next(), MachineEvent::Reset { reason: "host-qmp-system-reset".into() });
    assert_ne!(boot_id(bench.await_event(is_booted)), first);
    assert_eq!(machine.pid(), pid);
}

#[test]
fn a_guest_that_reboots_is_told_with_its_reason() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "up; $B reboot -f");
    machine.power_on(link().0).unwrap();
    let first = boot_id(bench.await_event(is_booted));
    assert_eq!(bench.next(), MachineEvent::Reset { reason: "guest-reset".into() });
    assert_ne!(boot_id(bench.await_event(is_booted)), first);
}

#[test]
fn a_guest_that_shuts_down_did_not_die_and_can_be_powered_on_again() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "up; $B poweroff -f");
    for _ in 0..2 {
        machine.power_on(link().0).unwrap();
        assert!(matches!(bench.next(), MachineEvent::PoweredOn { .. }));
        assert!(is_booted(&bench.next()));
        assert_eq!(bench.next(), MachineEvent::ShutDown { reason: "guest-shutdown".into() });
        assert!(!machine.is_on());
    }
    let error = machine.power_off().unwrap_err();
    assert!(error.to_string().contains("the guest shut down: guest-shutdown"), "{error}");
}

#[test]
fn a_panic_is_told_with_the_kernel_s_own_line() {
    let bench = Bench::new();
    let mut machine = machine(&bench, "up; echo c > /proc/sysrq-trigger");
    machine.power_on(link().0).unwrap();
    let panicked = bench.await_event(|event| matches!(event, MachineEvent::Panicked { .. }));
    let MachineEvent::Panicked { line } = panicked else { unreachable!() };
    assert!(line.ends_with("Kernel panic - not syncing: sysrq triggered crash"), "{line}");
    assert!(machine.is_on(), "a panic does not switch a machine off");
}

#[test]
fn unplugging_takes_the_carrier_of_this_machine_and_lasts_over_a_power_cut() {
    let bench = Bench::new();
    let report = "c=; while :; do n=$($B cat $LINK/carrier); [ \"$n\" = \"$c\" ] || { c=$n; echo carrier $c.; }; \
                  $B usleep 10000; done";
    let mut machine = machine(&bench, &format!("$B usleep 300000; up; {report}"));
    let await_carrier = |machine: &Qemu, wanted: &str| {
        let deadline = std::time::Instant::now() + SOON;
        while machine.console_tail(1) != wanted {
            assert!(std::time::Instant::now() < deadline, "awaited {wanted}; came {}", machine.console_tail(3));
            std::thread::yield_now();
        }
    };
    let (links, cable) = link();
    machine.power_on(links).unwrap();
    bench.await_event(is_booted);
    await_carrier(&machine, "carrier 1.");
    // IPv6 speaks by itself when the link is up: a frame from our NIC.
    let mut frame = [0; 2048];
    let length = cable.recv(&mut frame).unwrap();
    assert!(length > 14 && frame[6..12] == LINK_MAC, "{:x?}", &frame[..length]);

    machine.set_carrier(0, false).unwrap();
    assert_eq!(bench.next(), MachineEvent::CarrierSet { up: false });
    await_carrier(&machine, "carrier 0.");
    machine.set_carrier(0, true).unwrap();
    assert_eq!(bench.next(), MachineEvent::CarrierSet { up: true });
    await_carrier(&machine, "carrier 1.");
    assert!(machine.set_carrier(1, false).unwrap_err().fact.contains("has no link 1"));

    machine.power_off().unwrap();
    machine.set_carrier(0, false).unwrap();
    machine.power_on(link().0).unwrap();
    bench.await_event(is_booted);
    await_carrier(&machine, "carrier 0.");
}

#[test]
fn the_accelerator_that_is_chosen_boots_a_guest() {
    let bench = Bench::new();
    let guest = Guest::script(&bench, "up");
    let qemu = Info::qemu().unwrap();
    let image = image();
    let probe = Probe::new(&image.kernel, &image.initrd, bench.folder.path());
    let chosen = probe.choose(Choice::Auto, &qemu, &Reporter::silent()).unwrap();
    println!("{chosen:?}");
    assert_eq!(probe.choose(Choice::Auto, &qemu, &Reporter::silent()).unwrap(), chosen, "the same from the cache");
    let mut config = bench.config(&guest);
    config.accelerator = chosen.accelerator;
    let mut machine = bench.machine(config, qemu);
    machine.power_on(link().0).unwrap();
    bench.await_event(is_booted);
}
