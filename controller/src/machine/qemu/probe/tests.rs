#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::machine::qemu::OLDEST;

/// A probe of this device; the files need not exist unless a guest is booted.
fn probe(device: &str, folder: &Path) -> Probe {
    let mut probe = Probe::new(Path::new("/vmlinuz"), Path::new("/initrd"), folder);
    probe.device = device.into();
    probe.deadline = Duration::from_millis(300);
    probe
}

fn qemu(path: &str) -> Info {
    Info { path: path.into(), version: OLDEST }
}

#[test]
fn tcg_asked_for_is_tcg_without_a_probe() {
    let chosen = probe("/nonexistent", Path::new("/nonexistent"))
        .choose(Choice::Tcg, &qemu("/nonexistent"), &Reporter::silent())
        .unwrap();
    assert_eq!(chosen.accelerator, Accelerator::Tcg);
}

#[test]
fn no_device_means_tcg_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let probe = probe("/nonexistent/kvm", folder.path());
    let chosen = probe.choose(Choice::Auto, &qemu("/bin/true"), &Reporter::silent()).unwrap();
    assert_eq!(chosen.accelerator, Accelerator::Tcg);
    assert_eq!(chosen.why, "/nonexistent/kvm does not exist: using TCG");
    assert!(chosen.help.unwrap().contains("modprobe"));
    assert!(!probe.cache.exists(), "what shows without a guest is not remembered");
}

#[test]
fn kvm_asked_for_and_not_there_is_an_error_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let error = probe("/nonexistent/kvm", folder.path())
        .choose(Choice::Kvm, &qemu("/bin/true"), &Reporter::silent())
        .unwrap_err();
    assert_eq!(error.fact, "KVM does not work here: /nonexistent/kvm does not exist");
    assert!(error.help.unwrap().ends_with("TCG works everywhere"));
}

#[test]
fn a_forbidden_device_names_the_group_that_opens_it() {
    let kvm = Kvm::Closed { device: "/dev/kvm".into(), why: "Permission denied (os error 13)".into(), forbidden: true };
    assert_eq!(kvm.to_string(), "/dev/kvm cannot be opened: Permission denied (os error 13)");
    assert!(kvm.help().unwrap().contains("--groups kvm"));
}

#[test]
fn a_device_that_cannot_be_opened_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let finding = probe("/", folder.path()).kvm(&qemu("/bin/true"), &Reporter::silent()).unwrap();
    let Kvm::Closed { device, forbidden: false, .. } = finding else { panic!("{finding:?}") };
    assert_eq!(device, "/");
}

#[test]
fn a_qemu_that_ends_at_once_means_broken_and_is_asked_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let probe = probe("/dev/null", folder.path());
    let finding = probe.kvm(&qemu("/bin/false"), &Reporter::silent()).unwrap();
    assert_eq!(finding.to_string(), "/dev/null opens, but QEMU exited with status 1 before a guest had booted");
    // The same key, and a QEMU that cannot be executed: the answer can only come from the cache.
    let key = cache::key(&probe, &qemu("/bin/false"));
    assert_eq!(cache::recall(&probe.cache, &key), Some(finding));
}
