//! A run as Markdown and as a trace.

use crate::support::{kernel, results, stories};
use crate::{catalogue, recorded};
use deadpeer::report::{comments, markdown, trace};
use serde_json::Value;
use std::collections::HashSet;

#[test]
fn a_run_that_passed_in_markdown() {
    let story = stories::crash_reboot();
    insta::assert_snapshot!(markdown(&story.scenario, &results::result(&story), &story.events));
}

#[test]
fn markdown_names_no_folder_of_the_computer_that_made_it() {
    let story = kernel::crash_reboot();
    let result = results::result(&story);
    let page = markdown(&story.scenario, &result, &story.events);
    assert!(!page.contains("/home/"), "{page}");
    assert!(!crate::report(&story).contains("/home/"));
}

#[test]
fn a_trace_in_its_events() {
    let story = kernel::crash_reboot();
    let read: Value = serde_json::from_str(&trace(&story.scenario, &story.events)).unwrap();
    let lines: Vec<String> = read["traceEvents"].as_array().unwrap().iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_event_of_a_trace_is_on_a_track_that_has_a_name() {
    for scenario in catalogue() {
        let story = recorded(scenario);
        let read: Value = serde_json::from_str(&trace(&story.scenario, &story.events)).unwrap();
        let events = read["traceEvents"].as_array().unwrap();
        let number = |event: &Value, key: &str| event[key].as_u64().unwrap_or(0);
        let named = |what: &str| -> HashSet<(u64, u64)> {
            let named = events.iter().filter(|event| event["name"] == what);
            named
                .map(|event| (number(event, "pid"), if what == "thread_name" { number(event, "tid") } else { 0 }))
                .collect()
        };
        let (processes, threads) = (named("process_name"), named("thread_name"));
        for event in events.iter().filter(|event| event["ph"] != "M") {
            let place = (number(event, "pid"), number(event, "tid"));
            assert!(processes.contains(&(place.0, 0)), "{}: {event}", story.scenario.name);
            assert!(threads.contains(&place) || place.1 == 1, "{}: {event}", story.scenario.name);
            assert!(event["ph"] != "X" || event["dur"].as_f64().is_some_and(|length| length >= 0.0), "{event}");
        }
    }
}

#[test]
fn the_frames_that_decide_and_the_first_after_each_host_event_have_comments() {
    let story = stories::crash_reboot();
    let comments = comments(&story.scenario, &results::result(&story).expectations, &story.events);
    let told: Vec<String> =
        comments.iter().flat_map(|(frame, texts)| texts.iter().map(move |text| format!("{frame}: {text}"))).collect();
    insta::assert_snapshot!(told.join("\n"));
}
