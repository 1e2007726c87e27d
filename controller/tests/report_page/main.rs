//! The report for a browser, and the other forms a run is told in: by golden files, by what must hold of any page, and by the verb.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod formats;
mod hostile;
mod layout;
mod page;
#[path = "../recorded_runs/mod.rs"]
#[allow(dead_code)] // Recording is for another test.
mod recorded_runs;
#[path = "../support/mod.rs"]
mod support;
mod tags;
mod verb;

use deadpeer::report::html;
use deadpeer::scenario::{Scenario, load};
use std::path::{Path, PathBuf};
use support::{Story, results};

/// The report of a story.
fn report(story: &Story) -> String {
    html(&story.scenario, &results::result(story), &story.events)
}

/// The catalogue.
fn catalogue() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "yaml"));
    files.sort();
    files.iter().map(|file| load(file).unwrap()).collect()
}

/// A recorded run of a scenario of the catalogue.
fn recorded(scenario: Scenario) -> Story {
    let events = recorded_runs::read(&scenario.name).expect("a recorded run");
    let mut story = Story::of(scenario);
    story.events = events;
    story
}
