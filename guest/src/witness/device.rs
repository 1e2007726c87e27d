//! The memory that guest and host share: QEMU's `ivshmem-plain`, found on the PCI bus. It needs no driver: sysfs hands it
//! out (kernel: Documentation/PCI/sysfs-pci.rst).

use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

/// Where the kernel lists what is on the PCI bus.
const DEVICES: &str = "/sys/bus/pci/devices";

/// Vendor and device of `ivshmem-plain` (QEMU: docs/specs/ivshmem-spec.rst).
const IVSHMEM: (&str, &str) = ("0x1af4", "0x1110");

/// Whether this machine has a flight recorder.
pub(super) fn is_there() -> bool {
    find(Path::new(DEVICES)).is_ok()
}

/// The whole shared memory. It stays mapped as long as the program lives.
pub(super) fn open() -> io::Result<&'static [AtomicU64]> {
    let device = find(Path::new(DEVICES))?;
    // Until somebody asks, the device does not answer at its addresses.
    fs::write(device.join("enable"), "1")?;
    // Write-combining where there is a choice: stores are collected, and four times as quick as uncached ones.
    let bar = ["resource2_wc", "resource2"].map(|name| device.join(name));
    let file = open_bar(&bar[0]).or_else(|_| open_bar(&bar[1]))?;
    map(&file)
}

/// The first device on the bus that is the recorder.
fn find(devices: &Path) -> io::Result<PathBuf> {
    let is = |device: &Path, file: &str, wanted: &str| {
        fs::read_to_string(device.join(file)).is_ok_and(|text| text.trim_end() == wanted)
    };
    fs::read_dir(devices)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|it| is(it, "vendor", IVSHMEM.0) && is(it, "device", IVSHMEM.1))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "this machine has no flight recorder (ivshmem-plain)"))
}

fn open_bar(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

#[allow(unsafe_code)] // Memory that another machine reads is what this is about; no crate maps a PCI resource.
fn map(file: &File) -> io::Result<&'static [AtomicU64]> {
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let length = NonZeroUsize::new(size).ok_or_else(|| io::Error::other("the flight recorder has no memory"))?;
    // SAFETY: a fresh mapping of `length` bytes, aligned to a page, never unmapped. All bit patterns are valid atomics,
    // and the other side changes nothing.
    unsafe {
        let start = mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, file, 0)?;
        Ok(std::slice::from_raw_parts(start.as_ptr().cast(), size / size_of::<AtomicU64>()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_recorder_is_told_by_vendor_and_device() {
        let folder = tempfile::tempdir().unwrap();
        let devices = folder.path();
        for (name, vendor, device) in [("0:1", "0x1af4", "0x1000"), ("0:2", "0x8086", "0x1110")] {
            fs::create_dir_all(devices.join(name)).unwrap();
            fs::write(devices.join(name).join("vendor"), format!("{vendor}\n")).unwrap();
            fs::write(devices.join(name).join("device"), format!("{device}\n")).unwrap();
        }
        assert_eq!(find(devices).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::write(devices.join("0:2/vendor"), "0x1af4\n").unwrap();
        assert_eq!(find(devices).unwrap(), devices.join("0:2"));
    }
}
