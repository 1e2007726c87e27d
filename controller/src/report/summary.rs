//! What a run came to, for people: each expectation with its reason, the outcome, the time, and where the proof is.

use super::result::{PhaseKind, RunResult};
use super::style::{Paint, Style};
use super::text::{columns, hanging, padded, span, wrapped};
use crate::judge::{Judged, Outcome};
use std::path::Path;

/// Below so many columns, expected and came stand one above the other.
const NARROW: usize = 72;
/// Columns that what belongs to an expectation is indented by.
const INDENT: usize = 4;

/// What the run came to, ready to print after the ladder, with a newline at its end. Fits into `style.width`
/// columns (60 at least), but for commands and paths, which stay whole so that they can be copied.
#[must_use]
pub fn summary(result: &RunResult, style: &Style) -> String {
    let mut page = Page { style: *style, lines: Vec::new() };
    for judged in &result.expectations {
        page.expectation(&result.scenario.name, judged);
    }
    page.outcome(result);
    page.time(result);
    page.kernels(result);
    page.proof(result);
    page.lines.push(String::new());
    page.lines.join("\n")
}

struct Page {
    style: Style,
    lines: Vec<String>,
}

impl Page {
    fn blank(&mut self) {
        self.lines.push(String::new());
    }

    /// `text` wrapped and indented by `indent`.
    fn text(&mut self, indent: usize, text: &str, paint: Paint) {
        let text = self.style.clean(text);
        for line in hanging(&" ".repeat(indent), &text, self.style.columns()) {
            self.lines.push(self.style.paint(paint, &line));
        }
    }

    fn expectation(&mut self, scenario: &str, judged: &Judged) {
        let (sign, paint) = match judged.held {
            Some(true) => (self.style.sign("✓", "+"), Paint::Good),
            Some(false) => (self.style.sign("✗", "X"), Paint::Bad),
            None => ("?", Paint::Warn),
        };
        let place = match judged.held {
            Some(true) => String::new(),
            _ => format!(" ({scenario}.yaml:{})", judged.line),
        };
        let name = self.style.clean(&format!("{}{place}:", judged.name));
        let heading = self.style.clean(&format!("{}{place}: {}", judged.name, judged.claim));
        for (index, line) in hanging(&format!("{sign} "), &heading, self.style.columns()).into_iter().enumerate() {
            // Sign and name in colour, the claim plain; a name is short, and on the first line whole.
            let coloured = format!("{sign} {name}");
            let line = match line.strip_prefix(&coloured).filter(|_| index == 0) {
                Some(rest) => {
                    format!(
                        "{}{}{rest}",
                        self.style.paint(paint, &format!("{sign} ")),
                        self.style.paint(Paint::Bold, &name)
                    )
                }
                None => line,
            };
            self.lines.push(line);
        }
        if !judged.lesson.is_empty() {
            self.text(INDENT, &judged.lesson, Paint::Plain);
        }
        self.text(INDENT, &judged.why, if judged.held.is_none() { Paint::Warn } else { Paint::Dim });
        if !judged.expected.is_empty() || !judged.came.is_empty() {
            self.blank();
            self.versus(&judged.expected, &judged.came);
        }
        if !judged.meaning.is_empty() {
            self.blank();
        }
        for meaning in &judged.meaning {
            self.text(INDENT, meaning, Paint::Plain);
        }
        self.blank();
    }

    /// Expected and came side by side, as packetdrill shows them; one above the other if there is no room.
    fn versus(&mut self, expected: &[String], came: &[String]) {
        let nothing = ["(nothing)".to_owned()];
        let came = if came.is_empty() { &nothing } else { came };
        let room = self.style.columns() - INDENT;
        let blank = " ".repeat(INDENT);
        let style = self.style;
        let fold = |texts: &[String], width: usize| -> Vec<String> {
            texts.iter().flat_map(|text| rows(&style.clean(text), width)).collect()
        };
        if self.style.columns() < NARROW {
            for (head, texts) in [("expected", expected), ("came", came)] {
                let folded = fold(texts, room - 2);
                self.lines.push(format!("{blank}{}", self.style.paint(Paint::Bold, head)));
                self.lines.extend(folded.into_iter().map(|line| format!("{blank}  {line}")));
            }
            return;
        }
        // What was expected is mostly the shorter; it gets what it needs, up to half.
        let widest = expected.iter().map(|text| columns(text)).max().unwrap_or(0).max(columns("expected"));
        let left = widest.min((room - 3) / 2);
        let right = room - 3 - left;
        let (expected, came) = (fold(expected, left), fold(came, right));
        let bar = self.style.paint(Paint::Dim, self.style.sign("│", "|"));
        let head = self.style.paint(Paint::Bold, &padded("expected", left));
        self.lines.push(format!("{blank}{head} {bar} {}", self.style.paint(Paint::Bold, "came")));
        for index in 0..expected.len().max(came.len()) {
            let cell = |side: &[String]| side.get(index).cloned().unwrap_or_default();
            let wanted = self.style.paint(Paint::Good, &padded(&cell(&expected), left));
            let line = format!("{blank}{wanted} {bar} {}", self.style.paint(Paint::Bad, &cell(&came)));
            self.lines.push(line.trim_end().to_owned());
        }
    }

    fn outcome(&mut self, result: &RunResult) {
        let (word, paint) = match result.outcome {
            Outcome::Pass => ("PASS", Paint::Good),
            Outcome::Fail => ("FAIL", Paint::Bad),
            Outcome::Unknown => ("UNKNOWN", Paint::Warn),
            Outcome::Skipped => ("SKIPPED", Paint::Warn),
        };
        let total = result.expectations.len();
        let named = |held: Option<bool>| -> Vec<&str> {
            result.expectations.iter().filter(|j| j.held == held).map(|j| j.name.as_str()).collect()
        };
        let (failed, open) = (named(Some(false)), named(None));
        let mut said = match (&result.error, result.outcome) {
            (Some(error), _) => format!("{}.", error.fact.trim_end_matches('.')),
            (None, Outcome::Pass) if total == 0 => "Nothing was claimed, so nothing was judged.".to_owned(),
            (None, _) => format!("{} of {total} expectations held.", result.held()),
        };
        if !failed.is_empty() {
            said += &format!(" Did not hold: {}.", failed.join(", "));
        }
        if !open.is_empty() {
            said += &format!(" Cannot be judged: {}.", open.join(", "));
        }
        let said = self.style.clean(&said);
        for (index, line) in hanging(&format!("{word}  "), &said, self.style.columns()).into_iter().enumerate() {
            let rest = line.strip_prefix(word).filter(|_| index == 0);
            self.lines.push(rest.map_or(line.clone(), |rest| format!("{}{rest}", self.style.paint(paint, word))));
        }
        let Some(error) = &result.error else { return };
        if let Some(detail) = &error.detail {
            self.blank();
            for line in detail.lines() {
                self.text(INDENT, line, Paint::Dim);
            }
        }
        if let Some(help) = &error.help {
            self.blank();
            self.lines.push(format!("{}{}", " ".repeat(INDENT), self.style.paint(Paint::Bold, "What helps:")));
            for line in help.lines() {
                // A command to type: whole, however long.
                let line = format!("{}{}", " ".repeat(INDENT + 2), self.style.clean(line));
                self.lines.push(line);
            }
        }
        self.blank();
    }

    fn time(&mut self, result: &RunResult) {
        use PhaseKind as K;
        let kinds = [
            (K::Image, "image"),
            (K::Boot, "boot"),
            (K::Restore, "restore"),
            (K::Save, "save checkpoint"),
            (K::Reboot, "reboot"),
            (K::Wait, "waiting"),
            (K::Step, "steps"),
            (K::Overhead, "overhead"),
        ];
        let total = |kind| result.time.phases.iter().filter(|p| p.kind == kind).map(|p| p.seconds).sum::<f64>();
        let parts: Vec<String> = kinds
            .into_iter()
            .filter(|(kind, _)| result.time.phases.iter().any(|p| p.kind == *kind))
            .map(|(kind, word)| format!("{word} {}", seconds(total(kind))))
            .collect();
        let under =
            result.accelerator.as_ref().map(|a| format!(" under {}", a.used.to_uppercase())).unwrap_or_default();
        let of = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
        let text = self.style.clean(&format!("{}{under}{of}", seconds(result.time.wall_seconds)));
        self.lines.extend(hanging("Time   ", &text, self.style.columns()));
    }

    /// What the testimony of the hosts' kernels is worth.
    fn kernels(&mut self, result: &RunResult) {
        let accounts = || result.witnesses.values().flatten();
        let Some(error) = accounts().filter_map(|it| it.clock_error).max() else { return };
        let (events, lost): (u64, u64) = accounts().fold((0, 0), |sum, it| (sum.0 + it.events, sum.1 + it.lost));
        let lost = if lost == 0 { "none lost".to_owned() } else { format!("{lost} lost") };
        // Milliseconds, as everything that is read on a ladder.
        let error = error as f64 / 1e6;
        // What a machine still held when it ended.
        let unread = accounts().filter_map(|it| it.unread).max().map(|it| it.div_ceil(1_000_000));
        let unread = unread.map_or_else(String::new, |ms| format!("; a machine's last {ms} ms unread"));
        let text = format!("{events} trace events, {lost}{unread}; placed on the lab's clock to within {error:.2} ms");
        self.lines.extend(hanging("Kernel ", &self.style.clean(&text), self.style.columns()));
    }

    fn proof(&mut self, result: &RunResult) {
        self.lines.push(format!("Proof  {}", self.style.clean(&result.folder.display().to_string())));
        let Some((frame, text)) = decisive_frame(&result.expectations) else { return };
        let capture = quoted(&result.folder.join("wire.pcapng"));
        let text = self.style.clean(&format!("Frame {frame}: {text}"));
        self.lines.extend(hanging("       ", &text, self.style.columns()));
        for command in
            [format!("wireshark -r {capture} -g {frame}"), format!("tshark -r {capture} -Y frame.number=={frame} -V")]
        {
            let command = self.style.clean(&command);
            self.lines.push(format!("         {}", self.style.paint(Paint::Data, &command)));
        }
    }
}

/// `text` in rows of `width` columns, those after the first indented a little.
fn rows(text: &str, width: usize) -> Vec<String> {
    let mut lines = wrapped(text, width).into_iter();
    let first = lines.next().unwrap_or_default();
    let rest = text.strip_prefix(&first).unwrap_or_default().trim_start();
    if rest.is_empty() {
        return vec![first];
    }
    let more = wrapped(rest, width.saturating_sub(2));
    std::iter::once(first).chain(more.into_iter().map(|line| format!("  {line}"))).collect()
}

/// The frame most worth a look: of what failed before what held, a RST before anything else.
fn decisive_frame(expectations: &[Judged]) -> Option<(u64, &str)> {
    let of = |held: Option<bool>| expectations.iter().filter(move |j| j.held == held).flat_map(|j| &j.evidence);
    let frames: Vec<(u64, &str)> = [Some(false), Some(true), None]
        .into_iter()
        .flat_map(of)
        .filter_map(|e| e.frame.map(|frame| (frame, e.text.as_str())))
        .collect();
    frames.iter().find(|(_, text)| text.contains("RST")).or(frames.first()).copied()
}

fn seconds(seconds: f64) -> String {
    // Shorter than the age of the universe, and never negative: a Duration made it.
    span((seconds.max(0.0) * 1e9) as u64)
}

/// The path as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%,=".contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_blanks_or_quotes_can_be_copied_into_a_shell() {
        assert_eq!(quoted(Path::new("/runs/a-b_1.c")), "/runs/a-b_1.c");
        assert_eq!(quoted(Path::new("/my runs/it's")), "'/my runs/it'\\''s'");
    }

    #[test]
    fn rows_after_the_first_are_indented() {
        assert_eq!(rows("one two three four", 9), ["one two", "  three", "  four"]);
    }
}
