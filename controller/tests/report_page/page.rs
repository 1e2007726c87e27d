//! What must hold of any report.

use crate::support::{kernel, results, stories};
use crate::tags::{bare, tags};
use crate::{catalogue, recorded, report};
use deadpeer::report::html;
use deadpeer::timeline::What;
use std::collections::HashSet;

#[test]
fn a_story_of_a_few_events_whole() {
    let mut story = kernel::crash_reboot();
    // From the crash on: a band, a fold, arrows, calls, states.
    story.events.retain(|event| event.at.0 > 6_430_000_000 || matches!(event.what, What::Machine { .. }));
    insta::assert_snapshot!(bare(&report(&story)));
}

/// The marks of a recorded run, as a screen reader says them, with the steps between.
fn told(page: &str) -> String {
    let mut lines = Vec::new();
    let mut heading = String::new();
    let tags = tags(page);
    let ladder = tags.iter().position(|tag| tag.get("class") == "lanes").unwrap();
    for tag in &tags[ladder..] {
        match (tag.name.as_str(), tag.closes) {
            ("h3", false) => heading = "# ".to_owned(),
            ("h3", true) if !heading.is_empty() => lines.push(std::mem::take(&mut heading)),
            ("span", false) if !heading.is_empty() => heading = format!("{heading} {}", tag.text),
            ("span", false) if tag.get("class") == "unseen" => lines.push(format!("  ({})", tag.text)),
            ("a", false) if tag.get("href").starts_with("#e") && !tag.get("aria-label").is_empty() => {
                lines.push(format!("  {}", tag.get("aria-label")));
            }
            ("figcaption", false) => break,
            _ => {}
        }
    }
    lines.join("\n")
}

#[test]
fn what_the_ladder_says_of_genuine_runs() {
    for name in ["crash-reboot", "server-killed", "host-crash"] {
        let scenario = catalogue().into_iter().find(|scenario| scenario.name == name).unwrap();
        insta::assert_snapshot!(name, told(&report(&recorded(scenario))));
    }
}

#[test]
fn every_link_leads_somewhere_and_nothing_outside_is_asked_for() {
    for scenario in catalogue() {
        let name = scenario.name.clone();
        let page = report(&recorded(scenario));
        let tags = tags(&page);
        let ids: Vec<&str> = tags.iter().map(|tag| tag.get("id")).filter(|id| !id.is_empty()).collect();
        let known: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(known.len(), ids.len(), "{name}: an id twice");
        for tag in &tags {
            for attribute in ["src", "action", "xlink:href", "srcset", "style", "onclick"] {
                assert!(!tag.attributes.contains_key(attribute), "{name}: {tag:?}");
            }
            if let Some(target) = tag.attributes.get("href") {
                let target = target.strip_prefix('#').unwrap_or_else(|| panic!("{name}: leads out: {tag:?}"));
                assert!(known.contains(target), "{name}: leads nowhere: {tag:?}");
            }
        }
    }
}

#[test]
fn every_event_has_its_row_and_every_frame_between_hosts_its_arrow() {
    for scenario in catalogue() {
        let story = recorded(scenario);
        let page = report(&story);
        for (number, _) in story.events.iter().enumerate() {
            assert!(page.contains(&format!("<tr id=\"e{number}\"")), "{}: event {number}", story.scenario.name);
        }
    }
}

#[test]
fn the_policy_names_the_style_and_the_script_that_are_there() {
    let page = report(&stories::crash_reboot());
    let policy = tags(&page).into_iter().find(|tag| tag.get("http-equiv") == "Content-Security-Policy").unwrap();
    assert!(policy.get("content").starts_with("default-src 'none'; style-src 'sha256-"), "{policy:?}");
    assert_eq!(policy.get("content").matches("'sha256-").count(), 2);
}

#[test]
fn a_run_that_never_began_has_a_report_that_says_why() {
    let story = stories::crash_reboot();
    let mut result = results::result(&story);
    let error = deadpeer::error::Error::broken("QEMU is missing").detail("PATH=/bin").help("./lab setup");
    result.error = Some(deadpeer::report::Broken::from(&error));
    result.outcome = deadpeer::judge::Outcome::Unknown;
    result.expectations.clear();
    let page = html(&story.scenario, &result, &[]);
    for text in ["<strong>unknown</strong>", "QEMU is missing", "PATH=/bin", "./lab setup"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!page.contains("id=\"ladder\"") && !page.contains("id=\"events\""));
}

#[test]
fn the_same_run_gives_the_same_page() {
    let story = kernel::crash_reboot();
    assert_eq!(report(&story), report(&story));
}
