//! A scenario in words: a line for `controller list`, a page for `controller show`.

mod claims;
mod kernel;

pub use claims::claim;
pub(crate) use kernel::{call_word, noun, zombies};

use super::model::{Host, Init, Rule, RuleVerdict, SegmentKind};
use super::units::show_time;
use super::wrap::wrapped;
use super::{Action, Scenario, Until};
use std::fmt::Write;

/// The textbook, as it is cited.
const TEXTBOOK: &str = "W. R. Stevens, UNIX Network Programming, vol. 1, 3rd ed.";

/// Columns of the page that [`describe`] writes.
const PAGE: usize = 100;

/// One line: name, title and the textbook's section. `width` is that of the column of names.
#[must_use]
pub fn summary(scenario: &Scenario, width: usize) -> String {
    let section = scenario.section.as_ref().map(|section| format!(" (UNP {section})")).unwrap_or_default();
    format!("{:width$}  {}{section}", scenario.name, scenario.title)
}

/// A page: story, the textbook's claim, hosts, programs, steps and expectations in words.
#[must_use]
pub fn describe(scenario: &Scenario) -> String {
    let mut out = format!("{}: {}\n\n{}\n", scenario.name, scenario.title, indent(&scenario.story));
    if let Some(claim) = &scenario.textbook {
        let section = scenario.section.as_ref().map(|s| format!(", section {s}")).unwrap_or_default();
        let _ = write!(out, "\nThe textbook ({TEXTBOOK}{section})\n{}\n", indent(claim));
    }
    let width = scenario.hosts.keys().chain(scenario.programs.keys()).map(String::len).max().unwrap_or(0);
    out.push_str("\nHosts\n");
    for (name, host) in &scenario.hosts {
        let _ = writeln!(out, "  {name:width$}  {}", host_in_words(host));
    }
    if !scenario.programs.is_empty() {
        out.push_str("\nPrograms\n");
    }
    for (name, program) in &scenario.programs {
        let service = if program.service { ", a service" } else { "" };
        let _ = writeln!(out, "  {name:width$}  {} on {}{service}", shown_command(&program.command), program.host);
    }
    out.push_str("\nSteps\n");
    for (number, step) in (1..).zip(&scenario.steps) {
        let name = step.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let words = format!("{name}{}", action(scenario, &step.action));
        let _ = writeln!(out, "  {number:2}. {}", wrapped(&words, PAGE, 6));
    }
    out.push_str("\nExpectations\n");
    let width = scenario.expectations.iter().map(|e| e.name.len()).max().unwrap_or(0);
    for expectation in &scenario.expectations {
        let words = wrapped(&claim(scenario, &expectation.claim), PAGE, width + 4);
        let _ = writeln!(out, "  {:width$}  {words}", expectation.name);
    }
    out
}

/// "power off server", with the wait that belongs to it.
fn action(scenario: &Scenario, action: &Action) -> String {
    let until = match action {
        Action::Start { until, .. } | Action::Type { until, .. } | Action::EndInput { until, .. } => until.as_ref(),
        Action::Await { program, until } => return format!("wait until {program} {}", wait(until)),
        Action::Run { within, .. } => return format!("{action}, within {}", show_time(*within)),
        Action::AwaitSegment { after, within, .. } | Action::AwaitState { after, within, .. } => {
            let after = after.map(|step| format!(" after {}", claims::step(scenario, step))).unwrap_or_default();
            return format!("{action}{after}, within {}", show_time(*within));
        }
        Action::Cable(rules) if !rules.is_empty() => {
            let rules: Vec<String> = rules.iter().map(rule).collect();
            return format!("set the cable to {}", rules.join("; "));
        }
        _ => None,
    };
    until.map_or_else(|| action.to_string(), |until| format!("{action}, until it {}", wait(until)))
}

fn wait(until: &Until) -> String {
    format!("{}, within {}", until.what, show_time(until.within))
}

fn rule(rule: &Rule) -> String {
    let verdict = match rule.verdict {
        RuleVerdict::Drop => "drop",
        RuleVerdict::Pass => "pass",
        RuleVerdict::Delay(_) => "delay",
    };
    let mut out = format!("{verdict} {}", rule.kind.map_or("all", SegmentKind::word));
    for (word, host) in [("from", &rule.from), ("to", &rule.to)] {
        if let Some(host) = host {
            let _ = write!(out, " {word} {host}");
        }
    }
    if let RuleVerdict::Delay(time) = rule.verdict {
        let _ = write!(out, " by {}", show_time(time));
    }
    out
}

fn host_in_words(host: &Host) -> String {
    let addresses: Vec<String> = host.addresses.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect();
    let init = match host.init() {
        Init::Sysvinit => "sysvinit",
        Init::Systemd => "systemd",
    };
    let mut out = format!("{}; {init}; {} MiB", addresses.join(", "), host.memory);
    if let Some(boxed) = &host.boxed {
        let _ = write!(out, "; the box {boxed}");
    }
    if let Some(suite) = &host.kernel {
        let _ = write!(out, "; the kernel of {suite}");
    }
    if let Some(gateway) = host.gateway {
        let _ = write!(out, "; gateway {gateway}");
    }
    if host.forward {
        out.push_str("; a router");
    }
    for (name, value) in &host.sysctl {
        let _ = write!(out, "; {name} = {value}");
    }
    out
}

/// The words as they could be typed: those that hold a space or are empty in quotes.
fn shown_command(words: &[String]) -> String {
    let plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || "'\"\\".contains(c));
    let quoted =
        words.iter().map(|word| if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) });
    quoted.collect::<Vec<_>>().join(" ")
}

fn indent(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    lines.join("\n")
}
