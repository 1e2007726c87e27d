//! What the attendant tells the controller, as lines between those of the program.

use crate::wrap::writen;
use std::fmt;

/// Begins each word. No text has it: ASCII calls it the record separator.
const SEPARATOR: char = '\u{1e}';

/// What the words about one start begin with: made by the controller, so that no program's output is taken for a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// A mark out of letters and digits.
    #[must_use]
    pub fn read(text: &str) -> Option<Mark> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| Mark(text.to_owned()))
    }

    /// Says a word on standard output. One write: nothing of the program's gets into it.
    pub(super) fn say(&self, word: &Word) {
        // A channel that is closed has nobody behind it who would want to hear.
        let _ = writen(std::io::stdout(), self.line(word).as_bytes());
    }

    /// The word as a line.
    #[must_use]
    pub fn line(&self, word: &Word) -> String {
        format!("{SEPARATOR}{self} {word}\n")
    }

    /// The word in a line without its newline, and what stands before it: a program's last line may have none.
    #[must_use]
    pub fn find<'a>(&self, line: &'a str) -> Option<(&'a str, Word)> {
        let (before, rest) = line.split_once(SEPARATOR)?;
        let word = rest.strip_prefix(&self.0)?.strip_prefix(' ')?;
        Some((before, Word::read(word)?))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the attendant tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// This process is about to become the program.
    Started(u32),
    /// There is no such command.
    Missing(String),
    /// It could not be started, for this reason.
    Refused(String),
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it; the name without SIG, as in `KILL`.
    Killed(String),
    /// It is over, and nobody can tell how, for this reason.
    Gone(String),
}

impl Word {
    /// The end that a wait status tells (wait(2)); the kernel's own words for it: `/usr/include/.../waitstatus.h`.
    #[must_use]
    pub fn of_status(status: i32) -> Self {
        if nix::libc::WIFSIGNALED(status) {
            Word::Killed(crate::signals::name(nix::libc::WTERMSIG(status)))
        } else {
            Word::Exited(nix::libc::WEXITSTATUS(status))
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (verb, rest) = text.split_once(' ')?;
        Some(match verb {
            "started" => Word::Started(rest.parse().ok()?),
            "missing" => Word::Missing(rest.to_owned()),
            "refused" => Word::Refused(rest.to_owned()),
            "exited" => Word::Exited(rest.parse().ok()?),
            "killed" => Word::Killed(rest.to_owned()),
            "gone" => Word::Gone(rest.to_owned()),
            _ => return None,
        })
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Started(pid) => write!(f, "started {pid}"),
            Word::Missing(command) => write!(f, "missing {}", one_line(command)),
            Word::Refused(why) => write!(f, "refused {}", one_line(why)),
            Word::Exited(status) => write!(f, "exited {status}"),
            Word::Killed(signal) => write!(f, "killed {signal}"),
            Word::Gone(why) => write!(f, "gone {}", one_line(why)),
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_said() {
        let mark = Mark::read("a1b2").unwrap();
        for word in [
            Word::Started(312),
            Word::Missing("no such; thing".to_owned()),
            Word::Refused("exit status 1".to_owned()),
            Word::Exited(255),
            Word::Killed("BUS".to_owned()),
            Word::Gone("init reaped it".to_owned()),
        ] {
            let line = mark.line(&word);
            assert_eq!(mark.find(line.strip_suffix('\n').unwrap()), Some(("", word.clone())));
            assert_eq!(mark.find(&format!("last words{}", line.trim_end())), Some(("last words", word)));
        }
    }

    #[test]
    fn only_its_own_mark_makes_a_word() {
        let mark = Mark::read("a1b2").unwrap();
        let other = Mark::read("a1b").unwrap().line(&Word::Exited(0));
        for line in [other.trim_end(), "exited 0", "\u{1e}a1b2 exited", "\u{1e}a1b2 danced 1", "\u{1e}a1b2exited 0"] {
            assert_eq!(mark.find(line), None, "{line:?}");
        }
        assert_eq!(Mark::read("a b"), None);
        assert_eq!(Mark::read(""), None);
    }

    #[test]
    fn a_wait_status_is_told_in_wait_s_words() {
        assert_eq!(Word::of_status(3 << 8), Word::Exited(3));
        assert_eq!(Word::of_status(nix::libc::SIGBUS), Word::Killed("BUS".to_owned()));
        // With a core dump.
        assert_eq!(Word::of_status(nix::libc::SIGSYS | 0x80), Word::Killed("SYS".to_owned()));
        assert_eq!(Word::of_status(40), Word::Killed("40".to_owned()));
    }
}
