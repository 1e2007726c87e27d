//! `controller diff`: two runs beside each other.

use super::{Format, output, runs};
use crate::compare::Comparison;
use crate::error::Result;
use crate::report::{self, Style};
use std::path::PathBuf;
use std::process::ExitCode;

/// Show two runs beside each other, and where they part
///
/// What they were run with, where that differs; what they came to; and every strand of events (one end of a connection on the wire,
/// in a kernel, a host, a program) in which something happened in one run alone, or in another order. Times, ports and counts of the
/// same thing in a row are not compared. Exit code 0 if the runs are the same, 1 if they part.
#[derive(Debug, clap::Args)]
pub(super) struct DiffArgs {
    /// The folders of the two runs
    #[arg(value_name = "RUN", num_args = 2, required = true)]
    folders: Vec<PathBuf>,

    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// # Errors
/// A folder holds no run that this version can read, or the answer cannot be written.
pub(super) fn run(args: &DiffArgs) -> Result<ExitCode> {
    let folders = args.folders.iter().map(|folder| runs::whole(folder)).collect::<Result<Vec<_>>>()?;
    let [one, other] = &folders[..] else { return Ok(ExitCode::FAILURE) };
    let compared = Comparison::new(&one.side(), &other.side());
    if args.format == Format::Json {
        output::json(&compared)?;
        return Ok(ExitCode::from(u8::from(!compared.is_same())));
    }
    let names = [&args.folders[0], &args.folders[1]].map(|folder| folder.display().to_string());
    let page = report::comparison([&names[0], &names[1]], [&one.result, &other.result], &compared, &Style::of_stdout());
    output::text(&page)?;
    Ok(ExitCode::from(u8::from(!compared.is_same())))
}
