//! Guest images: the disk, the kernel and the initramfs that a host boots from.
//!
//! An image is made once from Debian's packages, by the host's own tools, and kept in the user's cache folder under a key: a hash of
//! everything that shapes it. [`ensure`] gives it, and makes it first where that must be; whoever holds an [`Image`] keeps it from
//! being removed. What is particular to a host and a run comes to the guest as a [`Seed`].
//!
//! Two controllers may want the same image at once: one builds, the other waits and says so. A build that is interrupted, or runs
//! out of disk, leaves nothing that anybody takes for an image: it works in a folder of its own, which is renamed at the end.
//!
//! ```no_run
//! use deadpeer::{image, progress::Reporter};
//! let image = image::ensure(&image::Spec::default(), &Reporter::silent(), &|| false)?;
//! println!("{} boots {}", image.kernel_release, image.disk.display());
//! # Ok::<(), deadpeer::error::Error>(())
//! ```

mod build;
mod cache;
mod cpio;
mod intact;
mod kernel;
mod lockfile;
mod recipe;
mod seed;
mod tools;

pub use cache::{Entry, cache_folder, list, remove};
pub use lockfile::{Artefact, Lock, Package};
pub use recipe::{SPACE_NEEDED, Spec, TOOLS};
pub use seed::{Seed, seed};

use crate::error::Result;
use crate::progress::Reporter;
use std::path::PathBuf;

/// An image in the cache, intact when it was looked at, and kept from being removed as long as this lives.
#[derive(Debug)]
pub struct Image {
    /// Its key: a hash of everything that shapes it.
    pub key: String,
    /// The kernel: unpacked where QEMU can start it so, else as Debian packs it.
    pub kernel: PathBuf,
    /// The initramfs, without a seed.
    pub initrd: PathBuf,
    /// The disk: ext4, raw. Never written; each run has an overlay.
    pub disk: PathBuf,
    /// What went in, by version and hash.
    pub lock: PathBuf,
    /// Release of the kernel (`uname -r`).
    pub kernel_release: String,
    /// True: it was made just now.
    pub built: bool,
    /// The shared lock on its key.
    _held: cache::Held,
}

/// Gives the image, and makes it first if it is not in the cache or not intact.
///
/// # Errors
/// A tool is missing or fails, the disk is full, the network is not there, or `interrupted` said so.
pub fn ensure(spec: &Spec, reporter: &Reporter, interrupted: &dyn Fn() -> bool) -> Result<Image> {
    cache::ensure(spec, reporter, interrupted)
}
