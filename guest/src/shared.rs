//! Memory that guest and host share: QEMU's `ivshmem-plain`, found on the PCI bus. It needs no driver: sysfs hands it
//! out (kernel: Documentation/PCI/sysfs-pci.rst).
//!
//! A machine may have two: the flight recorder, which the guest writes to, and in lockstep time the *program disk*, which it reads programs
//! from. They are told by their places: that of the program disk is agreed on ([`crate::PROGRAM_DISK_SLOT`]).

use crate::PROGRAM_DISK_SLOT;
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// Where the kernel lists what is on the PCI bus.
const DEVICES: &str = "/sys/bus/pci/devices";

/// Vendor and device of `ivshmem-plain` (QEMU: docs/specs/ivshmem-spec.rst).
const IVSHMEM: (&str, &str) = ("0x1af4", "0x1110");

/// What a shared memory is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Recorder,
    Programs,
}

/// Whether this machine has a flight recorder.
pub(crate) fn has_recorder() -> bool {
    find(Path::new(DEVICES), Purpose::Recorder).is_ok()
}

/// The flight recorder's memory, all of it. It stays mapped as long as the program lives.
pub(crate) fn recorder() -> io::Result<&'static [AtomicU64]> {
    let device = enabled(Purpose::Recorder)?;
    // Write-combining where there is a choice: stores are collected, and four times as quick as uncached ones.
    let file = open(&device, OpenOptions::new().read(true).write(true))?;
    words(&file)
}

/// So many bytes of the program disk, from an offset on that is a multiple of a page's size. They stay mapped as long as the program
/// lives.
pub(crate) fn programs(offset: u64, length: usize) -> io::Result<&'static [u8]> {
    let device = enabled(Purpose::Programs)?;
    let file = open(&device, OpenOptions::new().read(true))?;
    let size = file.metadata()?.len();
    if offset.checked_add(length as u64).is_none_or(|end| end > size) {
        let why = format!("the program disk of {size} bytes holds no {length} bytes from byte {offset} on");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    bytes(&file, offset, length)
}

/// The device for this purpose. Until somebody asks, it does not answer at its addresses.
fn enabled(purpose: Purpose) -> io::Result<PathBuf> {
    let device = find(Path::new(DEVICES), purpose)?;
    fs::write(device.join("enable"), "1")?;
    Ok(device)
}

/// The device on the bus that is for this purpose.
fn find(devices: &Path, purpose: Purpose) -> io::Result<PathBuf> {
    let is = |device: &Path, file: &str, wanted: &str| {
        fs::read_to_string(device.join(file)).is_ok_and(|text| text.trim_end() == wanted)
    };
    let programs = format!("0000:00:{PROGRAM_DISK_SLOT:02x}.0");
    let meant = |device: &Path| device.ends_with(&programs) == (purpose == Purpose::Programs);
    let missing = match purpose {
        Purpose::Recorder => "this machine has no flight recorder (ivshmem-plain)",
        Purpose::Programs => "this machine has no program disk (ivshmem-plain)",
    };
    fs::read_dir(devices)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|it| meant(it) && is(it, "vendor", IVSHMEM.0) && is(it, "device", IVSHMEM.1))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, missing))
}

fn open(device: &Path, how: &OpenOptions) -> io::Result<File> {
    how.open(device.join("resource2_wc")).or_else(|_| how.open(device.join("resource2")))
}

#[allow(unsafe_code)] // Memory that another machine reads is what this is about; no crate maps a PCI resource.
fn words(file: &File) -> io::Result<&'static [AtomicU64]> {
    let size = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let start = map(file, 0, size, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
    // SAFETY: a fresh mapping of `size` bytes, aligned to a page, never unmapped. All bit patterns are valid atomics,
    // and the other side changes nothing.
    Ok(unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), size / size_of::<AtomicU64>()) })
}

#[allow(unsafe_code)] // As above.
fn bytes(file: &File, offset: u64, length: usize) -> io::Result<&'static [u8]> {
    let start = map(file, offset, length, ProtFlags::PROT_READ)?;
    // SAFETY: a fresh mapping of `length` bytes, never unmapped, that neither side writes to while the machine runs.
    Ok(unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), length) })
}

#[allow(unsafe_code)] // As above.
fn map(file: &File, offset: u64, length: usize, access: ProtFlags) -> io::Result<NonNull<std::ffi::c_void>> {
    let length = NonZeroUsize::new(length).ok_or_else(|| io::Error::other("there is no memory to be mapped"))?;
    let offset = offset.try_into().map_err(io::Error::other)?;
    // SAFETY: a new mapping, where the kernel finds room.
    Ok(unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, file, offset)? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_by_vendor_and_device_and_the_program_disk_by_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let devices = folder.path();
        let programs = format!("0000:00:{PROGRAM_DISK_SLOT:02x}.0");
        let is = |name: &str, vendor: &str, device: &str| {
            fs::create_dir_all(devices.join(name)).unwrap();
            fs::write(devices.join(name).join("vendor"), format!("{vendor}\n")).unwrap();
            fs::write(devices.join(name).join("device"), format!("{device}\n")).unwrap();
        };
        let found = |purpose| find(devices, purpose).map_err(|error| error.kind());
        is("0000:00:01.0", "0x1af4", "0x1000");
        is("0000:00:02.0", "0x8086", "0x1110");
        assert_eq!(found(Purpose::Recorder), Err(io::ErrorKind::NotFound));
        is(&programs, IVSHMEM.0, IVSHMEM.1);
        assert_eq!(found(Purpose::Recorder), Err(io::ErrorKind::NotFound));
        assert_eq!(found(Purpose::Programs), Ok(devices.join(&programs)));
        is("0000:00:02.0", IVSHMEM.0, IVSHMEM.1);
        assert_eq!(found(Purpose::Recorder), Ok(devices.join("0000:00:02.0")));
        assert_eq!(found(Purpose::Programs), Ok(devices.join(&programs)));
    }

    #[test]
    fn a_piece_of_a_file_is_mapped_as_it_is() {
        let file = tempfile::tempfile().unwrap();
        let page = usize::try_from(crate::PROGRAM_DISK_PAGE).unwrap();
        io::Write::write_all(&mut &file, &[vec![1; page], b"program".to_vec()].concat()).unwrap();
        assert_eq!(bytes(&file, crate::PROGRAM_DISK_PAGE, 7).unwrap(), b"program");
        assert!(bytes(&file, 0, 0).is_err());
    }
}
