//! What is wrong with a scenario, and where: collected whole, then shown as a person wants to read it.
//!
//! A [`Problem`] is a fact, a place in the file, a word under the caret, and what helps. Problems are shown in
//! the order of the file, whichever check found them.

use super::wrap::wrapped;
use crate::error::Error;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents, ThemeCharacters,
};
use std::fmt;
use std::ops::Range;

/// So many problems are shown; the rest is counted.
const SHOWN: usize = 20;

/// Columns to which sentences are wrapped, without what stands before them. Fixed, so that the same problems are the same text everywhere.
const WIDTH: usize = 90;

/// Characters of the longest sentence; longer ones quote what no scenario holds.
const LONGEST_SENTENCE: usize = 600;

/// A place in the file: byte offsets.
pub(super) type Span = Range<usize>;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes of the text; none if it is about the file as a whole.
    span: Option<Span>,
    message: String,
    label: String,
    help: Option<String>,
    others: Vec<(Span, String)>,
}

impl Problem {
    /// A problem at a place: the fact, one sentence without a full stop.
    pub(super) fn at(span: &Span, message: impl Into<String>) -> Self {
        Self { span: Some(span.clone()), ..Self::whole(message) }
    }

    /// A problem of the file as a whole.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self { span: None, message: printable(&message.into()), label: String::new(), help: None, others: Vec::new() }
    }

    /// The few words under the caret.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = printable(&label.into());
        self
    }

    /// What helps.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(&help.into()));
        self
    }

    /// What helps, if anything does.
    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.as_deref().map(printable).or(self.help);
        self
    }

    /// Another place that belongs to it: "started here".
    pub(super) fn also(mut self, span: &Span, label: impl Into<String>) -> Self {
        self.others.push((span.clone(), printable(&label.into())));
        self
    }

    /// The fact.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where: byte offsets in the file's text. None if it is about the file as a whole.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    fn diagnostic(&self, text: &str) -> MietteDiagnostic {
        let label = |(span, words): (&Span, &str)| {
            let words = (!words.is_empty()).then(|| words.to_owned());
            let span = drawable(span, text);
            (words, span)
        };
        let first = self.span.iter().map(|span| label((span, &self.label)));
        let first = first.map(|(words, span)| LabeledSpan::new_primary_with_span(words, span));
        let others = self.others.iter().map(|(span, words)| label((span, words)));
        let others = others.map(|(words, span)| LabeledSpan::new_with_span(words, span));
        let mut diagnostic = MietteDiagnostic::new(wrapped(&self.message, WIDTH, 0)).with_labels(first.chain(others));
        diagnostic.help = self.help.as_ref().map(|help| wrapped(help, WIDTH, 0));
        diagnostic
    }
}

/// All that is wrong with one file. Empty while nothing was found.
#[derive(Debug, Clone)]
pub struct Problems {
    file: String,
    text: String,
    list: Vec<Problem>,
}

impl Problems {
    /// No problem yet, in a file of this name with this text.
    pub(super) fn none(file: &str, text: &str) -> Self {
        Self { file: printable(file), text: text.to_owned(), list: Vec::new() }
    }

    /// One more.
    pub(super) fn add(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// The one problem that ends the reading.
    pub(super) fn only(mut self, problem: Problem) -> Self {
        self.list.push(problem);
        self
    }

    /// The text of the file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Line of a place, from 1.
    pub(super) fn line(&self, span: &Span) -> usize {
        line_and_column(&self.text, span.start).0
    }

    /// The key that stands before the value at `value`: the caret for "this field does not belong here".
    pub(super) fn key_of(&self, key: &str, value: &Span) -> Span {
        let before = self.text.get(..value.start).unwrap_or_default();
        match before.rfind(key) {
            Some(start) => start..start + key.len(),
            None => value.clone(),
        }
    }

    /// True while nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems, in the order of the file.
    #[must_use]
    pub fn list(&self) -> Vec<&Problem> {
        let mut sorted: Vec<&Problem> = self.list.iter().collect();
        sorted.sort_by_key(|problem| problem.span.as_ref().map(|span| span.start));
        sorted
    }

    /// Line and column of a problem, both from 1, the column in characters; 1 and 1 for the file as a whole.
    #[must_use]
    pub fn place(&self, problem: &Problem) -> (usize, usize) {
        problem.span.as_ref().map_or((1, 1), |span| line_and_column(&self.text, span.start))
    }
}

/// The problems as a person reads them: each with its fact, file, line and column, the source line with a caret
/// under the word, and what helps. Without `colour` plain text; the same problems are always the same text.
#[must_use]
pub fn render(problems: &Problems, colour: bool) -> String {
    let mut theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    theme.characters = ThemeCharacters { underline: '^', underbar: '^', ..ThemeCharacters::unicode() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_context_lines(1)
        .with_links(false)
        .with_wrap_lines(false)
        .without_syntax_highlighting();
    let mut out = String::new();
    let all = problems.list();
    for problem in all.iter().take(SHOWN) {
        let source = WholeLines { file: problems.file.clone(), text: problems.text.clone() };
        let report = miette::Report::new(problem.diagnostic(&problems.text)).with_source_code(source);
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a String fails only where a span lies outside the text, which `drawable` excludes.
        if handler.render_report(&mut out, report.as_ref()).is_err() {
            out.push_str(&problem.message);
            out.push('\n');
        }
    }
    if all.len() > SHOWN {
        out.push_str(&format!("\nand {} more\n", all.len() - SHOWN));
    }
    let trimmed: Vec<&str> = out.lines().map(str::trim_end).collect();
    trimmed.join("\n").trim_end().to_owned()
}

impl fmt::Display for Problems {
    /// As [`render`] without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render(self, false))
    }
}

impl std::error::Error for Problems {}

impl From<Problems> for Error {
    /// Wrong usage: the number of problems, then all of them, rendered.
    fn from(problems: Problems) -> Self {
        let count = match problems.list.len() {
            1 => "1 problem".to_owned(),
            n => format!("{n} problems"),
        };
        Error::usage(format!("the scenario {} cannot run: {count}", problems.file)).detail(render(&problems, false))
    }
}

/// The file as miette reads it: asked for any context, it gives the whole lines of a span and none beside them.
#[derive(Debug)]
struct WholeLines {
    file: String,
    text: String,
}

impl SourceCode for WholeLines {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let part = |at: std::ops::RangeTo<usize>| self.text.get(at).ok_or(MietteError::OutOfBounds);
        let line_start = part(..start)?.rfind('\n').map_or(0, |at| at + 1);
        let line_end = end + self.text.get(end..).and_then(|rest| rest.find('\n')).unwrap_or(self.text.len() - end);
        // Without context the question is where the span begins: its column counts in characters.
        let (from, to) = if before == 0 { (start, end) } else { (line_start, line_end) };
        let (line, column) = line_and_column(&self.text, from);
        let data = &self.text[from..to];
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.clone(),
            data.as_bytes(),
            (from, to - from).into(),
            line - 1,
            column - 1,
            data.matches('\n').count() + 1,
        )))
    }
}

/// The text with its control characters escaped: words of the file are quoted in sentences, and must not reach a terminal
/// as anything but words. What is longer than a person reads is cut.
fn printable(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let cut = if text.chars().nth(LONGEST_SENTENCE).is_some() { " ..." } else { "" };
    text.chars().take(LONGEST_SENTENCE).map(escaped).chain([cut.to_owned()]).collect()
}

/// The span on character boundaries inside the text, and of its first line alone.
fn drawable(span: &Span, text: &str) -> Span {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let (start, end) = (boundary(span.start), boundary(span.end.max(span.start)));
    let inside = &text[start..end];
    let first_line = inside.find(['\n', '\r']).unwrap_or(inside.len());
    start..start + first_line
}

/// Line and column of a byte, both from 1, the column in characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
