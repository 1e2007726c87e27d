//! Builds an image into a folder: root's tar by mmdebstrap, disk by mke2fs, kernel and initramfs from Debian's kernel package.

use super::cache::LINE;
use super::cpio::Archive;
use super::intact::{self, LOCK};
use super::kernel::Kernel;
use super::lockfile::{Artefact, Lock, packages_of_debs, packages_of_records};
use super::recipe::{
    CUSTOMIZE, DISK_FILES, DISK_SIZE, DRIVERS, EPOCH, INITRAMFS_INIT, LIST_DEBS, MAKE_DISK, SPACE_NEEDED, Spec,
};
use super::tools;
use crate::error::{Context, Error, Result};
use crate::progress::Reporter;
use nix::unistd::Uid;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Names of an image's files.
pub(super) const KERNEL: &str = "vmlinux";
pub(super) const INITRD: &str = "initrd";
pub(super) const DISK: &str = "disk.ext4";

/// What every step of a build needs.
struct Build<'a> {
    spec: &'a Spec,
    /// The image's folder to be; `work` in it is gone at the end.
    folder: &'a Path,
    work: PathBuf,
    reporter: &'a Reporter,
    interrupted: &'a dyn Fn() -> bool,
}

/// Builds the image of `spec` into `folder`, which is made here.
///
/// # Errors
/// See [`super::ensure`]. `folder` may be half full then: the caller removes it.
pub(super) fn build(
    spec: &Spec,
    key: &str,
    folder: &Path,
    reporter: &Reporter,
    interrupted: &dyn Fn() -> bool,
) -> Result<()> {
    let began = Instant::now();
    reporter.began(LINE, format!("building the guests' image (Debian {}), this once", spec.suite));
    let built = Build { spec, folder, work: folder.join("work"), reporter, interrupted }.all(key);
    match &built {
        Ok(()) => reporter.done(LINE, format!("built in {:.0} s", began.elapsed().as_secs_f64())),
        Err(error) => reporter.failed(LINE, error.fact.clone()),
    }
    built
}

impl Build<'_> {
    fn all(&self, key: &str) -> Result<()> {
        tools::require()?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.work)
            .broken(|| format!("cannot make {}", self.work.display()))?;
        self.require_space()?;
        let disk = self.disk()?;
        let (kernel, kernel_release) = self.kernel()?;
        let artefacts = [KERNEL, INITRD, DISK].iter().map(|name| self.artefact(name)).collect::<Result<_>>()?;
        let tools = [("mmdebstrap", "--version"), ("mke2fs", "-V"), ("tar", "--version"), ("fakeroot", "--version")];
        let tools: BTreeMap<_, _> =
            tools.iter().filter_map(|(t, v)| Some(((*t).to_owned(), tools::version(t, v)?))).collect();
        let lock = Lock {
            key: key.to_owned(),
            suite: self.spec.suite.clone(),
            kernel_release,
            disk,
            kernel,
            artefacts,
            tools,
        };
        let mut text = serde_json::to_vec_pretty(&lock).broken(|| format!("cannot write {LOCK}"))?;
        text.push(b'\n');
        self.write(self.folder.join(LOCK), &text, 0o444)?;
        fs::remove_dir_all(&self.work).broken(|| format!("cannot remove {}", self.work.display()))
    }

    fn require_space(&self) -> Result<()> {
        let space = nix::sys::statvfs::statvfs(self.folder)
            .broken(|| format!("cannot ask for the free space of {}", self.folder.display()))?;
        let free = space.blocks_available() * space.fragment_size();
        if free >= SPACE_NEEDED {
            return Ok(());
        }
        let megabytes = |bytes: u64| bytes / 1_000_000;
        Err(Error::broken(format!(
            "too little space for building the image: {} MB free where {} MB are needed",
            megabytes(free),
            megabytes(SPACE_NEEDED)
        ))
        .detail(format!("in {}", self.folder.display()))
        .help("Make room there, or set XDG_CACHE_HOME to a folder with more."))
    }

    /// The guest's disk; what went in.
    fn disk(&self) -> Result<Vec<super::Package>> {
        let hook = self.script("customize", CUSTOMIZE)?;
        let tar = self.work.join("root.tar");
        self.mmdebstrap(|mode| self.spec.root_arguments(mode, &hook, &tar), "the guests' disk")?;
        let files = self.work.join("files");
        for (path, text, mode) in DISK_FILES {
            self.write(files.join(path), text.as_bytes(), mode)?;
        }
        let root = self.work.join("root");
        let mut command = Command::new("fakeroot");
        command
            .arg("--")
            .arg(self.script("make-disk", MAKE_DISK)?)
            .arg(&tar)
            .arg(&files)
            .arg(&root)
            .arg(self.folder.join(DISK));
        command.env("SOURCE_DATE_EPOCH", EPOCH).env("DISK_SIZE", DISK_SIZE).env("TZ", "UTC").env("PATH", path());
        self.run(command, "making the file system")?;
        let packages = self.read(root.join("packages"))?;
        fs::set_permissions(self.folder.join(DISK), fs::Permissions::from_mode(0o444))
            .broken(|| "cannot close the disk".to_owned())?;
        let _ = fs::remove_file(&tar);
        Ok(packages_of_records(&packages))
    }

    /// Kernel and initramfs; what they were taken from, and the kernel's release.
    fn kernel(&self) -> Result<(Vec<super::Package>, String)> {
        let hook = self.script("list-debs", LIST_DEBS)?;
        let (tar, root) = (self.work.join("kernel.tar"), self.work.join("kernel"));
        self.mmdebstrap(|mode| self.spec.kernel_arguments(mode, &hook, &tar), "the kernel")?;
        fs::create_dir(&root).broken(|| format!("cannot make {}", root.display()))?;
        let mut unpack = Command::new("tar");
        unpack.arg("-xf").arg(&tar).arg("-C").arg(&root).args(["--no-same-permissions", "--exclude=./dev/*"]);
        self.run(unpack, "unpacking the kernel")?;
        let kernel = Kernel::find(&root)?;
        self.write(
            self.folder.join(KERNEL),
            &kernel.for_qemu(&|tool, ending, packed| self.unpack(tool, ending, packed))?,
            0o444,
        )?;
        self.write(self.folder.join(INITRD), &self.initramfs(&root, &kernel)?, 0o444)?;
        Ok((packages_of_debs(&self.read(root.join("packages"))?), kernel.release))
    }

    fn initramfs(&self, root: &Path, kernel: &Kernel) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        ["bin", "dev", "modules", "proc", "root", "sys"].iter().for_each(|name| archive.folder(name, 0o755));
        let busybox = ["usr/bin/busybox", "bin/busybox"].iter().map(|p| root.join(p)).find(|p| p.exists());
        let busybox = busybox.ok_or_else(|| Error::broken("the package busybox-static holds no busybox"))?;
        archive.file(
            "bin/busybox",
            0o755,
            &fs::read(&busybox).broken(|| format!("cannot read {}", busybox.display()))?,
        );
        archive.file("init", 0o755, INITRAMFS_INIT.as_bytes());
        let mut order = String::new();
        for (name, module) in kernel.drivers(&DRIVERS, &|tool, ending, packed| self.unpack(tool, ending, packed))? {
            archive.file(&format!("modules/{name}.ko"), 0o644, &module);
            order.push_str(&name);
            order.push_str(".ko\n");
        }
        archive.file("modules/order", 0o644, order.as_bytes());
        Ok(archive.finish())
    }

    /// Unpacks bytes with a tool whose files' names end in `.ending`: here, because the guest would take longer for it.
    fn unpack(&self, tool: &str, ending: &str, packed: &[u8]) -> Result<Vec<u8>> {
        let plain = self.work.join("unpacked");
        let path = plain.with_extension(ending);
        self.write(path.clone(), packed, 0o644)?;
        let mut command = Command::new(tool);
        command.arg("-dqf").arg(&path);
        self.run(command, "unpacking the kernel")?;
        fs::read(&plain).broken(|| format!("cannot read {}", plain.display()))
    }

    fn mmdebstrap(&self, arguments: impl Fn(&str) -> Vec<OsString>, what: &str) -> Result<()> {
        let mut command = if Uid::effective().is_root() {
            // In namespaces of its own: no mount of it outlives it, and none of its children either.
            let mut command = Command::new("unshare");
            command.args(["--mount", "--pid", "--fork", "--kill-child=SIGKILL", "mmdebstrap"]).args(arguments("root"));
            command
        } else {
            let mut command = Command::new("mmdebstrap");
            command.args(arguments("unshare"));
            command
        };
        command.env("SOURCE_DATE_EPOCH", EPOCH).env("DEBIAN_FRONTEND", "noninteractive");
        self.run(command, what)
    }

    fn run(&self, command: Command, doing: &str) -> Result<()> {
        tools::run(command, doing, &self.work.join("log"), self.reporter, self.interrupted).map_err(|error| match self
            .require_space_left()
        {
            Err(full) => full.detail(error.to_string()),
            Ok(()) => error,
        })
    }

    /// Whatever a tool says when the disk is full, this says it better.
    fn require_space_left(&self) -> Result<()> {
        let space = nix::sys::statvfs::statvfs(self.folder).broken(|| "cannot ask for the free space".to_owned())?;
        if space.blocks_available() * space.fragment_size() > 1_000_000 {
            return Ok(());
        }
        Err(Error::broken(format!("the disk is full: {}", self.folder.display()))
            .help("Make room there, or set XDG_CACHE_HOME to a folder with more."))
    }

    fn script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.work.join(name);
        self.write(path.clone(), text.as_bytes(), 0o755)?;
        Ok(path)
    }

    fn write(&self, path: PathBuf, bytes: &[u8], mode: u32) -> Result<()> {
        let parent = path.parent().unwrap_or(self.folder);
        let written = fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, bytes))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
        written.broken(|| format!("cannot write {}", path.display()))
    }

    fn read(&self, path: PathBuf) -> Result<String> {
        fs::read_to_string(&path).broken(|| format!("cannot read {}", path.display()))
    }

    fn artefact(&self, name: &str) -> Result<(String, Artefact)> {
        let path = self.folder.join(name);
        let bytes = fs::metadata(&path).broken(|| format!("cannot look at {}", path.display()))?.len();
        Ok((name.to_owned(), Artefact { bytes, sha256: intact::hash(&path)? }))
    }
}

/// The PATH with the folders of an administrator's tools, which make-disk needs.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}
