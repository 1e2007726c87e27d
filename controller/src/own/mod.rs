//! The user's own programs, in the place of a scenario's: `--program client=./a.out`.
//!
//! An [`Own`] is a file of this computer, read and looked at before anything boots: it is an executable for the
//! guests' processor, or a script. [`take_part`] puts it in the place of a program of the scenario; the conductor brings it to
//! the host, and there has the guest itself say whether it can be started ([`Needs`]), before the steps go on.
//!
//! # Arguments
//! Those that the user gives. Where only a path is given, those of the scenario's program; but the options of Deadpeer's
//! own `echo-client` and `echo-server` mean nothing to any other program, so of theirs only what says *where to*: from the
//! first argument that names a host, by address or name.

mod binary;

pub use binary::Needs;

use crate::embedded;
use crate::error::{Context, Error, Result};
use crate::scenario::{Scenario, command_words, nearest};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest file that is brought to a guest, in bytes.
const LARGEST: u64 = 64 << 20;

/// The most that the files of one host are together, in bytes: of its disk some 120 MB are free, and it must have room for what runs.
const MOST_OF_A_HOST: usize = 96 << 20;

/// A program of the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Whose place it takes: a program of the scenario, or a host with one program on it.
    pub name: String,
    /// Where it is on this computer.
    pub path: PathBuf,
    /// The file.
    pub bytes: Arc<[u8]>,
    /// What it needs where it runs.
    pub needs: Needs,
    /// Its arguments; none: those of the scenario's program.
    pub arguments: Option<Vec<String>>,
}

impl Own {
    /// Reads `NAME=COMMAND`: words quoted as in a shell, the first of which is the path of a file here.
    ///
    /// # Errors
    /// Wrong usage: the form, the quotes, or the file, which must be an executable for the guests' processor, or a script.
    pub fn parse(text: &str) -> Result<Self> {
        let form = || {
            Error::usage(format!("{text:?} does not say which program is to be which"))
                .help("--program NAME=COMMAND, as in --program client=./a.out or --program 'server=./srv -x'")
        };
        let (name, command) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(form)?;
        let mut words = command_words(command)
            .map_err(|(wrong, help)| Error::usage(format!("in --program {name}: {wrong}")).help(help))?
            .into_iter();
        let path = PathBuf::from(words.next().ok_or_else(form)?);
        let arguments: Vec<String> = words.collect();
        Self::of_file(name, path, (!arguments.is_empty()).then_some(arguments))
    }

    /// A program that somebody else ran, and with which arguments.
    ///
    /// # Errors
    /// Wrong usage: the file cannot be read, or is no program for the guests.
    pub fn received(name: &str, path: &Path, arguments: Vec<String>) -> Result<Self> {
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(path, mode).usage(|| format!("cannot make {} executable", path.display()))?;
        Self::of_file(name, path.to_owned(), Some(arguments))
    }

    fn of_file(name: &str, path: PathBuf, arguments: Option<Vec<String>>) -> Result<Self> {
        let bytes = read(&path)?;
        let needs = binary::needs(&bytes).map_err(|wrong| Error::usage(format!("{} {wrong}", path.display())))?;
        Ok(Self { name: name.to_owned(), path, bytes: bytes.into(), needs, arguments })
    }

    /// Its SHA-256, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where it is on the guest, if it takes the place of `program`: under its own name, which it may print.
    fn place(&self, program: &str) -> String {
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{}/{program}/{file}", deadpeer_guest::OWN_DIR)
    }
}

/// An [`Own`] in the place of a scenario's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The program of the scenario.
    pub program: String,
    /// The file on the guest, absolute.
    pub place: String,
    /// What is brought there.
    pub own: Own,
}

/// Puts `own` in the place of the program that it names, if the scenario has it.
pub fn take_part(scenario: &mut Scenario, own: &Own) -> Option<Placed> {
    let name = program_named(scenario, &own.name)?;
    let place = own.place(&name);
    let arguments = own.arguments.clone().unwrap_or_else(|| kept(scenario, &name));
    let program = scenario.programs.get_mut(&name)?;
    program.command = std::iter::once(place.clone()).chain(arguments).collect();
    Some(Placed { program: name, place, own: own.clone() })
}

/// Makes sure that every host has room for its programs.
///
/// # Errors
/// Wrong usage: one has not.
pub fn fit(scenario: &Scenario, placed: &[Placed]) -> Result<()> {
    for host in scenario.hosts.keys() {
        let here = |it: &&Placed| scenario.programs.get(&it.program).is_some_and(|program| program.host == *host);
        let together: usize = placed.iter().filter(here).map(|it| it.own.bytes.len()).sum();
        if together > MOST_OF_A_HOST {
            let (most, together) = (MOST_OF_A_HOST >> 20, together.div_ceil(1 << 20));
            let fact = format!("your programs on host {host} of scenario {} are {together} MiB", scenario.name);
            return Err(
                Error::usage(format!("{fact} together; a host has room for {most} MiB")).help("Strip them: strip FILE")
            );
        }
    }
    Ok(())
}

/// The error that none of these scenarios has a program that `own` could take the place of.
#[must_use]
pub fn no_place(scenarios: &[Scenario], own: &Own) -> Error {
    if let Some(scenario) = scenarios.iter().find(|scenario| programs_on(scenario, &own.name).count() > 1) {
        let there: Vec<&str> = programs_on(scenario, &own.name).map(String::as_str).collect();
        return Error::usage(format!("there are several programs on host {} of scenario {}", own.name, scenario.name))
            .help(format!("name the one that is meant: {}", there.join(", ")));
    }
    let mut known: Vec<&str> =
        scenarios.iter().flat_map(|s| s.programs.keys().chain(s.hosts.keys())).map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    let programs: Vec<&str> =
        known.iter().copied().filter(|name| scenarios.iter().any(|s| s.programs.contains_key(*name))).collect();
    let help = match nearest(&own.name, known.iter().copied()) {
        Some(near) if near != own.name => format!("did you mean {near}?"),
        _ => format!("programs there are: {}", programs.join(", ")),
    };
    Error::usage(format!("there is no program {:?} in {}", own.name, named(scenarios))).help(help)
}

fn named(scenarios: &[Scenario]) -> String {
    match scenarios {
        [one] => format!("scenario {}", one.name),
        several => format!("any of the {} scenarios", several.len()),
    }
}

/// The program of this name, or the one program on the host of this name.
fn program_named(scenario: &Scenario, name: &str) -> Option<String> {
    if scenario.programs.contains_key(name) {
        return Some(name.to_owned());
    }
    let mut on_host = programs_on(scenario, name);
    let only = on_host.next()?;
    on_host.next().is_none().then(|| only.clone())
}

/// The programs on the host of this name.
fn programs_on<'a>(scenario: &'a Scenario, host: &str) -> impl Iterator<Item = &'a String> {
    scenario.programs.iter().filter(move |(_, program)| program.host == host).map(|(name, _)| name)
}

/// The arguments that another program in the place of `name` is given too.
fn kept(scenario: &Scenario, name: &str) -> Vec<String> {
    let command = scenario.programs.get(name).map(|program| program.command.as_slice()).unwrap_or_default();
    let Some((first, arguments)) = command.split_first() else { return Vec::new() };
    if embedded::guest_program(first).is_none() {
        return arguments.to_vec();
    }
    let is_host = |word: &String| {
        let address = word.parse().ok();
        scenario
            .hosts
            .iter()
            .any(|(name, host)| name == word || host.addresses.iter().any(|(of_host, _)| Some(*of_host) == address))
    };
    arguments.iter().skip_while(|word| !is_host(word)).cloned().collect()
}

/// Reads a program's file.
fn read(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let meta = std::fs::metadata(path).usage(|| format!("cannot read the program {shown}"))?;
    if meta.is_dir() {
        return Err(Error::usage(format!("{shown} is a folder, not a program")));
    }
    if !meta.is_file() {
        return Err(Error::usage(format!("{shown} is not a regular file")));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Err(Error::usage(format!("{shown} is not executable")).help(format!("chmod +x {shown}")));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).usage(|| format!("cannot read the program {shown}"))?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).usage(|| format!("cannot read the program {shown}"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(
            Error::usage(format!("{shown} is larger than {} MiB", LARGEST >> 20)).help(format!("strip {shown}"))
        );
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
