//! The archives that the kernel unpacks as its first root: cpio in the "newc" format
//! (Documentation/driver-api/early-userspace/buffer-format.rst). Pure.

/// Mode of a folder (`S_IFDIR` of inode(7)) and of a regular file (`S_IFREG`).
const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;

/// An archive in the making. Owners are root, times are zero: the same entries give the same bytes.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    /// Adds a folder; the ones above it must have been added before.
    pub(super) fn folder(&mut self, path: &str, permissions: u32) {
        self.entry(path, FOLDER | permissions, &[]);
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, permissions: u32, contents: &[u8]) {
        self.entry(path, REGULAR | permissions, contents);
    }

    /// The whole archive. Archives may follow one another: its length is a multiple of four.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, contents: &[u8]) {
        self.entries += 1;
        let links = if mode & FOLDER == 0 { 1 } else { 2 };
        let length = u32::try_from(contents.len()).unwrap_or(u32::MAX);
        let name = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        // c_ino, c_mode, c_uid, c_gid, c_nlink, c_mtime, c_filesize, c_maj, c_min, c_rmaj, c_rmin, c_namesize, c_chksum
        let fields = [self.entries, mode, 0, 0, links, 0, length, 0, 0, 0, 0, name, 0];
        self.bytes.extend_from_slice(b"070701");
        fields.iter().for_each(|field| self.bytes.extend_from_slice(format!("{field:08X}").as_bytes()));
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(contents);
        self.pad();
    }

    /// Name and contents each end at a multiple of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    #[test]
    fn an_entry_is_laid_out_as_the_kernels_text_says() {
        let mut archive = Archive::default();
        archive.file("a", 0o600, b"hello");
        let bytes = archive.finish();
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("0707010000000100008180"), "{text}");
        assert_eq!(&bytes[110..112], b"a\0");
        assert_eq!(&bytes[112..120], b"hello\0\0\0");
        assert_eq!(&bytes[120..126], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn busybox_or_cpio_reads_what_we_write() {
        let mut archive = Archive::default();
        archive.folder("seed", 0o700);
        archive.file("seed/hostname", 0o600, b"server\n");
        let mut reader = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        reader.stdin.take().unwrap().write_all(&archive.finish()).unwrap();
        let listed = String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap();
        let lines: Vec<_> = listed.lines().collect();
        assert!(lines[0].starts_with("drwx------") && lines[0].ends_with("seed"), "{listed}");
        assert!(lines[1].starts_with("-rw-------") && lines[1].ends_with("seed/hostname"), "{listed}");
    }
}
