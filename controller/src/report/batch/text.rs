//! Several runs for people: a line as each ends, and a table of all.

use super::super::result::RunResult;
use super::super::style::{Paint, Style};
use super::super::text::{columns, hanging, padded, span};
use super::{Batch, Case, Counted, Tally};
use crate::judge::Outcome;
use std::path::Path;

/// Columns that what belongs to a row is indented by.
const INDENT: usize = 4;

/// One run that ended, in a line without its newline.
#[must_use]
pub fn ended(result: &RunResult, style: &Style) -> String {
    let (sign, paint) = sign(result.outcome, *style);
    let why = match (&result.error, result.outcome) {
        (Some(error), _) => format!(": {}", error.fact),
        (None, Outcome::Pass | Outcome::Skipped) => String::new(),
        (None, _) => format!(": {}", not_held(result).collect::<Vec<_>>().join(", ")),
    };
    let took = match result.outcome {
        Outcome::Skipped => String::new(),
        _ => format!(", {} held, {}", held(result), seconds(result.time.wall_seconds)),
    };
    let seed = result.seed.map_or_else(String::new, |seed| format!(" seed {seed}"));
    let said = format!("{}{seed}  {}{took}{why}", result.scenario.name, result.outcome);
    format!("{} {}", style.paint(paint, sign), style.clean(&said))
}

/// A table of all runs, a row for each scenario, with the reasons of those that did not pass, and what was counted where
/// a scenario was run several times. Folders are shown as seen from `here`.
#[must_use]
pub fn overview(batch: &Batch, here: &Path, style: &Style) -> String {
    let rows: Vec<Row<'_>> = batch.scenarios.iter().map(|tally| Row::of(tally, batch, here, *style)).collect();
    let cells = |row: &Row<'_>| {
        [row.tally.scenario.clone(), row.outcome.clone(), row.held.clone(), row.time.clone(), row.run.clone()]
    };
    let head = ["scenario", "outcome", "held", "time", "run"].map(str::to_owned);
    let all: Vec<[String; 5]> = std::iter::once(head).chain(rows.iter().map(cells)).collect();
    let widths = [0, 1, 2, 3].map(|column| all.iter().map(|cells| columns(&cells[column])).max().unwrap_or(0));
    let mut lines = all.iter().map(|cells| line(cells, widths));
    let mut page = vec![format!("  {}", style.paint(Paint::Bold, &lines.next().unwrap_or_default()))];
    for (row, line) in rows.iter().zip(lines) {
        let (sign, paint) = sign(row.worst, *style);
        page.push(format!("{} {line}", style.paint(paint, sign)));
        for note in &row.notes {
            page.extend(hanging(&" ".repeat(INDENT), &style.clean(note), style.columns()));
        }
        page.extend(row.tally.cases.iter().flat_map(|case| seeds(case, row.tally.runs, *style)));
    }
    let (word, paint) = (batch.outcome.to_string().to_uppercase(), sign(batch.outcome, *style).1);
    page.push(String::new());
    page.push(format!("{}  {}", style.paint(paint, &word), style.clean(&together(batch))));
    page.push(String::new());
    page.join("\n")
}

/// A line of the table: words to the left of their column, numbers to the right, and the last as long as it is.
fn line([name, outcome, held, time, run]: &[String; 5], widths: [usize; 4]) -> String {
    let right = |text: &str, width: usize| format!("{}{text}", " ".repeat(width.saturating_sub(columns(text))));
    let (name, outcome) = (padded(name, widths[0]), padded(outcome, widths[1]));
    format!("{name}  {outcome}  {}  {}  {run}", right(held, widths[2]), right(time, widths[3])).trim_end().to_owned()
}

/// A scenario in the table.
struct Row<'a> {
    tally: &'a Tally,
    worst: Outcome,
    outcome: String,
    held: String,
    time: String,
    run: String,
    /// Below the row.
    notes: Vec<String>,
}

impl<'a> Row<'a> {
    fn of(tally: &'a Tally, batch: &Batch, here: &Path, style: Style) -> Self {
        let runs: Vec<&RunResult> = batch.runs.iter().filter(|run| tally.is_of(run)).collect();
        let times = style.sign("×", "x");
        let outcome = match runs[..] {
            [one] => one.outcome.to_string(),
            _ => {
                tally.outcomes.iter().map(|(outcome, n)| format!("{outcome} {times}{n}")).collect::<Vec<_>>().join(", ")
            }
        };
        let (held, all) = runs.iter().fold((0, 0), |(h, a), run| (h + run.held(), a + run.expectations.len()));
        // The run most worth a look: the first of the worst, or the last.
        let worst = tally.outcomes.keys().last().copied().unwrap_or(Outcome::Skipped);
        let of_note = runs.iter().find(|run| run.outcome == worst && worst != Outcome::Pass).or(runs.last());
        let folder = of_note.map(|run| run.folder.strip_prefix(here).unwrap_or(&run.folder).display().to_string());
        let mut notes: Vec<String> =
            of_note.filter(|_| worst != Outcome::Pass).map(|run| reasons(run)).unwrap_or_default();
        if runs.len() > 1 {
            notes.extend(tally.expectations.iter().filter_map(|counted| distribution(counted, times)));
        }
        Self {
            tally,
            worst,
            outcome,
            held: format!("{held}/{all}"),
            time: time(&runs, style),
            run: style.clean(&folder.unwrap_or_default()),
            notes,
        }
    }
}

/// Why a run did not pass.
fn reasons(run: &RunResult) -> Vec<String> {
    let error = run.error.iter().map(|error| error.fact.clone());
    let claims = run.expectations.iter().filter_map(|judged| match judged.held {
        Some(true) => None,
        Some(false) => Some(format!("{} did not hold: {}", judged.name, judged.why)),
        // What broke is why nothing could be judged.
        None if run.error.is_some() => None,
        None => Some(format!("{} cannot be judged: {}", judged.name, judged.why)),
    });
    error.chain(claims).collect()
}

/// What was counted of an expectation, if it was not the same in every run.
fn distribution(counted: &Counted, times: &str) -> Option<String> {
    let listed = |counts: Vec<(&str, usize)>| {
        let told = counts.into_iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what} {times}{n}"));
        told.collect::<Vec<_>>().join(", ")
    };
    let Counted { name, held, not_held, unknown, values } = counted;
    let values = listed(values.iter().map(|(value, n)| (value.as_str(), *n)).collect());
    let verdicts = listed(vec![("held", *held), ("did not hold", *not_held), ("cannot be judged", *unknown)]);
    match (values.is_empty(), *not_held + *unknown > 0) {
        (true, false) => None,
        (true, true) => Some(format!("{name}: {verdicts}")),
        (false, false) => Some(format!("{name}: {values}")),
        (false, true) => Some(format!("{name}: {values} ({verdicts})")),
    }
}

/// A case: how many seeds and what they came to, which, and how to see it again, in a line that can be copied.
fn seeds(case: &Case, of: usize, style: Style) -> Vec<String> {
    let told: Vec<String> = case.told.iter().map(|(name, what)| format!("{name} {what}")).collect();
    let what = if told.is_empty() { String::new() } else { format!(": {}", told.join(", ")) };
    let head = format!("{} with {} of {of} seeds{what}", case.outcome, case.seeds.len());
    let word = if case.seeds.len() == 1 { "seed" } else { "seeds" };
    let which = format!("{word} {}", ranges(&case.seeds, style.sign("–", "-")));
    let indented = |text: &str, indent| hanging(&" ".repeat(indent), &style.clean(text), style.columns());
    let mut lines = indented(&head, INDENT);
    lines.extend(indented(&which, INDENT + 2));
    lines.push(format!("{}{}", " ".repeat(INDENT + 2), style.clean(&case.again)));
    lines
}

/// "1–3, 7": numbers in order, those that follow each other together.
fn ranges(numbers: &[u64], to: &str) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let told = ranges.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first}{to}{last}"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// "28 scenarios, 29 runs: 28 pass, 1 fail, in 3 min 12 s, 3 labs at once"
fn together(batch: &Batch) -> String {
    let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let mut said = count(batch.scenarios.len(), "scenario");
    if batch.runs.len() > batch.scenarios.len() {
        said += &format!(", {}", count(batch.runs.len(), "run"));
    }
    let outcomes = [Outcome::Pass, Outcome::Fail, Outcome::Unknown, Outcome::Skipped].map(|outcome| {
        let n = batch.runs.iter().filter(|run| run.outcome == outcome).count();
        (n > 0).then(|| format!("{n} {outcome}"))
    });
    let outcomes: Vec<String> = outcomes.into_iter().flatten().collect();
    let labs = count(batch.at_once, "lab");
    format!("{said}: {}, in {}, {labs} at once", outcomes.join(", "), seconds(batch.wall_seconds))
}

/// What the runs took: one time, or the least and the most.
fn time(runs: &[&RunResult], style: Style) -> String {
    let all = || runs.iter().map(|run| run.time.wall_seconds);
    let (least, most) = (seconds(all().fold(f64::INFINITY, f64::min)), seconds(all().fold(0.0, f64::max)));
    if least == most { most } else { format!("{least} {} {most}", style.sign("–", "-")) }
}

fn held(result: &RunResult) -> String {
    format!("{}/{}", result.held(), result.expectations.len())
}

fn not_held(result: &RunResult) -> impl Iterator<Item = &str> {
    result.expectations.iter().filter(|judged| judged.held != Some(true)).map(|judged| judged.name.as_str())
}

fn sign(outcome: Outcome, style: Style) -> (&'static str, Paint) {
    match outcome {
        Outcome::Pass => (style.sign("✓", "+"), Paint::Good),
        Outcome::Fail => (style.sign("✗", "X"), Paint::Bad),
        Outcome::Unknown => ("?", Paint::Warn),
        Outcome::Skipped => ("-", Paint::Dim),
    }
}

fn seconds(seconds: f64) -> String {
    // Shorter than the age of the universe, and never negative: a Duration made it.
    span((seconds.max(0.0) * 1e9) as u64)
}
