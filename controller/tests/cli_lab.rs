//! The script `lab`, on computers that lack this and that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cli_support;

use cli_support::Computer;
use std::fs;
use std::process::Output;

/// apt can do what it is asked.
const WELL: &str = "exit 0";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn assert_handed_over(output: &Output, arguments: &str) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        (output.status.code(), &*stdout),
        (Some(0), &*format!("controller was asked: {arguments}\n")),
        "{output:?}"
    );
}

#[track_caller]
fn assert_gave_up(output: &Output, fact: &str) {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), [].as_slice()), "{output:?}");
    assert!(said(output).contains(fact), "{}", said(output));
}

#[test]
fn explains_itself_and_touches_nothing() {
    let computer = Computer::complete();
    for arguments in ["", "--help", "-h"] {
        let output = computer.lab(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("./lab run crash-reboot"));
    }
    assert_eq!((computer.builds(), computer.done().as_str()), (0, ""));
}

#[test]
fn builds_once_and_is_quiet_from_then_on() {
    let computer = Computer::complete();
    assert_handed_over(&computer.lab("run crash-reboot --format json"), "run crash-reboot --format json");
    let again = computer.lab("list");
    assert_handed_over(&again, "list");
    assert_eq!((computer.builds(), said(&again).as_str()), (1, ""));
}

#[test]
fn builds_again_when_a_source_is_newer_than_the_last_build() {
    let computer = Computer::complete();
    computer.lab("list");
    let stamp = fs::File::options().append(true).open(computer.path("target/lab-build")).unwrap();
    stamp.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_handed_over(&computer.lab("list"), "list");
    assert_eq!(computer.builds(), 2);
}

#[test]
fn installs_only_the_packages_whose_tools_are_missing() {
    let computer = Computer::complete();
    computer.apt("", WELL).without(&["qemu-img", "zstd"]);
    let output = computer.lab("list");
    assert_handed_over(&output, "list");
    let asked = computer.done();
    assert!(asked.trim_end().ends_with("qemu-utils zstd") && asked.lines().count() == 1, "{asked}");
    assert!(asked.contains("--no-install-recommends"), "{asked}");
    assert!(said(&output).contains("apt-get install"), "says what it runs: {}", said(&output));
}

#[test]
fn setup_installs_and_builds_nothing() {
    let computer = Computer::complete();
    computer.apt("", WELL).without(&["mmdebstrap"]);
    assert_eq!(computer.lab("setup").status.code(), Some(0));
    assert!(computer.done().contains("mmdebstrap"));
    assert_eq!(computer.builds(), 0);
}

#[test]
fn setup_for_vagrant_installs_it_and_plain_setup_does_not() {
    let computer = Computer::complete();
    computer.apt("", WELL).without(&["vagrant", "virsh"]);
    assert_eq!(computer.lab("setup").status.code(), Some(0));
    assert_eq!(computer.done(), "");
    // Whether it ends well depends on what this real computer has where apt puts a plugin.
    computer.lab("setup vagrant");
    let asked = computer.done();
    assert!(asked.contains(" vagrant ") && asked.trim_end().ends_with("libvirt-clients"), "{asked}");
    assert_eq!(computer.lab("setup everything").status.code(), Some(64));
}

#[test]
fn fetches_the_package_lists_where_they_are_missing_and_not_otherwise() {
    let computer = Computer::complete();
    computer.apt("", "[ -e $STATE/updated ] || exit 100").without(&["mmdebstrap"]);
    assert_handed_over(&computer.lab("list"), "list");
    assert_eq!(computer.done().lines().next(), Some("apt-get update"));
    assert_eq!(computer.done().lines().count(), 2);
}

#[test]
fn fetches_the_package_lists_and_tries_again_where_they_are_old() {
    let computer = Computer::complete();
    computer.apt("", WELL).without(&["mmdebstrap"]);
    fs::write(computer.path("stale"), "").unwrap();
    assert_handed_over(&computer.lab("list"), "list");
    let done = computer.done();
    let asked: Vec<&str> = done.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(asked, ["install", "update", "install"]);
}

#[test]
fn takes_down_just_the_package_whose_source_is_gone() {
    let computer = Computer::complete();
    computer
        .apt(
            "qemu-utils 1:7.2+dfsg-7\nqemu-system-x86 1:7.2+dfsg-7\nmmdebstrap 1.3.5-7\ncpio 2.13\n",
            r#"case "$*" in *--allow-downgrades*) ;; *) echo 'Remv qemu-utils [1:10.0.2~bpo12]' ;; esac"#,
        )
        .without(&["qemu-system-x86_64"]);
    computer.stand_in(
        "dpkg-query",
        r#"case "${*: -1}" in qemu-utils) printf 'ii 1:10.0.2~bpo12' ;; mmdebstrap) printf 'ii 1.3.5-7' ;; cpio) printf 'un ' ;; *) exit 1 ;; esac"#,
    );
    let output = computer.lab("list");
    assert_handed_over(&output, "list");
    let asked = computer.done().lines().last().unwrap().to_owned();
    assert!(asked.ends_with("--allow-downgrades qemu-utils=1:7.2+dfsg-7 qemu-system-x86"), "{asked}");
    assert!(said(&output).contains("taking them to qemu-utils=1:7.2+dfsg-7"), "{}", said(&output));
}

#[test]
fn shows_what_apt_says_where_nothing_helps() {
    let computer = Computer::complete();
    computer.apt("", "echo 'E: Unable to locate package mmdebstrap'; exit 100").without(&["mmdebstrap"]);
    computer.stand_in("dpkg-query", "exit 1");
    let output = computer.lab("list");
    assert_gave_up(&output, "error: apt cannot install mmdebstrap\n\nE: Unable to locate package mmdebstrap\n");
    assert_eq!(computer.done(), "apt-get update\n");
}

#[test]
fn removes_nobodys_packages() {
    let computer = Computer::complete();
    computer.apt("", "echo 'Remv rustup [1.27]'; echo 'Inst mmdebstrap (1)'").without(&["mmdebstrap"]);
    computer.stand_in("dpkg-query", "exit 1");
    assert_gave_up(&computer.lab("list"), "apt would remove rustup\n\nIf you want that:\n\nenv DEBIAN_FRONTEND");
    assert_eq!(computer.done(), "apt-get update\n");
}

#[test]
fn names_what_is_missing_where_there_is_no_apt() {
    let computer = Computer::complete();
    computer.without(&["mmdebstrap", "qemu-img", "rustc"]);
    let output = computer.lab("list");
    assert_gave_up(&output, "error: something is missing");
    assert!(said(&output).contains("qemu-utils mmdebstrap rustc cargo (Rust 1."), "{}", said(&output));
}

#[test]
fn says_what_an_administrator_must_run_where_nobody_can_become_root() {
    if nix::unistd::geteuid().is_root() {
        return; // Root is whom it would ask for.
    }
    let computer = Computer::complete();
    computer.apt("", WELL).without(&["mmdebstrap", "sudo"]);
    let output = computer.lab("list");
    assert_gave_up(
        &output,
        "Ask an administrator to run:\n\napt-get update && env DEBIAN_FRONTEND=noninteractive apt-get install",
    );
}

#[test]
fn takes_the_best_packaged_rust_that_is_new_enough() {
    for (offered, best) in [
        ("rustc 1.91.0+dfsg1-1\ncargo 1\nrustc-web 1.96.0\ncargo-web 1\n", "rustc cargo"),
        ("rustc 1.63.0+dfsg1-2\ncargo 1\nrustc-web 1.96.0+dfsg1-1~deb12u2\ncargo-web 1\n", "rustc-web cargo-web"),
        (
            "rustc 1.75.0\ncargo 1\nrustc-1.80 1.80.1\ncargo-1.80 1\nrustc-1.89 1.89.0\ncargo-1.89 1\n\
             rustc-1.100 1.100.0\ncargo-1.100 1\nrustc-1.101 1.101.0\n",
            "rustc-1.100 cargo-1.100",
        ),
        ("rustc 1.85.0\ncargo 1\nrustup 1.27.1\n", "rustup"),
    ] {
        let computer = Computer::complete();
        computer.rust_only_packaged("1.95.0").apt(offered, WELL);
        assert_handed_over(&computer.lab("list"), "list");
        assert!(
            computer.done().trim_end().ends_with(&format!("DPkg::Lock::Timeout=300 {best}")),
            "{}",
            computer.done()
        );
    }
}

#[test]
fn says_where_a_rust_is_found_where_apt_offers_none_that_is_new_enough() {
    let computer = Computer::complete();
    computer.rust_only_packaged("1.63.0").apt("rustc 1.63.0+dfsg1-2\ncargo 0.66.0\n", WELL);
    computer.stand_in("dpkg-query", "exit 1");
    assert_gave_up(&computer.lab("list"), "https://rustup.rs");
}

#[test]
fn an_old_rust_is_as_good_as_none() {
    let computer = Computer::complete();
    computer.rust_only_packaged("1.95.0").rust("1.63.0").apt("rustc-web 1.96.0\ncargo-web 1\n", WELL);
    let output = computer.lab("list");
    assert!(computer.done().contains("rustc-web cargo-web"), "{}", computer.done());
    assert_gave_up(&output, "after the installation there is still no Rust 1.");
}

#[test]
fn has_rustup_fetch_a_rust_where_it_is_there() {
    let computer = Computer::complete();
    computer.rust_only_packaged("1.95.0");
    computer.stand_in("rustup", r#"echo "rustup $*" >>$STATE/done; $STATE/install rustc; $STATE/install cargo"#);
    computer.apt("", "exit 100");
    assert_handed_over(&computer.lab("list"), "list");
    assert!(computer.done().starts_with("rustup toolchain install stable --profile minimal"), "{}", computer.done());
}

#[test]
fn a_build_that_fails_is_tried_again_the_next_time() {
    let computer = Computer::complete();
    computer.stand_in("cargo", "[ \"$1\" = --version ] && echo 'cargo 1.95.0' && exit; echo 'error: no' >&2; exit 101");
    assert_gave_up(&computer.lab("list"), "error: no\nerror: the controller could not be built");
    computer.rust("1.95.0");
    assert_handed_over(&computer.lab("list"), "list");
}
