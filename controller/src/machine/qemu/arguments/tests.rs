#![allow(clippy::unwrap_used)]

use super::*;
use std::time::Duration;

fn config() -> Config {
    Config {
        name: "server".into(),
        memory: 256,
        kernel: "/cache/vmlinuz".into(),
        initrd: "/runs/1/server.initrd".into(),
        base: "/cache/disk.raw".into(),
        overlay: "/runs/1/server.qcow2".into(),
        append: "console=ttyS0 root=/dev/vda rw init=/sbin/init".into(),
        control_mac: [0x02, 0xde, 0xad, 0x00, 0xff, 0x02],
        accelerator: Accelerator::Tcg,
        folder: "/runs/1".into(),
        recordings: Some("/runs/1".into()),
        patience: Duration::from_secs(10),
    }
}

fn wiring() -> Wiring {
    Wiring {
        qmp: 11,
        links: vec![([0x02, 0xde, 0xad, 0x00, 0x00, 0x02], 12), ([0x02, 0xde, 0xad, 0x00, 0x01, 0x02], 13)],
        recorder: Some("/runs/1/server.1.recorder".into()),
    }
}

/// An option and its value on a line, as one would write it in a script.
fn script(args: &[String]) -> String {
    let mut text = String::new();
    for arg in args {
        text.push_str(if arg.starts_with('-') { "\n" } else { " " });
        text.push_str(arg);
    }
    text.trim_start().to_owned()
}

/// The value of the only occurrence of an option.
fn value(args: &[String], option: &str) -> String {
    let at: Vec<usize> = (0..args.len()).filter(|&i| args[i] == option).collect();
    assert_eq!(at.len(), 1, "{option} in {args:?}");
    args[at[0] + 1].clone()
}

#[test]
fn the_whole_command_line() {
    insta::assert_snapshot!(script(&arguments(&config(), &wiring())));
}

#[test]
fn the_command_line_that_tries_an_accelerator() {
    let args = bare(Accelerator::Kvm, 128, Path::new("/cache/vmlinuz"), Path::new("/cache/initrd"), "deadpeer.probe");
    insta::assert_snapshot!(script(&args));
}

#[test]
fn an_accelerator_makes_no_difference_but_itself_and_the_processor() {
    let tcg = arguments(&config(), &wiring());
    let kvm = arguments(&Config { accelerator: Accelerator::Kvm, ..config() }, &wiring());
    let different: Vec<_> =
        tcg.iter().zip(&kvm).filter(|(a, b)| a != b).map(|(a, b)| [a.as_str(), b.as_str()]).collect();
    assert_eq!(different, [["tcg", "kvm"], ["max,-cx16,-erms,-fsrm", "host"]]);
}

#[test]
fn a_comma_in_a_path_does_not_end_it() {
    let args = arguments(&Config { overlay: "/runs/a,b=c/disk".into(), ..config() }, &wiring());
    assert!(script(&args).contains("filename=/runs/a,,b=c/disk,cache"), "{args:?}");
}

#[test]
fn a_machine_without_a_recorder_has_no_such_memory() {
    let args = arguments(&config(), &Wiring { recorder: None, ..wiring() });
    assert!(!script(&args).contains("ivshmem") && !script(&args).contains("memory-backend"), "{args:?}");
}

#[test]
fn the_guest_stands_still_until_it_is_told_to_go() {
    assert!(arguments(&config(), &wiring()).contains(&"-S".to_owned()));
}

#[test]
fn nothing_listens_but_on_the_loopback_interface() {
    let args = arguments(&config(), &wiring());
    let forwards: Vec<&String> = args.iter().filter(|a| a.contains("hostfwd")).collect();
    assert_eq!(forwards.len(), 1);
    assert!(forwards[0].contains("restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22"), "{forwards:?}");
    assert!(!args.iter().any(|a| a.contains("server=on")), "{args:?}");
}

#[test]
fn the_kernel_command_line_is_the_caller_s_alone() {
    assert_eq!(value(&arguments(&config(), &wiring()), "-append"), config().append);
}
