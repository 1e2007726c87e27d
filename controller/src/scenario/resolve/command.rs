//! A command line to words, by a shell's rules of quoting (POSIX.1-2024, Shell Command Language, 2.2) and nothing else.

/// Splits a command.
///
/// # Errors
/// What is wrong with it, and what helps.
pub fn words(line: &str) -> Result<Vec<String>, (String, String)> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(unclosed('\'')),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        // Within double quotes a backslash is special before these alone.
                        Some('\\') if chars.peek().is_some_and(|c| "$`\"\\".contains(*c)) => word.extend(chars.next()),
                        Some(c @ ('$' | '`')) => return Err(shell(c, line)),
                        Some(c) => word.push(c),
                        None => return Err(unclosed('"')),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(unclosed('\\')),
            },
            c if "|&;<>()$`*?[]{}~#!".contains(c) && special(c, word.is_none()) => return Err(shell(c, line)),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match words.first() {
        Some(first) if !first.is_empty() => Ok(words),
        _ => Err(("the command has no first word".to_owned(), "the first word names the program".to_owned())),
    }
}

/// Some characters mean something to a shell at a word's beginning only.
fn special(c: char, first: bool) -> bool {
    !"~#!{}".contains(c) || (first && c != '!')
}

fn unclosed(quote: char) -> (String, String) {
    (format!("the command ends within `{quote}`"), "close the quote".to_owned())
}

fn shell(c: char, line: &str) -> (String, String) {
    let quoted = line.replace('\'', r"'\''");
    (
        format!("`{c}` would need a shell, and none reads this"),
        format!("quote it, or ask for a shell: `sh -c '{quoted}'`"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        let split = |line| words(line).unwrap();
        assert_eq!(split("echo-client 192.0.2.2"), ["echo-client", "192.0.2.2"]);
        assert_eq!(split("a  'b c' \"d\\\"e\" f\\ g ''"), ["a", "b c", "d\"e", "f g", ""]);
        assert_eq!(split("a x'y'\"z\""), ["a", "xyz"]);
        assert_eq!(split("a 'x$(y)' b#c 'é'"), ["a", "x$(y)", "b#c", "é"]);
        assert_eq!(split("sh -c 'a | b'"), ["sh", "-c", "a | b"]);
        assert_eq!(split("a \"b\\c\""), ["a", "b\\c"]);
    }

    #[test]
    fn refuses_what_only_a_shell_understands() {
        for line in ["a | b", "a > b", "a; b", "a &", "$HOME/x", "a `b`", "ls *", "a \"$x\"", "(a)", "~/x", "# a"] {
            assert!(words(line).unwrap_err().1.contains("sh -c"), "{line}");
        }
    }

    #[test]
    fn refuses_what_does_not_end() {
        for line in ["a 'b", "a \"b", "a \\", "", "''"] {
            assert!(words(line).is_err(), "{line}");
        }
    }
}
