//! `controller image`: the guests' images in the cache.

use super::Format;
use crate::error::{Error, Result};
use clap::Subcommand;
use std::process::ExitCode;

/// Build, list and remove the images that hosts boot from
///
/// An image is a disk and a kernel from Debian's packages, kept in the cache folder. The first run builds what it
/// needs by itself.
#[derive(Debug, clap::Args)]
pub(super) struct ImageArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build an image, unless it is there and intact
    Build {
        /// The suite of Debian
        #[arg(long, default_value = "trixie")]
        suite: String,
    },
    /// List the images in the cache
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove images from the cache; the next run that needs one builds it again
    Remove {
        /// The suite of Debian; all images where none is given
        suite: Option<String>,
    },
}

/// # Errors
/// An image cannot be built, listed or removed.
pub(super) fn run(args: &ImageArgs) -> Result<ExitCode> {
    match &args.verb {
        Verb::Build { .. } | Verb::List { .. } | Verb::Remove { .. } => Err(Error::broken("not built yet: image")),
    }
}
