//! The command line: one file per verb.
//!
//! Arguments become a [`Command`], a command ends with an exit code. What a verb was asked for goes to standard output
//! and nothing else does; errors and diagnostics go to standard error. The doc comments of the arguments are the
//! help, the man pages and the completions, so they speak to the user.
//!
//! Exit codes: 0 pass, 1 fail, 2 unknown (the lab broke), 64 wrong usage or scenario, 130 Ctrl-C.
//!
//! Exception: a reader that goes away (`controller list | head -1`) has seen enough; that is no error ([`output`]).

mod bench;
mod bundle;
mod check;
mod checkpoint;
mod completions;
mod diff;
mod doctor;
mod guard;
mod image;
mod list;
pub mod logging;
mod machines;
mod man;
mod output;
mod replace;
mod report;
mod reproduce;
mod run;
mod runs;
mod schema;
mod show;
#[cfg(test)]
mod tests;
mod textbook;
mod timeouts;
mod verify;

use crate::error::{Kind, Result};
use crate::scenario::{Catalogue, Scenario};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::process::ExitCode;

/// Widest help, in columns; narrower where the terminal is.
const WIDEST: usize = 100;

/// What happens to a TCP connection when the other side dies, shown on real virtual machines
///
/// Boots virtual machines, breaks them for real (power cuts, pulled cables, killed processes), and shows what their
/// kernels and the wire say about it.
#[derive(Debug, Parser)]
#[command(name = "controller", version, max_term_width = WIDEST, after_long_help = AFTER_HELP)]
struct Cli {
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0    pass: everything the scenario expects held
  1    fail: an expectation did not hold
  2    unknown: the lab broke, so nothing can be said about the connection
  64   wrong usage, or a scenario that cannot be
  130  Ctrl-C

Start with: controller run crash-reboot";

/// The verbs, in the order of the help.
#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Check(check::CheckArgs),
    Image(image::ImageArgs),
    Checkpoint(checkpoint::CheckpointArgs),
    Machines(machines::MachinesArgs),
    Doctor(doctor::DoctorArgs),
    Bench(bench::BenchArgs),
    Verify(verify::VerifyArgs),
    Report(report::ReportArgs),
    Diff(diff::DiffArgs),
    Bundle(bundle::BundleArgs),
    Reproduce(reproduce::ReproduceArgs),
    Textbook(textbook::TextbookArgs),
    Timeouts(timeouts::TimeoutsArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    GuardMachines(guard::GuardArgs),
}

/// How a verb's answer is written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: JSON, and nothing else on standard output
    Json,
}

/// Does what the arguments ask for; the first is the program's name. Prints errors. Returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return not_a_command(&error),
    };
    logging::start(cli.verbose);
    match dispatch(&cli.command) {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn dispatch(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Run(args) => run::run(args),
        Command::List(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Check(args) => check::run(args),
        Command::Image(args) => image::run(args),
        Command::Checkpoint(args) => checkpoint::run(args),
        Command::Machines(args) => machines::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Report(args) => report::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Bundle(args) => bundle::run(args),
        Command::Reproduce(args) => reproduce::run(args),
        Command::Textbook(args) => textbook::run(args),
        Command::Timeouts(args) => timeouts::run(args),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::GuardMachines(args) => guard::run(args),
    }
}

/// The scenarios of these names or files; the whole catalogue, if it is `all`.
fn chosen(names: &[String], all: bool) -> Result<Vec<Scenario>> {
    let catalogue = catalogue();
    let names: Vec<&str> = if all { catalogue.names().collect() } else { names.iter().map(String::as_str).collect() };
    names.into_iter().map(|name| catalogue.resolve(name)).collect()
}

/// Prints what clap has to say instead of a command: help and version are a success, the rest is wrong usage.
fn not_a_command(error: &clap::Error) -> ExitCode {
    // It goes to the reader that it is for, or to nobody who is there.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(Kind::Usage.exit_code()) } else { ExitCode::SUCCESS }
}

/// The arguments as clap knows them: for help, completions and man pages.
fn command() -> clap::Command {
    Cli::command()
}

/// The scenarios that travel inside the binary.
fn catalogue() -> Catalogue {
    Catalogue::new(crate::embedded::SCENARIOS)
}
