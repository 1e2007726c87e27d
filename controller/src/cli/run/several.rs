//! Several runs: side by side, a line for each as it ends, and a table of all.

use super::{RunArgs, seeds};
use crate::cli::{Format, output};
use crate::conductor::{self, Interrupt, Job, Options, Run};
use crate::doctor;
use crate::error::{Error, Result};
use crate::own::Placed;
use crate::progress::{Progress, Reporter};
use crate::report::terminal::Progress as Screen;
use crate::report::{self, Batch, Style};
use crate::scenario::Scenario;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

/// # Errors
/// Wrong usage, or an answer that cannot be written. Labs that broke are runs' outcomes.
pub(super) fn run(args: &RunArgs, scenarios: &[(Scenario, Vec<Placed>)]) -> Result<ExitCode> {
    if args.seeds.is_some() {
        seeds::all_in_lockstep(args, scenarios)?;
    }
    let (jobs, names) = plan(args, scenarios)?;
    let interrupt = Interrupt::install()?;
    let began = Instant::now();
    let screen = Screen::on_stderr(args.quiet);
    let at_once = args
        .jobs
        .unwrap_or_else(|| default_jobs(scenarios))
        .min(NonZeroUsize::new(jobs.len()).unwrap_or(NonZeroUsize::MIN));
    let runs = match conductor::prepare(&jobs, &screen.reporter(), &interrupt) {
        Ok(()) => {
            let style = Style::of_stderr();
            let reporter = |index: usize| one_line(&screen, &names[index]);
            conductor::run_all(&jobs, at_once, &reporter, &interrupt, |index, run| {
                screen.over(&names[index], &report::ended(&run.result, &style));
            })
        }
        // What all of them need is missing: that is every run's outcome, and told once.
        Err(error) => jobs.iter().map(|job| Run::not_made(job.scenario, &job.options, error.clone())).collect(),
    };
    screen.clear();
    let exit_code = runs.iter().map(Run::exit_code).max().unwrap_or_default();
    let errors: Vec<(&String, Error)> =
        names.iter().zip(&runs).filter_map(|(name, run)| Some((name, run.error.clone()?))).collect();
    let results = runs.into_iter().map(|run| run.result).collect();
    let mut batch = Batch::new(results, began.elapsed().as_secs_f64(), at_once.get());
    if args.seeds.is_some() {
        // Runs are in the scenarios' order, again and again.
        let named = |index: usize| args.scenarios.get(index % scenarios.len().max(1)).map(String::as_str);
        batch.sort_out(&|index, run, seed| seeds::again(args, named(index).unwrap_or(&run.scenario.name), seed));
    }
    match args.format {
        Format::Json => output::text(&report::batch_to_json(&batch))?,
        Format::Text => {
            let here = std::env::current_dir().unwrap_or_default();
            output::text(&report::overview(&batch, &here, &Style::of_stdout()))?;
        }
    }
    tell(&errors);
    args.write_junit(&batch.runs)?;
    Ok(ExitCode::from(exit_code))
}

/// The runs to make, round by round, and what each is called.
fn plan<'a>(args: &RunArgs, scenarios: &'a [(Scenario, Vec<Placed>)]) -> Result<(Vec<Job<'a>>, Vec<String>)> {
    if let Some(out) = args.out.as_deref().filter(|out| out.exists()) {
        return Err(Error::usage(format!("the folder for the runs exists already: {}", out.display()))
            .help("A run never writes over another. Name a folder that does not exist yet."));
    }
    let rounds: Vec<Option<u64>> = match &args.seeds {
        Some(seeds) => seeds.clone().map(Some).collect(),
        None => (0..args.repeat.get()).map(|_| None).collect(),
    };
    let all = || rounds.iter().flat_map(|seed| scenarios.iter().map(move |it| (*seed, it)));
    let named = |seed: Option<u64>, scenario: &Scenario| match seed {
        Some(seed) => format!("{}-seed-{seed}", scenario.name),
        None => scenario.name.clone(),
    };
    let mut total: HashMap<String, usize> = HashMap::new();
    all().for_each(|(seed, (scenario, _))| *total.entry(named(seed, scenario)).or_default() += 1);
    let mut so_far: HashMap<String, usize> = HashMap::new();
    let planned = all().map(|(seed, (scenario, own))| {
        let mut name = named(seed, scenario);
        let number = so_far.entry(name.clone()).or_default();
        *number += 1;
        if total.get(&name) != Some(&1) {
            name = format!("{name}-{number}");
        }
        let out = args.out.as_ref().map(|out| out.join(&name));
        let options = args.options(own);
        let seed = seed.unwrap_or(options.seed);
        (Job { scenario, options: Options { out, seed, ..options } }, name)
    });
    Ok(planned.unzip())
}

/// A guest has one busy thread while it boots, and a lab mostly waits once its guests have booted: one more than there are
/// processors, as far as the memory goes that is free.
fn default_jobs(scenarios: &[(Scenario, Vec<Placed>)]) -> NonZeroUsize {
    let busy = available_parallelism().map_or(NonZeroUsize::MIN, |processors| processors.saturating_add(1));
    let memory = |(scenario, _): &(Scenario, _)| scenario.hosts.values().map(|host| u64::from(host.memory)).sum();
    let largest: u64 = scenarios.iter().map(memory).max().unwrap_or(0).max(1);
    let fit =
        doctor::available_memory().map_or(usize::MAX, |free| usize::try_from(free / largest).unwrap_or(usize::MAX));
    busy.min(NonZeroUsize::new(fit).unwrap_or(NonZeroUsize::MIN))
}

/// Tells of all that a lab does in one line, named `name`, where that line can change; else nothing.
pub(in crate::cli) fn one_line(screen: &Screen, name: &str) -> Reporter {
    if !screen.is_live() {
        return Reporter::silent();
    }
    let (to, name) = (screen.reporter(), name.to_owned());
    Reporter::new(move |told| {
        let (id, what) = match told {
            Progress::Began { id, what }
            | Progress::Now { id, what, .. }
            | Progress::Done { id, what }
            | Progress::Failed { id, what } => (id, what),
        };
        to.now(&name, format!("{id}: {what}"), None);
    })
}

/// Tells each error once, in full, with the runs that it ended.
fn tell(errors: &[(&String, Error)]) {
    let mut told: Vec<String> = Vec::new();
    for (name, error) in errors {
        let words = error.to_string();
        if told.contains(&words) {
            continue;
        }
        let others = errors.iter().filter(|(_, other)| other.to_string() == words).count() - 1;
        let what = match others {
            0 => format!("in {name}"),
            n => format!("in {name} and {n} more"),
        };
        output::error(&error.clone().during(&what));
        told.push(words);
    }
}
