//! Everything that comes from a run is untrusted, and none of it becomes markup.

use crate::report;
use crate::support::{Story, results, stories};
use crate::tags::tags;
use deadpeer::report::{html, markdown, trace};
use deadpeer::timeline::{Ended, MachineEvent};

const HOSTILE: [&str; 8] = [
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "\"><a href=https://example.org>out</a>",
    "' onmouseover='window.hacked=1",
    "<!-- ]]> --> &lt;b&gt;",
    "</title></style></svg></table><base href=//example.org>",
    "\u{202e}\u{0}\u{1b}[31m\u{ffff}",
];

/// A run in which every place that a stranger can fill says something hostile.
pub(crate) fn story() -> Story {
    let mut story = stories::rebooted();
    for (n, text) in HOSTILE.iter().enumerate() {
        story.at(7.0 + n as f64).line("echo-client", text).typed("echo-client", text).arp("client", None, text);
        story.ended("echo-client", Ended::Lost((*text).to_owned()));
        story.machine("server", MachineEvent::Panicked { line: (*text).to_owned() });
        story.machine("server", MachineEvent::ShutDown { reason: (*text).to_owned() });
    }
    let all = HOSTILE.join(" ");
    story.scenario.title.clone_from(&all);
    story.scenario.story = format!("{all}\n\n{all}");
    story.scenario.textbook = Some(all.clone());
    story.scenario.section = Some(all.clone());
    for expectation in &mut story.scenario.expectations {
        expectation.held.clone_from(&all);
        expectation.not_held.clone_from(&all);
    }
    story
}

#[test]
fn no_word_of_a_run_becomes_an_element_or_an_attribute() {
    let story = story();
    let tame = tags(&report(&stories::crash_reboot()));
    let allowed: std::collections::HashSet<&str> = tame.iter().map(|tag| tag.name.as_str()).collect();
    let attributes: std::collections::HashSet<&String> = tame.iter().flat_map(|tag| tag.attributes.keys()).collect();
    let mut result = results::result(&story);
    result.error = Some(deadpeer::report::Broken {
        fact: HOSTILE.join(" "),
        detail: Some(HOSTILE.join("\n")),
        help: Some(HOSTILE.join("\n")),
    });
    result.versions.qemu = Some(HOSTILE.join(" "));
    let page = html(&story.scenario, &result, &story.events);
    for tag in tags(&page) {
        assert!(
            allowed.contains(tag.name.as_str())
                || ["pre", "dl", "dt", "dd", "blockquote", "cite"].contains(&tag.name.as_str()),
            "{tag:?}"
        );
        for attribute in tag.attributes.keys() {
            assert!(attributes.contains(attribute), "{attribute} of {tag:?}");
        }
    }
    // Two of ours, one of which holds data.
    assert_eq!(page.matches("<script").count(), 2);
    assert!(!page.contains('\u{202e}') && !page.contains('\u{0}') && !page.contains('\u{1b}'));
}

#[test]
fn the_data_for_the_script_is_the_timeline() {
    let story = story();
    let page = report(&story);
    let (_, data) = page.split_once("id=\"timeline\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    let read: Vec<deadpeer::timeline::Event> = serde_json::from_str(data).unwrap();
    assert_eq!(read, story.events);
}

#[test]
fn other_forms_carry_it_as_text() {
    let story = story();
    let result = results::result(&story);
    let page = markdown(&story.scenario, &result, &story.events);
    // A backslash takes a letter's meaning from it (CommonMark 0.31, section 2.4).
    let outside: String = page.split("```").step_by(2).collect::<String>().replace("\\<", "");
    assert!(!outside.contains("<img") && !outside.contains("<script"), "{outside}");
    let read: serde_json::Value = serde_json::from_str(&trace(&story.scenario, &story.events)).unwrap();
    assert!(read["traceEvents"].as_array().unwrap().len() > story.events.len() / 2);
}

#[test]
fn numbers_at_their_limits_break_nothing() {
    let mut story = stories::crash_reboot();
    for (n, event) in story.events.iter_mut().enumerate() {
        if let deadpeer::timeline::What::Wire(frame) = &mut event.what
            && let deadpeer::timeline::FrameKind::Tcp(segment) = &mut frame.kind
        {
            (segment.seq, segment.relative_seq, segment.length) = (u32::MAX, u32::MAX, u32::MAX as usize);
            frame.number = u64::MAX - n as u64;
            frame.verdict = deadpeer::timeline::Verdict::Delayed(u64::MAX);
        }
    }
    // Times that go backwards, and the last there is.
    let last = story.events.len() - 1;
    story.events.swap(10, last);
    story.events[last].at.0 = u64::MAX;
    let result = results::result(&stories::crash_reboot());
    assert!(html(&story.scenario, &result, &story.events).ends_with("</html>"));
    assert!(serde_json::from_str::<serde_json::Value>(&trace(&story.scenario, &story.events)).is_ok());
    assert!(markdown(&story.scenario, &result, &story.events).ends_with("|\n"));
    let comments = deadpeer::report::comments(&story.scenario, &result.expectations, &story.events);
    assert!(comments.keys().any(|frame| *frame > u64::MAX / 2));
}
