//! `controller image`: the guests' images in the cache.

use super::{Format, output};
use crate::conductor::Interrupt;
use crate::error::{Context, Result};
use crate::image::vagrant::{self, Added};
use crate::report::terminal::Progress as Screen;
use crate::{embedded, image, report};
use clap::Subcommand;
use serde::Serialize;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

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
    /// Pack an image as a box for Vagrant, and have Vagrant take it
    ///
    /// The box is called deadpeer/SUITE, and is for the provider libvirt: the very same disk, kernel and programs, for
    /// machines that `vagrant up` makes. The same image gives the same bytes. It is packed once and kept in the cache, and
    /// added unless Vagrant has that version.
    Box {
        /// The suite of Debian: it decides the kernel
        #[arg(long, value_name = "SUITE", default_value = "trixie")]
        kernel: String,

        /// Write the box to this file, too; it must not exist
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,

        /// Do not add it to Vagrant
        #[arg(long)]
        no_add: bool,
    },
    /// Write the guest programs and the witness into a folder, for machines of another image
    Programs {
        /// The folder; it is made if it is missing
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// List the images in the cache
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove images from the cache; the next run that needs one builds it again
    Remove {
        /// A suite of Debian, an image's name, or `all`
        #[arg(value_name = "SUITE|IMAGE|all", default_value = "all")]
        selector: String,
    },
}

/// # Errors
/// An image cannot be built, listed or removed.
pub(super) fn run(args: &ImageArgs) -> Result<ExitCode> {
    match &args.verb {
        Verb::Build { suite } => {
            let interrupt = Interrupt::install()?;
            let screen = Screen::on_stderr(false);
            let built =
                image::ensure(&image::Spec { suite: suite.clone() }, &screen.reporter(), &|| interrupt.raised());
            screen.clear();
            let image = built?;
            let what = if image.built { "built" } else { "is there, intact" };
            output::text(&format!("{} {what}: Linux {}\n{}", image.key, image.kernel_release, image.lock.display()))?;
        }
        Verb::Box { kernel, out, no_add } => make_box(kernel, out.as_deref(), !no_add)?,
        Verb::Programs { folder } => write_programs(folder)?,
        Verb::List { format } => {
            let rows: Vec<Row> = image::list()?.into_iter().map(Row::from).collect();
            match format {
                Format::Json => output::json(&rows)?,
                Format::Text => output::text(&table(&rows))?,
            }
        }
        Verb::Remove { selector } => {
            for key in image::remove(selector)? {
                output::text(&format!("{key} removed"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn make_box(suite: &str, out: Option<&Path>, add: bool) -> Result<()> {
    let interrupt = Interrupt::install()?;
    let interrupted = || interrupt.raised();
    let screen = Screen::on_stderr(false);
    let reporter = screen.reporter();
    let made = || {
        let image = image::ensure(&image::Spec { suite: suite.to_owned() }, &reporter, &interrupted)?;
        let packed = vagrant::packed(&image, &reporter, &interrupted)?;
        if let Some(out) = out {
            copy(&packed.file, out)?;
        }
        let added = if add { Some(vagrant::add(&packed, &interrupted)?) } else { None };
        Ok((packed, added))
    };
    let made: Result<_> = made();
    screen.clear();
    let (packed, added) = made?;
    let mut text =
        format!("{} {} {}", packed.name, packed.version, if packed.fresh { "packed" } else { "was packed before" });
    text.push_str(&format!(": {} MB, SHA-256 {}\n", packed.size / 1_000_000, packed.sha256));
    text.push_str(&format!("{}\n", out.unwrap_or(&packed.file).display()));
    text.push_str(&match added {
        None => "not added to Vagrant\n".to_owned(),
        Some(Added::Already) => "Vagrant has it already\n".to_owned(),
        Some(Added::Now { removed, kept }) => {
            let earlier = |what: &str, versions: &[String]| match versions {
                [] => String::new(),
                versions => format!("{what}: {}\n", versions.join(", ")),
            };
            let removed = earlier("earlier versions removed", &removed);
            format!(
                "added to Vagrant\n{removed}{}",
                earlier("earlier versions that machines use, and that stay", &kept)
            )
        }
    });
    output::text(&text)
}

/// Writes the programs that the controller carries, as files that can be executed.
fn write_programs(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).usage(|| format!("cannot make {}", folder.display()))?;
    for name in embedded::guest_programs() {
        let file = folder.join(name);
        let cannot = || format!("cannot write {}", file.display());
        std::fs::write(&file, embedded::guest_program(name).unwrap_or_default()).usage(cannot)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).usage(cannot)?;
        output::text(&file.display().to_string())?;
    }
    Ok(())
}

/// Copies a file to one that must not exist.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let cannot = || format!("cannot write {}", to.display());
    let mut target = std::fs::File::create_new(to).usage(cannot)?;
    let mut source = std::fs::File::open(from).broken(|| format!("cannot read {}", from.display()))?;
    std::io::copy(&mut source, &mut target).map(drop).broken(cannot)
}

/// An image as it is listed.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    suite: String,
    kernel: String,
    bytes: u64,
    built: String,
    intact: bool,
    damage: Option<String>,
}

impl From<image::Entry> for Row {
    fn from(entry: image::Entry) -> Self {
        Self {
            key: entry.key,
            suite: entry.suite,
            kernel: entry.kernel_release.unwrap_or_default(),
            bytes: entry.size,
            built: report::rfc3339(SystemTime::now() - entry.age),
            intact: entry.damage.is_none(),
            damage: entry.damage,
        }
    }
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no image is in the cache; the first run builds one".to_owned();
    }
    let mut text = format!("{:<24} {:<34} {:>8}  {:<16}  state\n", "image", "kernel", "size", "built");
    for row in rows {
        let state = row.damage.as_deref().unwrap_or("intact");
        let built = row.built.get(..16).unwrap_or_default().replace('T', " ");
        text.push_str(&format!(
            "{:<24} {:<34} {:>5} MB  {built:<16}  {state}\n",
            row.key,
            row.kernel,
            row.bytes / 1_000_000
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_is_wrong_with_a_damaged_image() {
        let row = Row {
            key: "trixie-0123456789ab".into(),
            suite: "trixie".into(),
            kernel: "6.12.1-cloud-amd64".into(),
            bytes: 163_000_000,
            built: "2026-03-01T12:34:56.000Z".into(),
            intact: false,
            damage: Some("disk.ext4 was altered".into()),
        };
        assert!(table(&[row]).ends_with("163 MB  2026-03-01 12:34  disk.ext4 was altered\n"));
        assert!(table(&[]).contains("first run builds one"));
    }
}
