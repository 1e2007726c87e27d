//! The document, in Markdown.

use super::Timed;
use super::measure::Measured::{self, Between, Count, Error, Time};
use super::rows::{ROWS, Row};
use super::series::{SERIES, Series, stretches};
use crate::report::textbook::{numbered, short};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

const HEAD: &str = "\
# Observed time-outs

<!-- Made by `controller timeouts` from the folders of runs. Not to be edited: run the scenarios again. -->

How long Linux waits, with untouched defaults: what it follows from, what W. R. Stevens, *UNIX Network Programming*, vol. 1,
3rd ed., says, and what these kernels did, to the millisecond. Everything below the kernels' names is measured in the timelines of runs.

A timer runs out late rather than early: the kernel keeps long ones in coarse steps, and so they take up to an eighth more
(kernel/time/timer.c). What else differs between two runs is chance: round-trip times, and how long a neighbour is believed.
";

/// The runs of one kernel, in the order in which they were given.
type Columns<'a> = BTreeMap<(Vec<u32>, String), Vec<&'a Timed>>;

/// What `runs` showed: a table of all time-outs, and the waits between what is sent again, a column for each kernel.
#[must_use]
pub fn timeouts(runs: &[Timed]) -> String {
    let mut columns = Columns::new();
    let mut releases = BTreeSet::new();
    for (run, release) in runs.iter().filter_map(|run| Some((run, run.kernel()?))) {
        columns.entry(numbered(format!("Linux {}", short(release)))).or_default().push(run);
        releases.insert(numbered(release.to_owned()));
    }
    let mut page = HEAD.to_owned();
    let releases: Vec<String> = releases.into_iter().map(|(_, release)| format!("`{release}`")).collect();
    let _ = writeln!(page, "\nKernels: {}. –: no run showed it.", releases.join(", "));
    for (title, rows) in ROWS {
        table(&mut page, title, rows, &columns);
    }
    page.push_str("\n## What is sent again, and when\n\nSeconds since the last time, and in brackets since the first. Waits that are the same are one row.\n");
    for series in SERIES {
        waits(&mut page, series, &columns);
    }
    page
}

/// A part of the table; nothing if no run showed any of it.
fn table(page: &mut String, title: &str, rows: &[Row], columns: &Columns<'_>) {
    let mut lines = String::new();
    for row in rows {
        let cells: Vec<Option<String>> = columns.values().map(|runs| cell(row, runs)).collect();
        if cells.iter().any(Option::is_some) {
            let cells: String =
                cells.into_iter().map(|it| format!(" {} |", it.unwrap_or_else(|| "–".to_owned()))).collect();
            let Row { what, scenario, formula, textbook, .. } = row;
            let _ = writeln!(lines, "| {what} (`{scenario}`) | {formula} | {textbook} |{cells}");
        }
    }
    if !lines.is_empty() {
        let heads: String = columns.keys().map(|(_, kernel)| format!(" {kernel} |")).collect();
        let _ = writeln!(page, "\n## {title}\n\n| time-out | formula | textbook |{heads}");
        let _ = write!(page, "|---|---|---|{}\n{lines}", "---|".repeat(columns.len()));
    }
}

/// What all runs of a kernel measured; none if none did.
fn cell(row: &Row, runs: &[&Timed]) -> Option<String> {
    let of_scenario = runs.iter().filter(|run| run.scenario == row.scenario);
    let measured: Vec<Measured> = of_scenario.filter_map(|run| (row.measure)(run)).collect();
    let mut times = Vec::new();
    let (mut errors, mut counts, mut betweens) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for measured in measured {
        match measured {
            Time(time) => times.push(time),
            Error(time, error) => {
                times.push(time);
                errors.insert(error);
            }
            Count(count) => {
                counts.insert(count);
            }
            Between(there, gone) => {
                betweens.insert(format!("longer than {}, at most {}", seconds(there), seconds(gone)));
            }
        }
    }
    let mut parts: Vec<String> = Vec::new();
    parts.extend(range(times.iter().min().zip(times.iter().max()), |time| seconds(*time)));
    parts.extend(range(counts.first().zip(counts.last()), usize::to_string));
    parts.extend(betweens);
    parts.extend(errors);
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn range<T: PartialEq>(ends: Option<(&T, &T)>, say: impl Fn(&T) -> String) -> Option<String> {
    let (least, most) = ends?;
    Some(if least == most { say(least) } else { format!("{} to {}", say(least), say(most)) })
}

/// The waits of one scenario; nothing if no run showed them.
fn waits(page: &mut String, series: &Series, columns: &Columns<'_>) {
    let sent: Vec<(&str, Vec<_>)> = columns
        .iter()
        .filter_map(|((_, kernel), runs)| {
            // One run's: several would differ by chance in each.
            let run = runs.iter().find(|run| run.scenario == series.scenario)?;
            let sent = (series.sent)(run).filter(|sent| sent.len() > 1)?;
            Some((kernel.as_str(), sent))
        })
        .collect();
    if sent.is_empty() {
        return;
    }
    let heads: String = sent.iter().map(|(kernel, _)| format!(" {kernel} |")).collect();
    let _ = write!(page, "\n### {} (`{}`)\n\n{}\n\n", series.title, series.scenario, series.words);
    let _ = writeln!(page, "| no. |{heads}\n|---|{}", "---|".repeat(sent.len()));
    let times: Vec<_> = sent.into_iter().map(|(_, times)| times).collect();
    for stretch in stretches(&times) {
        let (first, last) = stretch.numbers;
        let (number, each) =
            if first == last { (first.to_string(), "") } else { (format!("{first} to {last}"), " each") };
        let cells: String = stretch
            .columns
            .iter()
            .map(|column| match column {
                Some((wait, at)) => format!(" {}{each} ({}) |", bare(*wait), bare(*at)),
                None => " – |".to_owned(),
            })
            .collect();
        let _ = writeln!(page, "| {number} |{cells}");
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", bare(time))
}

/// Seconds, to the millisecond.
fn bare(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}
