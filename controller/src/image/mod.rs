//! Guest images: the disk, the kernel and the initramfs that a host boots from.
//!
//! An image is made once from Debian's packages, by Debian's tools, into the user's cache, and used by every run after
//! that. Its *key* is a hash of everything of ours that shapes it; its *lock file* says every package, version and hash that
//! Debian contributed. The same packages give the same bytes, whoever builds.
//!
//! Order of things: [`ensure`] takes the key's lock, looks whether the image is there and intact, and builds it if not.
//! What a particular host must know comes as a [`seed`](fn@seed), appended to the initramfs.
//!
//! The exception: an image that was altered since it was built is never used; it is built anew.
//!
//! ```no_run
//! use deadpeer::image::{self, Seed, Spec};
//! # fn main() -> deadpeer::error::Result<()> {
//! let image = image::ensure(&Spec::default(), &deadpeer::progress::Reporter::silent(), &|| false)?;
//! let seed = image::seed(&Seed { hostname: "server".into(), ..Seed::default() });
//! let initrd = [std::fs::read(&image.initrd).unwrap_or_default(), seed].concat();
//! # Ok(()) }
//! ```

mod boot;
mod build;
mod cpio;
mod disk;
mod drivers;
mod initramfs;
mod kernel;
mod lock;
mod recipe;
mod seed;
mod store;
mod tool;
mod tree;
pub mod vagrant;
mod verify;

pub use boot::{Clock, idle_parameters, kernel_parameters, probe_parameters, reboot_command, shutdown_command};
pub use build::{SPACE_NEEDED, TOOLS};
pub use lock::{Artefact, Lock, Package};
pub use seed::{Control, Seed, drive, seed};
pub use store::{Entry, Image, Spec, cache_folder, ensure, list, of_key, remove, unpacked};

/// The id under which progress of images is told.
const PROGRESS: &str = "image";

/// Names of an image's files in its folder.
const KERNEL: &str = "kernel";
const INITRD: &str = "initrd";
const DISK: &str = "disk.ext4";
