//! The ladder of whole runs, by golden files, and what must hold for any run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::report::{Style, ladder};
use deadpeer::scenario::Scenario;
use deadpeer::timeline::{Ended, MachineEvent};
use support::{Story, scenarios, stories};
use unicode_width::UnicodeWidthStr;

const TERMINAL: Style = Style { width: 80, colour: false, unicode: true };

fn drawn(story: &Story, style: Style) -> String {
    ladder(&story.scenario, &story.events, &style)
}

fn whole_runs() -> [Story; 3] {
    [stories::crash_reboot(), stories::fifteen_retransmissions(), stories::router()]
}

#[test]
fn crash_and_reboot() {
    insta::assert_snapshot!(drawn(&stories::crash_reboot(), TERMINAL));
}

#[test]
fn crash_and_reboot_in_ascii() {
    insta::assert_snapshot!(drawn(&stories::crash_reboot(), Style::plain()));
}

#[test]
fn crash_and_reboot_in_colour_on_a_wide_terminal() {
    let style = Style { width: 110, colour: true, unicode: true };
    insta::assert_snapshot!(drawn(&stories::crash_reboot(), style).replace('\u{1b}', "^"));
}

#[test]
fn fifteen_retransmissions_to_a_dead_host() {
    insta::assert_snapshot!(drawn(&stories::fifteen_retransmissions(), TERMINAL));
}

#[test]
fn three_hosts_with_dropped_and_delayed_frames() {
    insta::assert_snapshot!(drawn(&stories::router(), TERMINAL));
}

/// Lines that would garble a terminal or break the columns, printed by a program on each host.
fn nasty() -> Story {
    let mut story = stories::rebooted();
    let wide = "漢字".repeat(80);
    let nasty = ["\u{1b}[2J\r\u{8}", "tab\there", &wide, "e\u{301}\u{202e}x", "", &"x".repeat(5000), "⚡ \u{200b}"];
    for (n, text) in nasty.iter().enumerate() {
        story.at(7.0 + n as f64).line("echo-client", text).line("echo-server", text).typed("echo-client", text);
    }
    story.at(20.0).machine("server", MachineEvent::Died { how: Ended::Exit(1), words: "a\n\u{1b}[31mb".to_owned() });
    story.at(21.0).machine("client", MachineEvent::Panicked { line: "Kernel panic \u{7}".to_owned() });
    story.machine("client", MachineEvent::ControlLost { why: "x".repeat(300) });
    story
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for story in whole_runs().iter().chain([&nasty()]) {
        for width in [60, 61, 71, 79, 80, 81, 99, 119, 120, 130] {
            for unicode in [false, true] {
                let drawn = drawn(story, Style { width, colour: false, unicode });
                for line in drawn.lines() {
                    assert!(line.width() <= width.min(120), "{} columns of {width}: {line}", line.width());
                    assert!(unicode || line.is_ascii(), "{line}");
                    assert_eq!(line.trim_end(), line);
                }
            }
        }
    }
}

#[test]
fn nothing_that_a_program_prints_reaches_the_terminal_as_a_control() {
    let drawn = drawn(&nasty(), TERMINAL);
    assert!(!drawn.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{drawn}");
    assert!(drawn.contains("\\u{1b}[2J\\r"), "{drawn}");
}

#[test]
fn colour_changes_nothing_but_colour() {
    for story in whole_runs() {
        let coloured = drawn(&story, Style { colour: true, ..TERMINAL });
        assert_eq!(console::strip_ansi_codes(&coloured), drawn(&story, TERMINAL));
        assert!(!drawn(&story, TERMINAL).contains('\u{1b}'));
    }
}

#[test]
fn every_segment_and_every_line_is_in_the_ladder() {
    let story = stories::crash_reboot();
    let drawn = drawn(&story, TERMINAL);
    for number in [7, 8, 9, 10, 11, 12, 13, 16, 19] {
        assert!(drawn.contains(&format!(" #{number} ")), "frame {number} is missing:\n{drawn}");
    }
    assert!(drawn.contains("RST seq 14") && drawn.contains("» hello, world") && drawn.contains("« another line"));
}

#[test]
fn a_dead_host_s_lane_stops_and_goes_on_when_it_is_back() {
    let story = stories::crash_reboot();
    let drawn = drawn(&story, TERMINAL);
    let last_column = |time: &str| {
        let line = drawn.lines().find(|line| line.trim_start().starts_with(time)).expect("a line at that time");
        line.chars().last().filter(|_| line.width() == 80)
    };
    assert_eq!(
        ["3.502", "3.506", "3.507", "3.512", "5.960", "6.434"].map(last_column),
        [Some('│'), Some('✗'), None, Some('╷'), Some('┊'), Some('│')]
    );
}

#[test]
fn a_run_that_broke_off_says_in_which_step() {
    let mut story = stories::rebooted();
    assert!(!drawn(&story, TERMINAL).contains("the run ended here"));
    story.at(7.0).began(scenarios::SECOND_LINE);
    let drawn = drawn(&story, TERMINAL);
    let last = drawn.lines().rfind(|line| line.contains("│")).expect("a line with lanes");
    assert!(last.contains("✗ the run ended here, in the middle of this step"), "{drawn}");
}

#[test]
fn an_empty_timeline_and_any_number_of_hosts_can_be_drawn() {
    for hosts in 0..9 {
        let mut scenario: Scenario = scenarios::bare("many", "Many hosts", None);
        scenario.hosts.clear();
        for host in 0..hosts {
            scenario.hosts.insert(format!("host-number-{host}"), scenarios::host("192.0.2.1"));
        }
        let mut story = Story::of(scenario);
        assert!(drawn(&story, TERMINAL).contains("many: Many hosts"));
        story.power_on("nobody", 1);
        if hosts > 1 {
            let segment = stories::rebooted().segment("client", "server", "S", 0, 0, 0);
            let last = format!("host-number-{}", hosts - 1);
            for (from, to) in
                [("host-number-0", last.as_str()), (&last, "host-number-0"), ("host-number-0", "host-number-0")]
            {
                story.frame(from, Some(to), 66, deadpeer::timeline::FrameKind::Tcp(segment.clone()));
            }
        }
        let drawn = drawn(&story, TERMINAL);
        assert!(drawn.lines().all(|line| line.width() <= 80), "{drawn}");
    }
}
