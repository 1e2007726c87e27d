//! `controller verify`: runs a scenario twice in lockstep time, and compares what was witnessed byte by byte.

mod difference;

use super::output;
use crate::conductor::{self, Checkpoints, Interrupt, Options, Run};
use crate::error::{Context, Error, Kind, Result};
use crate::judge::Outcome;
use crate::own::Placed;
use crate::progress::Reporter;
use crate::report::CheckpointUsed;
use crate::report::terminal::Progress as Screen;
use crate::scenario::{Scenario, Time};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Run scenarios twice in lockstep time and compare every byte
///
/// One run boots its hosts, the other one goes on from the lab's checkpoint. Compared are the wire (wire.pcapng), each host's console,
/// and the timeline (events.jsonl). Where two runs part, the first
/// difference in time is shown on each side. The exit code is 0 where nothing differs, 1 where something does, 2 where a run broke.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Names of the catalogue (see `controller list`), or paths to YAML files
    #[arg(value_name = "NAME|FILE", required_unless_present = "all")]
    scenarios: Vec<String>,

    /// Verify the whole catalogue
    #[arg(long, conflicts_with = "scenarios")]
    all: bool,

    /// All chance there is in the runs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// The suite of Debian whose kernel and image all hosts boot [default: what the scenario says, or trixie]
    #[arg(long, value_name = "SUITE")]
    kernel: Option<String>,

    /// Run this program of yours in the place of the scenario's, as in `controller run`
    #[arg(long = "program", value_name = "NAME=COMMAND")]
    programs: Vec<String>,

    /// Have the hosts of both runs boot
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
    let mut worst = 0;
    for (scenario, own) in &planned {
        let found = twice(args, scenario, own, home, &screen.reporter(), &interrupt)?;
        screen.clear();
        output::text(&format!("{}\n", found.told(&scenario.name)))?;
        worst = worst.max(found.exit_code());
    }
    Ok(ExitCode::from(worst))
}

/// What came of two runs.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// Nothing differs: so many bytes were compared, and whether the second run was restored.
    Same(u64, bool, Outcome),
    /// The first difference of all, in words.
    Differs(String),
    /// A run broke.
    Broken(String),
}

impl Found {
    fn told(&self, name: &str) -> String {
        match self {
            Self::Same(bytes, restored, outcome) => {
                let how = if *restored { "one booted and one restored" } else { "both booted" };
                format!("✓ {name}: two runs are the same in all {bytes} bytes, {how} ({outcome})")
            }
            Self::Differs(how) => format!("✗ {name}: two runs differ\n{how}"),
            Self::Broken(why) => format!("? {name}: {why}"),
        }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Same(..) => 0,
            Self::Differs(_) => 1,
            Self::Broken(_) => Kind::Broken.exit_code(),
        }
    }
}

fn twice(
    args: &VerifyArgs,
    scenario: &Scenario,
    own: &[Placed],
    home: &Path,
    reporter: &Reporter,
    interrupt: &Interrupt,
) -> Result<Found> {
    let mut runs = Vec::new();
    // The first one leaves a checkpoint for the second.
    for (which, checkpoints) in [("first", Checkpoints::Save), ("second", Checkpoints::Use)] {
        let options = Options {
            out: Some(home.join(format!("{}-{which}", scenario.name))),
            kernel: args.kernel.clone(),
            own: own.to_vec(),
            time: Some(Time::Lockstep),
            seed: args.seed,
            checkpoints: if args.no_checkpoint { Checkpoints::Ignore } else { checkpoints },
            ..Options::default()
        };
        let run = conductor::run(scenario, &options, reporter, interrupt)?;
        match &run.error {
            Some(error) if error.kind == Kind::Interrupted => return Err(error.clone()),
            Some(error) => return Ok(Found::Broken(format!("the {which} run broke: {error}"))),
            None => runs.push(run),
        }
    }
    let [first, second] = &runs[..] else { return Err(Error::broken("two runs were not made")) };
    compare(scenario, first, second)
}

/// Compares the timelines first, because they say when.
fn compare(scenario: &Scenario, first: &Run, second: &Run) -> Result<Found> {
    if let Some(how) = difference::of_timelines(&first.timeline, &second.timeline) {
        return Ok(Found::Differs(how));
    }
    let consoles = scenario.hosts.keys().map(|host| format!("{host}.console.log"));
    let mut bytes = 0;
    for name in ["wire.pcapng".to_owned(), "events.jsonl".to_owned()].into_iter().chain(consoles) {
        let read = |run: &Run| {
            let path = run.result.folder.join(&name);
            std::fs::read(&path).broken(|| format!("cannot read {}", path.display()))
        };
        let (left, right) = (read(first)?, read(second)?);
        if let Some(how) = difference::of_files(&left, &right) {
            return Ok(Found::Differs(format!("  in {name} {how}")));
        }
        bytes += left.len() as u64;
    }
    let restored = second.result.time.checkpoint.as_ref().is_some_and(|it| it.used == CheckpointUsed::Restored);
    Ok(Found::Same(bytes, restored, first.result.outcome))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_fails_and_what_broke_is_unknown() {
        let found = [Found::Same(7, true, Outcome::Pass), Found::Differs("x".into()), Found::Broken("y".into())];
        assert_eq!(found.map(|it| it.exit_code()), [0, 1, 2]);
    }
}
