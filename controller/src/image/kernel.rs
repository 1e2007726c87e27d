//! The kernel as QEMU should get it.
//!
//! Debian ships a bzImage: a small program that unpacks the real kernel in the guest, which takes 1.2 s when the guest's
//! processor is emulated. QEMU also starts an unpacked kernel directly if that carries a PVH entry point (an ELF note;
//! Xen's `pvh.html`, Linux `arch/x86/platform/pvh`), so it is unpacked here, once. A kernel without
//! that note is used as Debian ships it. Kernels are large (57 MB unpacked) and stay in files: of each, only the few bytes
//! that tell what it is are read.

use super::tool::{self, Tool};
use crate::error::{Context, Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How a compressed thing can be told, and the tool that unpacks it.
const COMPRESSIONS: [(&[u8], &str); 4] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b", "gzip"),
    // The "legacy" frame, the only one that kernels use.
    (b"\x02\x21\x4c\x18", "lz4"),
];

/// The ELF note type of a PVH entry point: `XEN_ELFNOTE_PHYS32_ENTRY`.
const PHYS32_ENTRY: u32 = 18;

/// A kernel package, unpacked.
#[derive(Debug)]
pub(super) struct Kernel {
    /// As `uname -r` says it.
    pub(super) release: String,
    /// Its bzImage.
    bzimage: PathBuf,
    /// The folder of its modules.
    pub(super) modules: PathBuf,
}

impl Kernel {
    /// Finds the kernel in the folder that its package was unpacked into.
    pub(super) fn find(folder: &Path) -> Result<Self> {
        // Before usr-merge (bookworm and older) modules lived in /lib.
        let places = ["usr/lib/modules", "lib/modules"].map(|place| folder.join(place));
        let mut modules: Vec<PathBuf> = places
            .iter()
            .filter_map(|place| std::fs::read_dir(place).ok())
            .flat_map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())))
            .collect();
        let (Some(modules), true) = (modules.pop(), modules.is_empty()) else {
            return Err(Error::broken("the kernel package does not hold the modules of exactly one kernel")
                .detail(folder.display().to_string()));
        };
        let release = modules.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Where it is up to trixie, and after.
        let bzimage = [folder.join("boot").join(format!("vmlinuz-{release}")), modules.join("vmlinuz")]
            .into_iter()
            .find(|file| file.is_file())
            .ok_or_else(|| Error::broken(format!("the kernel package holds no vmlinuz of release {release}")))?;
        Ok(Self { release, bzimage, modules })
    }

    /// Writes the kernel to the file `to`, in the form in which QEMU starts it soonest.
    pub(super) fn for_qemu(&self, to: &Path, interrupted: &dyn Fn() -> bool) -> Result<()> {
        let cannot_read = || format!("cannot read {}", self.bzimage.display());
        let cannot_write = || format!("cannot write {}", to.display());
        let mut bzimage = File::open(&self.bzimage).broken(cannot_read)?;
        if let Some(payload) = payload(&bzimage) {
            let first: [u8; 8] = bytes(&bzimage, payload.start).unwrap_or_default();
            bzimage.seek(SeekFrom::Start(payload.start)).broken(cannot_read)?;
            let packed = bzimage.take(payload.end - payload.start);
            let output = File::create(to).broken(cannot_write)?;
            unpacker(&first)?.input(packed).output(output).run(interrupted, &mut tool::ignore)?;
            if has_pvh_entry(&File::open(to).broken(cannot_write)?) {
                return Ok(());
            }
        }
        std::fs::copy(&self.bzimage, to).map(drop).broken(cannot_write)
    }
}

/// Where the compressed kernel is inside a bzImage (Documentation/arch/x86/boot.rst: `payload_offset`, protocol 2.08 and
/// later).
fn payload(bzimage: &File) -> Option<Range<u64>> {
    let u32_at = |at| Some(u64::from(u32::from_le_bytes(bytes(bzimage, at)?)));
    if bytes(bzimage, 0x202)? != *b"HdrS" {
        return None;
    }
    let [setup_sectors] = bytes(bzimage, 0x1f1)?;
    let start = (u64::from(setup_sectors.max(4)) + 1) * 512 + u32_at(0x248)?;
    let end = start + u32_at(0x24c)?;
    if end > bzimage.metadata().ok()?.len() {
        return None;
    }
    // All but gzip, which has it already, are followed by the unpacked size (scripts/Makefile.lib: size_append).
    let size = if bytes(bzimage, start)? == *b"\x1f\x8b" { 0 } else { 4 };
    (start + size <= end).then_some(start..end - size)
}

/// The tool that unpacks what begins with these bytes to its standard output.
pub(super) fn unpacker(packed: &[u8]) -> Result<Tool> {
    let Some((_, program)) = COMPRESSIONS.iter().find(|(magic, _)| packed.starts_with(magic)) else {
        let first: Vec<u8> = packed.iter().take(8).copied().collect();
        return Err(Error::broken("the kernel package is compressed in an unknown way")
            .detail(format!("first bytes: {}", super::recipe::hex(&first))));
    };
    Ok(Tool::new(program).arg("-dc"))
}

/// Whether an ELF file has the PVH entry point among its notes.
fn has_pvh_entry(elf: &File) -> bool {
    let u16_at = |at| Some(u64::from(u16::from_le_bytes(bytes(elf, at)?)));
    let u32_at = |at| Some(u32::from_le_bytes(bytes(elf, at)?));
    let u64_at = |at| Some(u64::from_le_bytes(bytes(elf, at)?));
    let find = || -> Option<bool> {
        // elf(5): a 64-bit file, its program headers, those of type PT_NOTE.
        if bytes(elf, 0)? != *b"\x7fELF\x02" {
            return Some(false);
        }
        let (table, size, count) = (u64_at(32)?, u16_at(54)?, u16_at(56)?);
        for header in (0..count).map(|n| table + n * size) {
            if u32_at(header)? != 4 {
                continue;
            }
            let (mut at, length) = (u64_at(header + 8)?, u64_at(header + 32)?);
            let end = at.checked_add(length)?;
            while at + 12 <= end {
                let (name, description, kind) = (u32_at(at)?, u32_at(at + 4)?, u32_at(at + 8)?);
                if kind == PHYS32_ENTRY && name == 4 && bytes(elf, at + 12)? == *b"Xen\0" {
                    return Some(true);
                }
                at += 12 + u64::from(name).next_multiple_of(4) + u64::from(description).next_multiple_of(4);
            }
        }
        Some(false)
    };
    find().unwrap_or(false)
}

/// The bytes at an offset of a file; nothing if it ends before.
fn bytes<const N: usize>(file: &File, at: u64) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact_at(&mut bytes, at).ok()?;
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn file(content: &[u8]) -> File {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(content, 0).unwrap();
        file
    }

    /// A bzImage whose payload begins right behind the setup sectors.
    fn bzimage(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 5 * 512];
        bytes[0x1f1] = 4;
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// An ELF file with one note segment.
    fn elf(note_name: &[u8; 4], kind: u32) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..5].copy_from_slice(b"\x7fELF\x02");
        bytes[32] = 64; // program headers' offset
        bytes[54] = 56; // size of one
        bytes[56] = 1; // how many
        bytes[64] = 4; // PT_NOTE
        bytes[72] = 120; // its offset
        bytes[96] = 20; // its length
        for word in [4u32, 4, kind] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.extend_from_slice(note_name);
        bytes.extend_from_slice(&0x0100_0000u32.to_le_bytes());
        bytes
    }

    /// What [`Kernel::for_qemu`] makes of a bzImage.
    fn for_qemu(bzimage: &[u8]) -> Result<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("vmlinuz"), folder.path().join("kernel"));
        std::fs::write(&from, bzimage).unwrap();
        let kernel = Kernel { release: "6.1".to_owned(), bzimage: from, modules: folder.path().to_owned() };
        kernel.for_qemu(&to, &|| false).map(|()| std::fs::read(to).unwrap())
    }

    /// What a tool makes of some bytes, as the kernel's build appends the unpacked size to it.
    fn packed(program: &str, content: &[u8]) -> Vec<u8> {
        let tool = Tool::new(program).arg("-c").input(Cursor::new(content.to_vec()));
        let mut packed = tool.run(&|| false, &mut tool::ignore).unwrap();
        packed.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        packed
    }

    #[test]
    fn a_kernel_with_a_pvh_entry_is_unpacked() {
        let elf = elf(b"Xen\0", 18);
        let mut image = bzimage(&packed("xz", &elf));
        image.extend(b"what comes behind the payload");
        assert_eq!(for_qemu(&image).unwrap(), elf);
    }

    #[test]
    fn a_kernel_without_one_or_that_is_no_bzimage_stays_as_it_is() {
        let image = bzimage(&packed("xz", &[elf(b"GNU\0", 18), vec![0; 1 << 16]].concat()));
        assert_eq!(for_qemu(&image).unwrap(), image);
        assert_eq!(for_qemu(b"MZ").unwrap(), b"MZ");
    }

    #[test]
    fn a_kernel_that_cannot_be_unpacked_is_refused() {
        let error = for_qemu(&bzimage(b"unknown payload")).unwrap_err();
        assert_eq!(error.detail.unwrap(), "first bytes: 756e6b6e6f776e20");
        let mut cut = packed("xz", &elf(b"Xen\0", 18));
        cut.truncate(cut.len() / 2);
        assert_eq!(for_qemu(&bzimage(&cut)).unwrap_err().fact, "xz ended with exit status 1");
    }

    #[test]
    fn the_payload_is_found_without_the_size_behind_it() {
        assert_eq!(payload(&file(&bzimage(b"\x28\xb5\x2f\xfdDATA\x10\0\0\0"))), Some(2560..2568));
        assert_eq!(payload(&file(&bzimage(b"\x1f\x8bDATAsize"))), Some(2560..2570));
    }

    #[test]
    fn what_is_no_bzimage_or_ends_early_has_no_payload() {
        let mut short = bzimage(b"\x28\xb5\x2f\xfdDATA\x10\0\0\0");
        short.truncate(short.len() - 1);
        for image in [&short[..], &bzimage(b"abc"), b"MZ", &[0; 4096]] {
            assert_eq!(payload(&file(image)), None);
        }
    }

    #[test]
    fn a_pvh_entry_is_told_by_owner_and_type() {
        assert!(has_pvh_entry(&file(&elf(b"Xen\0", 18))));
        assert!(!has_pvh_entry(&file(&elf(b"Xen\0", 6))));
        assert!(!has_pvh_entry(&file(&elf(b"GNU\0", 18))));
        assert!(!has_pvh_entry(&file(b"\x7fELF\x02 cut short")));
    }
}
