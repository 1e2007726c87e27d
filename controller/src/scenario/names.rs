//! The form of names, and the nearest of several when one is misspelt.

/// A host's name becomes a host name (RFC 1123) and a part of file names.
pub(super) const LONGEST_HOST_NAME: usize = 32;

/// Longest name of anything else.
pub(super) const LONGEST_NAME: usize = 64;

/// What is wrong with `name` as a name of at most `longest` characters, or nothing.
pub(super) fn wrong_with(name: &str, longest: usize) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() {
        Some("is empty".to_owned())
    } else if let Some(odd) = name.chars().find(|c| !fits(*c)) {
        Some(format!("holds {odd:?}"))
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Some("does not begin with a letter".to_owned())
    } else if name.ends_with('-') {
        Some("ends with a hyphen".to_owned())
    } else if name.len() > longest {
        Some(format!("is {} characters long", name.len()))
    } else {
        None
    }
}

/// `name` with whatever can be mended mended: lower case, hyphens for the rest.
pub(super) fn mended(name: &str, longest: usize) -> Option<String> {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            _ if out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    let out = out.trim_matches(|c: char| c == '-').to_owned();
    wrong_with(&out, longest).is_none().then_some(out)
}

/// The nearest of `known` to `word`, if it is near enough to be what was meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 2 * LONGEST_NAME {
        return None;
    }
    let word = word.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&word, &name.to_lowercase());
    let (near, name) = known.into_iter().map(|name| (distance(name), name)).min_by_key(|(near, _)| *near)?;
    // A third of the word may be wrong, and one letter of even the shortest.
    (near <= (word.chars().count().max(name.chars().count()) / 3).max(1)).then_some(name)
}

/// "did you mean `x`?", or what there is, or that there is nothing.
pub(super) fn suggest<'a>(word: &str, known: &[&'a str], kind: &str) -> (String, Option<&'a str>) {
    match nearest(word, known.iter().copied()) {
        Some(name) => (format!("did you mean `{name}`?"), Some(name)),
        None if known.is_empty() => (format!("there is no {kind} at all"), None),
        None => (format!("{kind}s there are: {}", listed(known)), None),
    }
}

/// "`a`, `b`, `c`".
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_hyphens() {
        assert_eq!(wrong_with("echo-server2", 32), None);
        for bad in ["", "Server", "my server", "2nd", "-x", "x-", "a_b", "é", &"x".repeat(33)] {
            assert!(wrong_with(bad, 32).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn mends_what_can_be_mended() {
        assert_eq!(mended("My  Server", 32).as_deref(), Some("my-server"));
        assert_eq!(mended("_x_", 32).as_deref(), Some("x"));
        assert_eq!(mended("42", 32), None);
    }

    #[test]
    fn suggests_the_nearest_only_if_it_is_near() {
        let names = ["echo-client", "echo-server"];
        assert_eq!(nearest("echo-clinet", names), Some("echo-client"));
        assert_eq!(nearest("ECHO-SERVER", names), Some("echo-server"));
        assert_eq!(nearest("tcpdump", names), None);
        assert_eq!(nearest("is", ["os", "to"]), Some("os"));
    }
}
