//! What was found out about KVM, remembered per host until the host boots again.

use super::{Kvm, Probe};
use crate::machine::qemu::Info;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The file. It holds what was found since one boot of this host.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// Which boot of which kernel.
    host: String,
    /// What was found, by what it was tried with.
    found: BTreeMap<String, Kvm>,
}

/// All that decides the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// The host's kernel, and which boot of it.
    pub(super) host: String,
    /// QEMU, guest kernel, initramfs and KVM's device, each so that a change shows.
    pub(super) tried: String,
}

/// The key of a probe.
pub(super) fn key(probe: &Probe, qemu: &Info) -> Key {
    let read = |name: &str| std::fs::read_to_string(Path::new("/proc/sys/kernel").join(name)).unwrap_or_default();
    let device = probe.device.metadata().map_or(0, |m| m.rdev());
    let files = [&qemu.path, &probe.kernel, &probe.initrd].map(|path| identity(path)).join(", ");
    Key {
        host: format!("{} {}", read("osrelease").trim(), read("random/boot_id").trim()),
        tried: format!("qemu {}, {files}, device {device:#x}", qemu.version),
    }
}

/// A file's path, size and time of change.
fn identity(path: &Path) -> String {
    let (size, seconds) = path.metadata().map_or((0, 0), |m| (m.size(), m.mtime()));
    format!("{} {size} {seconds}", path.display())
}

/// What was found before, if anything was.
pub(super) fn recall(file: &Path, key: &Key) -> Option<Kvm> {
    read(file).filter(|memory| memory.host == key.host)?.found.remove(&key.tried)
}

/// Remembers it. That this fails costs only time.
pub(super) fn remember(file: &Path, key: &Key, kvm: &Kvm) {
    let mut memory = read(file).filter(|memory| memory.host == key.host).unwrap_or_default();
    memory.host.clone_from(&key.host);
    memory.found.insert(key.tried.clone(), kvm.clone());
    if let Err(e) = write(file, &memory) {
        tracing::warn!("cannot remember which accelerator works in {}: {e}", file.display());
    }
}

/// The file, if it is there and whole. Anything else is as good as nothing.
fn read(file: &Path) -> Option<Memory> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Replaces the file in one go: two controllers may be doing it.
fn write(file: &Path, memory: &Memory) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(&serde_json::to_vec_pretty(memory)?)?;
    new.persist(file)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn key(host: &str, tried: &str) -> Key {
        Key { host: host.into(), tried: tried.into() }
    }

    #[test]
    fn what_was_found_is_recalled_for_the_same_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("accelerator.json");
        assert_eq!(recall(&file, &key("boot 1", "qemu 7")), None);
        remember(&file, &key("boot 1", "qemu 7"), &Kvm::Works { millis: 400 });
        remember(&file, &key("boot 1", "qemu 10"), &Kvm::Works { millis: 300 });
        assert_eq!(recall(&file, &key("boot 1", "qemu 7")), Some(Kvm::Works { millis: 400 }));
        assert_eq!(recall(&file, &key("boot 1", "qemu 10")), Some(Kvm::Works { millis: 300 }));
        assert_eq!(recall(&file, &key("boot 1", "qemu 11")), None);
        assert_eq!(recall(&file, &key("boot 2", "qemu 7")), None, "another boot of the host");
        remember(&file, &key("boot 2", "qemu 7"), &Kvm::Works { millis: 500 });
        assert_eq!(read(&file).unwrap().found.len(), 1, "what an earlier boot found is forgotten");
    }

    #[test]
    fn a_file_cut_short_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("accelerator.json");
        remember(&file, &key("boot", "qemu"), &Kvm::Works { millis: 1 });
        let whole = std::fs::read(&file).unwrap();
        std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(recall(&file, &key("boot", "qemu")), None);
        remember(&file, &key("boot", "qemu"), &Kvm::Works { millis: 1 });
        assert_eq!(std::fs::read(&file).unwrap(), whole);
    }

    #[test]
    fn another_kernel_file_is_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let kernel = folder.path().join("vmlinuz");
        std::fs::write(&kernel, "one").unwrap();
        let probe = Probe::new(&kernel, &kernel, folder.path());
        let qemu = Info { path: "/bin/true".into(), version: crate::machine::qemu::OLDEST };
        let before = super::key(&probe, &qemu);
        assert_eq!(before, super::key(&probe, &qemu));
        std::fs::write(&kernel, "longer").unwrap();
        assert_ne!(before, super::key(&probe, &qemu));
    }
}
