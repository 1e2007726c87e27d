//! Tests of the recipe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use deadpeer_guest as guest;
use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

fn file(path: &str) -> &'static str {
    FILES.iter().find(|(name, ..)| *name == path).unwrap().2
}

#[test]
fn a_key_is_the_suite_and_a_hash_that_differs_by_suite() {
    let (trixie, sid) = (key("trixie"), key("sid"));
    let hash = trixie.strip_prefix("trixie-").unwrap();
    assert!(hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()), "{trixie}");
    assert_ne!(Some(hash), sid.strip_prefix("sid-"));
    assert_eq!(trixie, key("trixie"));
}

#[test]
fn mmdebstrap_is_given_no_mirror_and_runs_nothing_of_the_packages() {
    let arguments = mmdebstrap("trixie");
    assert!(arguments.iter().all(|argument| !argument.contains("://")), "{arguments:?}");
    assert!(arguments.contains(&"--variant=extract".to_owned()));
    assert_eq!(arguments.last().map(String::as_str), Some("trixie"));
}

#[test]
fn guest_and_controller_agree() {
    let boot = file("usr/lib/deadpeer/boot");
    assert!(boot.contains(&format!("echo \"{}$boot_id $release\"", guest::UP)));
    assert!(boot.contains(&format!("echo \"{}$*\"", guest::FAILED)));
    assert!(boot.contains(&format!("seed={}\n", guest::SEED_DIR)));
    let [a, b, c, d] = guest::LINK_MAC_PREFIX;
    let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:");
    assert!(boot.contains(&format!("\t{mac}*)\n")));
    assert!(boot.contains(&format!("\t{mac}{:02x}:*)\n", guest::CONTROL_MAC_LINK)));
    assert!(INITRAMFS_INIT.contains(&format!("\t{})\n\t\techo \"{}\"\n", guest::PROBE_WORD, guest::PROBE_OK)));
    let idle = format!("\t{}*)\n\t\techo \"{}\"\n", guest::IDLE_WORD, guest::IDLE);
    assert!(INITRAMFS_INIT.contains(&idle) && INITRAMFS_INIT.contains(&format!("echo \"{}\"\n", guest::IDLE_OVER)));
    assert!(INITRAMFS_INIT.contains(&format!("echo \"{}$*\"", guest::FAILED)));
    assert!(boot.contains(&format!("$seed/witness agent {} ||", guest::agent::DEVICE)));
    assert_eq!(guest::PROGRAM_DIR, format!("{}/bin", guest::SEED_DIR));
    let passwd = FILES.iter().find(|(path, ..)| *path == "etc/passwd").unwrap().2;
    let shell = passwd.lines().next().unwrap().rsplit(':').next().unwrap();
    assert!(guest::shell::is_meant(shell));
    assert!(LINKS.contains(&(shell.trim_start_matches('/'), guest::WITNESS)));
}

#[test]
fn every_path_is_relative_and_said_once() {
    let files = FILES.iter().map(|(path, ..)| *path);
    let paths: Vec<&str> =
        files.chain(LINKS.iter().map(|(path, _)| *path)).chain(FOLDERS.iter().map(|(path, _)| *path)).collect();
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    assert!(paths.iter().all(|path| !path.starts_with('/') && !path.ends_with('/')));
}

#[test]
fn the_shell_accepts_every_script() {
    let own = FILES.iter().map(|(path, _, text)| (*path, *text)).filter(|(_, text)| text.starts_with("#!/bin/sh"));
    for (name, text) in own.chain([("unpack-hook", UNPACK_HOOK), ("initramfs-init", INITRAMFS_INIT)]) {
        let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{name}");
    }
}
