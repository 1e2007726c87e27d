//! A scenario in words: a line for `controller list`, a page for `controller show`.

use super::model::{Answering, Claim, Flow, Host, Init, Moment, ProgramEnd, Rule, RuleVerdict, SegmentKind};
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
        let _ = writeln!(out, "  {name:width$}  {} on {}", shown_command(&program.command), program.host);
    }
    out.push_str("\nSteps\n");
    for (number, step) in (1..).zip(&scenario.steps) {
        let name = step.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let words = format!("{name}{}", action(&step.action));
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

/// A claim in words: "echo-client exited with status 1".
#[must_use]
pub fn claim(scenario: &Scenario, claim: &Claim) -> String {
    let step = |index: usize| step_in_words(scenario, index);
    match claim {
        Claim::Printed { program, text, seen, when } => {
            let verb = if *seen { "printed" } else { "never printed" };
            format!("{program} {verb} {text:?}{}", moment(when, &step))
        }
        Claim::Ended { program, how, when } => format!("{program} {}{}", end(how), moment(when, &step)),
        Claim::Segment(segment) => {
            let several = segment.seen && segment.count.is_some_and(|count| count > 1);
            let number = match (segment.seen, segment.count) {
                (false, _) => "no".to_owned(),
                (true, None) => "at least one".to_owned(),
                (true, Some(count)) => format!("exactly {count}"),
            };
            let answering = segment.answering.as_ref().map(|a| answering(a, &step)).unwrap_or_default();
            let flow = flow(&segment.flow, several);
            format!("{number} {flow}{answering}{}", moment(&segment.when, &step))
        }
        Claim::BootIdChanged { host, changed } => {
            format!("{host}'s boot id {}", if *changed { "changed" } else { "stayed the same" })
        }
        Claim::CarrierLost { host, lost } => {
            format!("{host} {} its carrier", if *lost { "lost" } else { "never lost" })
        }
    }
}

/// "power off server", with the wait that belongs to it.
fn action(action: &Action) -> String {
    let until = match action {
        Action::Start { until, .. } | Action::Type { until, .. } | Action::EndInput { until, .. } => until.as_ref(),
        Action::Await { program, until } => return format!("wait until {program} {}", wait(until)),
        Action::Run { within, .. } => return format!("{action}, within {}", show_time(*within)),
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
    let mut out = format!("{verdict} {}", rule.kind.map_or("all", kind_word));
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

/// The word with which the file names a kind.
fn kind_word(kind: SegmentKind) -> &'static str {
    use super::source::Choice;
    SegmentKind::WORDS.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| word)
}

fn host_in_words(host: &Host) -> String {
    let addresses: Vec<String> = host.addresses.iter().map(|(address, prefix)| format!("{address}/{prefix}")).collect();
    let init = match host.init {
        Init::Sysvinit => "sysvinit",
        Init::Systemd => "systemd",
    };
    let mut out = format!("{}; {init}; {} MiB", addresses.join(", "), host.memory);
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

fn end(how: &ProgramEnd) -> String {
    match how {
        ProgramEnd::Exit(status) => format!("exited with status {status}"),
        ProgramEnd::Signal(name) => format!("was ended by SIG{name}"),
        ProgramEnd::Any => "ended".to_owned(),
        ProgramEnd::Running => "was still running at the end".to_owned(),
        ProgramEnd::WithHost => "died with its host".to_owned(),
    }
}

fn flow(flow: &Flow, several: bool) -> String {
    let flags = flow.flags.to_string();
    let what = match flow.kind {
        Some(SegmentKind::Icmp) => "ICMP message".to_owned(),
        Some(SegmentKind::Arp) => "ARP message".to_owned(),
        Some(SegmentKind::Tcp) => "TCP segment".to_owned(),
        Some(kind) => format!("{} segment", kind_word(kind)),
        None => "segment".to_owned(),
    };
    let mut out = if several { format!("{what}s") } else { what };
    if !flags.is_empty() {
        let _ = write!(out, " with {flags}");
    }
    for (word, host) in [("from", &flow.from), ("to", &flow.to)] {
        if let Some(host) = host {
            let _ = write!(out, " {word} {host}");
        }
    }
    out
}

fn answering(answering: &Answering, step: &dyn Fn(usize) -> String) -> String {
    let after = answering.after.map(|index| format!(" sent after {}", step(index))).unwrap_or_default();
    format!(" that answers a {}{after}", flow(&answering.flow, false))
}

fn moment(when: &Moment, step: &dyn Fn(usize) -> String) -> String {
    let mut out = String::new();
    match (when.within, when.after) {
        (Some(time), Some(after)) => {
            let _ = write!(out, ", within {} after {}", show_time(time), step(after));
        }
        (Some(time), None) => {
            let _ = write!(out, ", within {} from the start", show_time(time));
        }
        (None, Some(after)) => {
            let _ = write!(out, ", after {}", step(after));
        }
        (None, None) => {}
    }
    if let Some(before) = when.before {
        let _ = write!(out, ", before {}", step(before));
    }
    out
}

/// A step's name, or its number where it has none.
fn step_in_words(scenario: &Scenario, index: usize) -> String {
    let name = scenario.steps.get(index).and_then(|step| step.name.clone());
    name.unwrap_or_else(|| format!("step {}", index + 1))
}

fn indent(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| if line.is_empty() { String::new() } else { format!("  {line}") }).collect();
    lines.join("\n")
}
