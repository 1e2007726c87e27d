//! What must not leave this computer: where its user's files are, and what it is called.

use std::path::Path;

/// Words that say whose computer this is, with what stands for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Private(Vec<(String, String)>);

impl Private {
    /// Of this computer and user; `run` is the folder of the run.
    pub(super) fn here(run: &Path) -> Self {
        let path = |name: &str| std::env::var(name).ok().filter(|path| path.starts_with('/') && path.len() > 1);
        let mut words = vec![(run.display().to_string(), "RUN".to_owned())];
        words.extend(path("XDG_CACHE_HOME").map(|path| (path, "CACHE".to_owned())));
        words.extend(path("HOME").map(|path| (path, "~".to_owned())));
        let home = nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten();
        words.extend(
            home.map(|user| (user.dir.display().to_string(), "~".to_owned())).filter(|(path, _)| path.len() > 1),
        );
        words.extend(std::env::current_dir().ok().map(|path| (path.display().to_string(), "HERE".to_owned())));
        words.extend(host_name().map(|name| (name, "COMPUTER".to_owned())));
        Self::new(words)
    }

    /// Longer ones first, as shorter ones may be their beginnings.
    pub(super) fn new(mut words: Vec<(String, String)>) -> Self {
        words.retain(|(word, _)| word.len() > 1);
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Self(words)
    }

    /// `text` without them.
    pub(super) fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, instead) in &self.0 {
            let mut fresh = String::with_capacity(text.len());
            let mut rest = text.as_str();
            while let Some(at) = rest.find(word.as_str()) {
                let (before, after) = (&rest[..at], &rest[at + word.len()..]);
                fresh.push_str(before);
                // The beginning of a longer word is another word: `/home/ann` in `/home/anna`, `box` in `sandbox`.
                let whole = !continues(before.chars().next_back(), word.chars().next())
                    && !continues(after.chars().next(), word.chars().next_back());
                fresh.push_str(if whole { instead } else { word });
                rest = after;
            }
            fresh.push_str(rest);
            text = fresh;
        }
        text
    }

    /// The first line, from 1, with one of them, and which.
    pub(super) fn found(&self, text: &str) -> Option<(usize, String)> {
        (1..)
            .zip(text.lines())
            .find(|(_, line)| self.hidden(line) != *line)
            .map(|(number, line)| (number, line.trim().to_owned()))
    }
}

/// Whether `beside` is part of the same word as the letter `edge`.
fn continues(beside: Option<char>, edge: Option<char>) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    beside.is_some_and(letter) && edge.is_some_and(letter)
}

/// What this computer is called; none if it is called what every computer is, or as a host of some scenario well may be.
fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    (name.len() > 2 && !["localhost", "client", "server", "router"].contains(&name.as_str())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_hidden_where_they_stand_alone() {
        let words = [("/home/ann", "~"), ("/home/ann/runs/1", "RUN"), ("lab7", "COMPUTER")];
        let private = Private::new(words.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec());
        assert_eq!(private.hidden("in /home/ann/runs/1/x and /home/ann/y"), "in RUN/x and ~/y");
        assert_eq!(private.hidden("/home/anna lab7 lab77 slab7 (lab7)"), "/home/anna COMPUTER lab77 slab7 (COMPUTER)");
        assert_eq!(private.found("a\nb lab7\n"), Some((2, "b lab7".to_owned())));
        assert_eq!(private.found("a\nlab8\n"), None);
    }
}
