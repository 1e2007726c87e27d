//! The document of observed time-outs, by golden files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)] // Nothing is recorded here.
mod recorded_runs;

use deadpeer::report::{Timed, timeouts};
use deadpeer::timeline::{MachineEvent, What};

fn recorded(scenario: &str) -> Timed {
    let events = recorded_runs::read(scenario).unwrap_or_else(|| panic!("there is no recorded run of {scenario}"));
    Timed { scenario: scenario.to_owned(), events }
}

/// The same run, as if that had been the kernel.
fn on(release: &str, mut run: Timed) -> Timed {
    for event in &mut run.events {
        if let What::Machine { event: MachineEvent::Booted { kernel, .. }, .. } = &mut event.what {
            release.clone_into(kernel);
        }
    }
    run
}

#[test]
fn all_recorded_runs() {
    let runs: Vec<Timed> = deadpeer::embedded::SCENARIOS.iter().map(|(name, _)| recorded(name)).collect();
    insta::assert_snapshot!(timeouts(&runs));
}

#[test]
fn kernels_stand_side_by_side_and_what_was_not_run_is_marked() {
    let old = "6.1.0-38-cloud-amd64";
    let runs = [recorded("connect-timeout"), on(old, recorded("connect-timeout")), on(old, recorded("time-wait"))];
    insta::assert_snapshot!(timeouts(&runs));
}

#[test]
fn several_runs_of_one_kernel_are_a_range() {
    let mut later = recorded("host-crash-user-timeout");
    let end = later.events.len() - 1;
    let failed = later.events.iter().position(|event| format!("{event:?}").contains("Failed(\"ETIMEDOUT\")")).unwrap();
    later.events[failed..=end].iter_mut().for_each(|event| event.at.0 += 250_000_000);
    let page = timeouts(&[recorded("host-crash-user-timeout"), later]);
    let row = page.lines().find(|line| line.contains("host-crash-user-timeout")).unwrap();
    let measured = row.split('|').nth(4).unwrap().trim();
    let (least, most) = measured.trim_end_matches(", ETIMEDOUT").split_once(" to ").expect(measured);
    let seconds = |text: &str| text.trim_end_matches(" s").parse::<f64>().unwrap();
    assert!((seconds(most) - seconds(least) - 0.25).abs() < 0.0015, "{measured}");
}

#[test]
fn what_no_run_showed_is_left_out() {
    let page = timeouts(&[recorded("normal-exit")]);
    assert!(!page.contains("| time-out |") && !page.contains("###"), "{page}");
}

/// Make it anew: `controller run` of the scenarios that it names, on Linux 6.12 and with `--kernel bookworm`, and
/// `controller timeouts FOLDER FOLDER > docs/observed-timeouts.md`.
#[test]
fn the_committed_document_has_a_figure_for_every_time_out() {
    let path = format!("{}/../docs/observed-timeouts.md", env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(path).unwrap();
    let of_recorded =
        timeouts(&deadpeer::embedded::SCENARIOS.iter().map(|(name, _)| recorded(name)).collect::<Vec<_>>());
    let rows = |page: &str| -> Vec<Vec<String>> {
        let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("`)"));
        rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
    };
    let whats = |rows: &[Vec<String>]| rows.iter().map(|row| row[1].clone()).collect::<Vec<_>>();
    let document = rows(&document);
    assert_eq!(whats(&document), whats(&rows(&of_recorded)), "docs/observed-timeouts.md was made by another version");
    for row in document {
        assert!(!row.contains(&"–".to_owned()), "a kernel has no figure: {row:?}");
    }
}
