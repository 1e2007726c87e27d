//! What the server is asked for.

use deadpeer_guest::ECHO_PORT;
use deadpeer_guest::args::{Arguments, is_no};
use std::net::IpAddr;

pub(crate) const HELP: &str = "\
usage: echo-server [OPTIONS] [PORT]

Echoes every line that a client sends, in a child process of its own for each connection.

  PORT                 listen on this TCP port (9877); 0: on any that is free
  --address ADDRESS    listen on this IPv4 or IPv6 address alone (on all of both kinds)
  --sigchld WHAT       when a child has ended: `waitpid` (reap all that have; what is done if nothing is said), `wait` (reap
                       one), `ignore` (the kernel reaps them), `none` (leave them as zombies)
  --no-restart         handle SIGCHLD without SA_RESTART: it interrupts accept
  --no-retry           end when accept was interrupted, instead of calling it again
  --ignore-term        ignore SIGTERM
  --help               show this";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// All addresses, if none.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) sigchld: Sigchld,
    pub(crate) restart: bool,
    pub(crate) retry: bool,
    pub(crate) ignore_term: bool,
}

/// What is done when a child has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sigchld {
    Wait,
    Waitpid,
    Ignore,
    None,
}

/// `None`: help was asked for.
pub(crate) fn options(words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        address: None,
        port: ECHO_PORT,
        sigchld: Sigchld::Waitpid,
        restart: true,
        retry: true,
        ignore_term: false,
    };
    let mut port = None;
    let mut arguments = Arguments::new(words);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--address" => options.address = Some(arguments.value(&word, "an address")?),
            "--sigchld" => {
                let choices = [
                    ("wait", Sigchld::Wait),
                    ("waitpid", Sigchld::Waitpid),
                    ("ignore", Sigchld::Ignore),
                    ("none", Sigchld::None),
                ];
                options.sigchld = arguments.choice(&word, &choices)?;
            }
            "--no-restart" => options.restart = false,
            "--no-retry" => options.retry = false,
            "--ignore-term" => options.ignore_term = true,
            _ if word.starts_with('-') => return Err(format!("unknown option '{word}'")),
            _ if port.is_some() => return Err(format!("unexpected argument '{word}'")),
            _ => port = Some(word.parse().map_err(|_| is_no(&word, "a port"))?),
        }
    }
    options.port = port.unwrap_or(options.port);
    Ok(Some(options))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Option<Options>, String> {
        options(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_options_it_is_the_textbooks_last_version() {
        let options = read("").unwrap().unwrap();
        assert_eq!((options.address, options.port, options.sigchld), (None, 9877, Sigchld::Waitpid));
        assert!(options.restart && options.retry && !options.ignore_term);
    }

    #[test]
    fn every_option_changes_its_one_thing() {
        let options = read("--sigchld wait --no-restart --no-retry --ignore-term --address ::1 80").unwrap().unwrap();
        assert_eq!((options.address, options.port), (Some("::1".parse().unwrap()), 80));
        assert_eq!(options.sigchld, Sigchld::Wait);
        assert!(!options.restart && !options.retry && options.ignore_term);
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(read("--sigchld").unwrap_err(), "--sigchld needs one of: wait, waitpid, ignore, none");
        assert_eq!(read("--sigchld reap").unwrap_err(), "'reap' is none of: wait, waitpid, ignore, none");
    }
}
