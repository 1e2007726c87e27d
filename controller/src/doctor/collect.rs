//! Looking at the host. Thin: what needs thought is a function of a text, and tested on texts.

use super::facts::{Acceleration, Cache, CachedImage, Facts, Program, System, Terminal, Trouble, User};
use super::vagrant;
use crate::error::Result;
use crate::image::{self, Spec};
use crate::machine::qemu::lockstep::{PROBE_PATIENCE, probe};
use crate::machine::qemu::{Info, Kvm, Probe};
use crate::progress::Reporter;
use crate::report::Style;
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, access};
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// Where Debian's archive keys are, by the age of their package.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

impl Facts {
    /// Looks at this host. Takes a moment where a guest is booted to try KVM, which `progress` tells.
    #[must_use]
    pub fn collect(progress: &Reporter) -> Self {
        let user = user();
        let qemu = Info::qemu();
        Self {
            system: system(),
            acceleration: acceleration(qemu.as_ref().ok(), progress),
            lockstep: lockstep(qemu.as_ref().ok()),
            qemu: qemu.map(program).map_err(Trouble::from),
            qemu_img: Info::qemu_img().map(program).map_err(Trouble::from),
            lacking: lacking(),
            cache: cache(),
            images: images(),
            vagrant: find("vagrant").map(|_| vagrant::look(user.root)),
            terminal: terminal(),
            user,
        }
    }
}

fn system() -> System {
    let os = read_to_string("/etc/os-release").or_else(|_| read_to_string("/usr/lib/os-release"));
    let kernel = |name| read_to_string(Path::new("/proc/sys/kernel").join(name)).unwrap_or_default();
    System {
        name: os.ok().as_deref().and_then(pretty_name),
        kernel: format!("{} {}", kernel("ostype").trim(), kernel("osrelease").trim()).trim().to_owned(),
        architecture: std::env::consts::ARCH,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory: read_to_string("/proc/meminfo").ok().as_deref().and_then(memory),
    }
}

/// `PRETTY_NAME` in an os-release(5).
pub(super) fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned())
}

/// Memory in MiB that is available for new programs, if the kernel says so.
#[must_use]
pub fn available_memory() -> Option<u64> {
    memory(&read_to_string("/proc/meminfo").ok()?).map(|(_, available)| available)
}

/// All memory in MiB, if the kernel says so.
#[must_use]
pub fn total_memory() -> Option<u64> {
    memory(&read_to_string("/proc/meminfo").ok()?).map(|(total, _)| total)
}

/// All and available memory in MiB, of a `/proc/meminfo`.
pub(super) fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let mebibytes = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.trim_start_matches(':').trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes / 1024)
    };
    Some((mebibytes("MemTotal")?, mebibytes("MemAvailable")?))
}

fn user() -> User {
    let uid = Uid::effective();
    let named = nix::unistd::User::from_uid(uid).ok().flatten();
    User { name: named.map_or_else(|| uid.to_string(), |user| user.name), root: uid.is_root() }
}

fn program(info: Info) -> Program {
    Program { note: info.note(), version: info.version.to_string(), path: info.path }
}

/// Tries KVM with the guest of an image that is there; none is built for it.
fn acceleration(qemu: Option<&Info>, progress: &Reporter) -> Acceleration {
    let untried = |fact: &str, help: Option<&str>| {
        Acceleration::Untried(Trouble { fact: fact.to_owned(), help: help.map(str::to_owned) })
    };
    let Some(qemu) = qemu else {
        return untried("whether KVM works cannot be tried without QEMU", None);
    };
    // One that is intact and of this version's recipe: any other would be built anew.
    let ready = image::list()
        .unwrap_or_default()
        .into_iter()
        .filter(|image| image.damage.is_none() && image.current)
        .map(|image| Spec { suite: image.suite })
        .next();
    let Some(spec) = ready else {
        return untried(
            "whether KVM works is tried with a guest, and none is built yet",
            Some("controller image build"),
        );
    };
    let tried = || -> Result<Kvm> {
        let image = image::ensure(&spec, progress, &|| false)?;
        Probe::new(&image.kernel, &image.initrd, &image::cache_folder()?).kvm(qemu, progress)
    };
    tried().map_or_else(|error| Acceleration::Untried(error.into()), Acceleration::Kvm)
}

/// Tries lockstep time with a machine that boots nothing.
fn lockstep(qemu: Option<&Info>) -> Result<(), Trouble> {
    let without =
        || Trouble { fact: "whether lockstep time works cannot be tried without QEMU".to_owned(), help: None };
    Ok(probe(qemu.ok_or_else(without)?, PROBE_PATIENCE)?)
}

/// Which tools and files for building an image are not here.
fn lacking() -> Vec<(&'static str, &'static str)> {
    let mut lacking = image::TOOLS.to_vec();
    lacking.retain(|(tool, _)| find(tool).is_none());
    if !KEYRINGS.iter().any(|keyring| Path::new(keyring).exists()) {
        lacking.push(("Debian's archive keys", "debian-archive-keyring"));
    }
    lacking
}

/// An executable of this name on the `PATH`, or where Debian keeps what an ordinary user's `PATH` lacks.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file() && access(file, AccessFlags::X_OK).is_ok())
}

fn cache() -> Cache {
    let folder = match image::cache_folder() {
        Ok(folder) => folder,
        Err(error) => {
            let why = Some(error.fact);
            return Cache { folder: "~/.cache/deadpeer".into(), read_only: why, free: None, file_system: None };
        }
    };
    // It is made by the first build; until then its nearest parent tells.
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let written = access(there, AccessFlags::W_OK | AccessFlags::X_OK);
    let space = statvfs(there).ok();
    let real = there.canonicalize().unwrap_or_else(|_| there.to_owned());
    Cache {
        read_only: written.err().map(|errno| errno.desc().to_owned()),
        #[allow(clippy::unnecessary_cast)] // Their width differs between architectures.
        free: space.map(|space| space.blocks_available() as u64 * space.fragment_size() as u64 / (1 << 20)),
        file_system: read_to_string("/proc/self/mountinfo").ok().and_then(|text| file_system_of(&text, &real)),
        folder,
    }
}

fn images() -> Result<Vec<CachedImage>, Trouble> {
    let cached =
        |image: image::Entry| CachedImage { suite: image.suite, size: image.size / (1 << 20), damage: image.damage };
    Ok(image::list()?.into_iter().map(cached).collect())
}

/// The kind of the file system that holds `path`, by a `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
pub(super) fn file_system_of(mountinfo: &str, path: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        // The number of fields before the dash varies; mount point is the fifth, spaces in it are escaped.
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?.replace("\\040", " ");
        Some((PathBuf::from(point), after.split(' ').next()?))
    });
    // Of those that hold it the deepest; of several on one point the last, which hides the others.
    let holding = mounts.filter(|(point, _)| path.starts_with(point));
    holding.max_by_key(|(point, _)| point.components().count()).map(|(_, kind)| kind.to_owned())
}

fn terminal() -> Terminal {
    let style = Style::of_stdout();
    let columns = console::Term::stdout().is_term().then_some(style.width);
    Terminal { columns, colour: style.colour, unicode: style.unicode }
}
