//! `controller verify`: runs a scenario again and again in lockstep time, and compares what was witnessed byte by byte.

mod difference;

use super::{output, run::one_line};
use crate::conductor::{self, Checkpoints, Interrupt, Options, Run};
use crate::error::{Context, Error, Kind, Result};
use crate::judge::Outcome;
use crate::own::Placed;
use crate::progress::Reporter;
use crate::report::CheckpointUsed;
use crate::report::terminal::Progress as Screen;
use crate::scenario::{Scenario, Time};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

/// Run scenarios twice in lockstep time and compare every byte
///
/// The first run boots its hosts, all others go on from the lab's checkpoint, and are compared with the first (of several scenarios with
/// the same hosts, one run of all boots): the wire (wire.pcapng), each
/// host's console, and the timeline (events.jsonl). Where two runs part, the first difference in time is shown on each side. The exit
/// code is 0 where nothing differs, 1 where something does, 2 where a run broke.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Names of the catalogue (see `controller list`), or paths to YAML files
    #[arg(value_name = "NAME|FILE", required_unless_present = "all")]
    scenarios: Vec<String>,

    /// Verify the whole catalogue
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,

    /// Make this many runs of each
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..))]
    repeat: u32,

    /// How many labs run side by side, where there are several scenarios [default: one for each processor]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// All chance there is in the runs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// The suite of Debian whose kernel and image all hosts boot [default: what the scenario says, or trixie]
    #[arg(long, value_name = "SUITE")]
    kernel: Option<String>,

    /// Run this program of yours in the place of the scenario's, as in `controller run`
    #[arg(long = "program", value_name = "NAME=COMMAND")]
    programs: Vec<String>,

    /// Have the hosts of all runs boot
    #[arg(long)]
    no_checkpoint: bool,

    /// Keep the runs' folders in this one, which must not exist yet; else they are kept nowhere
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// # Errors
/// Wrong usage, a folder that cannot be made, or the user's interrupt.
pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let planned = super::run::own_programs(&args.programs, super::chosen(&args.scenarios, args.all)?)?;
    let interrupt = Interrupt::install()?;
    let temporary = tempfile::tempdir().broken(|| "cannot make a folder for the runs".to_owned())?;
    let home = args.out.as_deref().unwrap_or(temporary.path());
    if let Some(out) = &args.out {
        std::fs::create_dir(out).usage(|| format!("cannot make {}", out.display()))?;
    }
    let screen = Screen::on_stderr(args.quiet);
    let order: Vec<usize> = (0..planned.len()).collect();
    let at_once = args.jobs.unwrap_or_else(|| available_parallelism().unwrap_or(NonZeroUsize::MIN));
    let reporter = |scenario: &Scenario| match at_once.get().min(planned.len()) {
        1 => screen.reporter(),
        _ => one_line(&screen, &scenario.name),
    };
    let booted = Booted::default();
    let make = |index: usize| {
        let (scenario, own) = &planned[index];
        let booted = &booted;
        Verification { args, scenario, own, home, booted }.run(&reporter(scenario), &interrupt)
    };
    let mut said = Ok(());
    let ended = |index: usize, found: &Result<Found>| {
        if let Ok(found) = found {
            screen.clear();
            let told = output::text(&format!("{}\n", found.told(&planned[index].0.name)));
            said = std::mem::replace(&mut said, Ok(())).and(told);
        }
    };
    let found = conductor::share_out(&order, at_once, &|| interrupt.raised(), &make, ended);
    screen.clear();
    said?;
    let found = found.into_iter().map(|it| it.unwrap_or_else(|| Err(Error::interrupted())));
    let found = found.collect::<Result<Vec<Found>>>()?;
    Ok(ExitCode::from(found.iter().map(Found::exit_code).max().unwrap_or_default()))
}

/// What came of a scenario's runs.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Same(Same),
    /// The first difference of all, in words, and in which run.
    Differs(u32, String),
    /// A run broke.
    Broken(String),
}

/// Nothing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Same {
    runs: u32,
    /// How many of them began with a checkpoint.
    restored: u32,
    /// How many were compared of each.
    bytes: u64,
    outcome: Outcome,
}

impl Found {
    fn told(&self, name: &str) -> String {
        match self {
            Self::Same(Same { runs, restored, bytes, outcome }) => {
                let how = match (runs - restored, restored) {
                    (_, 0) => "all booted".to_owned(),
                    (0, _) => "all restored".to_owned(),
                    (booted, restored) => format!("{booted} booted and {restored} restored"),
                };
                format!("✓ {name}: {runs} runs are the same in all {bytes} bytes, {how} ({outcome})")
            }
            Self::Differs(which, how) => format!("✗ {name}: run {which} differs from the first\n{how}"),
            Self::Broken(why) => format!("? {name}: {why}"),
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Same(_) => 0,
            Self::Differs(..) => 1,
            Self::Broken(_) => Kind::Broken.exit_code(),
        }
    }
}

/// The labs, by their hosts, of which a run that booted was the same as one that was restored. What a lab is until it is ready does not
/// depend on the rest of a scenario.
#[derive(Debug, Default)]
struct Booted(Mutex<BTreeSet<String>>);

impl Booted {
    fn labs(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One scenario's runs.
struct Verification<'a> {
    args: &'a VerifyArgs,
    scenario: &'a Scenario,
    own: &'a [Placed],
    /// Where the runs' folders are.
    home: &'a Path,
    booted: &'a Booted,
}

impl Verification<'_> {
    fn run(&self, reporter: &Reporter, interrupt: &Interrupt) -> Result<Found> {
        let lab = format!("{:?}", self.scenario.hosts);
        // One that boots leaves a checkpoint for the others.
        let may = if self.booted.labs().contains(&lab) { Checkpoints::Use } else { Checkpoints::Save };
        let first = self.make(1, may, reporter, interrupt)?;
        if let Some(error) = &first.error {
            return broken(1, error);
        }
        let mut same =
            Same { runs: 1, restored: u32::from(is_restored(&first)), bytes: 0, outcome: first.result.outcome };
        for which in 2..=self.args.repeat {
            let other = self.make(which, Checkpoints::Use, reporter, interrupt)?;
            if let Some(error) = &other.error {
                return broken(which, error);
            }
            match self.compare(&first, &other)? {
                Compared::Same(bytes) => same.bytes = bytes,
                Compared::Differs(how) => return Ok(Found::Differs(which, how)),
            }
            same.runs = which;
            same.restored += u32::from(is_restored(&other));
            if self.args.out.is_none() {
                let folder = &other.result.folder;
                std::fs::remove_dir_all(folder).broken(|| format!("cannot remove {}", folder.display()))?;
            }
        }
        if (1..same.runs).contains(&same.restored) {
            self.booted.labs().insert(lab);
        }
        Ok(Found::Same(same))
    }

    fn make(&self, which: u32, may: Checkpoints, reporter: &Reporter, interrupt: &Interrupt) -> Result<Run> {
        let options = Options {
            out: Some(self.home.join(format!("{}-{which}", self.scenario.name))),
            kernel: self.args.kernel.clone(),
            own: self.own.to_vec(),
            time: Some(Time::Lockstep),
            seed: self.args.seed,
            checkpoints: if self.args.no_checkpoint { Checkpoints::Ignore } else { may },
            ..Options::default()
        };
        conductor::run(self.scenario, &options, reporter, interrupt)
    }

    /// Compares the timelines first, because they say when.
    fn compare(&self, first: &Run, other: &Run) -> Result<Compared> {
        if let Some(how) = difference::of_timelines(&first.timeline, &other.timeline) {
            return Ok(Compared::Differs(how));
        }
        let consoles = self.scenario.hosts.keys().map(|host| format!("{host}.console.log"));
        let mut bytes = 0;
        for name in ["wire.pcapng".to_owned(), "events.jsonl".to_owned()].into_iter().chain(consoles) {
            let read = |run: &Run| {
                let path = run.result.folder.join(&name);
                std::fs::read(&path).broken(|| format!("cannot read {}", path.display()))
            };
            let (left, right) = (read(first)?, read(other)?);
            if let Some(how) = difference::of_files(&left, &right) {
                return Ok(Compared::Differs(format!("  in {name} {how}")));
            }
            bytes += left.len() as u64;
        }
        Ok(Compared::Same(bytes))
    }
}

enum Compared {
    /// In so many bytes.
    Same(u64),
    Differs(String),
}

/// # Errors
/// The user's interrupt, which is none of the run's own.
fn broken(which: u32, error: &Error) -> Result<Found> {
    match error.kind {
        Kind::Interrupted => Err(error.clone()),
        _ => Ok(Found::Broken(format!("run {which} broke: {error}"))),
    }
}

fn is_restored(run: &Run) -> bool {
    run.result.time.checkpoint.as_ref().is_some_and(|it| it.used == CheckpointUsed::Restored)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_fails_and_what_broke_is_unknown() {
        let same = Same { runs: 3, restored: 2, bytes: 7, outcome: Outcome::Pass };
        let found = [Found::Same(same), Found::Differs(2, "x".into()), Found::Broken("y".into())];
        assert_eq!(found.each_ref().map(Found::exit_code), [0, 1, 2]);
        let told = found.map(|it| it.told("z"));
        assert_eq!(told[0], "✓ z: 3 runs are the same in all 7 bytes, 1 booted and 2 restored (pass)");
        assert_eq!(told[1], "✗ z: run 2 differs from the first\nx");
        assert_eq!(told[2], "? z: y");
    }
}
