//! What is in a box.

use super::super::boot::{Clock, probe_parameters, with_init};
use super::super::cpio::Archive;
use super::super::recipe::{self, hex};
use super::super::seed::{Control, Seed, seed};
use super::super::{DISK, INITRD, Image, KERNEL};
use crate::embedded::{guest_program, guest_programs};
use crate::error::{Context, Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the machine boots as its first program. It comes with the seed.
const FIRST: &str = include_str!("files/first");

/// The receiving end of scp, by which Vagrant puts files into a machine.
const SCP: &str = include_str!("files/scp");

/// The public half of the key that everybody has, and that Vagrant replaces as soon as it has logged in (Vagrant:
/// `keys/vagrant.pub`).
const INSECURE_KEY: &str = include_str!("files/insecure.pub");

const VAGRANTFILE: &str = include_str!("files/Vagrantfile");

/// What a machine is called until somebody gives it a name.
const NAME: &str = "deadpeer";

/// Raised when boxes are packed in another way that nothing else here shows.
const VERSION: u32 = 1;

/// What a file of a box is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This file.
    File(PathBuf),
    /// This raw disk, as qcow2, in which vagrant-libvirt wants it.
    Disk(PathBuf),
}

/// A box's files by their names, in the order in which they are packed.
pub(super) type Contents = Vec<(&'static str, Content)>;

/// What goes into the box of an image.
pub(super) fn contents(image: &Image) -> Result<Contents> {
    let mut initrd = std::fs::read(&image.initrd).broken(|| format!("cannot read {}", image.initrd.display()))?;
    initrd.extend(box_seed()?);
    Ok(vec![
        ("metadata.json", Content::Bytes(metadata().into_bytes())),
        ("Vagrantfile", Content::Bytes(vagrantfile().into_bytes())),
        ("kernel", Content::File(image.kernel.clone())),
        ("initrd", Content::Bytes(initrd)),
        ("box.img", Content::Disk(image.disk.clone())),
    ])
}

/// What tells a box from another: a hash of all that goes into it. Of the image's files, their hashes are taken from its lock file.
pub(super) fn fingerprint(image: &Image, contents: &Contents) -> Result<[u8; 32]> {
    let artefact = |path: &Path| {
        let name = [KERNEL, INITRD, DISK].into_iter().find(|name| path.ends_with(name));
        let artefact = name.and_then(|name| image.contents.artefacts.get(name));
        artefact.ok_or_else(|| Error::broken(format!("image {} does not list {}", image.key, path.display())))
    };
    let mut hash = Sha256::new();
    hash.update(VERSION.to_le_bytes());
    for (name, content) in contents {
        let of_content = match content {
            Content::Bytes(bytes) => hex(&Sha256::digest(bytes)),
            Content::File(path) | Content::Disk(path) => artefact(path)?.sha256.clone(),
        };
        hash.update(format!("{name} {of_content}\n"));
    }
    Ok(hash.finalize().into())
}

/// `virtual_size` is in GiB, a whole number: what is beyond the file system is not used.
fn metadata() -> String {
    "{\"provider\":\"libvirt\",\"format\":\"qcow2\",\"virtual_size\":1}\n".to_owned()
}

fn vagrantfile() -> String {
    let first = format!("{}/first", deadpeer_guest::SEED_DIR);
    VAGRANTFILE
        .replace("@PROBE@", &probe_parameters(Clock::Kvm))
        .replace("@KVM@", &with_init(&first, Clock::Kvm))
        .replace("@EMULATED@", &with_init(&first, Clock::Emulated))
}

/// The seed of every machine that is made of the box.
fn box_seed() -> Result<Vec<u8>> {
    let lost = |name| Error::broken(format!("this controller carries no {name}"));
    let witness = guest_program("witness").ok_or_else(|| lost("witness"))?;
    let mut programs = BTreeMap::from([("scp", SCP.as_bytes())]);
    for name in guest_programs().filter(|name| *name != "witness") {
        programs.insert(name, guest_program(name).ok_or_else(|| lost(name))?);
    }
    let mut bytes = seed(&Seed {
        hostname: NAME.to_owned(),
        witness: witness.to_vec(),
        programs,
        // Its own host key a machine makes itself.
        control: Control::Ssh { authorized_key: INSECURE_KEY.to_owned(), host_key: Vec::new() },
        ..Seed::default()
    });
    let mut archive = Archive::default();
    archive.file("seed/first", 0o755, FIRST.as_bytes());
    bytes.extend(archive.finish());
    Ok(bytes)
}

/// The version of a box: the controller's, and behind it a number out of the box's fingerprint, as Vagrant compares versions by their numbers.
pub(super) fn version(fingerprint: &[u8; 32]) -> String {
    let [a, b, c, d, ..] = *fingerprint;
    format!("{}.{}", env!("CARGO_PKG_VERSION"), u32::from_be_bytes([a, b, c, d]))
}

/// The key of a box in the cache.
pub(super) fn key(suite: &str, fingerprint: &[u8; 32]) -> String {
    format!("{suite}-{}", &hex(fingerprint)[..16])
}

/// The time that every file in a box bears.
pub(super) const TIME: u64 = recipe::EPOCH as u64;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_vagrantfile_is_filled_in() {
        let text = vagrantfile();
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains(&format!("cmd_line = \"{}\"", with_init("/run/deadpeer/first", Clock::Kvm))), "{text}");
        assert!(text.contains("no_timer_check init=/run/deadpeer/first\"") && text.contains("deadpeer.probe\""));
    }

    #[test]
    fn a_box_holds_the_programs_and_no_private_key() {
        let bytes = box_seed().unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for part in
            ["seed/first\0", "seed/bin/scp\0", "seed/bin/echo-server\0", "seed/bin/echo-client\0", "seed/witness\0"]
        {
            assert!(text.contains(part), "{part:?}");
        }
        assert!(text.contains("vagrant insecure public key\n") && !text.contains("PRIVATE KEY"));
    }

    #[test]
    fn a_version_is_numbers_with_dots() {
        let version = version(&[0xff; 32]);
        assert!(version.ends_with(".4294967295"), "{version}");
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{version}");
        assert_eq!(key("trixie", &[0xab; 32]), "trixie-abababababababab");
    }
}
