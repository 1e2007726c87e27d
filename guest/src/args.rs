//! The arguments of the guest programs, one word at a time.

use std::net::IpAddr;
use std::str::FromStr;

/// The longest time that an option takes: a day, in seconds.
const DAY: u32 = 24 * 60 * 60;

/// A command's words after its name.
#[derive(Debug)]
pub struct Arguments<Words> {
    words: Words,
}

impl<Words: Iterator<Item = String>> Arguments<Words> {
    /// The arguments in `words`.
    pub fn new(words: Words) -> Self {
        Self { words }
    }

    /// The next word.
    #[allow(clippy::should_implement_trait)] // The values of options are taken in between.
    pub fn next(&mut self) -> Option<String> {
        self.words.next()
    }

    /// The value of `option`, which follows it; `what` says with its article what it should be: "an address".
    ///
    /// # Errors
    /// In words: there is none, or it is not what it should be.
    pub fn value<T: FromStr>(&mut self, option: &str, what: &str) -> Result<T, String> {
        let word = self.words.next().ok_or_else(|| format!("{option} needs {what}"))?;
        word.parse().map_err(|_| is_no(&word, what))
    }

    /// The value of `option`: a time in whole seconds, from 1 to a day.
    ///
    /// # Errors
    /// As [`Arguments::value`].
    pub fn seconds(&mut self, option: &str) -> Result<u32, String> {
        let word: String = self.value(option, "a time in seconds")?;
        seconds(&word).ok_or_else(|| is_no(&word, "a time in seconds"))
    }

    /// The value of `option`: one of these words.
    ///
    /// # Errors
    /// As [`Arguments::value`]; the error names the words.
    pub fn choice<T: Copy>(&mut self, option: &str, choices: &[(&str, T)]) -> Result<T, String> {
        let words = || choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let word = self.words.next().ok_or_else(|| format!("{option} needs one of: {}", words()))?;
        let chosen = choices.iter().find(|(known, _)| *known == word);
        chosen.map(|(_, value)| *value).ok_or_else(|| format!("'{word}' is none of: {}", words()))
    }
}

/// A time in whole seconds, from 1 to a day.
#[must_use]
pub fn seconds(word: &str) -> Option<u32> {
    word.parse().ok().filter(|it| (1..=DAY).contains(it))
}

/// "'x' is no port": `what` comes with its article.
#[must_use]
pub fn is_no(word: &str, what: &str) -> String {
    let noun = what.split_once(' ').map_or(what, |(_, noun)| noun);
    format!("'{word}' is no {noun}")
}

/// The address of `host`: a literal, or a name in `/etc/hosts`. No other source is asked: a static program must not
/// load the C library's name services.
#[must_use]
pub fn resolve(host: &str) -> Option<IpAddr> {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    literal.or_else(|| address_in(&std::fs::read_to_string("/etc/hosts").ok()?, host))
}

/// The first address for `host` in a file of the form of hosts(5).
fn address_in(hosts: &str, host: &str) -> Option<IpAddr> {
    hosts.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(address)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn arguments<'a>(words: &'a [&str]) -> Arguments<impl Iterator<Item = String> + 'a> {
        Arguments::new(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn a_value_is_there_and_what_it_should_be() {
        let mut given = arguments(&["7", "x"]);
        assert_eq!(given.value("--connections", "a number"), Ok(7));
        assert_eq!(given.value::<u16>("--connections", "a number").unwrap_err(), "'x' is no number");
        assert_eq!(given.value::<u16>("--connections", "a number").unwrap_err(), "--connections needs a number");
    }

    #[test]
    fn times_are_whole_seconds_from_one_to_a_day() {
        let mut given = arguments(&["1", "86400", "0", "86401", "1.5", "-1", "1s"]);
        assert_eq!(given.seconds("--alarm"), Ok(1));
        assert_eq!(given.seconds("--alarm"), Ok(86_400));
        for word in ["0", "86401", "1.5", "-1", "1s"] {
            assert_eq!(given.seconds("--alarm").unwrap_err(), format!("'{word}' is no time in seconds"));
        }
        assert_eq!(given.seconds("--alarm").unwrap_err(), "--alarm needs a time in seconds");
    }

    #[test]
    fn a_choice_is_one_of_its_words() {
        let choices = [("wait", 1), ("waitpid", 2)];
        let mut given = arguments(&["waitpid", "sleep"]);
        assert_eq!(given.choice("--sigchld", &choices), Ok(2));
        assert_eq!(given.choice("--sigchld", &choices).unwrap_err(), "'sleep' is none of: wait, waitpid");
        assert_eq!(given.choice("--sigchld", &choices).unwrap_err(), "--sigchld needs one of: wait, waitpid");
    }

    #[test]
    fn names_are_found_in_a_hosts_file() {
        let hosts = "127.0.0.1 localhost\n# 192.0.2.9 server\n192.0.2.2\tserver s1 # the server\n2001:db8::2 server\n";
        assert_eq!(address_in(hosts, "SERVER"), Some("192.0.2.2".parse().unwrap()));
        assert_eq!(address_in(hosts, "s1"), Some("192.0.2.2".parse().unwrap()));
        assert_eq!(address_in(hosts, "the"), None);
        assert_eq!(address_in(hosts, "nobody"), None);
    }

    #[test]
    fn literals_need_no_file() {
        assert_eq!(resolve("192.0.2.2"), Some("192.0.2.2".parse().unwrap()));
        assert_eq!(resolve("[2001:db8::2]"), Some("2001:db8::2".parse().unwrap()));
        assert_eq!(resolve("2001:db8::2"), Some("2001:db8::2".parse().unwrap()));
    }
}
