//! The main scenario, and what must hold of every run, as an outsider sees it: tshark, `/proc`, exit codes.

use crate::bench::{Bench, Ending, eventually, scenario, tshark};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const CRASH_REBOOT: &str = include_str!("../../../scenarios/crash-reboot.yaml");

fn run(text: &str) -> Ending {
    Bench::start(text, &[], &[]).end()
}

#[test]
fn the_server_host_crashes_and_reboots() {
    let ending = run(CRASH_REBOOT);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    ending.left_nothing();
    let result = ending.result();
    assert_eq!(result["outcome"], "pass");

    // tshark, not our own decoder, says what was on the wire.
    let capture = ending.folder.join("wire.pcapng");
    let fields = [
        "-T",
        "fields",
        "-e",
        "frame.time_relative",
        "-e",
        "ip.src",
        "-e",
        "tcp.seq_raw",
        "-e",
        "frame.interface_name",
    ];
    let resets = tshark(&capture, &[&["-Y", "tcp.flags.reset==1"], &fields[..]].concat());
    assert_eq!(resets.lines().count(), 1, "one RST: {resets}");
    let reset: Vec<&str> = resets.trim().split('\t').collect();
    assert_eq!((reset[1], reset[3]), ("192.0.2.2", "server"));
    let answered = format!("ip.src==192.0.2.1 && tcp.len>0 && tcp.ack_raw=={}", reset[2]);
    let segments = tshark(&capture, &[&["-Y", &answered], &fields[..]].concat());
    let last = segments.lines().last().expect("the segment that the RST answers").split('\t').next().unwrap();
    assert!(last.parse::<f64>().unwrap() < reset[0].parse().unwrap(), "the segment came first");
    assert_eq!(tshark(&capture, &["-Y", "ip.src==192.0.2.2 && tcp.flags.fin==1"]), "", "no FIN");

    // Wireshark shows which expectation a frame decides, and what happened before it.
    let comment = |filter: &str| tshark(&capture, &["-Y", filter, "-T", "fields", "-e", "frame.comment"]);
    assert!(comment("tcp.flags.reset==1").contains("expectation 'reset' held: a RST from server to client"));
    let after = comment("frame.comment contains \"server lost power\"");
    assert!(after.contains("first frame since: at "), "{after}");

    // The report is there, tells the end, and can be made anew from the folder alone.
    let page = fs::read_to_string(ending.folder.join("report.html")).unwrap();
    assert!(page.contains("read → ECONNRESET") && page.contains("server loses power"));
    assert!(result["files"].as_array().unwrap().contains(&"report.html".into()));
    let again = std::process::Command::new(env!("CARGO_BIN_EXE_controller")).arg("report").arg(&ending.folder).output();
    assert!(again.unwrap().status.success());
    assert_eq!(fs::read_to_string(ending.folder.join("report.html")).unwrap(), page, "the same, to the byte");

    let boots = result["hosts"]["server"]["boot_ids"].as_array().unwrap();
    assert_eq!(boots.len(), 2);
    assert_ne!(boots[0], boots[1]);
}

#[test]
fn a_false_expectation_fails_with_an_explanation() {
    let false_claim = CRASH_REBOOT.replace("returns: ECONNRESET", "returns: ETIMEDOUT");
    assert_ne!(false_claim, CRASH_REBOOT);
    let bench = Bench::start(&false_claim, &["--format", "json"], &[]);
    let ending = bench.end();
    assert_eq!(ending.status.code(), Some(1), "{}", ending.said);
    let result = ending.result();
    assert_eq!(result["outcome"], "fail");
    let failed: Vec<_> = result["expectations"].as_array().unwrap().iter().filter(|e| e["held"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    let text = failed[0].to_string();
    assert!(text.contains("ETIMEDOUT") && text.contains("ECONNRESET"), "{text}");
}

#[test]
fn only_loopback_is_listened_on_and_keys_are_private() {
    let mut bench = Bench::start(&scenario("  - pause: 5 s"), &[], &[]);
    bench.await_line("pause");
    let pids = [bench.pid(), bench.machine_pid("client"), bench.machine_pid("server")];
    let mut listening = BTreeSet::new();
    for pid in pids {
        let inodes = socket_inodes(pid);
        for table in ["tcp", "tcp6", "udp", "udp6"] {
            let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap();
            for line in text.lines().skip(1).map(|l| l.split_whitespace().collect::<Vec<_>>()) {
                // State 0A is LISTEN; a UDP socket that anybody can send to is in state 07.
                if (line[3] == "0A" || (table.starts_with("udp") && line[3] == "07")) && inodes.contains(line[9]) {
                    listening.insert(line[1].split(':').next().unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(listening, BTreeSet::from(["0100007F".to_owned()]), "127.0.0.1 alone, and at least that");
    let private = bench.folder().join(".private");
    assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in
        fs::read_dir(&private).unwrap().flatten().filter(|e| e.file_name().to_string_lossy().ends_with("initrd"))
    {
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
    let peak = fs::read_to_string(format!("/proc/{}/status", bench.pid())).unwrap();
    let peak = peak
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<u64>()
        .unwrap();
    assert!(peak < 50 * 1024, "the controller used {peak} KiB");
    bench.end().left_nothing();
}

fn socket_inodes(pid: i32) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().filter_map(|e| fs::read_link(e.path()).ok());
    links.filter_map(|l| Some(l.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect()
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let first = Bench::start(CRASH_REBOOT, &[], &[]);
    let second = Bench::start_beside(&first, CRASH_REBOOT);
    let (first, second) = (first.end(), second.end());
    for ending in [&first, &second] {
        assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
        ending.left_nothing();
    }
}

#[test]
fn systemd_as_the_servers_init_gives_the_same() {
    let text = CRASH_REBOOT.replace("\n  server:\n", "\n  server:\n    init: systemd\n");
    assert_ne!(text, CRASH_REBOOT);
    let ending = run(&text);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
}

#[test]
fn every_step_that_takes_hosts_down_and_up_works() {
    let steps = "  - reset: server\n  - reboot: server\n  - unplug: client\n  - plug: client\n  - shutdown: server\n  - power-on: server\n  - reboot: client\n  - shutdown: client";
    for init in ["sysvinit", "systemd"] {
        let text = scenario(steps)
            .replace("server: {}", &format!("server: {{ init: {init} }}"))
            .replace("host: client\n    boot-id: kept", "host: server\n    boot-id: changed");
        let ending = run(&text);
        assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
        eventually("an end", || crate::bench::alive_with(&ending.folder).is_empty());
    }
}
