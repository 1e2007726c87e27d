//! Checks of the bare text, before any YAML: what is not a text, or none that a person wrote.

use super::problem::{Problem, Span, line_and_column};

/// Largest scenario, in bytes. A scenario is written by hand: the largest have a few thousand.
pub(super) const LARGEST: usize = 1 << 20;

/// Longest line, in bytes: longer ones are no text that a person reads, and could not be shown with an error.
const LONGEST_LINE: usize = 2000;

/// What is wrong with the text, if anything is.
pub(super) fn check(text: &str) -> Option<Problem> {
    if text.len() > LARGEST {
        return Some(Problem::whole("the scenario is larger than 1 MiB"));
    }
    control_character(text).or_else(|| lines(text)).or_else(|| empty(text))
}

fn control_character(text: &str) -> Option<Problem> {
    let (at, odd) = text.char_indices().find(|(_, c)| c.is_control() && !"\n\r\t".contains(*c))?;
    let (line, column) = line_and_column(text, at);
    // Such a line is not shown: who knows what it would do to a terminal.
    let place = format!("line {line}, column {column}: the control character {odd:?}");
    Some(Problem::whole("this is no text, but binary data").help(place))
}

fn lines(text: &str) -> Option<Problem> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indentation].find('\t').filter(|_| !line.trim().is_empty()) {
            let span: Span = start + tab..start + tab + 1;
            let problem = Problem::at(&span, "a tab in the indentation").label("a tab stands here");
            return Some(problem.help("YAML is indented with spaces alone; set the editor to insert them"));
        }
        if line.len() > LONGEST_LINE {
            let problem = Problem::whole(format!("a line is {} bytes long: no scenario has such lines", line.len()));
            return Some(problem.help(format!("{LONGEST_LINE} bytes at most; wrap longer texts")));
        }
        start += line.len();
    }
    None
}

fn empty(text: &str) -> Option<Problem> {
    let nothing = text.lines().all(|line| matches!(line.trim(), "" | "---" | "...") || line.trim().starts_with('#'));
    nothing.then(|| Problem::whole("the scenario is empty").help("`controller show crash-reboot` shows a whole one"))
}
