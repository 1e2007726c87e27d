//! `controller verify`: runs a scenario twice in lockstep time, and compares what was witnessed byte by byte.

use super::output;
use crate::conductor::{self, Checkpoints, Interrupt, Options, Run};
use crate::error::{Context, Error, Kind, Result};
use crate::judge::Outcome;
use crate::progress::Reporter;
use crate::report::CheckpointUsed;
use crate::report::terminal::Progress as Screen;
use crate::scenario::{Scenario, Time};
use crate::timeline::{Event, LabTime};
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
    let scenarios = super::chosen(&args.scenarios, args.all)?;
    let interrupt = Interrupt::install()?;
    let temporary = tempfile::tempdir().broken(|| "cannot make a folder for the runs".to_owned())?;
    let home = args.out.as_deref().unwrap_or(temporary.path());
    if let Some(out) = &args.out {
        std::fs::create_dir(out).usage(|| format!("cannot make {}", out.display()))?;
    }
    let screen = Screen::on_stderr(args.quiet);
    let mut worst = 0;
    for scenario in &scenarios {
        let found = twice(args, scenario, home, &screen.reporter(), &interrupt)?;
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
    if let Some(how) = timelines(&first.timeline, &second.timeline) {
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
        if let Some(how) = files(&left, &right) {
            return Ok(Found::Differs(format!("  in {name} {how}")));
        }
        bytes += left.len() as u64;
    }
    let restored = second.result.time.checkpoint.as_ref().is_some_and(|it| it.used == CheckpointUsed::Restored);
    Ok(Found::Same(bytes, restored, first.result.outcome))
}

/// Where two timelines part: each side's event.
fn timelines(first: &[Event], second: &[Event]) -> Option<String> {
    let at = (0..first.len().max(second.len())).find(|n| first.get(*n) != second.get(*n))?;
    let told = |side: Option<&Event>| {
        side.map_or_else(
            || "nothing more".to_owned(),
            |event| serde_json::to_string(event).unwrap_or_else(|error| error.to_string()),
        )
    };
    let when = |side: &[Event]| side.get(at).map(|event| event.at);
    let earliest = [when(first), when(second)].into_iter().flatten().min().unwrap_or(LabTime(0));
    let sides = format!("    first:  {}\n    second: {}", told(first.get(at)), told(second.get(at)));
    Some(format!("  from {} ns on, in event {} of {} and {}:\n{sides}", earliest.0, at + 1, first.len(), second.len()))
}

/// Where two files part.
fn files(first: &[u8], second: &[u8]) -> Option<String> {
    let at = (0..first.len().max(second.len())).find(|n| first.get(*n) != second.get(*n))?;
    let line = first.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    let around = |side: &[u8]| {
        side.iter()
            .skip(at.saturating_sub(20))
            .take(60)
            .flat_map(|b| b.escape_ascii())
            .map(char::from)
            .collect::<String>()
    };
    Some(format!(
        "from byte {at} on (line {line}), of {} and {}:\n    first:  {}\n    second: {}",
        first.len(),
        second.len(),
        around(first),
        around(second)
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::timeline::{MachineEvent, What};

    fn event(at: u64, up: bool) -> Event {
        Event { at: LabTime(at), what: What::Machine { host: "a".into(), event: MachineEvent::CarrierSet { up } } }
    }

    #[test]
    fn the_first_difference_in_time_is_told_on_each_side() {
        let first = [event(1, true), event(5, true)];
        assert_eq!(timelines(&first, &first), None);
        let told = timelines(&first, &[event(1, true), event(4, false)]).unwrap();
        assert!(told.starts_with("  from 4 ns on, in event 2 of 2 and 2:"), "{told}");
        assert!(told.contains("first:  {\"at\":5") && told.contains("second: {\"at\":4"), "{told}");
        let told = timelines(&first, &first[..1]).unwrap();
        assert!(told.ends_with("second: nothing more"), "{told}");
    }

    #[test]
    fn the_first_byte_that_differs_is_told() {
        assert_eq!(files(b"same\n", b"same\n"), None);
        let told = files(b"one\ntwo\n", b"one\ntww\n").unwrap();
        assert!(told.starts_with("from byte 6 on (line 2), of 8 and 8:"), "{told}");
        assert!(files(b"one", b"one\n").is_some(), "one is longer");
    }

    #[test]
    fn what_differs_fails_and_what_broke_is_unknown() {
        let found = [Found::Same(7, true, Outcome::Pass), Found::Differs("x".into()), Found::Broken("y".into())];
        assert_eq!(found.map(|it| it.exit_code()), [0, 1, 2]);
    }
}
