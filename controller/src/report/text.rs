//! Text in columns: made harmless, measured, wrapped, padded.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` with everything that could move the cursor, recolour or reorder the line written as an escape: programs
/// under test may print anything. Tabs become blanks.
pub(super) fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\t' => clean.push_str("    "),
            // Bidirectional controls (UAX #9) turn the text around without taking any room.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                clean.extend(letter.escape_unicode());
            }
            _ if letter.width().is_none() => clean.extend(letter.escape_default()),
            _ => clean.push(letter),
        }
    }
    clean
}

/// ASCII for a terminal that shows nothing else.
pub(super) fn ascii(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            ' '..='~' => letter.to_string(),
            '…' => "...".to_owned(),
            '·' => "-".to_owned(),
            '“' | '”' => "\"".to_owned(),
            '‘' | '’' => "'".to_owned(),
            _ => "?".to_owned(),
        })
        .collect()
}

/// Columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in lines of at most `width` columns, broken at blanks where it can be: a name with hyphens stays whole.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width.max(1))
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// `text` wrapped, with `first` before the first line and blanks of the same width before the others.
pub(super) fn hanging(first: &str, text: &str, width: usize) -> Vec<String> {
    let indent = columns(first);
    let lines = wrapped(text, width.saturating_sub(indent).max(16));
    let blank = " ".repeat(indent);
    lines.iter().enumerate().map(|(n, line)| format!("{}{line}", if n == 0 { first } else { &blank })).collect()
}

/// `text` cut to `width` columns, with `sign` in the place of what is missing.
pub(super) fn elided(text: &str, width: usize, sign: &str) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    for letter in text.chars() {
        if columns(&short) + letter.width().unwrap_or(0) + columns(sign) > width {
            break;
        }
        short.push(letter);
    }
    short.trim_end().to_owned() + sign
}

/// `text` with blanks after it up to `width` columns.
pub(super) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

/// A span of time as a person says it: `310 ms`, `3.1 s`, `15 min 38 s`.
pub(super) fn span(nanos: u64) -> String {
    match nanos / 1_000_000 {
        0 => "0 ms".to_owned(),
        millis @ 1..1_000 => format!("{millis} ms"),
        millis @ 1_000..100_000 => format!("{}.{} s", millis / 1_000, millis / 100 % 10),
        millis @ 100_000..600_000 => format!("{} s", millis / 1_000),
        millis => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_program_prints_can_move_the_cursor_or_turn_the_line_round() {
        assert_eq!(harmless("a\u{1b}[2Jb\rc\u{7}\u{202e}d\te"), "a\\u{1b}[2Jb\\rc\\u{7}\\u{202e}d    e");
        assert_eq!(harmless("größe 漢字 e\u{301}"), "größe 漢字 e\u{301}");
    }

    #[test]
    fn wide_letters_count_for_two() {
        assert_eq!(columns("漢字"), 4);
        assert_eq!(padded("漢字", 6), "漢字  ");
        assert_eq!(elided("漢字漢字", 6, "…"), "漢字…");
        assert!(wrapped("漢字漢字漢字", 5).iter().all(|line| columns(line) <= 5));
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken() {
        assert_eq!(wrapped(&"x".repeat(25), 10), ["xxxxxxxxxx", "xxxxxxxxxx", "xxxxx"]);
    }

    #[test]
    fn spans_are_told_as_people_tell_them() {
        let told = [500_000, 310_000_000, 3_140_000_000, 120_000_000_000, 938_000_000_000].map(span);
        assert_eq!(told, ["0 ms", "310 ms", "3.1 s", "120 s", "15 min 38 s"]);
    }

    #[test]
    fn ascii_keeps_the_width_of_what_it_cannot_show_readable() {
        assert_eq!(ascii("a…b · ‘c’ ä"), "a...b - 'c' ?");
    }
}
