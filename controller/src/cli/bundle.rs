//! `controller bundle`: a run as one file.

use super::output;
use crate::bundle;
use crate::error::Result;
use std::path::PathBuf;
use std::process::ExitCode;

/// Make one file of a run, to be sent to somebody and run again there
///
/// It holds the run's folder, the scenario, the programs of yours that ran, and what it was run with: kernel, packages, QEMU and its
/// arguments. The folders of this computer and its name are taken out of it. `controller reproduce FILE` runs it again.
#[derive(Debug, clap::Args)]
pub(super) struct BundleArgs {
    /// The run's folder
    #[arg(value_name = "RUN")]
    folder: PathBuf,

    /// The file, which must not exist yet [default: the folder's name and .deadpeer.tar.gz, here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Put in what the hosts booted, kernel and disk: then it runs where no mirror of Debian can be reached
    #[arg(long)]
    with_image: bool,
}

/// # Errors
/// As [`bundle::pack`]; or the answer cannot be written.
pub(super) fn run(args: &BundleArgs) -> Result<ExitCode> {
    let packed = bundle::pack(&args.folder, args.output.as_deref(), args.with_image)?;
    let (name, files) = (packed.file.display(), packed.manifest.members.len());
    let mut what = vec![format!("{files} files")];
    if !packed.manifest.programs.is_empty() {
        let names: Vec<&str> = packed.manifest.programs.keys().map(String::as_str).collect();
        what.push(format!("your {}", names.join(", ")));
    }
    what.extend(packed.manifest.images.iter().map(|key| format!("image {key}")));
    let size = size(packed.size);
    output::text(&format!("{name}: {size}, {}\n\nRun it again: controller reproduce {name}\n", what.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
