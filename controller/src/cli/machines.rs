//! `controller machines`: the machines of Vagrant's that were kept, or left.

use super::output;
use crate::error::{Error, Result};
use crate::machine::vagrant;
use clap::Subcommand;
use std::process::ExitCode;

/// List and remove the machines that `controller run --provider vagrant --keep` kept, and what a run could not remove
#[derive(Debug, clap::Args)]
pub(super) struct MachinesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the labs whose machines were kept: name, where libvirt is, and what the names of its domains begin with
    List,
    /// Remove machines that were kept, with their disks; the next run has Vagrant make them anew
    Remove {
        /// A lab's name, or `all`
        #[arg(value_name = "LAB|all", default_value = "all")]
        selector: String,
    },
}

/// # Errors
/// There is no such lab, it is in use, or libvirt does not do its part.
pub(super) fn run(args: &MachinesArgs) -> Result<ExitCode> {
    let kept = vagrant::kept()?;
    match &args.verb {
        Verb::List => {
            if kept.is_empty() {
                output::text("no machines are kept; a run with --provider vagrant --keep keeps them")?;
            }
            for (name, _, remains) in &kept {
                let left = if remains.kept { "" } else { "  (not kept: left by a run that could not remove them)" };
                output::text(&format!("{name}  {}  {}{left}", remains.uri, remains.prefix))?;
            }
        }
        Verb::Remove { selector } => {
            let chosen: Vec<_> = kept.iter().filter(|(name, ..)| selector == "all" || name == selector).collect();
            if chosen.is_empty() && selector != "all" {
                return Err(Error::usage(format!("no such machines: {selector}")).help("controller machines list"));
            }
            for (name, folder, remains) in chosen {
                if !remains.forget(folder)? {
                    return Err(Error::broken(format!(
                        "the machines {name} are in use by a controller that is running"
                    ))
                    .help("wait until it has ended, and try again"));
                }
                output::text(&format!("{name} removed"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
