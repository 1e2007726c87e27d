//! Lines of bounded length.

/// `text` in lines of at most `width` columns where its words allow, broken at spaces alone. All but the first are
/// indented by `column` spaces, the column at which the first begins.
pub(super) fn wrapped(text: &str, width: usize, column: usize) -> String {
    let mut out = String::new();
    let mut at = column;
    for word in text.split(' ') {
        let length = word.chars().count();
        if at > column && at + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(column));
            at = column;
        } else if at > column {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn breaks_at_spaces_and_indents_what_follows() {
        assert_eq!(wrapped("one two three", 9, 2), "one two\n  three");
        assert_eq!(wrapped("a-very-long-word x", 5, 0), "a-very-long-word\nx");
        assert_eq!(wrapped("", 5, 0), "");
    }
}
