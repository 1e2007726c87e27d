//! The kernel's testimony in the flight recorder of real machines: what is in it, what a power cut leaves of it, and
//! what each of Debian's kernels has to say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod machine_support;

use deadpeer::machine::Machine;
use deadpeer::machine::qemu::{Info, Qemu};
use deadpeer::timeline::MachineEvent;
use deadpeer_guest::recorder::{Found, Instance, Reader, Record};
use machine_support::{Bench, Guest, SOON};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::time::Instant;

/// Has the kernel testify before anything else happens.
const TESTIFY: &str = "$B mount -t tracefs tracefs /sys/kernel/tracing
/witness start && echo testifies";

/// A program that does nothing but system calls, two for each byte.
const BUSY: &str = "/witness attend mark busy -- /bin/busybox dd if=/dev/zero of=/dev/null bs=1 &";

fn machine(bench: &Bench, guest: &Guest) -> Qemu {
    bench.machine(bench.config(guest), Info::qemu().unwrap())
}

fn boot(bench: &Bench, machine: &mut Qemu) {
    machine.power_on(vec![]).unwrap();
    bench.await_event(|event| matches!(event, MachineEvent::Booted { .. }));
}

/// The recorder of the machine's last power-on.
fn reader(machine: &Qemu) -> Reader<File> {
    Reader::new(File::open(machine.recordings().last().unwrap()).unwrap())
}

/// Everything that is in a recorder, which nothing may be missing from.
fn whole(reader: &mut Reader<File>) -> Vec<Record> {
    std::iter::from_fn(|| reader.next().unwrap())
        .map(|found| match found {
            Found::Record(record) => record,
            other => panic!("record {}: {other:?}", reader.sequence()),
        })
        .collect()
}

/// Reads on until a record fits; all that was read.
fn read_until(reader: &mut Reader<File>, mut fits: impl FnMut(&Record) -> bool) -> Vec<Record> {
    let (deadline, mut read) = (Instant::now() + SOON, Vec::new());
    while Instant::now() < deadline {
        match reader.next().unwrap() {
            Some(Found::Record(record)) => {
                let found = fits(&record);
                read.push(record);
                if found {
                    return read;
                }
            }
            Some(other) => panic!("record {}: {other:?}", reader.sequence()),
            None => std::thread::yield_now(),
        }
    }
    panic!("what was awaited did not come; came {} records, the last: {:?}", read.len(), read.last());
}

fn pages(records: &[Record], of: Instance) -> usize {
    records.iter().filter(|it| matches!(it, Record::Page { instance, .. } if *instance == of)).count()
}

/// The page of a trace buffer has this text in it: of an event that tells a name.
fn says(record: &Record, text: &str) -> bool {
    let Record::Page { bytes, .. } = record else { return false };
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_recording_tells_the_boot_how_to_read_it_and_what_happened() {
    let bench = Bench::new();
    let guest = Guest::script(&bench, &format!("{TESTIFY}\nup\n{BUSY}"));
    let mut machine = machine(&bench, &guest);
    boot(&bench, &mut machine);
    let mut reader = reader(&machine);
    let mut records = read_until(&mut reader, |record| says(record, "deadpeer: program busy pid "));
    records.extend(read_until(&mut reader, |record| matches!(record, Record::Drained { .. })));

    let console = std::fs::read_to_string(bench.path("server.console.log")).unwrap();
    let Record::Boot { boot_id, release, page_size: 4096, cpus: 1, .. } = &records[0] else {
        panic!("{:?}", records[0])
    };
    assert!(console.contains(&format!("deadpeer: up {boot_id} {release}")), "{console}");
    let formats: BTreeMap<&str, &str> = records
        .iter()
        .filter_map(
            |it| if let Record::Format { name, text } = it { Some((name.as_str(), text.as_str())) } else { None },
        )
        .collect();
    assert!(formats["header_page"].contains("commit") && formats["header_page"].contains("data"), "{formats:?}");
    assert!(formats["tcp/tcp_send_reset"].contains("field:__u16 sport"), "{formats:?}");
    assert!(formats.contains_key("syscalls/sys_exit_accept4") && formats.contains_key("deadpeer/accepted"));
    assert!(pages(&records, Instance::Host) > 0 && pages(&records, Instance::Programs) > 0);

    // A reset in the same machine: the recorder goes on.
    machine.reset().unwrap();
    let after = read_until(&mut reader, |record| matches!(record, Record::Boot { .. }));
    let Some(Record::Boot { boot_id: second, .. }) = after.last() else { unreachable!() };
    assert_ne!(second, boot_id);
    machine.power_off().unwrap();
    whole(&mut reader);
}

#[test]
fn a_power_cut_loses_nothing_that_was_recorded_before_it() {
    let bench = Bench::new();
    let guest = Guest::script(&bench, &format!("{TESTIFY}\n{BUSY}\nup"));
    let mut machine = machine(&bench, &guest);
    for cut in 1..=10 {
        boot(&bench, &mut machine);
        let mut reader = reader(&machine);
        // In the middle of it, each time at another place.
        let mut left = 100 + 37 * cut;
        let mut records = read_until(&mut reader, |record| {
            left -= i32::from(matches!(record, Record::Page { instance: Instance::Programs, .. }));
            left == 0
        });
        machine.power_off().unwrap();
        bench.rest();
        let seen = records.len();
        records.extend(whole(&mut reader));
        assert_eq!(reader.sequence(), records.len() as u64, "no number is missing");
        // Another reader, which comes after death, finds the same.
        assert_eq!(whole(&mut self::reader(&machine)), records);
        let unread = records.iter().rev().take_while(|it| !matches!(it, Record::Drained { .. })).count();
        let drained =
            records.iter().rev().find_map(|it| if let Record::Drained { until } = it { Some(until) } else { None });
        println!(
            "cut {cut}: {} records, {} of them after the last look; drained until {drained:?} ns, {unread} records after that",
            records.len(),
            records.len() - seen
        );
        assert!(drained.is_some());
    }
    assert_eq!(machine.recordings().len(), 10, "a file for each power-on");
}

#[test]
fn without_a_recorder_the_guest_boots_and_nobody_testifies() {
    let bench = Bench::new();
    let guest =
        Guest::script(&bench, &format!("{TESTIFY}\n[ -d /sys/kernel/tracing/instances/deadpeer ] && echo traces\nup"));
    let config = deadpeer::machine::qemu::Config { recordings: None, ..bench.config(&guest) };
    let mut machine = bench.machine(config, Info::qemu().unwrap());
    boot(&bench, &mut machine);
    assert!(machine.recordings().is_empty());
    let console = std::fs::read_to_string(bench.path("server.console.log")).unwrap();
    assert!(console.contains("testifies") && !console.contains("traces"), "{console}");
}

/// What this suite's kernel cannot tell.
fn problems(suite: &str) -> BTreeSet<String> {
    let bench = Bench::new();
    let guest = Guest::script_on(&bench, suite, &format!("{TESTIFY}\n{BUSY}\nup"));
    let mut machine = machine(&bench, &guest);
    boot(&bench, &mut machine);
    let records = read_until(&mut reader(&machine), |record| says(record, "deadpeer: program busy pid "));
    let release =
        records.iter().find_map(|it| if let Record::Boot { release, .. } = it { Some(release) } else { None });
    println!("{suite}: Linux {}", release.unwrap());
    let problem = |it: &Record| if let Record::Problem { what, .. } = it { Some(what.clone()) } else { None };
    records.iter().filter_map(problem).collect()
}

#[test]
fn every_kernel_testifies_and_what_one_cannot_tell_is_known() {
    // docs/how-it-works.md says the same.
    let none = BTreeSet::new();
    let old = BTreeSet::from(["syscalls/sys_enter_epoll_pwait2", "syscalls/sys_exit_epoll_pwait2"].map(str::to_owned));
    for (suite, missing) in [("bullseye", &old), ("bookworm", &none), ("trixie", &none), ("sid", &none)] {
        assert_eq!(&problems(suite), missing, "{suite}");
    }
}
