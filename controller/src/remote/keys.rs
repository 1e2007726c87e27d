//! The keys of one run: the controller's, by which guests know it, and each guest's own.
//!
//! Both are made anew for every run and live in memory alone on this side; dropping them wipes the private half.

use crate::error::{Context, Result};
use rand_core::OsRng;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey};
use std::fmt;
use std::ops::Deref;

/// The name of the key type in SSH (RFC 8709, section 4).
const ED25519: &[u8] = b"ssh-ed25519";

/// The controller's key pair: whoever holds it may log in to the guests of this run.
pub struct Keys(Ed25519Keypair);

impl Keys {
    /// A new ed25519 pair from the kernel's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self(Ed25519Keypair::random(&mut OsRng))
    }

    /// The line for a guest's `authorized_keys`, without a newline: `ssh-ed25519 AAAA... deadpeer`.
    #[must_use]
    pub fn authorized_line(&self) -> String {
        public_line(self.0.public)
    }

    /// The private key in OpenSSH's own text format, which libssh2 takes from memory. Wiped when dropped.
    pub(crate) fn openssh(&self) -> Result<impl Deref<Target = String> + use<>> {
        openssh(&self.0)
    }
}

fn openssh(pair: &Ed25519Keypair) -> Result<impl Deref<Target = String> + use<>> {
    PrivateKey::new(KeypairData::from(pair.clone()), "deadpeer")
        .and_then(|key| key.to_openssh(LineEnding::LF))
        .broken(|| "a private key of the run cannot be written down".to_owned())
}

/// A guest's host key, made by the controller so that it can be checked.
pub struct HostKey(Ed25519Keypair);

impl HostKey {
    /// A new ed25519 pair from the kernel's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self(Ed25519Keypair::random(&mut OsRng))
    }

    /// The private key in OpenSSH's own text format.
    pub(crate) fn openssh(&self) -> Result<impl Deref<Target = String> + use<>> {
        openssh(&self.0)
    }

    /// The private key in dropbear's file format (`signkey.c` and `ed25519.c` of dropbear: the type's name as an
    /// SSH string, then an SSH string of the 32 bytes of the seed and the 32 of the public key).
    #[must_use]
    pub fn dropbear_file(&self) -> Vec<u8> {
        // As large as it will be from the start: growing would leave copies of the key behind.
        let mut file = Vec::with_capacity(4 + ED25519.len() + 4 + 64);
        push_string(&mut file, &[ED25519]);
        push_string(&mut file, &[self.0.private.as_ref(), self.0.public.as_ref()]);
        file
    }

    /// The public half, to check a host by.
    #[must_use]
    pub fn public(&self) -> HostKeyPublic {
        HostKeyPublic(self.0.public)
    }
}

/// The public half of a [`HostKey`].
#[derive(Clone, PartialEq, Eq)]
pub struct HostKeyPublic(Ed25519PublicKey);

impl HostKeyPublic {
    /// The line for a `known_hosts` or `.pub` file, without host name or newline.
    #[must_use]
    pub fn line(&self) -> String {
        public_line(self.0)
    }

    /// As `ssh-keygen -l` shows it: `SHA256:...`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        KeyData::from(self.0).fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether a host that showed `blob` (RFC 8709, section 4) is the one with this key.
    pub(super) fn is(&self, blob: &[u8]) -> bool {
        let mut ours = Vec::new();
        push_string(&mut ours, &[ED25519]);
        push_string(&mut ours, &[self.0.as_ref()]);
        ours == blob
    }
}

/// The fingerprint of any host key as it came over the wire.
pub(super) fn fingerprint_of(blob: &[u8]) -> String {
    match PublicKey::from_bytes(blob) {
        Ok(key) => key.fingerprint(HashAlg::Sha256).to_string(),
        Err(_) => format!("a key of {} bytes of an unknown kind", blob.len()),
    }
}

fn public_line(key: Ed25519PublicKey) -> String {
    // Writing text into memory: the only errors are of base64's buffer, which is as large as needed.
    PublicKey::new(KeyData::from(key), "deadpeer").to_openssh().unwrap_or_default()
}

/// Appends an SSH string (RFC 4251, section 5) made of `parts`.
fn push_string(to: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    to.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    for part in parts {
        to.extend_from_slice(part);
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.authorized_line())
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({})", self.public().fingerprint())
    }
}

impl fmt::Debug for HostKeyPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKeyPublic({})", self.fingerprint())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_have_different_keys() {
        assert_ne!(Keys::generate().authorized_line(), Keys::generate().authorized_line());
        assert_ne!(HostKey::generate().public(), HostKey::generate().public());
    }

    #[test]
    fn the_authorized_line_is_of_the_private_key() {
        let keys = Keys::generate();
        let private = PrivateKey::from_openssh(keys.openssh().unwrap().as_bytes()).unwrap();
        assert_eq!(private.public_key().to_openssh().unwrap(), keys.authorized_line());
    }

    #[test]
    fn dropbears_file_has_two_strings_and_nothing_else() {
        let key = HostKey::generate();
        let file = key.dropbear_file();
        assert_eq!(file.len(), 4 + 11 + 4 + 64);
        assert_eq!(&file[..19], b"\0\0\0\x0bssh-ed25519\0\0\0\x40");
        assert_eq!(file[51..], key.0.public.0);
    }

    #[test]
    fn a_host_key_is_known_by_its_bytes_alone() {
        let (key, other) = (HostKey::generate().public(), HostKey::generate().public());
        let blob = |key: &HostKeyPublic| PublicKey::from(KeyData::from(key.0)).to_bytes().unwrap();
        assert!(key.is(&blob(&key)));
        assert!(!key.is(&blob(&other)));
        assert!(!key.is(&blob(&key)[..50]));
        assert!(!key.is(&[]));
    }

    #[test]
    fn debug_shows_no_private_key() {
        let keys = Keys::generate();
        let secret = keys.openssh().unwrap();
        let middle = secret.lines().nth(3).unwrap();
        assert!(!format!("{keys:?}").contains(middle));
        let host = HostKey::generate();
        assert_eq!(format!("{host:?}"), format!("HostKey({})", host.public().fingerprint()));
    }
}
