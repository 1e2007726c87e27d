//! Words for the guest's shell.

/// `word` as one word of a POSIX shell, whatever it holds: `it's` becomes `'it'\''s'`. Plain words stay as they are.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,@%+=".contains(c);
    // A word with `=` first of a command would be an assignment.
    if !word.is_empty() && word.chars().all(plain) && !word.contains('=') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `text` shortened for an error: its last `lines` lines.
pub(super) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    let skipped = all.len().saturating_sub(lines);
    match skipped {
        0 => all.join("\n"),
        _ => format!("({skipped} lines before)\n{}", all[skipped..].join("\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_and_others_are_quoted() {
        assert_eq!(quote("echo-client"), "echo-client");
        assert_eq!(quote("2001:db8::2"), "2001:db8::2");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("A=b"), "'A=b'");
        assert_eq!(quote("$(reboot)"), "'$(reboot)'");
        assert_eq!(quote("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_tail_says_how_much_is_left_out() {
        assert_eq!(tail("a\nb\nc\n", 2), "(1 lines before)\nb\nc");
        assert_eq!(tail("a\nb\n", 2), "a\nb");
    }
}
