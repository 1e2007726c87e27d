//! Builds an image: fetch and unpack, kernel, initramfs, disk, lock, stamp.

use super::kernel::Kernel;
use super::lock::{self, Lock};
use super::recipe::{self, EPOCH};
use super::tool::{self, Tool};
use super::{DISK, INITRD, KERNEL, PROGRESS, disk, drivers, initramfs, tree, verify};
use crate::cache::{Building, free_bytes, remove_folder};
use crate::error::{Context, Error, Result};
use crate::progress::Reporter;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a build needs while it is under way, in bytes: 316 MiB were measured, of which 118 stay.
pub const SPACE_NEEDED: u64 = NEEDED_MIB << 20;

const NEEDED_MIB: u64 = 450;

/// The programs that a build runs, and the Debian package of each.
pub const TOOLS: [(&str, &str); 12] = [
    ("apt-get", "apt"),
    ("debugfs", "e2fsprogs"),
    ("dpkg-deb", "dpkg"),
    ("e2fsck", "e2fsprogs"),
    ("gzip", "gzip"),
    ("mke2fs", "e2fsprogs"),
    ("mmdebstrap", "mmdebstrap"),
    ("setpriv", "util-linux"),
    ("sha256sum", "coreutils"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
];

/// Where Debian's keys are when `debian-archive-keyring` is installed, as mmdebstrap looks for them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Builds the image of a suite in `building`, and stamps it.
pub(super) fn build(
    key: &str,
    suite: &str,
    building: &Building,
    reporter: &Reporter,
    interrupted: &dyn Fn() -> bool,
) -> Result<()> {
    require_programs(suite)?;
    require_space(building.path())?;
    let done = steps(key, suite, building, reporter, interrupted);
    done.map_err(|error| if tool::is_interrupt(&error) { error } else { explain(error, building.path()) })
}

fn steps(
    key: &str,
    suite: &str,
    building: &Building,
    reporter: &Reporter,
    interrupted: &dyn Fn() -> bool,
) -> Result<()> {
    let folder = building.path();
    let say = |what: &str| reporter.now(PROGRESS, what, None);
    let scratch = folder.join("scratch");
    let unpacked = scratch.join("root");
    std::fs::create_dir_all(scratch.join("tmp")).broken(|| format!("cannot write in {}", folder.display()))?;
    unpack(suite, building, &unpacked, reporter, interrupted)?;

    say("preparing kernel and initramfs");
    let side = unpacked.join(".deadpeer");
    let kernel = Kernel::find(&side.join("kernel"))?;
    let tree = tree::assemble(&unpacked)?;
    let busybox = tree::unpacked_file(&tree, "usr/bin/busybox")
        .ok_or_else(|| Error::broken("busybox-static did not bring its program"))?;
    let busybox = std::fs::read(busybox).broken(|| "cannot read busybox".to_owned())?;
    kernel.for_qemu(&folder.join(KERNEL), interrupted)?;
    let always = drivers::drivers(&kernel, recipe::DRIVERS, interrupted)?;
    let mut nvdimm = drivers::drivers(&kernel, recipe::NVDIMM_DRIVERS, interrupted)?;
    nvdimm.retain(|driver| !always.contains(driver));
    write(folder, INITRD, &initramfs::make(&busybox, &always, &nvdimm))?;

    say("making the guest disk");
    disk::make(&tree, &folder.join(DISK), &scratch, interrupted)?;

    say("writing down what went in");
    let listed = std::fs::read_to_string(side.join("packages")).broken(|| "the hook left no list".to_owned())?;
    let mut artefacts = BTreeMap::new();
    for name in [KERNEL, INITRD, DISK] {
        let path = folder.join(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444))
            .broken(|| format!("cannot protect {}", path.display()))?;
        artefacts.insert(name.to_owned(), lock::measure(&path)?);
    }
    let lock = Lock {
        key: key.to_owned(),
        suite: suite.to_owned(),
        architecture: recipe::ARCHITECTURE.to_owned(),
        kernel_release: kernel.release,
        packages: lock::packages(&listed)?,
        artefacts,
        tools: tools(interrupted)?,
    };
    write(folder, lock::FILE, lock.to_text()?.as_bytes())?;
    remove_folder(&scratch)?;
    verify::stamp(folder, &lock)
}

/// Has mmdebstrap fetch and unpack the packages into `root`.
fn unpack(
    suite: &str,
    building: &Building,
    root: &Path,
    reporter: &Reporter,
    interrupted: &dyn Fn() -> bool,
) -> Result<()> {
    reporter.now(PROGRESS, "reading Debian's package lists", None);
    Tool::new("mmdebstrap")
        .args(recipe::mmdebstrap(suite))
        .arg(root)
        .env("DEADPEER_KERNEL", recipe::KERNEL_PACKAGE)
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("TMPDIR", building.path().join("scratch/tmp"))
        .holding(building.lock())?
        .run(interrupted, &mut |line| {
            tracing::debug!("mmdebstrap: {line}");
            if let Some(phase) = phase(line) {
                reporter.now(PROGRESS, phase, None);
            }
        })
        .map(drop)
}

/// What one of mmdebstrap's lines says about where it is.
fn phase(line: &str) -> Option<&'static str> {
    match line.strip_prefix("I: ")? {
        "running apt-get update..." => Some("reading Debian's package lists"),
        "downloading packages with apt..." => Some("downloading packages"),
        "extracting archives..." => Some("unpacking packages"),
        what if what.starts_with("running --extract-hook") => Some("downloading the kernel"),
        "cleaning package lists and apt cache..." => Some("tidying up"),
        _ => None,
    }
}

/// The versions of the tools whose versions can shape the bytes.
fn tools(interrupted: &dyn Fn() -> bool) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    let mmdebstrap = Tool::new("mmdebstrap").arg("--version").run(interrupted, &mut tool::ignore)?;
    versions.insert("mmdebstrap".to_owned(), last_word(&String::from_utf8_lossy(&mmdebstrap)));
    // "mke2fs 1.47.0 (5-Feb-2023)", on standard error
    let mut said = String::new();
    Tool::new("mke2fs").arg("-V").run(interrupted, &mut |line| {
        if let Some(version) = line.strip_prefix("mke2fs ") {
            said = version.split(' ').next().unwrap_or_default().to_owned();
        }
    })?;
    versions.insert("e2fsprogs".to_owned(), said);
    Ok(versions)
}

fn last_word(text: &str) -> String {
    text.split_whitespace().last().unwrap_or_default().to_owned()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).broken(|| format!("cannot write {}", path.display()))
}

fn require_programs(suite: &str) -> Result<()> {
    let mut needed = TOOLS.to_vec();
    if ["bookworm", "bullseye"].contains(&suite) {
        needed.push(("lz4", "lz4")); // what their kernels are compressed with
    }
    let programs: Vec<&str> = needed.iter().map(|(program, _)| *program).collect();
    let mut missing = tool::missing(&programs);
    let mut packages: Vec<&str> =
        needed.iter().filter(|(program, _)| missing.contains(program)).map(|(_, package)| *package).collect();
    if !Path::new(KEYRING).exists() {
        missing.push("Debian's archive keys");
        packages.push("debian-archive-keyring");
    }
    if missing.is_empty() {
        return Ok(());
    }
    packages.sort_unstable();
    packages.dedup();
    Err(Error::broken(format!("building the guest image needs what this host lacks: {}", missing.join(", ")))
        .help(format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))))
}

fn require_space(folder: &Path) -> Result<()> {
    let free = free_bytes(folder)? >> 20;
    if free >= NEEDED_MIB { Ok(()) } else { Err(no_space(folder, free)) }
}

fn no_space(folder: &Path, free_mib: u64) -> Error {
    Error::broken(format!(
        "not enough space to build the guest image: {free_mib} MiB are free, {NEEDED_MIB} are needed"
    ))
    .detail(format!("in {}", folder.parent().unwrap_or(folder).display()))
    .help("make room there, or choose another place: export XDG_CACHE_HOME=/some/folder")
}

/// Adds what a failure probably means.
fn explain(error: Error, folder: &Path) -> Error {
    let text = error.to_string();
    let free = free_bytes(folder).map_or(u64::MAX, |bytes| bytes >> 20);
    if text.contains("No space left on device") || text.contains("don't have enough free space") || free < 20 {
        return no_space(folder, free).detail(text);
    }
    let offline = ["Could not resolve", "Temporary failure resolving", "Could not connect", "Unable to connect"];
    let error = error.during("building the guest image");
    if offline.iter().any(|words| text.contains(words)) {
        error.help("Debian's packages could not be fetched: is this host online, and does apt-get update work on it?")
    } else {
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mmdebstraps_lines_tell_the_phase() {
        assert_eq!(phase("I: downloading packages with apt..."), Some("downloading packages"));
        assert_eq!(phase("I: running --extract-hook in shell: sh -c 'set -eu"), Some("downloading the kernel"));
        assert_eq!(phase("W: something"), None);
    }
}
