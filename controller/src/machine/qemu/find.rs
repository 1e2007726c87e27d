//! Finding QEMU on this host, and whether it is one that Deadpeer can work with.

use crate::error::{Error, Result};
use crate::process;
use crate::timeline::Ended;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The oldest QEMU that has `-netdev dgram` (its changelog for 7.2).
pub const OLDEST: Version = Version { major: 7, minor: 2, micro: 0 };

/// The newest major version that Deadpeer is made for; a newer one is used, with a note.
pub const NEWEST_MAJOR: u32 = 11;

/// How long `--version` may take; on a cold cache QEMU reads some 60 MB of libraries.
const VERSION_DEADLINE: Duration = Duration::from_secs(20);

/// A QEMU program on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The executable.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
}

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    pub micro: u32,
}

impl Version {
    /// A version as it is written: `7.2.22`.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('.').map(str::parse);
        let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some(Self { major, minor, micro: parts.next().and_then(Result::ok).unwrap_or(0) })
    }
}

impl fmt::Display for Version {
    /// As in `7.2.22`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.major, self.minor, self.micro))
    }
}

/// One of QEMU's programs, before it is found.
struct Tool {
    /// Its file name.
    name: &'static str,
    /// The variable that names another executable.
    variable: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
}

const SYSTEM: Tool = Tool { name: "qemu-system-x86_64", variable: "DEADPEER_QEMU", package: "qemu-system-x86" };
const IMG: Tool = Tool { name: "qemu-img", variable: "DEADPEER_QEMU_IMG", package: "qemu-utils" };

impl Info {
    /// The emulator: `qemu-system-x86_64` on the `PATH`, or what `DEADPEER_QEMU` names.
    ///
    /// # Errors
    /// It is missing, older than [`OLDEST`], or does not tell its version. The error says what helps.
    pub fn qemu() -> Result<Self> {
        SYSTEM.find()
    }

    /// The disk tool: `qemu-img` on the `PATH`, or what `DEADPEER_QEMU_IMG` names.
    ///
    /// # Errors
    /// As for [`Info::qemu`].
    pub fn qemu_img() -> Result<Self> {
        IMG.find()
    }

    /// The emulator at this path.
    ///
    /// # Errors
    /// As for [`Info::qemu`].
    pub fn qemu_at(path: &Path) -> Result<Self> {
        SYSTEM.inspect(path)
    }

    /// What a user should know about this version, if anything.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        (self.version.major > NEWEST_MAJOR).then(|| {
            format!(
                "{} is version {}; Deadpeer is made for {} to {NEWEST_MAJOR}",
                self.path.display(),
                self.version,
                OLDEST
            )
        })
    }
}

impl Tool {
    fn find(&self) -> Result<Info> {
        let named = std::env::var_os(self.variable);
        let search = std::env::var_os("PATH").unwrap_or_default();
        self.inspect(&self.locate(named.as_deref(), &search)?)
    }

    /// The executable: the named one, or the first of the search path.
    fn locate(&self, named: Option<&OsStr>, search: &OsStr) -> Result<PathBuf> {
        if let Some(named) = named.filter(|n| !n.is_empty()) {
            let path = PathBuf::from(named);
            return is_executable(&path).then_some(path).ok_or_else(|| {
                Error::broken(format!("{} names no executable file: {}", self.variable, named.to_string_lossy()))
                    .help(format!("unset {}, or set it to the path of a {}", self.variable, self.name))
            });
        }
        std::env::split_paths(search).map(|folder| folder.join(self.name)).find(|path| is_executable(path)).ok_or_else(
            || {
                Error::broken(format!("{} is missing", self.name))
                    .detail(format!("looked for it on PATH={}", search.to_string_lossy()))
                    .help(self.install())
            },
        )
    }

    /// Asks the executable for its version, and judges it.
    fn inspect(&self, path: &Path) -> Result<Info> {
        let mut command = Command::new(path);
        command.arg("--version");
        let out = process::output(command, VERSION_DEADLINE)
            .map_err(|e| e.during("cannot ask QEMU for its version").help(self.install()))?;
        let version = parse(&out.stdout).filter(|_| out.how == Ended::Exit(0)).ok_or_else(|| {
            Error::broken(format!("{} does not tell its version", path.display()))
                .detail(format!("`{} --version` {} and printed:", path.display(), out.how))
                .detail(out.stdout.trim_end())
                .detail(out.stderr.trim_end())
                .help(format!("set {} to the path of a {} that works", self.variable, self.name))
        })?;
        if version < OLDEST {
            return Err(Error::broken(format!("{} is too old: found {version}, needed {OLDEST} or newer", self.name))
                .detail(format!("found at {}", path.display()))
                .help(format!(
                    "upgrade to Debian 12, Ubuntu 23.04 or newer, or set {} to the path of a newer one",
                    self.variable
                )));
        }
        Ok(Info { path: path.to_owned(), version })
    }

    fn install(&self) -> String {
        format!("sudo apt-get install {}\nor run ./lab, which installs it", self.package)
    }
}

/// Finds the version in what `--version` prints: `QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`.
/// A vendor may add a suffix to the number, words after it, or warnings on lines before.
fn parse(text: &str) -> Option<Version> {
    text.lines().find_map(|line| {
        let (program, rest) = line.split_once(" version ")?;
        if !program.to_ascii_lowercase().starts_with("qemu") {
            return None;
        }
        Version::read(rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?)
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_versions_that_vendors_print() {
        for (text, version) in [
            ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022", (7, 2, 22)),
            ("QEMU emulator version 8.2.2 (Debian 1:8.2.2+ds-0ubuntu1.10)", (8, 2, 2)),
            ("QEMU emulator version 9.2.4 (qemu-9.2.4-1.fc42)", (9, 2, 4)),
            ("QEMU emulator version 10.0.94 (v10.1.0-rc4-12-gabcdef)", (10, 0, 94)),
            ("QEMU emulator version 11.0.50-dirty", (11, 0, 50)),
            ("qemu-img version 6.2.0 (qemu-kvm-6.2.0-5.module)", (6, 2, 0)),
            ("QEMU emulator version 7.2", (7, 2, 0)),
            ("warning: libfoo version 1.2.3 is old\nQEMU PC emulator version 0.12.1", (0, 12, 1)),
        ] {
            let (major, minor, micro) = version;
            assert_eq!(parse(text), Some(Version { major, minor, micro }), "{text}");
        }
    }

    #[test]
    fn reads_no_version_where_there_is_none() {
        for text in [
            "",
            "QEMU",
            "QEMU emulator version",
            "QEMU emulator version x.y",
            "qemu version 99999999999.1.1",
            "bash version 5.2.1",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn versions_compare_by_number_not_by_text() {
        let version = |major, minor, micro| Version { major, minor, micro };
        assert!(version(7, 10, 0) > OLDEST && version(10, 0, 0) > OLDEST && version(7, 1, 99) < OLDEST);
    }

    #[test]
    fn what_is_missing_comes_with_the_command_that_helps() {
        let error = SYSTEM.locate(None, OsStr::new("/nonexistent:/")).unwrap_err();
        assert_eq!(error.fact, "qemu-system-x86_64 is missing");
        assert_eq!(error.kind.exit_code(), 2);
        assert!(error.detail.unwrap().contains("PATH=/nonexistent:/"));
        assert!(error.help.unwrap().starts_with("sudo apt-get install qemu-system-x86\n"));
    }

    #[test]
    fn the_variable_goes_before_the_path_and_must_name_an_executable() {
        assert_eq!(IMG.locate(Some(OsStr::new("/bin/sh")), OsStr::new("/bin")).unwrap(), Path::new("/bin/sh"));
        for wrong in ["/etc/passwd", "/nonexistent", "/"] {
            let error = IMG.locate(Some(OsStr::new(wrong)), OsStr::new("/bin")).unwrap_err();
            assert_eq!(error.fact, format!("DEADPEER_QEMU_IMG names no executable file: {wrong}"));
        }
        assert!(IMG.locate(Some(OsStr::new("")), OsStr::new("/nonexistent")).is_err(), "empty is as good as unset");
    }

    #[test]
    fn a_newer_major_version_is_allowed_with_a_note() {
        let info = |major| Info { path: "/usr/bin/qemu".into(), version: Version { major, minor: 0, micro: 0 } };
        assert_eq!(info(11).note(), None);
        assert_eq!(info(12).note().unwrap(), "/usr/bin/qemu is version 12.0.0; Deadpeer is made for 7.2.0 to 11");
    }
}
