//! From text to the file's types; what the YAML reader says against it is told in our words.

use super::FileSource;
use super::field::bytes;
use crate::scenario::names;
use crate::scenario::problem::{Problem, Span};
use serde_yaml::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_yaml::{Error, Location, Options};

/// Reads the text's one document. The first thing that is wrong with its shape ends the reading.
pub(crate) fn read(text: &str) -> Result<FileSource, Problem> {
    serde_yaml::from_str_with_options(text, options()).map_err(|error| problem(error.without_snippet(), text))
}

/// Limits far above what a scenario needs, far below what hurts: a scenario is written by hand and read by people.
fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: 16,
            flow_nesting_limit: 16,
            max_nodes: 20_000,
            max_events: 60_000,
            max_documents: 2,
            max_aliases: 100,
            max_anchors: 100,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 4,
            max_alias_expansions_per_anchor: 100,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        emit_comments: false,
        with_snippet: false,
    }
}

fn problem(error: &Error, text: &str) -> Problem {
    let word = word_at(text, error.location().map(|location| start(location, text)).unwrap_or_default());
    let at = |message: String| Problem::at(&word, message);
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            let help = match names::nearest(field, expected.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("fields that can stand here: {}", names::listed(expected)),
            };
            at(format!("there is no field `{field}` here")).label("unknown").help(help)
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            let help = match names::nearest(variant, expected.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("what can stand here: {}", names::listed(expected)),
            };
            at(format!("`{variant}` cannot stand here")).label("unknown").help(help)
        }
        Error::DuplicateMappingKey { key, .. } => at(match key {
            Some(key) => format!("`{key}` stands twice in the same place"),
            None => "the same key stands twice in the same place".to_owned(),
        })
        .label("the second one")
        .help("remove or rename one of the two"),
        Error::Unexpected { expected, .. } => shape(&word, expected),
        Error::SerdeInvalidType { expected, .. } => {
            at(format!("{expected} must stand here")).label("this is something else")
        }
        Error::MultipleDocuments { .. } => {
            at("a file holds one scenario".to_owned()).label("here a second one begins").help("give each its own file")
        }
        Error::MergeKeyNotAllowed { .. } => {
            at("`<<` has no meaning in a scenario".to_owned()).label("not known here").help("write the fields out")
        }
        Error::UnknownAnchor { .. } => at("there is no anchor of this name".to_owned())
            .label("refers to nothing")
            .help("a text that begins with `*` must be in quotes"),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasReplayCounterOverflow { .. } => at("the file is far larger than any scenario".to_owned())
            .label("reading stopped here")
            .help("too much nesting, too many values, or aliases that multiply"),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            at("an alias refers to what it stands in".to_owned()).label("without end").help("write the value out")
        }
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => at("only one key can stand in this map".to_owned())
            .label("one too many")
            .help("`within` belongs beside `until`, not into it"),
        other => {
            let sentence = bare(other);
            at(format!("this is not YAML that can be read: {sentence}")).label("here").maybe_help(meant(&sentence))
        }
    }
}

/// What is mostly meant where the reader says this.
fn meant(sentence: &str) -> Option<String> {
    const MEANT: &[(&str, &str)] = &[
        ("mapping values are not allowed", "a text that holds `: ` must be in quotes; or the indentation is wrong"),
        ("block collection", "the items of a list must begin in the same column"),
        ("block mapping", "the keys of a map must begin in the same column"),
        ("flow mapping", "a `{` is not closed, or a comma is missing"),
        ("flow sequence", "a `[` is not closed, or a comma is missing"),
        ("quoted scalar", "a quote is not closed"),
        ("unexpected character", "a text that begins with this character must be in quotes"),
    ];
    MEANT.iter().find(|(part, _)| sentence.contains(part)).map(|(_, help)| (*help).to_owned())
}

/// Where a location begins, in bytes of the text. Errors of the parser know lines and columns alone.
fn start(location: Location, text: &str) -> usize {
    if location.span().byte_offset().is_some() {
        return bytes(location).start;
    }
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
    let mut lines = text.split_inclusive('\n');
    let before: usize = lines.by_ref().take(number(location.line())).map(str::len).sum();
    let line = lines.next().unwrap_or_default();
    before + line.char_indices().nth(number(location.column())).map_or(line.trim_end().len(), |(at, _)| at)
}

/// What is said where a map, a list or a text should stand and something else does.
fn shape(word: &Span, expected: &str) -> Problem {
    let (kind, help) = match expected {
        "mapping start" => ("map", "as in `key: value`, one a line, indented; or `{ key: value }`"),
        "sequence start" => ("list", "as in `- item`, one a line; or `[item, item]`"),
        "string scalar" | "scalar" => ("single value", "a text that holds `: `, `[` or `{` must be in quotes"),
        other => return Problem::at(word, format!("{other} was expected")).label("something else"),
    };
    Problem::at(word, format!("a {kind} must stand here")).label(format!("this is no {kind}")).help(help)
}

/// The reader's sentence without the place, which is shown anyway.
fn bare(error: &Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.rsplit_once(" at line ").map_or(first, |(sentence, _)| sentence).to_owned()
}

/// The word that begins at `start`: what a caret is to stand under. At least one character, if there is one.
fn word_at(text: &str, start: usize) -> Span {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let rest = &text[start..];
    if rest.starts_with(['[', '{', '"', '\'']) {
        return start..start + 1;
    }
    let ends = |c: char| c.is_whitespace() || ",]}".contains(c);
    let mut end = rest.find(ends).unwrap_or(rest.len());
    if let Some(colon) = rest[..end].find(": ").or_else(|| rest[..end].strip_suffix(':').map(str::len)) {
        end = colon;
    }
    if end == 0 {
        end = rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
    }
    start..start + end
}
