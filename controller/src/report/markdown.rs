//! A run as Markdown, to paste into an issue: what it came to, each expectation, the ladder, and what it was made with.

use super::ladder::ladder;
use super::result::RunResult;
use super::style::Style;
use super::text::harmless;
use crate::judge::Judged;
use crate::scenario::Scenario;
use crate::timeline::Event;
use std::fmt::Write;

/// The ladder is so many columns wide: what a page of issues shows without scrolling.
const WIDTH: usize = 96;

/// The run in Markdown (GitHub's, which CommonMark's readers show as well, but for the table). Nothing in it names the computer or the
/// folder that the run was made in.
#[must_use]
pub fn markdown(scenario: &Scenario, result: &RunResult, timeline: &[Event]) -> String {
    let mut page = String::new();
    let section = scenario.section.as_ref().map(|section| format!(" (UNP {})", words(section))).unwrap_or_default();
    let _ = writeln!(page, "## {}: {}{section}\n", words(&result.scenario.name), words(&result.scenario.title));
    let _ = match &result.error {
        Some(error) => writeln!(page, "**{}**: {}\n", result.outcome, words(&error.fact)),
        None => writeln!(
            page,
            "**{}**: {} of {} expectations held\n",
            result.outcome,
            result.held(),
            result.expectations.len()
        ),
    };
    for judged in &result.expectations {
        expectation(&mut page, judged);
    }
    if !timeline.is_empty() {
        let style = Style { width: WIDTH, colour: false, unicode: true };
        let drawn = ladder(scenario, timeline, &style);
        let fence = fence(&drawn);
        let _ =
            writeln!(page, "\n<details><summary>What happened</summary>\n\n{fence}text\n{drawn}{fence}\n\n</details>");
    }
    let _ = writeln!(page, "\n| | |\n|---|---|");
    for (host, kernel) in &result.versions.guest_kernels {
        let image = result.hosts.get(host).and_then(|host| host.image.as_ref());
        let boxed = result.hosts.get(host).and_then(|host| host.boxed.as_ref());
        let boxed = boxed.map(|boxed| format!(", box {boxed}")).unwrap_or_default();
        let image = image.map(|image| format!(", Debian {}, image {}", image.suite, image.key)).unwrap_or_default();
        let _ = writeln!(page, "| {} | Linux {} |", words(host), words(&format!("{kernel}{boxed}{image}")));
    }
    for (program, own) in &result.own_programs {
        let _ = writeln!(page, "| {} | a program of the user's own, SHA-256 {} |", words(program), words(&own.sha256));
    }
    if let Some(qemu) = &result.versions.qemu {
        let used = result.accelerator.as_ref().map(|it| format!(", {}", it.used)).unwrap_or_default();
        let _ = writeln!(page, "| QEMU | {} |", words(&format!("{qemu}{used}")));
    }
    let _ = writeln!(page, "| Deadpeer | {} |", words(&result.versions.deadpeer));
    let _ = writeln!(page, "| scenario | SHA-256 {} |", words(&result.scenario.sha256));
    page
}

fn expectation(page: &mut String, judged: &Judged) {
    let (sign, word) = match judged.held {
        Some(true) => ("✓", "held"),
        Some(false) => ("✗", "did not hold"),
        None => ("?", "cannot be judged"),
    };
    let _ = writeln!(page, "- {sign} **{}** {word}: {}", words(&judged.name), words(&judged.claim));
    if judged.held != Some(true) {
        for line in [&judged.lesson, &judged.why] {
            if !line.is_empty() {
                let _ = writeln!(page, "  - {}", words(line));
            }
        }
        for (head, lines) in [("expected", &judged.expected), ("came", &judged.came)] {
            for line in lines {
                let _ = writeln!(page, "  - {head}: {}", words(line));
            }
        }
    }
}

/// A fence of backticks that `text` cannot end: longer than any in it (CommonMark 0.31, section 4.5).
fn fence(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// `text` on one line, with nothing in it that Markdown would take for its own.
fn words(text: &str) -> String {
    let line = harmless(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    line.chars().fold(String::with_capacity(line.len()), |mut out, letter| {
        if "\\`*_<>[]|#@~&!".contains(letter) {
            out.push('\\');
        }
        out.push(letter);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_any_in_the_text() {
        assert_eq!(fence("no fence"), "```");
        assert_eq!(fence("a ```` b"), "`````");
    }

    #[test]
    fn nothing_of_a_program_s_is_markup() {
        assert_eq!(words("<img src=x> @all [a](b) a|b\n# c"), "\\<img src=x\\> \\@all \\[a\\](b) a\\|b \\# c");
    }
}
