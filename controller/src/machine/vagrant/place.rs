//! Where a project's folder is: one of its own, or that of a lab that was kept. Who has the lock in it, has the folder.

use super::boxes;
use super::find::{Info, is_elsewhere};
use super::making::SCRIPT;
use super::plan::Plan;
use super::remains::{self, take};
use crate::error::{Context, Error, Result};
use nix::fcntl::Flock;
use sha2::{Digest, Sha256};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// How many labs that are the same may be kept.
const KEPT_AT_MOST: u32 = 16;

/// The folder of all projects. Root's must be one that QEMU's user can get to.
pub(super) fn base(info: &Info) -> Result<PathBuf> {
    let path = remains::base(info.owner.is_some() && info.virsh.ssh.is_none())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if !path.to_string_lossy().chars().all(plain) {
        return Err(Error::usage(format!("the provider vagrant cannot use the folder {}", path.display()))
            .detail("In its name are characters that libvirt's plugin does not pass on as they are.")
            .help("Set XDG_CACHE_HOME to a folder whose path has letters, digits and ._-+ only."));
    }
    DirBuilder::new().recursive(true).mode(0o711).create(&path).broken(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

pub(super) type Place = (PathBuf, String, Flock<File>);

/// A folder for one lab.
pub(super) fn fresh(base: &Path) -> Result<Place> {
    loop {
        let name = format!("{:08x}", rand_core::RngCore::next_u32(&mut rand_core::OsRng));
        if let Some(lock) = claimed(&base.join(&name))? {
            return Ok((base.join(&name), name, lock));
        }
    }
}

/// The folder of a lab that was kept, or will be: the first that nobody has.
pub(super) fn kept(base: &Path, plan: &Plan) -> Result<Place> {
    // Elsewhere, the names of other computers' labs are beside ours.
    let elsewhere = is_elsewhere(&plan.uri);
    let who = elsewhere.then(|| (nix::unistd::gethostname().unwrap_or_default(), nix::unistd::geteuid()));
    // What is on the disks of machines from boxes of somebody else's.
    let foreign = plan.hosts.iter().filter(|host| host.is_foreign());
    let baked: Vec<_> = foreign.map(|host| (SCRIPT, boxes::image(&host.box_name, &host.box_version))).collect();
    let who = who.map(|it| format!("{it:?}")).unwrap_or_default();
    let digest = Sha256::digest(format!("{plan:?}{who}{baked:?}"));
    let key: String = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    for number in 1..=KEPT_AT_MOST {
        let name = format!("kept-{key}-{number}");
        if let Some(lock) = claimed(&base.join(&name))? {
            return Ok((base.join(&name), name, lock));
        }
    }
    Err(Error::broken(format!("{KEPT_AT_MOST} labs that are the same are running, and all are to be kept")))
}

/// A folder with a lock that is ours; none if somebody else has it.
fn claimed(folder: &Path) -> Result<Option<Flock<File>>> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .broken(|| format!("cannot make {}", folder.display()))?;
    take(folder)
}
