//! A run's folder: what is public in it, what is private and gone at the end.
//!
//! `runs/<time>-<scenario>/` or the folder the user named. The names of the files in it are a public interface. What must not
//! outlive the run (disk overlays, the seeds with host keys) is in `.private`, mode 700, locked by the running controller;
//! one that a killed controller left behind is removed by the next run beside it.

use crate::error::{Context, Error, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

/// Name of the private folder within a run's folder.
const PRIVATE: &str = ".private";

/// A run's folder, made for this run.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held while the controller lives: tells other controllers that `.private` is in use.
    lock: Option<Flock<File>>,
}

impl Folder {
    /// Makes `out`, which must not exist; or else `runs/<stamp>-<scenario>` in the current folder, with `runs/latest`
    /// pointing at it.
    ///
    /// # Errors
    /// The folder exists or cannot be made (wrong usage: the user named it or chose where to stand).
    pub(super) fn create(out: Option<&Path>, scenario: &str, stamp: &str) -> Result<Self> {
        let path = match out {
            Some(out) => {
                make(out).map_err(|e| refuse(out, &e))?;
                out.to_owned()
            }
            None => make_numbered(Path::new("runs"), &format!("{stamp}-{scenario}"))?,
        };
        let path = path.canonicalize().broken(|| format!("cannot resolve {}", path.display()))?;
        let mut folder = Self { path, lock: None };
        if let Err(error) = folder.furnish() {
            folder.remove();
            return Err(error);
        }
        if out.is_none() {
            point_latest(&folder.path);
            sweep(folder.path.parent().unwrap_or(Path::new(".")));
        }
        Ok(folder)
    }

    fn furnish(&mut self) -> Result<()> {
        let private = self.private();
        // Under another name until it is locked: another run that begins beside this one sweeps what nobody holds.
        let fresh = self.path.join(format!("{PRIVATE}.new"));
        fs::DirBuilder::new().mode(0o700).create(&fresh).broken(|| format!("cannot make {}", fresh.display()))?;
        let lock = fresh.join("lock");
        let file = File::create(&lock).broken(|| format!("cannot make {}", lock.display()))?;
        self.lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok();
        fs::rename(&fresh, &private).broken(|| format!("cannot make {}", private.display()))
    }

    /// The folder, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What must not outlive the run.
    pub(super) fn private(&self) -> PathBuf {
        self.path.join(PRIVATE)
    }

    /// Writes a public file whole.
    ///
    /// # Errors
    /// The file cannot be written; the disk may be full.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.file(name);
        fs::write(&path, bytes).broken(|| format!("cannot write {}", path.display()))
    }

    /// Removes what must not outlive the run.
    pub(super) fn close(&mut self) {
        if let Err(error) = fs::remove_dir_all(self.private())
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", self.private().display());
        }
        self.lock = None;
    }

    /// Removes the whole folder: the run never began.
    fn remove(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.close();
    }
}

fn make(path: &Path) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    fs::create_dir(path)
}

/// Two runs of one scenario may begin in the same second: the later gets `-2`.
fn make_numbered(runs: &Path, name: &str) -> Result<PathBuf> {
    for number in 1..1000 {
        let path = if number == 1 { runs.join(name) } else { runs.join(format!("{name}-{number}")) };
        match make(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(e) => return Err(refuse(&path, &e)),
        }
    }
    Err(Error::broken(format!("a thousand runs named {name} are in {}", runs.display())))
}

fn refuse(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() == ErrorKind::AlreadyExists && path.exists() {
        return Error::usage(format!("the folder for the run exists already: {}", path.display())).help(
            "A run never writes over another. Name a folder that does not exist yet, as in `--out runs/second`.",
        );
    }
    Error::usage(format!("cannot make the folder for the run, {}: {error}", path.display()))
        .help("Name a folder that you may write with `--out DIR`, or stand in one.")
}

/// `latest` is a convenience: that it cannot be set (a file system without links) ends no run.
fn point_latest(run: &Path) {
    let (Some(runs), Some(name)) = (run.parent(), run.file_name()) else { return };
    let fresh = runs.join(format!(".latest-{}", name.to_string_lossy()));
    if let Err(error) = symlink(name, &fresh).and_then(|()| fs::rename(&fresh, runs.join("latest"))) {
        let _ = fs::remove_file(&fresh);
        tracing::warn!("cannot point {} at this run: {error}", runs.join("latest").display());
    }
}

/// Removes private folders that killed controllers left in the runs beside this one.
fn sweep(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
        let private = entry.path().join(PRIVATE);
        let Ok(file) = File::open(private.join("lock")) else { continue };
        if let Ok(_ours) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            tracing::info!("removing {}, left by a controller that was killed", private.display());
            let _ = fs::remove_dir_all(&private);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn private_is_mode_700_and_gone_at_the_end() {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("deep/run");
        let folder = Folder::create(Some(&out), "x", "t").unwrap();
        let private = folder.private();
        assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!private.exists());
        assert!(out.exists());
    }

    #[test]
    fn an_existing_folder_is_refused_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("precious"), "x").unwrap();
        let error = Folder::create(Some(home.path()), "x", "t").unwrap_err();
        assert_eq!(error.kind, crate::error::Kind::Usage);
        assert!(error.fact.contains("exists already"), "{error}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_parent_that_is_a_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "x").unwrap();
        let error = Folder::create(Some(&file.join("run")), "x", "t").unwrap_err();
        assert_eq!(error.kind, crate::error::Kind::Usage);
    }

    #[test]
    fn runs_of_the_same_second_get_numbers_and_a_dead_controllers_private_folder_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path().join("runs");
        let first = make_numbered(&runs, "t-x").unwrap();
        let second = make_numbered(&runs, "t-x").unwrap();
        assert_eq!(second, runs.join("t-x-2"));
        for run in [&first, &second] {
            fs::create_dir(run.join(PRIVATE)).unwrap();
            fs::write(run.join(PRIVATE).join("lock"), "").unwrap();
        }
        let alive =
            Flock::lock(File::open(second.join(PRIVATE).join("lock")).unwrap(), FlockArg::LockExclusive).unwrap();
        sweep(&runs);
        assert!(!first.join(PRIVATE).exists(), "the dead one's is gone");
        assert!(second.join(PRIVATE).exists(), "the living one's is not");
        drop(alive);
    }
}
