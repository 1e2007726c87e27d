//! Bytes to lines, as they come.

/// The longest line, in bytes, that is told as one; a longer one is split.
pub const MAX_LINE: usize = 64 * 1024;

/// Splits what a program prints into lines: at `\n`, a `\r` before it stripped, invalid UTF-8 replaced, lines
/// over [`MAX_LINE`] split (not within a character).
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What has come of the line that is not ended.
    partial: Vec<u8>,
}

impl Lines {
    /// Takes `bytes` and hands every line that they complete to `line`.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while !bytes.is_empty() {
            let room = MAX_LINE - self.partial.len();
            if let Some(end) = bytes.iter().take(room + 1).position(|&b| b == b'\n') {
                self.partial.extend_from_slice(&bytes[..end]);
                bytes = &bytes[end + 1..];
                if self.partial.last() == Some(&b'\r') {
                    self.partial.pop();
                }
                line(text(&self.partial));
                self.partial.clear();
            } else {
                let taken = room.min(bytes.len());
                self.partial.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                if self.partial.len() == MAX_LINE && !bytes.is_empty() {
                    let cut = char_boundary(&self.partial);
                    line(text(&self.partial[..cut]));
                    self.partial.drain(..cut);
                }
            }
        }
    }

    /// The last line, if it has no newline.
    pub(super) fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.partial);
        (!rest.is_empty()).then(|| text(rest.strip_suffix(b"\r").unwrap_or(&rest)))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The largest length up to which `bytes` do not end within a UTF-8 character.
fn char_boundary(bytes: &[u8]) -> usize {
    let continuation = bytes.iter().rev().take(3).take_while(|&&b| b & 0xc0 == 0x80).count();
    let start = bytes.len() - continuation - 1;
    let needs = match bytes[start] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return bytes.len(),
    };
    if continuation + 1 < needs { start } else { bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines_of(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut got) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk, |line| got.push(line));
        }
        got.extend(lines.finish());
        got
    }

    #[test]
    fn a_line_may_come_in_pieces_and_pieces_may_hold_many() {
        assert_eq!(lines_of(&[b"on", b"e\ntwo\nth", b"ree\n"]), ["one", "two", "three"]);
    }

    #[test]
    fn the_last_line_needs_no_newline_and_empty_lines_count() {
        assert_eq!(lines_of(&[b"\n\nrest"]), ["", "", "rest"]);
        assert_eq!(lines_of(&[b"whole\n"]), ["whole"]);
        assert!(lines_of(&[]).is_empty());
    }

    #[test]
    fn a_carriage_return_is_stripped_at_the_end_only() {
        assert_eq!(lines_of(&[b"a\rb\r", b"\nc\r"]), ["a\rb", "c"]);
    }

    #[test]
    fn invalid_utf8_is_replaced_and_valid_utf8_may_be_split_over_pieces() {
        assert_eq!(lines_of(&[b"a\xffb\n", "\u{fc}".as_bytes().split_at(1).0, b"\xbc\n"]), ["a\u{fffd}b", "\u{fc}"]);
    }

    #[test]
    fn a_line_of_the_limit_is_whole_and_a_longer_one_is_split() {
        let whole = "x".repeat(MAX_LINE) + "\n";
        assert_eq!(lines_of(&[whole.as_bytes()]), [&whole[..MAX_LINE]]);
        let long = "x".repeat(MAX_LINE + 1) + "\n";
        assert_eq!(lines_of(&[long.as_bytes()]), [&long[..MAX_LINE], "x"]);
    }

    #[test]
    fn a_long_line_is_not_split_within_a_character() {
        let long = "x".repeat(MAX_LINE - 1) + "\u{20ac}y\n";
        assert_eq!(lines_of(&[long.as_bytes()]), ["x".repeat(MAX_LINE - 1).as_str(), "\u{20ac}y"]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
                                at in 0usize..200) {
            let (a, b) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(lines_of(&[a, b]), lines_of(&[&bytes]));
        }
    }
}
