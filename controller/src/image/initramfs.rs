//! The initramfs: BusyBox, the drivers in the order in which they are loaded, and the script that is PID 1.

use super::cpio::Archive;
use super::recipe::INITRAMFS_INIT;

/// A driver's name and content.
type Driver = (String, Vec<u8>);

/// The archive's bytes. `drivers` are loaded always, those for `nvdimm` after them where the root disk is one.
pub(super) fn make(busybox: &[u8], drivers: &[Driver], nvdimm: &[Driver]) -> Vec<u8> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "modules", "modules/nvdimm", "proc", "root"] {
        archive.folder(folder, 0o755);
    }
    // Without a console device here, PID 1 would start without a standard output.
    archive.device("dev/console", 0o600, 5, 1);
    archive.file("bin/busybox", 0o755, busybox);
    archive.file("init", 0o755, INITRAMFS_INIT.as_bytes());
    for (folder, drivers) in [("modules", drivers), ("modules/nvdimm", nvdimm)] {
        for (n, (name, content)) in drivers.iter().enumerate() {
            archive.file(&format!("{folder}/{n:02}-{name}.ko"), 0o644, content);
        }
    }
    archive.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_are_numbered_in_the_order_of_loading() {
        let bytes = make(
            b"busybox",
            &[("failover".into(), vec![1]), ("virtio_net".into(), vec![2])],
            &[("libnvdimm".into(), vec![3])],
        );
        let text = String::from_utf8_lossy(&bytes);
        let at = |what: &str| text.find(what);
        assert!(at("modules/00-failover.ko\0").is_some());
        assert!(at("modules/00-failover.ko\0") < at("modules/01-virtio_net.ko\0"));
        assert!(at("modules/nvdimm/00-libnvdimm.ko\0").is_some());
        assert_eq!(bytes.len() % 4, 0);
    }
}
