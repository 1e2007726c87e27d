//! The document of textbook and kernels, by golden files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::report::{RunResult, Told, textbook};
use support::{results, stories};

/// A run of crash-reboot on this kernel, under this name.
fn told(name: &str, kernel: &str, change: impl FnOnce(&mut RunResult)) -> Told {
    let mut story = stories::crash_reboot();
    name.clone_into(&mut story.scenario.name);
    let claim = "A host that reboots has lost every trace of its connections, and answers with a RST.\n".to_owned();
    story.scenario.textbook = Some(claim);
    let mut result = results::result(&story);
    result.versions.guest_kernels.values_mut().for_each(|release| kernel.clone_into(release));
    change(&mut result);
    Told { scenario: story.scenario, result }
}

fn not_held(result: &mut RunResult) {
    let judged = result.expectations.iter_mut().find(|judged| judged.name == "error").unwrap();
    (judged.held, judged.lesson) = (Some(false), "It was `ETIMEDOUT`.".to_owned());
}

fn measured(value: &'static str) -> impl FnOnce(&mut RunResult) {
    |result| result.expectations[3].value = Some(value.to_owned())
}

#[test]
fn one_kernel() {
    let mut earlier = told("black-hole", "6.12.43+deb13-cloud-amd64", |_| ());
    earlier.scenario.section = Some("5.9".to_owned());
    let runs = [told("crash-reboot", "6.12.43+deb13-cloud-amd64", |_| ()), earlier];
    insta::assert_snapshot!(textbook(&runs));
}

#[test]
fn several_kernels_are_told_apart_where_they_differ() {
    let runs = [
        told("crash-reboot", "6.12.43+deb13-cloud-amd64", measured("10")),
        told("crash-reboot", "6.12.43+deb13-cloud-amd64", measured("2")),
        told("crash-reboot", "5.10.0-30-cloud-amd64", measured("2")),
        told("crash-reboot", "6.1.0-38-cloud-amd64", not_held),
        told("sigpipe", "6.1.0-38-cloud-amd64", |result| {
            result.outcome = deadpeer::judge::Outcome::Unknown;
        }),
    ];
    insta::assert_snapshot!(textbook(&runs));
}

#[test]
fn another_run_of_the_same_gives_the_same_text() {
    let release = "6.12.43+deb13-cloud-amd64";
    let again = told("crash-reboot", release, |result| {
        result.time.wall_seconds = 99.0;
        result.folder = "/elsewhere".into();
        for evidence in result.expectations.iter_mut().flat_map(|judged| &mut judged.evidence) {
            evidence.at.0 += 7_000_000;
            evidence.frame = evidence.frame.map(|frame| frame + 3);
            evidence.text = evidence.text.replace("frame 19", "frame 22").replace("c37df08e", "11111111");
        }
    });
    assert_eq!(textbook(&[again]), textbook(&[told("crash-reboot", release, |_| ())]));
}

/// Make them anew: `controller run --all --out all && controller textbook all > docs/textbook-and-kernel.md`, and likewise of the
/// scenarios that live in lockstep time, as that document says.
#[test]
fn the_committed_documents_tell_of_every_scenario_of_the_catalogue() {
    let read = |name: &str| std::fs::read_to_string(format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (real, lockstep) = (read("textbook-and-kernel.md"), read("textbook-and-kernel-lockstep.md"));
    for (name, text) in deadpeer::embedded::SCENARIOS {
        let document = if text.contains("\ntime: lockstep\n") { &lockstep } else { &real };
        assert!(document.contains(&format!("\n## {name}\n")), "no document tells of {name}");
    }
}
