//! `controller checkpoint`: the labs in the cache that are ready to run.

use super::{Format, output};
use crate::checkpoint::{Entry, Store};
use crate::error::{Error, Result};
use crate::report;
use clap::Subcommand;
use serde::Serialize;
use std::process::ExitCode;
use std::time::SystemTime;

/// List and remove the checkpoints of labs in lockstep time
///
/// A checkpoint is a lab that was booted once, with its hosts' memory and disks as they were when all were up. A run with the
/// same hosts goes on from there, with the same result as if it had booted them. They are made by runs, and the one that
/// was used longest ago makes room for the next.
#[derive(Debug, clap::Args)]
pub(super) struct CheckpointArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the checkpoints in the cache, the one that was used last first
    List {
        /// How the list is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove checkpoints from the cache; the next run that needs one boots its hosts and makes it again
    Remove {
        /// A checkpoint's name, or `all`
        #[arg(value_name = "CHECKPOINT|all", default_value = "all")]
        selector: String,
    },
}

/// # Errors
/// The cache cannot be read or written, there is no such checkpoint, or it is in use.
pub(super) fn run(args: &CheckpointArgs) -> Result<ExitCode> {
    let store = Store::open()?;
    let entries = store.list()?;
    match &args.verb {
        Verb::List { format } => {
            let rows: Vec<Row> = entries.into_iter().map(Row::from).collect();
            match format {
                Format::Json => output::json(&rows)?,
                Format::Text => output::text(&table(&rows))?,
            }
        }
        Verb::Remove { selector } => {
            let chosen: Vec<&Entry> = entries.iter().filter(|it| selector == "all" || it.key == *selector).collect();
            if chosen.is_empty() && selector != "all" {
                return Err(Error::usage(format!("no such checkpoint: {selector}")).help("controller checkpoint list"));
            }
            for entry in chosen {
                if !store.remove(&entry.key)? {
                    return Err(Error::broken(format!(
                        "checkpoint {} is in use by a controller that is running",
                        entry.key
                    ))
                    .help("wait until it has ended, and try again"));
                }
                output::text(&format!("{} removed", entry.key))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A checkpoint as it is listed.
#[derive(Debug, Serialize)]
struct Row {
    key: String,
    hosts: Vec<String>,
    qemu: Option<String>,
    bytes: u64,
    used: String,
    damage: Option<String>,
}

impl From<Entry> for Row {
    fn from(entry: Entry) -> Self {
        let manifest = entry.manifest.as_ref();
        Self {
            hosts: manifest.iter().flat_map(|it| it.hosts()).map(str::to_owned).collect(),
            qemu: manifest.map(|it| it.qemu.clone()),
            bytes: entry.size,
            used: report::rfc3339(SystemTime::now() - entry.unused),
            damage: entry.damage,
            key: entry.key,
        }
    }
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return "no checkpoint is in the cache; a run in lockstep time makes one".to_owned();
    }
    let mut text =
        format!("{:<24}  {:<28} {:<8} {:>7}  {:<16}  state\n", "checkpoint", "hosts", "QEMU", "size", "used");
    for row in rows {
        let used = row.used.get(..16).unwrap_or_default().replace('T', " ");
        text.push_str(&format!(
            "{:<24}  {:<28} {:<8} {:>4} MB  {used:<16}  {}\n",
            row.key,
            row.hosts.join(", "),
            row.qemu.as_deref().unwrap_or("?"),
            row.bytes / 1_000_000,
            row.damage.as_deref().unwrap_or("whole"),
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_whose_it_is_and_what_is_wrong() {
        let row = |damage: Option<&str>| Row {
            key: "0123456789abcdef01234567".into(),
            hosts: vec!["client".into(), "server".into()],
            qemu: Some("7.2.22".into()),
            bytes: 163_000_000,
            used: "2026-03-01T12:34:56.000Z".into(),
            damage: damage.map(str::to_owned),
        };
        let text = table(&[row(None), row(Some("lab.json has 1 bytes instead of 2"))]);
        assert!(text.contains("client, server               7.2.22    163 MB  2026-03-01 12:34  whole\n"), "{text}");
        assert!(text.ends_with("2026-03-01 12:34  lab.json has 1 bytes instead of 2\n"), "{text}");
        assert!(table(&[]).contains("a run in lockstep time makes one"));
    }
}
