//! From what stands in the file to what can run: every name looked up, every order of steps checked.
//!
//! Every check goes on after a problem, so that all problems are told at once. Where a name is misspelt, the rest is
//! checked as if the nearest name stood there: one slip is one problem.

mod command;
mod expectations;
mod hosts;
mod kernel;
mod lookup;
mod order;
mod parts;
mod programs;
mod steps;
mod verb;
mod waits;

pub use command::words as command_words;

use super::model::Scenario;
use super::problem::{Problem, Problems, Span};
use super::source::{Field, FileSource, List, Value};
use lookup::Known;

/// The scenario that `file` describes. What is wrong is added to `problems`; the scenario is of use only if nothing is.
pub(super) fn resolve(file: &FileSource, source: &str, problems: &mut Problems) -> Scenario {
    let name = required(&file.name, "name", problems).and_then(|name| name.read(problems));
    if let (Some(name), Some(span)) = (&name, file.name.span())
        && name == "latest"
    {
        problems.add(Problem::at(span, "a scenario cannot be named `latest`").label("the newest run is called so"));
    }
    let title = required(&file.title, "title", problems).and_then(|title| title.read(problems));
    let story = required(&file.story, "story", problems).and_then(|story| story.read(problems));
    let textbook = file.textbook.given("what the textbook says", problems).map(|(book, span)| {
        let section = inner(&book.section, "section", "`textbook`", span, problems);
        let claim = inner(&book.claim, "claim", "`textbook`", span, problems);
        (section.and_then(|s| s.read(problems)), claim.and_then(|c| c.read(problems)))
    });
    let (section, textbook) = textbook.unwrap_or_default();

    let time = file.time.read(problems);
    let hosts = hosts::hosts(&file.hosts, problems);
    let programs = programs::programs(&file.programs, &hosts, problems);
    let known = Known::new(&hosts, &programs, steps::names(&file.steps));
    let done = steps::steps(&file.steps, &known, problems);
    let started = order::check(&done, &programs, problems);
    waits::check(&done, problems);
    let expectations = expectations::expectations(&file.expectations, &known, &started, problems);

    Scenario {
        name: name.unwrap_or_default(),
        title: title.unwrap_or_default(),
        section,
        story: story.unwrap_or_default(),
        textbook,
        time,
        hosts,
        programs,
        steps: done.into_iter().map(|step| step.step).collect(),
        expectations,
        source: source.to_owned(),
    }
}

/// The field, or the problem that the file lacks it.
fn required<'a, T>(field: &'a Field<T>, key: &str, problems: &mut Problems) -> Option<&'a Field<T>> {
    if field.is_absent() {
        let first = lookup::first_key(problems.text());
        let missing = Problem::at(&first, format!("the scenario has no `{key}`"));
        problems.add(missing.label(format!("`{key}` is missing in this file")));
        return None;
    }
    Some(field)
}

/// The field of the map at `span`, or the problem that the map lacks it.
fn inner<'a, K>(
    field: &'a Value<K>,
    key: &str,
    owner: &str,
    span: &Span,
    problems: &mut Problems,
) -> Option<&'a Value<K>> {
    if field.is_absent() {
        problems.add(
            Problem::at(&lookup::start_of(span, problems.text()), format!("{owner} has no `{key}`"))
                .label(format!("`{key}` is missing here")),
        );
        return None;
    }
    Some(field)
}

/// The items of a list that must be there and not be empty, each with its place.
fn items<'a, T>(list: &'a List<T>, key: &str, why: &str, problems: &mut Problems) -> Vec<(&'a T, &'a Span)> {
    let Some(list) = required(list, key, problems) else { return Vec::new() };
    let Some((entries, span)) = list.given(&format!("the list of {key}"), problems) else { return Vec::new() };
    if entries.is_empty() {
        problems.add(Problem::at(span, format!("there are no {key}")).label("an empty list").help(why));
    }
    entries.iter().filter_map(|entry| entry.given("an item of the list", problems)).collect()
}

/// Tells a name that stands twice, with both places.
fn twice(name: &str, what: &str, first: &Span, second: &Span, problems: &mut Problems) {
    problems.add(
        Problem::at(second, format!("two {what} are named `{name}`"))
            .label("the second one")
            .also(first, "the first one")
            .help("a name is used once"),
    );
}
