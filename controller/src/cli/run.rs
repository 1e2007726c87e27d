//! `controller run`: executes a scenario.

use super::{Format, output};
use crate::conductor::{self, Interrupt, Options, Run};
use crate::error::{Error, Result};
use crate::image;
use crate::machine::Choice;
use crate::report::terminal::Progress as Screen;
use crate::report::{self, Style};
use crate::scenario::{self, Scenario};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Run a scenario and show what happened
///
/// Boots the scenario's hosts, carries out its steps, and judges what it expects by what the wire, the machines and the
/// programs showed. The proof stays in a folder: result.json, events.jsonl (the timeline), wire.pcapng (every frame,
/// for Wireshark), a console log per host, the scenario, and controller.log.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// A name of the catalogue (see `controller list`), or the path to a YAML file
    #[arg(value_name = "NAME|FILE")]
    pub(super) scenario: String,

    /// The run's folder, which must not exist yet [default: runs/TIME-NAME]
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// The suite of Debian that the hosts run: bullseye, bookworm, trixie ...
    #[arg(long, default_value = "trixie")]
    pub(super) suite: String,

    /// How the machines' instructions are executed
    #[arg(long, value_enum, default_value_t)]
    pub(super) accel: Choice,

    /// Within which time a host must have booted; longer than the slowest machine needs
    #[arg(long, value_name = "TIME", default_value = "90 s", value_parser = scenario::parse_time)]
    pub(super) boot_within: Duration,

    /// What is written to standard output: the story, or result.json
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,

    /// Run it this many times, and tell at the end how often each outcome came; stops at the first `unknown`
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) repeat: NonZeroU32,

    /// Do without the kernels' testimony: to see what it costs
    #[arg(long, hide = true)]
    pub(super) no_witness: bool,

    /// No progress and no ladder, only what was expected and what came of it
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// # Errors
/// Wrong usage, or a run that could not even have a folder. A lab that broke is a run's outcome.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let scenario = super::catalogue().resolve(&args.scenario)?;
    if args.out.is_some() && args.repeat.get() > 1 {
        return Err(Error::usage("--out names one folder, and --repeat asks for several runs")
            .help("Leave one of them out: without --out each run has a folder of its own under `runs/`."));
    }
    let interrupt = Interrupt::install()?;
    let mut tally = Tally::default();
    for number in 1..=args.repeat.get() {
        let screen = Screen::on_stderr(args.quiet);
        let run = conductor::run(&scenario, &args.options(), &screen.reporter(), &interrupt);
        screen.clear();
        drop(screen);
        let run = run?;
        args.show(&scenario, &run)?;
        tally.add(&run, number);
        if run.error.is_some() {
            break;
        }
    }
    if args.repeat.get() > 1 && args.format == Format::Text {
        output::text(&tally.to_string())?;
    }
    Ok(ExitCode::from(tally.exit_code))
}

impl RunArgs {
    fn options(&self) -> Options {
        Options {
            out: self.out.clone(),
            image: image::Spec { suite: self.suite.clone() },
            accelerator: self.accel,
            boot_within: self.boot_within,
            witness: !self.no_witness,
        }
    }

    /// Writes what the user asked for to standard output, and why a run broke to standard error.
    fn show(&self, scenario: &Scenario, run: &Run) -> Result<()> {
        match self.format {
            Format::Json => output::text(&report::to_json(&run.result))?,
            // A lab that was never put together has no story and proves nothing: the error says it all.
            Format::Text if run.timeline.is_empty() && run.error.is_some() => {}
            Format::Text => {
                let style = Style::of_stdout();
                if !self.quiet {
                    output::text(&format!("{}\n", report::ladder(scenario, &run.timeline, &style)))?;
                }
                output::text(&report::summary(&run.result, &style))?;
            }
        }
        if let Some(error) = &run.error {
            output::error(error);
        }
        Ok(())
    }
}

/// How often each outcome came.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<String, u32>,
    runs: u32,
    /// That of the worst run: the interrupt, then unknown, then fail.
    exit_code: u8,
}

impl Tally {
    fn add(&mut self, run: &Run, number: u32) {
        *self.counts.entry(format!("{:?}", run.result.outcome).to_lowercase()).or_default() += 1;
        self.runs = number;
        self.exit_code = self.exit_code.max(run.exit_code());
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.counts.iter().map(|(outcome, n)| format!("{outcome} {n}")).collect();
        write!(f, "{} runs: {}", self.runs, counts.join(", "))
    }
}
