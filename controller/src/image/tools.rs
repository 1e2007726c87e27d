//! Running the host's tools: with progress, an ear for the interrupt, and their last words when they fail.

use super::cache::LINE;
use super::recipe::TOOLS;
use crate::error::{Context, Error, Result};
use crate::process;
use crate::progress::Reporter;
use crate::timeline::Ended;
use nix::sys::signal::Signal;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a tool may take to clean up after itself before it is killed.
const CLEANING_UP: Duration = Duration::from_secs(20);

/// How long a tool may say nothing at all. Downloads over a slow line print nothing for a while.
const SILENCE: Duration = Duration::from_secs(15 * 60);

/// Last lines of a tool's output that an error shows.
const LAST_WORDS: usize = 12;

/// Finds a program on the PATH.
pub(super) fn which(name: &str) -> Option<PathBuf> {
    // Debian keeps mke2fs and debugfs where an ordinary user's PATH does not lead.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Makes sure that every tool is there.
///
/// # Errors
/// Names all that are missing, and the command that installs them.
pub(super) fn require() -> Result<()> {
    let missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| which(tool).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|(tool, _)| *tool).collect();
    let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(Error::broken(format!("the image cannot be built: {} not found", names.join(", ")))
        .help(format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))))
}

/// Runs a tool to its end; what it prints goes to `log`, and its lines that begin with "I: " become progress.
///
/// # Errors
/// It cannot be started, fails (its last words are shown), says nothing for too long, or `interrupted` said so; it has ended then.
pub(super) fn run(
    mut command: Command,
    doing: &str,
    log: &Path,
    reporter: &Reporter,
    interrupted: &dyn Fn() -> bool,
) -> Result<()> {
    let name =
        Path::new(command.get_program()).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let file = File::create(log).broken(|| format!("cannot make {}", log.display()))?;
    let again = file.try_clone().broken(|| format!("cannot share {}", log.display()))?;
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(file).stderr(again);
    tracing::debug!("running {command:?}");
    let child = process::spawn(command, |_| ())?;
    let (mut said, mut silent) = (0, Duration::ZERO);
    let tick = Duration::from_millis(100);
    loop {
        if let Some(ended) = child.wait(tick) {
            return match ended {
                Ended::Exit(0) => Ok(()),
                how => Err(Error::broken(format!("{doing} failed: {name} {how}")).detail(last_words(log))),
            };
        }
        if interrupted() {
            end(&child)?;
            return Err(Error::interrupted());
        }
        let text = fs::read(log).unwrap_or_default();
        silent = if text.len() == said { silent + tick } else { Duration::ZERO };
        said = text.len();
        if silent > SILENCE {
            end(&child)?;
            return Err(Error::broken(format!(
                "{doing} failed: {name} said nothing for {} min",
                SILENCE.as_secs() / 60
            ))
            .detail(last_words(log)));
        }
        let text = String::from_utf8_lossy(&text);
        if let Some(line) = text.lines().rev().find_map(|l| l.strip_prefix("I: ")) {
            reporter.now(LINE, format!("{doing}: {}", line.trim_end_matches("...")), None);
        }
    }
}

/// Asks a tool to end, so that it can clean up after itself; kills it if it does not.
fn end(child: &process::Child) -> Result<()> {
    child.kill(Signal::SIGTERM)?;
    if child.wait(CLEANING_UP).is_none() {
        child.kill(Signal::SIGKILL)?;
        let _ = child.wait(process::DEATH);
    }
    Ok(())
}

fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
}

/// The first line that a tool says of its version.
pub(super) fn version(tool: &str, argument: &str) -> Option<String> {
    let mut command = Command::new(which(tool)?);
    command.arg(argument);
    let output = process::output(command, Duration::from_secs(10)).ok()?;
    let text = format!("{}\n{}", output.stdout, output.stderr);
    text.lines().map(str::trim).find(|l| !l.is_empty()).map(str::to_owned)
}
