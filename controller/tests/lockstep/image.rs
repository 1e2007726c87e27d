//! The image, under either init: it comes up in lockstep, the same every time, and keeps what it synced when its power is cut.

use crate::lab::{Cable, Lab, text};
use crate::machine_support::{Bench, Guest, image};
use deadpeer::image::{Clock, Control, Seed, kernel_parameters, seed};
use deadpeer::machine::qemu::RECORDER_MIB;
use deadpeer::machine::qemu::lockstep::{Board, disk};
use deadpeer::scenario::Init;
use deadpeer::time::lockstep::{Id, Port};
use deadpeer::timeline::LabTime;
use std::fs::File;
use std::time::{Duration, Instant};

/// In place of the witness: an agent that carries out what it reads, line by line.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = agent ] || exit 0
exec 3<>"$2"
stty raw -echo <&3
while read -r line; do eval "$line"; done <&3 >&3 2>&1 &
"#;

/// What the agents do before the power is cut.
const BEFORE: &str = "\
    dmesg\n\
    cat /sys/devices/system/clocksource/clocksource0/current_clocksource\n\
    head -c 16 /dev/urandom | md5sum\n\
    echo kept >/root/synced; sync; echo lost >/root/unsynced; echo written\n";

const AFTER: &str = "cat /root/*; echo read\n";

/// Has a shell say what the kernel's monotonic clock is, without starting a program, which would take it some milliseconds.
const CLOCK: &str =
    "while read -r a b c d; do [ \"$a\" != now ] || { echo now at $c; break; }; done </proc/timer_list\n";

const HOSTS: [(&str, Init); 2] = [("old", Init::Sysvinit), ("new", Init::Systemd)];

/// How long the machines are idle between two looks at their clocks.
const IDLE: Duration = Duration::from_secs(300);

/// The machine of a host, at its `number`th power-on.
fn board(lab: &Lab, bench: &Bench, (name, init): (&str, Init), number: u8) -> Board {
    let image = image();
    let told = Seed {
        hostname: name.to_owned(),
        hosts: vec![],
        addresses: vec![("eth0".to_owned(), "192.0.2.1".parse().unwrap(), 24)],
        witness: STAND_IN.into(),
        control: Control::Serial,
        ..Seed::default()
    };
    let initrd = bench.path(&format!("{name}.initrd"));
    std::fs::write(&initrd, [std::fs::read(&image.initrd).unwrap(), seed(&told)].concat()).unwrap();
    let guest = Guest { kernel: image.kernel, initrd, append: kernel_parameters(init, Clock::Lockstep) };
    let file = |what: &str| lab.folder.join(format!("{name}.{what}"));
    if number == 1 {
        File::create_new(file("recorder")).unwrap().set_len(RECORDER_MIB << 20).unwrap();
    }
    let mut board = lab.board(name, &guest);
    board.memory = 256;
    board.seed = number.into();
    board.disk = Some(disk(&image.disk, &file(&format!("{number}.disk"))).unwrap());
    board.recorder = Some(file("recorder"));
    board.agent = Some(file("agent"));
    board
}

/// Lets time pass until both say this many times what is awaited; when that was.
fn until(lab: &mut Lab, cable: &mut Cable, files: &str, words: &str, times: usize) -> LabTime {
    let limit = lab.lockstep.now().after(Duration::from_secs(60));
    loop {
        let said = HOSTS.map(|(name, _)| text(&lab.folder.join(format!("{name}.{files}"))));
        if said.iter().all(|text| text.matches(words).count() >= times) {
            return lab.lockstep.now();
        }
        let now = lab.lockstep.now();
        assert!(now < limit, "no '{words}' within a minute: {said:?}");
        assert_eq!(lab.run_to(now.after(Duration::from_millis(10)), cable), []);
    }
}

/// All that can be seen of two power-ons, and the clocks' error over [`IDLE`].
fn run(bench: &Bench, name: &str) -> (Vec<String>, Vec<i64>) {
    let mut lab = Lab::new(bench, name);
    let mut cable = Cable::default();
    let mut boards = HOSTS.map(|host| board(&lab, bench, host, 1));
    let mut seen = Vec::new();
    let mut machines: [Option<Id>; 2] = [None; 2];
    for power_on in 1..=2 {
        let (began, real) = (lab.lockstep.now(), Instant::now());
        cable.ends.clear();
        for (machine, board) in machines.iter_mut().zip(&mut boards) {
            board.seed = power_on;
            let id = lab.start(board.clone(), None);
            cable.ends.push(Port { machine: id, nic: 0 });
            *machine = Some(id);
        }
        let up = until(&mut lab, &mut cable, "console.log", "deadpeer: up ", power_on as usize);
        println!("up after {:?}, in {:?}", up.since(began), real.elapsed());
        let (words, end) = if power_on == 1 { (BEFORE, "\nwritten\n") } else { (AFTER, "\nread\n") };
        for machine in machines.into_iter().flatten() {
            lab.lockstep.type_in(machine, up.after(Duration::from_millis(5)), words.as_bytes());
        }
        let done = until(&mut lab, &mut cable, "agent", end, 1);
        seen.push(format!("{up} {done}"));
        if power_on == 1 {
            lab.machines.clear(); // SIGKILL
            machines.into_iter().flatten().for_each(|machine| lab.lockstep.leave(machine));
        }
    }
    let at = lab.lockstep.now();
    for machine in machines.into_iter().flatten() {
        for looks in 1..=3 {
            lab.lockstep.type_in(machine, at.after(IDLE * looks), CLOCK.as_bytes());
        }
    }
    let real = Instant::now();
    assert_eq!(lab.run_to(at.after(IDLE * 3 + Duration::from_secs(1)), &mut cable), []);
    println!("then idle, in {:?}", real.elapsed());
    let agents = HOSTS.map(|(name, _)| text(&lab.folder.join(format!("{name}.agent"))));
    let drift = agents.iter().map(|text| {
        let read: Vec<i64> = text.lines().filter_map(|line| line.strip_prefix("now at ")?.parse().ok()).collect();
        let [_, first, last] = read[..] else { panic!("{read:?} in {text}") };
        last - first - IDLE.as_nanos() as i64
    });
    let drift = drift.collect();
    seen.extend(agents);
    seen.extend(HOSTS.map(|(name, _)| lab.console(name)));
    seen.push(cable.capture);
    (seen, drift)
}

#[test]
fn the_image_comes_up_the_same_under_either_init_and_keeps_what_it_synced() {
    let bench = Bench::new();
    let (first, drift) = run(&bench, "first");
    println!("{}\nclocks off by {drift:?} ns", first[..first.len() - 1].join("\n"));
    for agent in &first[2..4] {
        assert!(agent.contains("\nkept\n") && !agent.contains("\nlost\n"), "{agent}");
    }
    // A kernel may come to look a tick later, however long it was idle.
    assert!(drift.iter().all(|ns| ns.abs() < 4_000_000), "the clocks are off by {drift:?} ns after {IDLE:?}");
    let (second, _) = run(&bench, "second");
    for (first, second) in first.iter().zip(&second) {
        assert!(first == second, "the runs differ:\n{first}\n{second}");
    }
}
