//! What is brought to a host before the steps go on: programs of the user's own. Ours come with the seed.
//!
//! In real time they are sent over SSH. In lockstep time they are put on the host's program disk, from which it takes them; over the
//! agent's serial line a megabyte would take a minute.

use super::lab::COMMAND_WITHIN;
use crate::error::{Error, Result};
use crate::machine::qemu::lockstep;
use crate::own::{Needs, Placed};
use crate::remote::{Session, quote};
use crate::scenario::{Action, Scenario};
use crate::timeline::Ended;
use std::path::Path;
use std::time::Duration;

/// An emulated host takes in this much in a second at the least, in bytes.
const PACE: u64 = 512 << 10;

/// Those of `own` that steps from `from` on start on this host: what no step will start need not be brought.
pub(super) fn needed(scenario: &Scenario, own: &[Placed], host: &str, from: usize) -> Vec<Placed> {
    let started = |name: &str| {
        let mut later = scenario.steps.iter().skip(from);
        later.any(|step| matches!(&step.action, Action::Start { program, .. } if program == name))
    };
    let here = |name: &str| scenario.programs.get(name).is_some_and(|program| program.host == host);
    own.iter().filter(|it| here(&it.program) && started(&it.program)).cloned().collect()
}

/// Brings them there, checked by their SHA-256 and safe from a power cut: by the host's program `disk`, where it has one. Has the host
/// say whether they can be started.
///
/// # Errors
/// One cannot be brought there; or, as wrong usage, it cannot be started there: with what it lacks.
pub(super) fn deploy(session: &Session, host: &str, programs: &[Placed], disk: Option<&Path>) -> Result<()> {
    let Some(disk) = disk.filter(|_| !programs.is_empty()) else {
        return programs.iter().try_for_each(|placed| bring(session, host, placed, None));
    };
    let bytes: Vec<&[u8]> = programs.iter().map(|placed| &*placed.own.bytes).collect();
    let places = lockstep::put_on_disk(disk, &bytes)?;
    programs.iter().zip(places).try_for_each(|(placed, place)| bring(session, host, placed, Some(place)))
}

fn bring(session: &Session, host: &str, placed: &Placed, on_disk: Option<u64>) -> Result<()> {
    let (own, place) = (&placed.own, &placed.place);
    let undertaking = format!("uploading {} to host '{host}'", own.path.display());
    let folder = place.rsplit_once('/').map_or("/", |(folder, _)| folder);
    session
        .run(&format!("mkdir -p {}", quote(folder)), COMMAND_WITHIN)
        .and_then(|output| output.success("making its folder"))
        .map_err(|e| e.during(&undertaking))?;
    let within = COMMAND_WITHIN + Duration::from_secs(own.bytes.len() as u64 / PACE);
    match on_disk {
        None => session.upload(&own.bytes, place, 0o755, within),
        Some(offset) => session.bring(&own.bytes, offset, place, 0o755, within),
    }
    .map_err(|e| e.during(&undertaking))?;
    let Some(question) = question(&own.needs, place) else { return Ok(()) };
    let answer = session.run(&question, COMMAND_WITHIN).map_err(|e| e.during(&undertaking))?;
    // glibc's loader names the versions of symbols that a library lacks, and exits 0 (elf/rtld.c, print_missing_version).
    if answer.ended == Ended::Exit(0) && missing_version(&answer.stderr).is_none() {
        return Ok(());
    }
    Err(cannot_start(&answer.stderr, host, placed))
}

/// What to ask the host: it says on standard error what is missing. Nothing, if nothing can be.
fn question(needs: &Needs, place: &str) -> Option<String> {
    let there = |path: &str| {
        let quoted = quote(path);
        format!("[ -x {quoted} ] || {{ echo {quoted}: not found >&2; exit 1; }}")
    };
    match needs {
        Needs::Nothing => None,
        // The loader itself seeks every library and every version of its symbols, and starts nothing (ld.so(8)).
        Needs::Loader(loader) => {
            Some(format!("{}\nexec {} --list {} >/dev/null", there(loader), quote(loader), quote(place)))
        }
        Needs::Interpreter(interpreter, None) => Some(there(interpreter)),
        Needs::Interpreter(interpreter, Some(sought)) => {
            let quoted = quote(sought);
            let found = format!("command -v {quoted} >/dev/null || {{ echo {quoted}: not found >&2; exit 1; }}");
            Some(format!("{}\n{found}", there(interpreter)))
        }
    }
}

/// The error that tells what is missing, and how to do without it.
fn cannot_start(words: &str, host: &str, placed: &Placed) -> Error {
    let own = &placed.own;
    let fact = match (missing_version(words), &own.needs, missing(words)) {
        (Some((version, library)), ..) => {
            format!("it needs the version {version} of {library}, which is not on the host")
        }
        (None, Needs::Loader(_), Some(library)) if library.contains(".so") => {
            format!("it needs the shared library {library}, which is not on the host")
        }
        (None, Needs::Interpreter(..), Some(interpreter)) => {
            format!("it needs the interpreter {interpreter}, which is not on the host")
        }
        _ => "its loader refuses it".to_owned(),
    };
    let help = match own.needs {
        Needs::Interpreter(..) => "Our images hold sh and the tools of BusyBox; a static binary needs nothing.",
        _ => {
            "Link it statically: gcc -static, or for Rust the target x86_64-unknown-linux-musl. Or choose a --kernel of a\n\
              suite whose libraries are as new as yours."
        }
    };
    Error::usage(format!("{} cannot be started on host '{host}': {fact}", own.path.display()))
        .detail(words.trim().to_owned())
        .help(help)
}

/// What the loader (glibc's or musl's) or our own question says is missing.
fn missing(words: &str) -> Option<&str> {
    words.lines().find_map(|line| {
        let glibc = || line.split_once("error while loading shared libraries: ")?.1.split(':').next();
        let musl = || line.strip_prefix("Error loading shared library ")?.split(':').next();
        glibc().or_else(musl).or_else(|| line.strip_suffix(": not found"))
    })
}

/// The version of symbols that the loader (glibc's) found missing, and the library's name.
fn missing_version(words: &str) -> Option<(&str, &str)> {
    words.lines().find_map(|line| {
        let (place, rest) = line.split_once(": version `")?;
        let (version, _) = rest.split_once("' not found")?;
        Some((version, place.rsplit(['/', ' ']).next().unwrap_or(place)))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_found_in_the_words_of_both_loaders_and_of_our_own() {
        let glibc =
            "./a: error while loading shared libraries: libfoo.so.1: cannot open shared object file: No such file";
        assert_eq!(missing(glibc), Some("libfoo.so.1"));
        let musl = "Error loading shared library libfoo.so.1: No such file or directory (needed by ./a)";
        assert_eq!(missing(musl), Some("libfoo.so.1"));
        assert_eq!(missing("/usr/bin/perl: not found\n"), Some("/usr/bin/perl"));
        let version = "./a: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by ./a)";
        assert_eq!((missing(version), missing_version(version)), (None, Some(("GLIBC_2.38", "libc.so.6"))));
    }

    #[test]
    fn what_the_loader_only_remarks_upon_is_not_missing() {
        let remark = "./a: /opt/libfoo.so.1: no version information available (required by ./a)";
        assert_eq!((missing(remark), missing_version(remark)), (None, None));
    }

    #[test]
    fn the_question_starts_nothing_and_quotes_what_it_asks_for() {
        assert_eq!(question(&Needs::Nothing, "/x"), None);
        let asked = question(&Needs::Loader("/lib64/ld.so".into()), "/a b/srv").unwrap();
        assert!(asked.ends_with("exec /lib64/ld.so --list '/a b/srv' >/dev/null"), "{asked}");
        let asked = question(&Needs::Interpreter("/usr/bin/env".into(), Some("py thon".into())), "/x").unwrap();
        assert!(asked.contains("[ -x /usr/bin/env ]") && asked.contains("command -v 'py thon' "), "{asked}");
    }
}
