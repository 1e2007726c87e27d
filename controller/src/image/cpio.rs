//! Archives in the "newc" form that the kernel unpacks into its first root file system.
//!
//! Written so that the same entries give the same bytes: inode numbers count up, times are fixed. Archives may be
//! concatenated as long as each begins at a multiple of four bytes (Documentation/driver-api/early-userspace/
//! buffer-format.rst), so [`Archive::finish`] pads to that.

/// Modification time of every entry, in seconds since 1970: any fixed one will do.
const MTIME: u32 = super::recipe::EPOCH;

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const DEVICE: u32 = 0o020_000;

/// An archive being written.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    inode: u32,
}

impl Archive {
    /// Adds a folder. `path` is relative to the root, without a leading slash.
    pub(super) fn folder(&mut self, path: &str, mode: u32) {
        self.entry(path, DIRECTORY | mode, 2, (0, 0), &[]);
    }

    /// Adds a file.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, FILE | mode, 1, (0, 0), content);
    }

    /// Adds a character device.
    pub(super) fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) {
        self.entry(path, DEVICE | mode, 1, (major, minor), &[]);
    }

    /// The archive's bytes, a multiple of four of them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.inode = 0;
        self.record("TRAILER!!!", 0, 0, 1, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, links: u32, device: (u32, u32), content: &[u8]) {
        self.inode += 1;
        self.record(path, mode, MTIME, links, device, content);
    }

    fn record(&mut self, path: &str, mode: u32, mtime: u32, links: u32, (major, minor): (u32, u32), content: &[u8]) {
        // A length beyond 32 bits cannot be written in this form; nothing here comes near it.
        let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let fields = [
            self.inode,
            mode,
            0, // user
            0, // group
            links,
            mtime,
            length(content.len()),
            0, // device that holds the file: major
            0, // and minor
            major,
            minor,
            length(path.len() + 1),
            0, // checksum: none in this form
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_bytes_that_cpio_5_describes() {
        let mut archive = Archive::default();
        archive.file("a/b", 0o600, b"hello");
        let bytes = archive.finish();
        let header = "070701\
            00000001000081800000000000000000000000016955b900000000050000000000000000000000000000000000000004\
            00000000";
        let first = [header.as_bytes(), b"a/b\0\0\0", b"hello\0\0\0"].concat();
        assert_eq!(String::from_utf8_lossy(&bytes[..first.len()]), String::from_utf8_lossy(&first));
        assert!(bytes[first.len()..].starts_with(b"070701"));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn cpio_itself_lists_what_was_written() {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let mut archive = Archive::default();
        archive.folder("seed", 0o700);
        archive.file("seed/hostname", 0o644, b"server\n");
        archive.device("dev/console", 0o600, 5, 1);
        let bytes = archive.finish();
        let Ok(mut child) = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        else {
            return; // no cpio on this machine: the test above pins the bytes
        };
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let listed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let lines: Vec<Vec<&str>> = listed.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(lines[0][0], "drwx------");
        assert_eq!((lines[1][0], lines[1][4], *lines[1].last().unwrap()), ("-rw-r--r--", "7", "seed/hostname"));
        assert_eq!((lines[2][0], lines[2][4], lines[2][5]), ("crw-------", "5,", "1"));
    }
}
