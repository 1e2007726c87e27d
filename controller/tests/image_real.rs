//! The image, really built from Debian's packages. Needs the network, and about a minute.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use deadpeer::image::{self, Image, Spec};
use deadpeer::progress::Reporter;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set in a child: that it shall build.
const BUILD: &str = "DEADPEER_TEST_IMAGE_BUILD";

/// Not a test: what the children of the others do.
#[test]
fn child() {
    if std::env::var_os(BUILD).is_some() {
        let image: Image = image::ensure(&Spec::default(), &Reporter::silent(), &|| false).unwrap();
        println!("\nHAVE {}", image.kernel.parent().unwrap().display());
    }
}

/// Builds into the cache `home`, and gives the image's folder.
fn build(home: &Path, umask: &str) -> std::path::PathBuf {
    let script = format!("umask {umask}; exec \"$0\" --exact child --nocapture");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .env(BUILD, "1")
        .env("XDG_CACHE_HOME", home)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let folder = said.lines().find_map(|line| line.strip_prefix("HAVE ")).unwrap_or_else(|| panic!("{said}"));
    folder.into()
}

#[test]
#[ignore = "fetches 65 MB of packages, twice: about 40 s"]
fn two_builds_give_the_same_bytes() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Different caches and umasks: neither may shape an image.
    let (one, two) = (build(one.path(), "022"), build(two.path(), "077"));
    for name in ["lock.json", "kernel", "initrd", "disk.ext4"] {
        assert!(fs::read(one.join(name)).unwrap() == fs::read(two.join(name)).unwrap(), "{name} differs");
    }
}
