//! What an image is made of, and the key that follows from it. Pure.

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::Path;

/// Raised whenever the way of building changes what comes out without a change in the files or lists below.
const VERSION: u32 = 2;

/// Packages of the guest's disk, beside Debian's essential ones: both inits, SSH, and what a person debugging expects.
const DISK_PACKAGES: [&str; 10] = [
    "sysvinit-core",
    "systemd",
    "dropbear-bin",
    "iproute2",
    "iputils-ping",
    "procps",
    "tcpdump",
    "strace",
    "less",
    "busybox-static",
];

/// Packages that the kernel and the initramfs come from. Debian's cloud kernel has the drivers that a guest needs and few more.
const KERNEL_PACKAGES: [&str; 2] = ["linux-image-cloud-amd64", "busybox-static"];

/// Size of the disk, as mke2fs takes it. The files in it take less than half.
pub(super) const DISK_SIZE: &str = "384M";

/// Free space in the cache folder that a build needs, in bytes.
pub const SPACE_NEEDED: u64 = 1_400_000_000;

/// The host's tools that build an image, and the Debian packages that hold them.
pub const TOOLS: [(&str, &str); 9] = [
    ("mmdebstrap", "mmdebstrap"),
    ("fakeroot", "fakeroot"),
    ("mke2fs", "e2fsprogs"),
    ("debugfs", "e2fsprogs"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("gzip", "gzip"),
    ("unshare", "util-linux"),
];

/// Times of all files in the image, in seconds since 1970: they say nothing, and must not differ between builds.
pub(super) const EPOCH: &str = "1735689600";

/// Drivers that the initramfs loads, with all that they depend on; what a kernel has built in is left out.
pub(super) const DRIVERS: [&str; 5] = ["virtio_pci", "virtio_blk", "ext4", "virtio_net", "virtio_rng"];

/// A file of ours that goes into the image: path within the disk, contents, mode.
pub(super) type File = (&'static str, &'static str, u32);

/// Our files on the guest's disk.
pub(super) const DISK_FILES: [File; 6] = [
    ("usr/lib/deadpeer/boot", include_str!("files/boot"), 0o755),
    ("etc/inittab", include_str!("files/inittab"), 0o644),
    ("etc/fstab", include_str!("files/fstab"), 0o644),
    ("etc/systemd/system/deadpeer.service", include_str!("files/deadpeer.service"), 0o644),
    ("etc/systemd/system/deadpeer.target", include_str!("files/deadpeer.target"), 0o644),
    ("usr/local/sbin/shutdown", include_str!("files/shutdown"), 0o755),
];

/// PID 1 of the initramfs.
pub(super) const INITRAMFS_INIT: &str = include_str!("files/initramfs-init");

/// Scripts that the build runs.
pub(super) const CUSTOMIZE: &str = include_str!("files/customize");
pub(super) const LIST_DEBS: &str = include_str!("files/list-debs");
pub(super) const MAKE_DISK: &str = include_str!("files/make-disk");

/// Which image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Debian's suite: `bullseye`, `bookworm`, `trixie`, `sid` ...
    pub suite: String,
}

impl Default for Spec {
    /// Debian 13.
    fn default() -> Self {
        Self { suite: "trixie".to_owned() }
    }
}

impl Spec {
    /// Refuses what cannot be a suite's name, before it is given to any tool.
    ///
    /// # Errors
    /// Of kind usage.
    pub(super) fn check(&self) -> Result<()> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.suite.starts_with(|c: char| c.is_ascii_lowercase()) && self.suite.chars().all(fits) {
            return Ok(());
        }
        Err(Error::usage(format!("{:?} is no name of a Debian suite", self.suite))
            .help("Name one as in `--suite bookworm`."))
    }

    /// The key: a hash of everything that shapes the image, but for the versions of the packages on the day, which its lock file tells.
    pub fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        part(&VERSION.to_string());
        part("amd64");
        part(DISK_SIZE);
        part(EPOCH);
        let lists = [&DISK_PACKAGES[..], &KERNEL_PACKAGES, &DRIVERS];
        lists.iter().flat_map(|list| list.iter()).for_each(|name| part(name));
        for (path, text, mode) in DISK_FILES {
            part(path);
            part(text);
            part(&mode.to_string());
        }
        [INITRAMFS_INIT, CUSTOMIZE, LIST_DEBS, MAKE_DISK].iter().for_each(|text| part(text));
        let digest = hash.finalize();
        format!("{}-{}", self.suite, super::intact::hexadecimal(&digest[..6]))
    }

    /// mmdebstrap's arguments for the disk's files.
    pub(super) fn root_arguments(&self, mode: &str, hook: &Path, tar: &Path) -> Vec<OsString> {
        let mut arguments = common(mode, "minbase", &DISK_PACKAGES, "customize", hook);
        let excluded = ["doc/*", "man/*", "info/*", "locale/*", "bug/*", "lintian/*"];
        arguments.extend(excluded.map(|path| format!("--dpkgopt=path-exclude=/usr/share/{path}").into()));
        arguments.extend([self.suite.clone().into(), tar.into()]);
        arguments
    }

    /// mmdebstrap's arguments for the kernel's files.
    pub(super) fn kernel_arguments(&self, mode: &str, hook: &Path, tar: &Path) -> Vec<OsString> {
        // Nothing is configured in this variant, so there is no customize hook either.
        let mut arguments = common(mode, "extract", &KERNEL_PACKAGES, "extract", hook);
        arguments.extend([self.suite.clone().into(), tar.into()]);
        arguments
    }
}

/// No mirror is named, ever: mmdebstrap takes the host's own for its suites, and Debian's for others.
fn common(mode: &str, variant: &str, packages: &[&str], moment: &str, hook: &Path) -> Vec<OsString> {
    let mut call = OsString::from(format!("--{moment}-hook="));
    call.push(hook);
    call.push(" \"$1\"");
    vec![
        format!("--mode={mode}").into(),
        format!("--variant={variant}").into(),
        "--architectures=amd64".into(),
        "--format=tar".into(),
        format!("--include={}", packages.join(",")).into(),
        call,
    ]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_suites_name_is_no_option_and_no_path() {
        assert!(Spec::default().check().is_ok());
        for suite in ["", "--help", "../x", "Trixie", "a b", "12"] {
            assert!(Spec { suite: suite.into() }.check().is_err(), "{suite:?}");
        }
    }

    #[test]
    fn the_key_names_the_suite_and_differs_between_suites() {
        let (trixie, sid) = (Spec::default().key(), Spec { suite: "sid".into() }.key());
        assert!(trixie.starts_with("trixie-") && trixie.len() == 7 + 12, "{trixie}");
        assert!(sid.starts_with("sid-"));
    }

    #[test]
    fn mmdebstrap_is_given_no_mirror() {
        let arguments = Spec::default().root_arguments("unshare", Path::new("/c/hook"), Path::new("/c/root.tar"));
        let words: Vec<_> = arguments.iter().map(|a| a.to_str().unwrap()).collect();
        insta::assert_snapshot!(words.join("\n"), @r#"
        --mode=unshare
        --variant=minbase
        --architectures=amd64
        --format=tar
        --include=sysvinit-core,systemd,dropbear-bin,iproute2,iputils-ping,procps,tcpdump,strace,less,busybox-static
        --customize-hook=/c/hook "$1"
        --dpkgopt=path-exclude=/usr/share/doc/*
        --dpkgopt=path-exclude=/usr/share/man/*
        --dpkgopt=path-exclude=/usr/share/info/*
        --dpkgopt=path-exclude=/usr/share/locale/*
        --dpkgopt=path-exclude=/usr/share/bug/*
        --dpkgopt=path-exclude=/usr/share/lintian/*
        trixie
        /c/root.tar
        "#);
    }
}
