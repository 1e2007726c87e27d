//! Timelines of whole runs.

use super::Story;
use super::scenarios;
use deadpeer::scenario::Action;
use deadpeer::timeline::{Ended, FrameKind, LabTime, Verdict};
use std::time::Duration;

pub const FIRST_BOOT: &str = "2f0c4c1e-5f0b-4f6e-9c57-a8a9a5b1d9c1";
pub const SECOND_BOOT: &str = "b7d0a9e4-91aa-4a0c-8a3e-0d8b0f1d2c33";
const CLIENT_BOOT: &str = "80c4a3e1-0b5d-41f7-bb0c-6b8f4dd1a4f2";

/// Two hosts boot, with the chatter of their IPv6 stacks.
fn boot(story: &mut Story) {
    story.at(0.004).power_on("client", 4711).at(0.006).power_on("server", 4712);
    for (at, host) in [(2.402, "client"), (2.455, "server")] {
        story.at(at).other(host, "ICMPv6 multicast listener report");
        story.at(at + 0.21).arp(host, None, "who has 2001:db8::1? tell ::");
    }
    story.at(2.871).booted("client", CLIENT_BOOT).carrier("client", true, 0);
    story.at(2.914).booted("server", FIRST_BOOT).carrier("server", true, 0);
}

/// Server and client start, and connect (frames 5 to 9).
fn connect(story: &mut Story) {
    story.at(2.915).began(0);
    story.at(3.190).started("echo-server", 312);
    story.at(3.204).line("echo-server", "echo-server: waiting for connections on port 9877").done(0);
    story.at(3.205).began(1);
    story.at(3.480).started("echo-client", 298);
    story.at(3.488).arp("client", None, "who has 192.0.2.2? tell 192.0.2.1");
    story.at(3.489).arp("server", Some("client"), "192.0.2.2 is at 02:de:ad:00:00:02");
    story.at(3.4894).tcp("client", "S", 0, 0, 0);
    story.at(3.4899).tcp("server", "S.", 0, 0, 1);
    story.at(3.4903).tcp("client", ".", 1, 0, 1);
    story.at(3.492).line("echo-server", "connection from 192.0.2.1:41612, child 315");
    story.at(3.495).line("echo-client", "connected to 192.0.2.2 port 9877").done(1);
}

/// One line is echoed (frames 10 to 13).
fn echo(story: &mut Story) {
    story.at(3.496).began(2).typed("echo-client", "hello, world");
    story.at(3.498).tcp("client", "P.", 1, 13, 1);
    story.at(3.4984).tcp("server", ".", 1, 0, 14);
    story.at(3.499).tcp("server", "P.", 1, 13, 14);
    story.at(3.4993).tcp("client", ".", 14, 0, 14);
    story.at(3.502).line("echo-client", "hello, world").done(2);
}

fn crash(story: &mut Story) {
    story.at(3.503).began(3);
    story.at(3.506).power_off("server");
    story.at(3.507).ended("echo-server", Ended::Lost("its host lost power".to_owned())).done(3);
}

fn reboot(story: &mut Story) {
    story.at(3.508).began(4);
    story.at(3.512).power_on("server", 4790);
    story.at(5.960).other("server", "ICMPv6 multicast listener report");
    story.at(6.170).arp("server", None, "who has 2001:db8::2? tell ::");
    story.at(6.431).booted("server", SECOND_BOOT).carrier("server", true, 0).done(4);
}

/// The whole of crash-reboot: frame 19 is the RST, and answers frame 16.
pub fn crash_reboot() -> Story {
    let mut story = rebooted();
    second_line(&mut story);
    story
}

/// Crash-reboot up to where the server is up again, at 6.431 s and frame 15. What follows is the test's.
pub fn rebooted() -> Story {
    let mut story = Story::of(scenarios::crash_reboot());
    boot(&mut story);
    connect(&mut story);
    echo(&mut story);
    crash(&mut story);
    reboot(&mut story);
    story
}

fn second_line(story: &mut Story) {
    story.at(6.432).began(5).typed("echo-client", "another line");
    story.at(6.434).tcp("client", "P.", 14, 13, 14);
    story.at(6.4345).arp("server", None, "who has 192.0.2.1? tell 192.0.2.2");
    story.at(6.435).arp("client", Some("server"), "192.0.2.1 is at 02:de:ad:00:00:01");
    story.at(6.4353).tcp("server", "R", 14, 0, 0);
    story.at(6.439).line("echo-client", "str_cli: read error: Connection reset by peer (ECONNRESET)");
    story.at(6.441).ended("echo-client", Ended::Exit(1)).done(5);
    story.at(6.452).carrier("client", true, 0);
    story.at(6.460).carrier("server", true, 0);
}

/// The server's host dies for good, and the client's TCP retransmits 15 times before it gives up.
pub fn fifteen_retransmissions() -> Story {
    let mut scenario = scenarios::crash_reboot();
    scenario.name = "crash".to_owned();
    scenario.title = "The server host crashes".to_owned();
    scenario.section = Some("5.14".to_owned());
    scenario.steps.remove(scenarios::REBOOT);
    scenario.expectations.clear();
    let mut story = Story::of(scenario);
    boot(&mut story);
    connect(&mut story);
    echo(&mut story);
    crash(&mut story);
    story.at(3.508).began(4).typed("echo-client", "another line");
    let (mut at, mut wait) = (3.510, 0.201);
    story.at(at).tcp("client", "P.", 14, 13, 14).verdict(Verdict::Lost);
    for _ in 0..15 {
        at += wait;
        story.at(at).tcp("client", "P.", 14, 13, 14).verdict(Verdict::Lost);
        wait = f64::min(2.0 * wait, 120.0);
        for asked in 0..3_u8 {
            story.at(at + 0.4 + f64::from(asked)).arp("client", Some("server"), "who has 192.0.2.2? tell 192.0.2.1");
            story.verdict(Verdict::Lost);
        }
    }
    story.events.sort_by_key(|event| event.at);
    story.at(931.9).line("echo-client", "str_cli: read error: No route to host (EHOSTUNREACH)");
    story.at(931.902).ended("echo-client", Ended::Exit(1)).done(4);
    story
}

/// Three hosts: a router between client and server says that the server cannot be reached.
pub fn router() -> Story {
    let mut scenario = scenarios::bare("router-unreachable", "A router says that the server is gone", None);
    scenario.hosts.insert_before(1, "router".to_owned(), scenarios::host("192.0.2.254"));
    let line = Action::Type { program: "echo-client".to_owned(), line: "hello".to_owned(), until: None };
    scenario.steps = vec![
        scenarios::step("line", line),
        scenarios::step("wait", Action::Pause(Duration::from_secs(4))),
        scenarios::step("crash", Action::PowerOff("server".to_owned())),
    ];
    let mut story = Story::of(scenario);
    for (index, host) in ["client", "router", "server"].into_iter().enumerate() {
        story.at(0.001 * index as f64).power_on(host, 5000 + index as u32);
        story.at(2.9 + 0.01 * index as f64).booted(host, FIRST_BOOT);
    }
    story.events.sort_by_key(|event| event.at);
    story.at(3.0).started("echo-server", 300).at(3.1).started("echo-client", 301);
    story.at(3.2).began(0).typed("echo-client", "hello");
    let hop = |story: &mut Story, at: f64, from: &str, to: &str, verdict: Verdict| {
        let (near, far) = if from == "router" { ("client", to) } else { (from, "server") };
        let mut segment = story.segment(near, far, "P.", 1, 6, 1);
        // The router's copy of the first segment is not sent again, but on.
        segment.retransmission &= at > 3.3;
        story.at(at).frame(from, Some(to), 72, FrameKind::Tcp(segment)).verdict(verdict);
    };
    hop(&mut story, 3.201, "client", "router", Verdict::Passed);
    hop(&mut story, 3.202, "router", "server", Verdict::Dropped);
    hop(&mut story, 3.405, "client", "router", Verdict::Delayed(200_000_000));
    hop(&mut story, 3.606, "router", "server", Verdict::Passed);
    let back = story.segment("server", "client", ".", 1, 0, 7);
    story.at(3.607).frame("server", Some("client"), 66, FrameKind::Tcp(back));
    story.done(0).at(3.61).began(1).at(7.61).done(1).began(2);
    story.at(7.62).power_off("server").done(2);
    hop(&mut story, 8.0, "client", "router", Verdict::Passed);
    let (source, destination) = (story.address("router"), story.address("client"));
    let text = "destination unreachable (host unreachable), about TCP 192.0.2.1:41612 > 192.0.2.2:9877".to_owned();
    story.at(8.1).frame("router", Some("client"), 98, FrameKind::Icmp { source, destination, text });
    story.at(8.2).line("echo-client", "str_cli: read error: No route to host (EHOSTUNREACH)");
    story
}

/// The end of the run of `story`.
pub fn end(story: &Story) -> LabTime {
    story.events.iter().map(|e| e.at).max().unwrap_or_default()
}
