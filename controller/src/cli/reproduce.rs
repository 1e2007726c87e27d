//! `controller reproduce`: a bundle's run once more, and whether it came out again.

use super::{Format, output, runs};
use crate::bundle::{self, Unpacked};
use crate::compare::{Again, Comparison};
use crate::conductor::{self, Interrupt, Options, Provider};
use crate::error::{Context, Error, Kind, Result};
use crate::image;
use crate::machine::{Choice, vagrant};
use crate::own::{self, Own};
use crate::report::terminal::Progress as Screen;
use crate::report::{self, INPUTS_SCHEMA, Inputs, RunResult, Style};
use crate::scenario::{self, BoxName, Scenario};
use clap::ValueEnum;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Run a bundle again, and say whether it came out as it did there
///
/// First what cannot be matched here is named: another kernel, another QEMU. Then the run is made from the bundle alone, and its outcome,
/// its expectations and the kinds of events of each connection are compared with those in the bundle; where they part, both sides are
/// shown. Exit code 0: reproduced. 1: not reproduced. 2: unknown, as a lab broke.
#[derive(Debug, clap::Args)]
pub(super) struct ReproduceArgs {
    /// What `controller bundle` made
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Run it this many times, and say how often it was reproduced
    #[arg(long, value_name = "N", default_value = "1")]
    repeat: NonZeroU32,

    /// Keep the new runs' folders in this one, which must not exist yet [default: runs/TIME-NAME]
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Boot images that are built here, although the bundle brings its own
    #[arg(long)]
    own_image: bool,

    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// No progress
    #[arg(short, long)]
    quiet: bool,
}

/// # Errors
/// The bundle is refused; the runs cannot be made; or the answer cannot be written.
pub(super) fn run(args: &ReproduceArgs) -> Result<ExitCode> {
    if let Some(out) = args.out.as_deref().filter(|out| out.exists()) {
        return Err(Error::usage(format!("the folder for the runs exists already: {}", out.display()))
            .help("A run never writes over another. Name a folder that does not exist yet."));
    }
    let place = tempfile::tempdir().broken(|| "cannot make a folder to read the bundle into".to_owned())?;
    let unpacked = bundle::unpack(&args.file, place.path())?;
    let there = Original::read(&unpacked).map_err(|error| error.during(&args.file.display().to_string()))?;
    let (scenario, options) = there.plan(&unpacked, args)?;
    let interrupt = Interrupt::install()?;
    let screen = Screen::on_stderr(args.quiet);
    let here = conductor::foresee(&scenario, &options, &screen.reporter(), &interrupt)?;
    screen.clear();
    let mut answer = Answer { unmatched: report::unlike(&there.inputs, &here), runs: Vec::new() };
    args.say(&unmatched(&answer.unmatched))?;
    for number in 1..=args.repeat.get() {
        let out = args
            .out
            .as_ref()
            .map(|out| if args.repeat.get() == 1 { out.clone() } else { out.join(format!("{number}")) });
        let run = conductor::run(&scenario, &Options { out, ..options.clone() }, &screen.reporter(), &interrupt)?;
        screen.clear();
        if let Some(error) = run.error.as_ref().filter(|error| error.kind == Kind::Interrupted) {
            return Err(error.clone());
        }
        let folder = run.result.folder.clone();
        let new = runs::Whole { result: run.result, timeline: run.timeline };
        let compared = Comparison::new(&there.run.side(), &new.side());
        let again = compared.again();
        if again != Again::Reproduced || args.repeat.get() == 1 {
            let results = [&there.run.result, &new.result];
            args.say(&report::comparison(["in the bundle", "here"], results, &compared, &Style::of_stdout()))?;
        }
        if let Some(error) = &run.error {
            output::error(error);
        }
        args.say(&format!("{}: {}\n", report::again_word(again), folder.display()))?;
        if again == Again::NotReproduced && compared.same_verdicts() {
            args.say(RACE)?;
        }
        answer.runs.push(Remade { folder, again, comparison: compared });
    }
    let count = |again| answer.runs.iter().filter(|run| run.again == again).count();
    let [reproduced, not, unknown] = [Again::Reproduced, Again::NotReproduced, Again::Unknown].map(count);
    match args.format {
        Format::Json => output::json(&answer)?,
        Format::Text if args.repeat.get() > 1 => {
            let times = args.repeat;
            output::text(&format!("\nreproduced {reproduced} of {times} times, not {not}, unknown {unknown}\n"))?;
        }
        Format::Text => {}
    }
    Ok(ExitCode::from(if unknown > 0 { Kind::Broken.exit_code() } else { u8::from(not > 0) }))
}

/// What is said where a run came to the same, by another way.
const RACE: &str = "It came to the same: outcome and expectations are alike, and only the order of events differs. Two kernels run side by side, \
                    and such an order can be a race between them; --repeat N counts how it goes.\n";

/// What came of it, for programs.
#[derive(Debug, Serialize)]
struct Answer {
    /// What differs in what the runs were made with: there, and here.
    unmatched: Vec<(String, [String; 2])>,
    runs: Vec<Remade>,
}

/// A run that was made again.
#[derive(Debug, Serialize)]
struct Remade {
    folder: PathBuf,
    again: Again,
    /// The bundle's run, and this one.
    comparison: Comparison,
}

impl ReproduceArgs {
    /// For people.
    fn say(&self, text: &str) -> Result<()> {
        if self.format == Format::Text { output::text(text) } else { Ok(()) }
    }
}

fn unmatched(unlike: &[(String, [String; 2])]) -> String {
    if unlike.is_empty() {
        return "Everything that the run was made with is the same here.\n\n".to_owned();
    }
    let lines: Vec<String> =
        unlike.iter().map(|(what, [there, here])| format!("  {what}: {there} there, {here} here")).collect();
    format!("What cannot be matched here:\n{}\n\n", lines.join("\n"))
}

/// The run that a bundle holds.
struct Original {
    inputs: Inputs,
    scenario: Scenario,
    run: runs::Whole,
}

impl Original {
    fn read(unpacked: &Unpacked) -> Result<Self> {
        let folder = unpacked.run();
        let run = runs::whole(&folder)?;
        let text = std::fs::read(folder.join("scenario.yaml")).usage(|| "it has no scenario".to_owned())?;
        let sha256: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        if sha256 != run.result.scenario.sha256 {
            return Err(Error::usage("the bundle's scenario is not the one that its result is of"));
        }
        let text = String::from_utf8(text).usage(|| "its scenario is no text".to_owned())?;
        let scenario = scenario::parse("scenario.yaml", &text).map_err(Error::from)?;
        let inputs = read_inputs(&folder.join("inputs.json"))?;
        Ok(Self { inputs, scenario, run })
    }

    /// The same once more: the scenario with the bundle's programs in their places, and the options that were given there.
    fn plan(&self, unpacked: &Unpacked, args: &ReproduceArgs) -> Result<(Scenario, Options)> {
        let asked = &self.inputs.options;
        let unknown = |what: &str, value: &str| {
            Error::usage(format!("the bundle asks for a {what} that is not known: {value:?}"))
        };
        let time =
            <scenario::Time as ValueEnum>::from_str(&asked.time, false).map_err(|_| unknown("time", &asked.time))?;
        let mut scenario = self.scenario.clone();
        let own = programs(&self.run.result, unpacked, &mut scenario)?;
        let boxed = asked.boxed.as_ref().map(|text| text.parse().map_err(|_| unknown("box", text))).transpose()?;
        boxed.iter().try_for_each(|boxed| scenario.use_box(boxed))?;
        for (name, host) in &mut scenario.hosts {
            let there = self.inputs.hosts.get(name).and_then(|host| host.boxed.as_ref());
            let there = there.map(|text| text.parse::<BoxName>().map_err(|_| unknown("box", text))).transpose()?;
            // The very version that it was made from, if it is here; else what was asked for, and that it differs is said.
            host.boxed = there.filter(|it| vagrant::with_version(it).is_ok()).or(host.boxed.take());
        }
        // What needs a processor of its own kind runs on whatever works here: that it differs is said.
        let emulated = self.inputs.accelerator.as_ref().is_some_and(|it| it.used == "tcg");
        let options = Options {
            kernel: asked.kernel.clone(),
            boxed,
            own,
            provider: match &self.inputs.provider {
                None => Provider::Qemu,
                Some(_) => Provider::Vagrant { keep: false, uri: None },
            },
            accelerator: if emulated { Choice::Tcg } else { Choice::Auto },
            boot_within: Duration::from_secs(asked.boot_within_seconds.clamp(1, 3600)),
            within: Duration::from_secs(asked.within_seconds.clamp(1, 24 * 3600)),
            time: Some(time),
            seed: asked.seed,
            witness: asked.witness,
            images: if args.own_image { BTreeMap::new() } else { self.images(unpacked)? },
            ..Options::default()
        };
        Ok((scenario, options))
    }

    /// The images that the bundle brings, by host.
    fn images(&self, unpacked: &Unpacked) -> Result<BTreeMap<String, image::Image>> {
        let brought = unpacked.manifest.images.iter();
        let images: BTreeMap<&String, image::Image> = brought
            .map(|key| Ok((key, image::unpacked(key, &unpacked.member(&format!("images/{key}")))?)))
            .collect::<Result<_>>()?;
        let of_host = |(host, inputs): (&String, &report::HostInputs)| {
            Some((host.clone(), images.get(inputs.image.as_ref()?)?.clone()))
        };
        Ok(self.inputs.hosts.iter().filter_map(of_host).collect())
    }
}

fn read_inputs(file: &Path) -> Result<Inputs> {
    let text = std::fs::read_to_string(file).usage(|| "it does not say what it was run with".to_owned())?;
    let json: serde_json::Value = serde_json::from_str(&text).usage(|| "its inputs.json is no JSON".to_owned())?;
    if json.get("schema").and_then(serde_json::Value::as_u64).is_some_and(|schema| schema > u64::from(INPUTS_SCHEMA)) {
        return Err(Error::usage("its inputs.json was written by a newer controller").help("Use that version."));
    }
    serde_json::from_value(json).usage(|| "its inputs.json has another form".to_owned())
}

/// The user's own programs that ran there, in their places.
fn programs(result: &RunResult, unpacked: &Unpacked, scenario: &mut Scenario) -> Result<Vec<own::Placed>> {
    let mut placed = Vec::new();
    for (program, told) in &result.own_programs {
        let member = unpacked.manifest.programs.get(program);
        let member = member
            .ok_or_else(|| Error::usage(format!("the bundle does not have the program that ran as {program}")))?;
        let arguments = told.command.iter().skip(1).cloned().collect();
        let own = Own::received(program, &unpacked.member(member), arguments)?;
        if own.sha256() != told.sha256 {
            return Err(Error::usage(format!("the bundle's {program} is not the program that ran there")));
        }
        let fitting = own::take_part(scenario, &own);
        placed.push(fitting.ok_or_else(|| Error::usage(format!("the bundle's scenario has no program {program}")))?);
    }
    Ok(placed)
}
