//! The catalogue: every scenario that the project promises is there, and the guide lists them as they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod scenario;

use deadpeer::scenario::{Claim, Scenario, parse};
use std::collections::BTreeSet;

const GUIDE: &str = "docs/guide.md";

/// What the project promises: each way to die of UNP chapter 5, with the remedies, and the times that take a virtual clock.
const PROMISED: [&str; 38] = [
    "abort-before-accept",
    "black-hole",
    "cable-flap",
    "connect-eintr",
    "connect-timeout",
    "crash-reboot",
    "crash-reboot-keepalive",
    "fin-wait-2",
    "five-clients-wait",
    "five-clients-waitpid",
    "host-crash",
    "host-crash-alarm",
    "host-crash-keepalive",
    "host-crash-keepalive-tuned",
    "host-crash-rcvtimeo",
    "host-crash-routed",
    "host-crash-select",
    "host-crash-user-timeout",
    "host-unreachable",
    "host-unreachable-default",
    "net-unreachable",
    "net-unreachable-default",
    "normal-exit",
    "outage-ten-minutes",
    "server-killed",
    "server-killed-late-read",
    "server-killed-select",
    "shutdown-stubborn",
    "shutdown-systemd",
    "shutdown-sysvinit",
    "sigchld-eintr",
    "sigchld-eintr-retry",
    "sigchld-wait",
    "sigpipe",
    "sigpipe-caught",
    "sigpipe-ignored",
    "time-wait",
    "zero-window-crash",
];

/// All scenarios, in the order of the textbook's sections.
fn scenarios() -> Vec<Scenario> {
    let read = |(path, text): (std::path::PathBuf, String)| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        parse(&name, &text).unwrap_or_else(|problems| panic!("{problems}"))
    };
    let mut all: Vec<Scenario> = scenario::catalogue().into_iter().map(read).collect();
    all.sort_by_key(|it| (place(it), it.name.clone()));
    all
}

/// A section as numbers: 5.9 comes before 5.10.
fn place(scenario: &Scenario) -> Vec<u32> {
    let section = scenario.section.as_deref().expect("a section of the textbook");
    section.split('.').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn every_promised_scenario_is_there() {
    let there: BTreeSet<String> = scenarios().into_iter().map(|it| it.name).collect();
    for name in PROMISED {
        assert!(there.contains(name), "{name} is promised");
    }
}

#[test]
fn a_scenario_that_another_one_points_to_exists() {
    let all = scenarios();
    let names: BTreeSet<&str> = all.iter().map(|it| it.name.as_str()).collect();
    for scenario in &all {
        // "(see sigchld-wait)", "(server-killed-select)": words in brackets that look like a scenario's name.
        let words = scenario.source.split(|c: char| !(c.is_ascii_lowercase() || c == '-' || c == '('));
        for word in words.filter_map(|word| word.strip_prefix('(')).filter(|word| word.contains('-')) {
            assert!(names.contains(word), "{}: there is no scenario '{word}'", scenario.name);
        }
    }
}

#[test]
fn every_scenario_has_the_textbooks_claim_and_three_kinds_of_evidence() {
    for scenario in scenarios() {
        assert!(scenario.textbook.is_some(), "{}: what does the textbook say?", scenario.name);
        let has = |wanted: fn(&Claim) -> bool| scenario.expectations.iter().any(|it| wanted(&it.claim));
        let of_wire_or_host =
            |it: &Claim| matches!(it, Claim::Segment(_) | Claim::BootIdChanged { .. } | Claim::CarrierLost { .. });
        assert!(has(of_wire_or_host), "{}: what was on the wire?", scenario.name);
        assert!(has(|it| matches!(it, Claim::Kernel(_) | Claim::Zombies { .. })), "{}: the kernel", scenario.name);
        assert!(has(|it| matches!(it, Claim::Printed { .. } | Claim::Ended { .. })), "{}: programs", scenario.name);
    }
}

#[test]
fn the_guide_lists_the_catalogue() {
    let guide = scenario::read(GUIDE);
    let (before, rest) = guide.split_once("<!-- catalogue -->\n").expect("the mark of the table's beginning");
    let (_, after) = rest.split_once("<!-- end -->\n").expect("the mark of its end");
    let mut table = "| scenario | what happens | UNP |\n|---|---|---|\n".to_owned();
    for scenario in scenarios() {
        let section = scenario.section.as_deref().unwrap_or_default();
        table += &format!("| `{}` | {} | {section} |\n", scenario.name, scenario.title);
    }
    let wanted = format!("{before}<!-- catalogue -->\n{table}<!-- end -->\n{after}");
    scenario::is_current(GUIDE, &wanted, "UPDATE_SCHEMA");
}

/// The guide says which of the textbook's programs take whose places: every place in its table is one.
#[test]
fn the_textbooks_programs_take_places_that_there_are() {
    let guide = scenario::read(GUIDE);
    let (_, rest) = guide.split_once("<!-- textbook's programs -->\n").expect("the mark of the table's beginning");
    let (table, _) = rest.split_once("<!-- end -->\n").expect("the mark of its end");
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut rows = table.lines().map(cells);
    let head = rows.next().expect("the table's head");
    let catalogue = scenarios();
    let mut places = 0;
    for row in rows.skip(1) {
        let it = catalogue.iter().find(|it| format!("`{}`", it.name) == row[0]);
        let it = it.unwrap_or_else(|| panic!("there is no scenario {}", row[0]));
        // A column for each of the usual programs, and one for others: "`this`, `that`: `file`".
        let others = row[3].split_once(':').map(|(names, _)| names.split(", ")).into_iter().flatten();
        let usual = [1, 2].into_iter().filter(|&column| !row[column].is_empty()).map(|column| head[column].as_str());
        for name in usual.chain(others).map(|name| name.trim_matches('`')) {
            assert!(it.programs.contains_key(name), "{} has no program {name}", it.name);
            places += 1;
        }
    }
    assert!(places > 30, "the table is read: {places}");
}
