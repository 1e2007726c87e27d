//! `controller run`: executes scenarios: one and tells its story, or several and gives an overview.

mod seeds;
mod several;

pub(super) use several::one_line;

use super::{Format, output};
use crate::conductor::{self, Checkpoints, Interrupt, Options, Provider, Run};
use crate::error::{Context, Error, Result};
use crate::machine::Choice;
use crate::own::{self, Own, Placed};
use crate::report::terminal::Progress as Screen;
use crate::report::{self, RunResult, Style};
use crate::scenario::{self, BoxName, Scenario, Time};
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Run scenarios and show what happened
///
/// Boots a scenario's hosts, carries out its steps, and judges what it expects by what the wire, the machines and the
/// programs showed. The proof stays in a folder: result.json, events.jsonl (the timeline), wire.pcapng (every frame,
/// for Wireshark), a console log per host, the scenario, and controller.log.
///
/// One run tells its story. Several (names, --all, --repeat, --seeds) run side by side, with a line for each as it ends and a
/// table of all at the end; the exit code is that of the worst.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Names of the catalogue (see `controller list`), or paths to YAML files
    #[arg(value_name = "NAME|FILE", required_unless_present = "all")]
    pub(super) scenarios: Vec<String>,

    /// Run the whole catalogue
    #[arg(long, conflicts_with = "scenarios")]
    pub(super) all: bool,

    /// Run each this many times, and tell at the end how often each outcome came and what was measured
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) repeat: NonZeroU32,

    /// How many labs run side by side, where there are several runs [default: one for each processor, and one]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,

    /// The run's folder, which must not exist yet; several runs have a folder each in it [default: runs/TIME-NAME]
    #[arg(short, long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// The suite of Debian whose kernel and image all hosts boot: bullseye, bookworm, trixie or sid [default: what the
    /// scenario says, or trixie]
    #[arg(long, value_name = "SUITE")]
    pub(super) kernel: Option<String>,

    /// The box of Vagrant's that all hosts are made from, whatever the scenario says: debian/bookworm64, or one version of it,
    /// debian/bookworm64@12.20250126.1; with --provider vagrant
    #[arg(long = "box", value_name = "NAME[@VERSION]", conflicts_with = "kernel")]
    pub(super) boxed: Option<BoxName>,

    /// Run this program of yours in the place of the scenario's: --program client=./a.out, or with arguments,
    /// --program 'server=./srv -x'
    ///
    /// NAME is a program of the scenario, or a host with one program on it. COMMAND is a path here and, if need be, the
    /// arguments; else it gets those of the scenario's program, but no options meant for echo-client or echo-server. It is
    /// brought to the host, and must be there what it needs: static, or linked with libraries that the image holds.
    #[arg(long = "program", value_name = "NAME=COMMAND")]
    pub(super) programs: Vec<String>,

    /// Who makes the machines: the controller runs QEMU itself, or Vagrant makes them and libvirt runs them
    #[arg(long, value_enum, default_value_t)]
    pub(super) provider: ProviderName,

    /// Keep the machines that Vagrant made, switched off, for the next run whose machines are the same, which then starts sooner; its disks
    /// are fresh all the same
    #[arg(long)]
    pub(super) keep: bool,

    /// Where the libvirt is that runs Vagrant's machines: on this computer, or on another, over SSH, as in
    /// qemu+ssh://root@HOST/system [default: LIBVIRT_DEFAULT_URI, or qemu:///session, or qemu:///system for root]
    #[arg(long, value_name = "URI")]
    pub(super) libvirt_uri: Option<String>,

    /// How the machines' instructions are executed
    #[arg(long, value_enum, default_value_t)]
    pub(super) accel: Choice,

    /// Which time the lab lives on [default: what the scenario says, or real]
    #[arg(long, value_enum)]
    pub(super) time: Option<Time>,

    /// All chance there is in lockstep time: another seed, another run; the same, the same to the byte
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,

    /// Run each once with every seed of this range, as in 1..50, and tell at the end what they came to and which seed shows it
    /// again; in lockstep time
    #[arg(long, value_name = "FIRST..LAST", conflicts_with_all = ["seed", "repeat"], value_parser = seeds::parse)]
    pub(super) seeds: Option<RangeInclusive<u64>>,

    /// Have all hosts boot in lockstep time: neither restore a lab that was booted before, nor keep this one
    #[arg(long)]
    pub(super) no_checkpoint: bool,

    /// Within which time a host must have booted; longer than the slowest machine needs
    #[arg(long, value_name = "TIME", default_value = "90 s", value_parser = scenario::parse_time)]
    pub(super) boot_within: Duration,

    /// Within which time a run must be over, by this computer's clock; past it the lab has broken and the outcome is unknown
    #[arg(long, value_name = "TIME", default_value = "1 h", value_parser = scenario::parse_time)]
    pub(super) within: Duration,

    /// Do without the kernels' testimony: to see what it costs
    #[arg(long, hide = true)]
    pub(super) no_witness: bool,

    /// What is written to standard output: the story, or result.json; of several runs the table, or all of it as JSON
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,

    /// Write the outcome as JUnit XML too, for continuous integration: a suite for each run, a case for each expectation
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,

    /// No progress and no ladder, only what was expected and what came of it
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// Who makes the machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum ProviderName {
    /// The controller runs QEMU itself
    #[default]
    Qemu,
    /// Vagrant with its plugin vagrant-libvirt, and libvirt: in real time
    Vagrant,
}

/// # Errors
/// Wrong usage, or a run that could not even have a folder. A lab that broke is a run's outcome.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let mut scenarios = super::chosen(&args.scenarios, args.all)?;
    if let Some(boxed) = &args.boxed {
        if args.all {
            // Of the whole catalogue, those that can be.
            let refused = |error: &Error| tracing::warn!("left out: {}", error.fact);
            scenarios.retain_mut(|scenario| scenario.use_box(boxed).inspect_err(refused).is_ok());
        } else {
            scenarios.iter_mut().try_for_each(|scenario| scenario.use_box(boxed))?;
        }
    }
    if args.provider == ProviderName::Qemu && (args.keep || args.libvirt_uri.is_some() || args.boxed.is_some()) {
        return Err(Error::usage("--box, --keep and --libvirt-uri are for machines that Vagrant makes")
            .help("Say --provider vagrant as well, or leave them out."));
    }
    if let Some(file) = &args.junit {
        // Known before the first machine boots, not after the last.
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
        opened.usage(|| format!("cannot write {}", file.display()))?;
    }
    let planned = own_programs(&args.programs, scenarios)?;
    match &planned[..] {
        [(scenario, own)] if args.repeat.get() == 1 && args.seeds.is_none() => one(args, scenario, own),
        _ => several::run(args, &planned),
    }
}

/// The scenarios with the user's own programs in their places.
pub(super) fn own_programs(given: &[String], scenarios: Vec<Scenario>) -> Result<Vec<(Scenario, Vec<Placed>)>> {
    let mut planned: Vec<_> = scenarios.iter().map(|scenario| (scenario.clone(), Vec::<Placed>::new())).collect();
    for text in given {
        let own = Own::parse(text)?;
        let mut fits = false;
        for (scenario, placed) in &mut planned {
            let Some(fitting) = own::take_part(scenario, &own) else { continue };
            if placed.iter().any(|other| other.program == fitting.program) {
                return Err(Error::usage(format!("two programs are to be {}", fitting.program))
                    .help("Name each program of the scenario with one --program."));
            }
            placed.push(fitting);
            fits = true;
        }
        if !fits {
            return Err(own::no_place(&scenarios, &own));
        }
    }
    planned.iter().try_for_each(|(scenario, placed)| own::fit(scenario, placed))?;
    Ok(planned)
}

fn one(args: &RunArgs, scenario: &Scenario, own: &[Placed]) -> Result<ExitCode> {
    let interrupt = Interrupt::install()?;
    let screen = Screen::on_stderr(args.quiet);
    let run = conductor::run(scenario, &args.options(own), &screen.reporter(), &interrupt);
    screen.clear();
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            args.write_junit(&[Run::not_made(scenario, &args.options(own), error.clone()).result])?;
            return Err(error);
        }
    };
    args.show(scenario, &run)?;
    args.write_junit(std::slice::from_ref(&run.result))?;
    Ok(ExitCode::from(run.exit_code()))
}

impl RunArgs {
    /// With these programs in the places of the scenario's.
    fn options(&self, own: &[Placed]) -> Options {
        Options {
            out: self.out.clone(),
            kernel: self.kernel.clone(),
            boxed: self.boxed.clone(),
            own: own.to_vec(),
            provider: match self.provider {
                ProviderName::Qemu => Provider::Qemu,
                ProviderName::Vagrant => Provider::Vagrant { keep: self.keep, uri: self.libvirt_uri.clone() },
            },
            accelerator: self.accel,
            boot_within: self.boot_within,
            within: self.within,
            time: self.time,
            seed: self.seed,
            checkpoints: if self.no_checkpoint { Checkpoints::Ignore } else { Checkpoints::Use },
            witness: !self.no_witness,
            ..Options::default()
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

    /// Writes the JUnit document, if one is asked for: of runs that broke as of any other.
    fn write_junit(&self, runs: &[RunResult]) -> Result<()> {
        let Some(file) = &self.junit else { return Ok(()) };
        std::fs::write(file, report::junit(runs)?).broken(|| format!("cannot write {}", file.display()))
    }
}
