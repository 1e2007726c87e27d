//! What a guest must know of a run. See [`deadpeer_guest`] for the agreement with the image.

use super::cpio::Archive;

/// What a guest must know of a run: who it is, whom it knows, and who may log in.
#[derive(Clone)]
pub struct Seed {
    /// Its name.
    pub hostname: String,
    /// `/etc/hosts`, whole.
    pub hosts: String,
    /// A line per address of a link NIC: `eth0 192.0.2.2/24`.
    pub addresses: String,
    /// `name = value` lines, as sysctl.conf(5) has them.
    pub sysctl: String,
    /// The one public key that may log in as root, as sshd(8) has it.
    pub authorized_keys: String,
    /// dropbear's private host key, for this run alone.
    pub host_key: Vec<u8>,
}

/// The archive to append to the image's initramfs. It holds a private key.
#[must_use]
pub fn seed(seed: &Seed) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.folder("seed", 0o700);
    archive.file("seed/hostname", 0o600, format!("{}\n", seed.hostname).as_bytes());
    archive.file("seed/hosts", 0o600, seed.hosts.as_bytes());
    archive.file("seed/addresses", 0o600, seed.addresses.as_bytes());
    archive.file("seed/sysctl", 0o600, seed.sysctl.as_bytes());
    archive.file("seed/authorized_keys", 0o600, seed.authorized_keys.as_bytes());
    archive.file("seed/host_key", 0o600, &seed.host_key);
    archive.finish()
}
