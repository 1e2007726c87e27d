//! What goes into an image: packages, files, links, and what is left out. Everything here shapes the image's key.

use sha2::{Digest, Sha256};

/// Raised when the way of building changes in a manner that the rest of the recipe does not show.
const VERSION: u32 = 1;

/// The one time that every file of an image bears: 2026-01-01, in seconds since 1970.
pub(super) const EPOCH: u32 = 1_767_225_600;

/// The packages that are unpacked into the guest, with what they depend on.
pub(super) const PACKAGES: &[&str] = &[
    "busybox-static",
    "dash",
    "dropbear-bin",
    "initscripts",
    "iproute2",
    "iputils-ping",
    "less",
    "procps",
    "sed",
    "strace",
    "systemd",
    "sysv-rc",
    "sysvinit-core",
    "sysvinit-utils",
    "tcpdump",
    "util-linux",
];

/// The package that depends on the suite's current kernel.
pub(super) const KERNEL_PACKAGE: &str = "linux-image-cloud-amd64";

/// Debian's name of the guests' architecture.
pub(super) const ARCHITECTURE: &str = "amd64";

/// The drivers that the initramfs loads, where they are not built into the kernel; what they depend on comes first.
pub(super) const DRIVERS: &[&str] = &["virtio_pci", "virtio_blk", "virtio_net", "virtio-rng", "ext4", "af_packet"];

/// What it loads besides where the root disk is an NVDIMM (`root=/dev/pmem0`), as in lockstep time. `nfit` finds the devices, and
/// comes last: what drives them is there then.
pub(super) const NVDIMM_DRIVERS: &[&str] = &["libnvdimm", "nd_btt", "nd_pmem", "nfit"];

/// Size of the disk in MiB: about a third is used.
pub(super) const DISK_MIB: u32 = 192;

/// How the file system is made. No checksums of metadata (they cost time under emulation, and the lab's disks do not
/// rot), a journal (a host that lost power must come back), and every number that mke2fs would draw at random given.
pub(super) const MKE2FS: &[&str] = &[
    "-q",
    "-F",
    "-t",
    "ext4",
    "-b",
    "4096",
    "-I",
    "256",
    "-N",
    "16384",
    "-m",
    "0",
    "-J",
    "size=4",
    "-O",
    "none,has_journal,extent,filetype,sparse_super,large_file,dir_nlink,extra_isize,ext_attr",
    "-E",
    "lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0,hash_seed=de4d9ee2-0000-4000-8000-000000000002",
    "-U",
    "de4d9ee2-0000-4000-8000-000000000001",
    "-L",
    "deadpeer",
];

/// The script that mmdebstrap runs beside the guest's root: adds the kernel, and lists what went in.
pub(super) const UNPACK_HOOK: &str = include_str!("files/unpack-hook");

/// PID 1 of the initramfs.
pub(super) const INITRAMFS_INIT: &str = include_str!("files/initramfs-init");

/// The script that brings a guest up.
pub(super) const BOOT: &str = include_str!("files/boot");

/// A file of ours in the guest: path without leading slash, permissions, content.
pub(super) type OwnFile = (&'static str, u32, &'static str);

/// Our files. What a package's maintainer scripts would have made is here too: packages are unpacked, not configured.
pub(super) const FILES: &[OwnFile] = &[
    ("etc/default/rcS", 0o644, "VERBOSE=no\n"),
    ("etc/fstab", 0o644, "# The initramfs mounts the disk, the boot script the rest.\n"),
    ("etc/group", 0o644, include_str!("files/group")),
    ("etc/inittab", 0o644, include_str!("files/inittab")),
    // Empty, not missing: systemd then makes one up in memory, and asks nobody anything.
    ("etc/machine-id", 0o444, ""),
    ("etc/nsswitch.conf", 0o644, "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"),
    ("etc/passwd", 0o644, include_str!("files/passwd")),
    ("etc/shells", 0o644, "/bin/sh\n/usr/lib/deadpeer/shell\n"),
    ("etc/systemd/system.conf", 0o644, include_str!("files/systemd.conf")),
    ("etc/systemd/system/deadpeer.service", 0o644, include_str!("files/deadpeer.service")),
    ("etc/systemd/system/deadpeer.target", 0o644, include_str!("files/deadpeer.target")),
    ("usr/lib/deadpeer/boot", 0o755, BOOT),
    ("usr/lib/deadpeer/init-command", 0o755, include_str!("files/init-command")),
];

/// Symbolic links of ours: path, target.
pub(super) const LINKS: &[(&str, &str)] = &[
    ("bin", "usr/bin"),
    ("etc/hostname", "/run/deadpeer/hostname"),
    ("etc/hosts", "/run/deadpeer/hosts"),
    ("etc/mtab", "/proc/mounts"),
    ("etc/systemd/system/default.target", "deadpeer.target"),
    ("lib", "usr/lib"),
    ("lib64", "usr/lib64"),
    ("root/.ssh", "/run/deadpeer"),
    ("sbin", "usr/sbin"),
    ("usr/lib/deadpeer/shell", deadpeer_guest::WITNESS),
    ("usr/lib/deadpeer/systemd/halt", "/usr/bin/systemctl"),
    ("usr/lib/deadpeer/systemd/poweroff", "/usr/bin/systemctl"),
    ("usr/lib/deadpeer/systemd/reboot", "/usr/bin/systemctl"),
    ("usr/lib/deadpeer/systemd/shutdown", "/usr/bin/systemctl"),
    ("usr/local/sbin/halt", "/usr/lib/deadpeer/init-command"),
    ("usr/local/sbin/poweroff", "/usr/lib/deadpeer/init-command"),
    ("usr/local/sbin/reboot", "/usr/lib/deadpeer/init-command"),
    ("usr/local/sbin/shutdown", "/usr/lib/deadpeer/init-command"),
    ("var/lock", "/run/lock"),
    ("var/run", "/run"),
    // Debian's order of shutting down and rebooting, as its maintainer scripts lay it (trixie: sysv-rc, initscripts).
    ("etc/rc0.d/K01sendsigs", "../init.d/sendsigs"),
    ("etc/rc0.d/K01urandom", "../init.d/urandom"),
    ("etc/rc0.d/K02umountnfs.sh", "../init.d/umountnfs.sh"),
    ("etc/rc0.d/K03umountfs", "../init.d/umountfs"),
    ("etc/rc0.d/K04umountroot", "../init.d/umountroot"),
    ("etc/rc0.d/K05halt", "../init.d/halt"),
    ("etc/rc6.d/K01sendsigs", "../init.d/sendsigs"),
    ("etc/rc6.d/K01urandom", "../init.d/urandom"),
    ("etc/rc6.d/K02umountnfs.sh", "../init.d/umountnfs.sh"),
    ("etc/rc6.d/K03umountfs", "../init.d/umountfs"),
    ("etc/rc6.d/K04umountroot", "../init.d/umountroot"),
    ("etc/rc6.d/K05reboot", "../init.d/reboot"),
];

/// Folders that no package brings: path, permissions.
pub(super) const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("var/lib/urandom", 0o755),
    ("var/log", 0o755),
    ("usr/lib64", 0o755),
    ("usr/local/bin", 0o755),
    ("var/tmp", 0o1777),
];

/// BusyBox's commands, each given a link in `usr/bin` where no package has a command of that name.
pub(super) const APPLETS: &str = "\
    [ ar arch arping ash awk base64 basename bc blkid bunzip2 bzcat bzip2 cal cat chgrp chmod chown chroot clear cmp cp cpio cut \
    date dc dd df diff dirname dmesg dos2unix du echo ed egrep env expand expr false fgrep find fold getopt grep \
    groups gunzip gzip head hexdump hostid hostname id ifconfig install insmod ionice kill killall last link ln logger \
    logname ls lsmod lzcat md5sum mkdir mkfifo mknod mktemp modprobe more mountpoint mv nc netstat nl \
    nproc nslookup od paste patch printf pwd readlink realpath renice reset rev rm rmdir rmmod route \
    run-parts sed seq setsid sha1sum sha256sum sha512sum shuf sleep sort stat strings stty su sync tac tail \
    tar tee telnet test time timeout touch tr traceroute traceroute6 true truncate tty uname uniq unlink unxz unzip uptime \
    usleep uudecode uuencode vi wc wget which who whoami xargs xxd xz xzcat yes zcat";

/// What is left out: paths that begin with one of these. Nobody reads manuals in a guest that lives for seconds.
pub(super) const LEFT_OUT: &[&str] = &[
    ".deadpeer/",
    "boot/",
    "dev/",
    "etc/apparmor.d/",
    "etc/apt/",
    "etc/cron.d/",
    "etc/cron.daily/",
    "etc/dpkg/",
    "etc/init.d/udev",
    "etc/kernel/",
    "etc/network/",
    "etc/rc0.d/",
    "etc/rc6.d/",
    "etc/rcS.d/",
    "etc/resolv.conf",
    "etc/systemd/system/",
    "etc/sysctl.d/",
    "etc/tmpfiles.d/",
    "proc/",
    "run/",
    "sys/",
    "tmp/",
    "usr/lib/kernel/",
    "usr/lib/modules/",
    "usr/lib/python3/",
    "usr/lib/systemd/catalog/",
    "usr/lib/systemd/system-generators/",
    "usr/lib/systemd/system/",
    "usr/lib/systemd/systemd-networkd",
    "usr/lib/sysctl.d/",
    "usr/lib/tmpfiles.d/",
    "usr/lib/udev/",
    "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/share/",
    "var/cache/",
    "var/lib/apt/",
    "var/lib/dpkg/",
    "var/log/",
];

/// Exceptions from [`LEFT_OUT`].
///
/// systemd's own units, pared down to what boots, shuts down and mounts: without udev, every unit that waits for a
/// device would wait for its whole time limit.
pub(super) const KEPT: &[&str] = &[
    "usr/lib/systemd/system/-.slice",
    "usr/lib/systemd/system/exit.target",
    "usr/lib/systemd/system/final.target",
    "usr/lib/systemd/system/halt.target",
    "usr/lib/systemd/system/poweroff.target",
    "usr/lib/systemd/system/reboot.target",
    "usr/lib/systemd/system/shutdown.target",
    "usr/lib/systemd/system/slices.target",
    "usr/lib/systemd/system/system.slice",
    "usr/lib/systemd/system/systemd-halt.service",
    "usr/lib/systemd/system/systemd-poweroff.service",
    "usr/lib/systemd/system/systemd-reboot.service",
    "usr/lib/systemd/system/umount.target",
    "usr/share/initscripts/",
    "usr/share/sysvinit/",
];

/// mmdebstrap's arguments, but for the folder.
///
/// No mirror is named: mmdebstrap knows Debian's. `extract` unpacks packages without running anything of
/// theirs, so that nothing random or of this host gets in. `chrootless` needs no privileges then, and has none: as root
/// too, nothing of the host is mounted into the guest's root, where a build that was cut off could leave it. Lists that are
/// older than they should be are taken (sid's are valid for a week): their signature is checked all the same, and a mirror
/// that lags behind does no harm to guests that nobody can reach.
pub(super) fn mmdebstrap(suite: &str) -> Vec<String> {
    [
        "--mode=chrootless".to_owned(),
        "--variant=extract".to_owned(),
        format!("--architectures={ARCHITECTURE}"),
        format!("--include={}", PACKAGES.join(",")),
        format!("--extract-hook={UNPACK_HOOK}"),
        "--aptopt=Acquire::Check-Valid-Until \"false\"".to_owned(),
        "--format=directory".to_owned(),
        suite.to_owned(),
    ]
    .into()
}

/// The key of an image: the suite, and sixteen hexadecimal digits of a hash of everything above.
pub(super) fn key(suite: &str) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        // With its length, so that no two lists of parts run together to the same bytes.
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&VERSION.to_le_bytes());
    part(&EPOCH.to_le_bytes());
    part(&DISK_MIB.to_le_bytes());
    for text in [KERNEL_PACKAGE, APPLETS, INITRAMFS_INIT] {
        part(text.as_bytes());
    }
    for list in [DRIVERS, NVDIMM_DRIVERS, MKE2FS, LEFT_OUT, KEPT] {
        part(list.join("\0").as_bytes());
    }
    for argument in mmdebstrap(suite) {
        part(argument.as_bytes());
    }
    for (path, mode, content) in FILES {
        part(path.as_bytes());
        part(&mode.to_le_bytes());
        part(content.as_bytes());
    }
    for (path, target) in LINKS {
        part(path.as_bytes());
        part(target.as_bytes());
    }
    for (path, mode) in FOLDERS {
        part(path.as_bytes());
        part(&mode.to_le_bytes());
    }
    format!("{suite}-{}", &hex(&hash.finalize())[..16])
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
