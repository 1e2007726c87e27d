//! Two runs side by side, by golden files; and what a run was made with that cannot be matched here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::compare::{Comparison, Side};
use deadpeer::report::{
    Accelerator, Asked, Computer, HostInputs, INPUTS_SCHEMA, ImageInputs, Inputs, RunResult, Style, comparison, unlike,
};
use std::collections::BTreeMap;
use support::{Story, results, stories};

const TERMINAL: Style = Style { width: 90, colour: false, unicode: true };

fn compared(one: &Story, other: &Story, alter: impl Fn(&mut RunResult)) -> String {
    let (left, mut right) = (results::result(one), results::result(other));
    alter(&mut right);
    let compared = Comparison::new(
        &Side { outcome: left.outcome, judged: &left.expectations, timeline: &one.events },
        &Side { outcome: right.outcome, judged: &right.expectations, timeline: &other.events },
    );
    comparison(["runs/here", "runs/there"], [&left, &right], &compared, &TERMINAL)
}

#[test]
fn a_run_is_the_same_as_itself() {
    insta::assert_snapshot!(compared(&stories::crash_reboot(), &stories::crash_reboot(), |_| {}));
}

#[test]
fn where_runs_part_both_sides_are_shown() {
    let other_kernel = |result: &mut RunResult| {
        result.versions.guest_kernels.insert("server".to_owned(), "6.1.0-9-cloud-amd64".to_owned());
        result.versions.qemu = Some("10.0.2".to_owned());
    };
    insta::assert_snapshot!(compared(&stories::crash_reboot(), &stories::rebooted(), other_kernel));
}

fn inputs(kernel: &str, bash: &str, accelerator: &str, processor: &str) -> Inputs {
    let host =
        HostInputs { image: Some(format!("trixie-{kernel}")), sysctl: BTreeMap::new(), boxed: None, qemu: Vec::new() };
    let packages = [("bash", bash), ("libc6", "2.41")].map(|(name, version)| (name.to_owned(), version.to_owned()));
    let image = ImageInputs {
        suite: "trixie".to_owned(),
        kernel: kernel.to_owned(),
        files: BTreeMap::new(),
        packages: packages.into(),
    };
    Inputs {
        schema: INPUTS_SCHEMA,
        controller: "0.1.0".to_owned(),
        guest_programs: [("witness".to_owned(), "abc".to_owned())].into(),
        options: Asked {
            kernel: None,
            boxed: None,
            accelerator: "auto".to_owned(),
            time: "real".to_owned(),
            seed: 0,
            boot_within_seconds: 90,
            within_seconds: 3600,
            witness: true,
        },
        provider: None,
        accelerator: Some(Accelerator { used: accelerator.to_owned(), why: String::new() }),
        qemu: Some("7.2.22".to_owned()),
        computer: Computer {
            architecture: "x86_64".to_owned(),
            processor: Some(processor.to_owned()),
            processors: 2,
            memory: Some(1),
            kernel: None,
        },
        hosts: [("server".to_owned(), host)].into_iter().collect(),
        images: [(format!("trixie-{kernel}"), image)].into(),
    }
}

#[test]
fn what_cannot_be_matched_is_named() {
    let there = inputs("6.12.1", "5.2", "kvm", "A");
    assert_eq!(unlike(&there, &there), []);
    let told = unlike(&there, &inputs("6.12.9", "5.3", "tcg", "B"));
    let told: Vec<String> = told.into_iter().map(|(what, [there, here])| format!("{what}: {there} | {here}")).collect();
    assert_eq!(
        told,
        [
            "kernel of server: 6.12.1 | 6.12.9",
            "image of server: trixie-6.12.1 | trixie-6.12.9",
            "packages of server: bash 5.2 | bash 5.3",
            "accelerator: kvm | tcg",
            "processor: A | B",
        ]
    );
    // An emulated processor is the same on any.
    assert_eq!(unlike(&inputs("1", "1", "tcg", "A"), &inputs("1", "1", "tcg", "B")), []);
}
