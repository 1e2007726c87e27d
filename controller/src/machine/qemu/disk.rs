//! A machine's disk: an overlay on the image, for one run.

use super::Info;
use crate::error::{Context, Error, Result};
use crate::process;
use crate::timeline::Ended;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long `qemu-img create` may take; it writes 200 KB.
const DEADLINE: Duration = Duration::from_secs(30);

/// Makes a disk that reads as `base` (raw) until it is written, and keeps what is written in `overlay` (qcow2).
///
/// # Errors
/// The overlay is there already, the base is not, or the disk is full.
pub(super) fn create(tool: &Info, base: &Path, overlay: &Path) -> Result<()> {
    let fact = || format!("cannot make the disk {}", overlay.display());
    // An absolute path cannot be taken for a protocol ("nbd:..."), and the overlay may lie anywhere.
    let base = base.canonicalize().broken(|| format!("cannot read the disk image {}", base.display()))?;
    let target = std::path::absolute(overlay).broken(fact)?;
    if target.exists() {
        return Err(Error::broken(fact()).detail("it exists already: a run has a folder of its own"));
    }
    let mut command = Command::new(&tool.path);
    command.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(base).arg(target);
    let out = process::output(command, DEADLINE)?;
    if out.how == Ended::Exit(0) {
        return Ok(());
    }
    Err(Error::broken(fact()).detail(format!("qemu-img {}", out.how)).detail(out.stderr.trim_end()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tool(path: &str) -> Info {
        Info { path: path.into(), version: crate::machine::qemu::OLDEST }
    }

    #[test]
    fn a_disk_that_is_there_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let (base, overlay) = (folder.path().join("base"), folder.path().join("server.qcow2"));
        std::fs::write(&base, "base").unwrap();
        std::fs::write(&overlay, "somebody's").unwrap();
        let error = create(&tool("/bin/true"), &base, &overlay).unwrap_err();
        assert!(error.detail.unwrap().contains("exists already"));
        assert_eq!(std::fs::read(&overlay).unwrap(), b"somebody's");
    }

    #[test]
    fn a_missing_image_and_a_failing_tool_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (base, overlay) = (folder.path().join("base"), folder.path().join("server.qcow2"));
        let error = create(&tool("/bin/true"), &base, &overlay).unwrap_err();
        assert!(error.fact.starts_with("cannot read the disk image"), "{error}");
        std::fs::write(&base, "base").unwrap();
        let error = create(&tool("/bin/false"), &base, &overlay).unwrap_err();
        assert_eq!(error.detail.as_deref(), Some("qemu-img exited with status 1"));
    }
}
