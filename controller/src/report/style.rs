//! How wide, how colourful and with which letters to write.

use super::text::{ascii, harmless};
use std::env;

/// How to write for people. A value: what a terminal can do is found out once, by [`Style::of_stdout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns to write in. The least that everything fits into is 60; less is taken as 60.
    pub width: usize,
    /// Whether to colour by ANSI escape sequences (ECMA-48 SGR).
    pub colour: bool,
    /// Whether box-drawing letters can be shown; ASCII if not.
    pub unicode: bool,
}

/// What a piece of text is, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Paint {
    #[default]
    Plain,
    /// Behind the story: lanes, background frames, times.
    Dim,
    /// Headings, names.
    Bold,
    /// Went well.
    Good,
    /// Death, failure, RST.
    Bad,
    /// Needs a look: retransmissions, FIN, unknown.
    Warn,
    /// Data on its way, and what users type.
    Data,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Dim => "2",
            Paint::Bold => "1",
            Paint::Good => "32",
            Paint::Bad => "1;31",
            Paint::Warn => "33",
            Paint::Data => "36",
        }
    }
}

impl Style {
    /// 80 columns, no colour, ASCII: what every place can show.
    #[must_use]
    pub fn plain() -> Self {
        Self { width: 80, colour: false, unicode: false }
    }

    /// What standard output can show: colour and its own width only if it is a terminal.
    #[must_use]
    pub fn of_stdout() -> Self {
        Self::of(&console::Term::stdout(), |name| env::var(name).ok())
    }

    /// What standard error can show.
    #[must_use]
    pub fn of_stderr() -> Self {
        Self::of(&console::Term::stderr(), |name| env::var(name).ok())
    }

    fn of(term: &console::Term, variable: impl Fn(&str) -> Option<String>) -> Self {
        let width = term.size_checked().map(|(_, columns)| usize::from(columns));
        Self::from_environment(width.filter(|_| term.is_term()), variable)
    }

    /// `terminal`: the terminal's columns, if it is one. Honours `NO_COLOR` (no-color.org), `TERM=dumb` and the
    /// locale's character set (locale(7): `LC_ALL` before `LC_CTYPE` before `LANG`).
    fn from_environment(terminal: Option<usize>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let unicode = ["utf-8", "utf8"].iter().any(|name| locale.to_lowercase().contains(name));
        let colour = terminal.is_some() && set("NO_COLOR").is_none() && !is_dumb(set("TERM").as_deref());
        Self { width: terminal.unwrap_or(80), colour, unicode }
    }

    /// The columns to write in: never fewer than fit, and no more than a line that a person still likes to read.
    pub(super) fn columns(self) -> usize {
        self.width.clamp(60, 120)
    }

    /// `text` in the colour of `paint`.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if self.colour && paint != Paint::Plain && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code())
        } else {
            text.to_owned()
        }
    }

    /// `text` made harmless, and in letters that can be shown.
    pub(super) fn clean(self, text: &str) -> String {
        let text = harmless(text);
        if self.unicode { text } else { ascii(&text) }
    }

    /// `unicode` where it can be shown, else `ascii`.
    pub(super) fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }
}

/// Whether a terminal of this type (`TERM`) can do nothing but print.
pub(super) fn is_dumb(term: Option<&str>) -> bool {
    term == Some("dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(terminal: Option<usize>, variables: &[(&str, &str)]) -> Style {
        Style::from_environment(terminal, |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn colour_is_for_terminals_that_nobody_asked_to_do_without() {
        assert!(style(Some(80), &[("TERM", "xterm")]).colour);
        assert!(style(Some(80), &[("NO_COLOR", "")]).colour, "an empty NO_COLOR is none");
        assert!(!style(Some(80), &[("NO_COLOR", "1")]).colour);
        assert!(!style(Some(80), &[("TERM", "dumb")]).colour);
        assert!(!style(None, &[("TERM", "xterm")]).colour);
    }

    #[test]
    fn letters_follow_the_locale_as_the_c_library_reads_it() {
        assert!(style(None, &[("LANG", "C.UTF-8")]).unicode);
        assert!(style(None, &[("LANG", "de_DE.utf8"), ("LC_ALL", "")]).unicode);
        assert!(!style(None, &[("LANG", "C.UTF-8"), ("LC_ALL", "C")]).unicode);
        assert!(!style(None, &[]).unicode);
    }

    #[test]
    fn lines_are_neither_too_short_to_hold_the_ladder_nor_too_long_to_read() {
        assert_eq!([20, 80, 300].map(|width| Style { width, ..Style::plain() }.columns()), [60, 80, 120]);
    }
}
