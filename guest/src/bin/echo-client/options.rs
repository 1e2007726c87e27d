//! What the client is asked for.

use deadpeer_guest::ECHO_PORT;
use deadpeer_guest::args::{Arguments, is_no, resolve, seconds};
use std::net::SocketAddr;

pub(crate) const HELP: &str = "\
usage: echo-client [OPTIONS] HOST [PORT]

Sends each line of its standard input to an echo server, and prints the line that comes back. It waits for its user or
for the server, one at a time; with --select or --poll for both at once.

  HOST                    an IPv4 or IPv6 address, or a name in /etc/hosts
  PORT                    TCP port of the server (9877)

Options of the connection
  --connections N         make N connections and use the first (1); all end together when the client exits
  --local-port P          connect from this port, which may have been used before (bind, SO_REUSEADDR)
  --connect-eintr WHAT    after SIGALRM interrupted connect: call it `again`, or `wait` for writability
  --keepalive I:T:N       probe a connection idle for I seconds, every T seconds, N times (SO_KEEPALIVE)
  --user-timeout S        give up when data stays unacknowledged for S seconds (TCP_USER_TIMEOUT)
  --linger-reset          end the connection by RST instead of FIN (SO_LINGER with time 0)

Options of the wait for the echo
  --select, --poll        wait for the user and the server at once
  --alarm S               SIGALRM interrupts the wait after S seconds
  --select-timeout S      wait with select, for S seconds at most
  --rcvtimeo S            wait for S seconds at most (SO_RCVTIMEO)
  --late-read             before reading, wait until the line was answered: by its echo, or by RST

Options of writing
  --copies N              write each line N times at once, before the first echo is read (1)
  --two-writes            write a line's first byte, wait until it was answered, write the rest
  --sigpipe WHAT          what SIGPIPE does: `default` (it ends the client), `ignore` or `catch`

  --help                  show this

exit status: 0 at the end of the input, 1 if the connection failed";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) server: SocketAddr,
    pub(crate) connections: usize,
    /// The kernel's choice, if none.
    pub(crate) local_port: Option<u16>,
    pub(crate) interrupted_connect: Interrupted,
    pub(crate) keepalive: Option<Keepalive>,
    /// Seconds.
    pub(crate) user_timeout: Option<u32>,
    pub(crate) linger_reset: bool,
    pub(crate) wait: Wait,
    pub(crate) copies: usize,
    pub(crate) two_writes: bool,
    pub(crate) sigpipe: Sigpipe,
}

/// How the client waits for the server's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wait {
    /// It reads: as long as it takes.
    Read,
    /// It reads only when there is an answer, be it RST.
    LateRead,
    /// It reads until SIGALRM comes, after so many seconds.
    Alarm(u32),
    /// It waits with select, for so many seconds, and then reads.
    SelectTimeout(u32),
    /// It reads for at most so many seconds.
    Rcvtimeo(u32),
    /// With select, for the user as well.
    Select,
    /// With poll, for the user as well.
    Poll,
}

/// What follows when `connect` was interrupted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Interrupted {
    Fail,
    Again,
    Wait,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sigpipe {
    Default,
    Ignore,
    Catch,
}

/// Seconds, seconds, number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Keepalive {
    pub(crate) idle: u32,
    pub(crate) interval: u32,
    pub(crate) count: u32,
}

/// `None`: help was asked for.
pub(crate) fn options(words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        server: SocketAddr::from(([0; 4], ECHO_PORT)),
        connections: 1,
        local_port: None,
        interrupted_connect: Interrupted::Fail,
        keepalive: None,
        user_timeout: None,
        linger_reset: false,
        wait: Wait::Read,
        copies: 1,
        two_writes: false,
        sigpipe: Sigpipe::Default,
    };
    let mut arguments = Arguments::new(words);
    let (mut rest, mut waits) = (Vec::new(), Vec::new());
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--connections" => options.connections = connections(&arguments.value::<String>(&word, "a number")?)?,
            "--local-port" => options.local_port = Some(arguments.value(&word, "a port")?),
            "--connect-eintr" => {
                let choices = [("again", Interrupted::Again), ("wait", Interrupted::Wait)];
                options.interrupted_connect = arguments.choice(&word, &choices)?;
            }
            "--keepalive" => options.keepalive = Some(keepalive(&arguments.value::<String>(&word, KEEPALIVE)?)?),
            "--user-timeout" => options.user_timeout = Some(arguments.seconds(&word)?),
            "--linger-reset" => options.linger_reset = true,
            "--select" => waits.push((word, Wait::Select)),
            "--poll" => waits.push((word, Wait::Poll)),
            "--late-read" => waits.push((word, Wait::LateRead)),
            "--alarm" => waits.push((word.clone(), Wait::Alarm(arguments.seconds(&word)?))),
            "--select-timeout" => waits.push((word.clone(), Wait::SelectTimeout(arguments.seconds(&word)?))),
            "--rcvtimeo" => waits.push((word.clone(), Wait::Rcvtimeo(arguments.seconds(&word)?))),
            "--copies" => options.copies = copies(&arguments.value::<String>(&word, "a number")?)?,
            "--two-writes" => options.two_writes = true,
            "--sigpipe" => {
                let choices = [("default", Sigpipe::Default), ("ignore", Sigpipe::Ignore), ("catch", Sigpipe::Catch)];
                options.sigpipe = arguments.choice(&word, &choices)?;
            }
            _ if word.starts_with('-') => return Err(format!("unknown option '{word}'")),
            _ => rest.push(word),
        }
    }
    match &waits[..] {
        [] => {}
        [(word, Wait::Select | Wait::Poll)] if options.two_writes => return Err(not_both(word, "--two-writes")),
        [(_, wait)] => options.wait = *wait,
        [(one, _), (other, _), ..] => return Err(not_both(one, other)),
    }
    options.server = server(&rest)?;
    Ok(Some(options))
}

const KEEPALIVE: &str = "a schedule of the form IDLE:INTERVAL:COUNT";

fn not_both(one: &str, other: &str) -> String {
    format!("{one} and {other} cannot be had together")
}

fn server(words: &[String]) -> Result<SocketAddr, String> {
    let (host, port) = match words {
        [] => return Err("which host?".to_owned()),
        [host] => (host, ECHO_PORT),
        [host, port] => (host, port.parse().map_err(|_| is_no(port, "a port"))?),
        [_, _, unexpected, ..] => return Err(format!("unexpected argument '{unexpected}'")),
    };
    let address = resolve(host).ok_or_else(|| format!("'{host}' is no address, nor a name in /etc/hosts"))?;
    Ok(SocketAddr::new(address, port))
}

/// As many as fit a descriptor set (select(2)) beside the three standard ones.
fn connections(word: &str) -> Result<usize, String> {
    let number = word.parse().ok().filter(|it| (1..=1000).contains(it));
    number.ok_or_else(|| is_no(word, "a number from 1 to 1000"))
}

/// What they come to is held in memory, and there is not much of that.
fn copies(word: &str) -> Result<usize, String> {
    let number = word.parse().ok().filter(|it| (1..=1_000_000).contains(it));
    number.ok_or_else(|| is_no(word, "a number from 1 to 1000000"))
}

fn keepalive(word: &str) -> Result<Keepalive, String> {
    let numbers: Option<Vec<u32>> = word.split(':').map(seconds).collect();
    match numbers.as_deref() {
        // The kernel takes at most 127 probes, and waits at most 32767 s for each (tcp(7), net/ipv4/tcp.c).
        Some(&[idle, interval, count]) if idle <= 32_767 && interval <= 32_767 && count <= 127 => {
            Ok(Keepalive { idle, interval, count })
        }
        _ => Err(is_no(word, KEEPALIVE)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Option<Options>, String> {
        options(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_host_alone_is_the_textbooks_client() {
        let options = read("192.0.2.2").unwrap().unwrap();
        assert_eq!(options.server.to_string(), "192.0.2.2:9877");
        assert_eq!((options.connections, options.wait, options.two_writes), (1, Wait::Read, false));
        assert_eq!((options.sigpipe, options.interrupted_connect), (Sigpipe::Default, Interrupted::Fail));
        assert_eq!((options.keepalive, options.user_timeout, options.linger_reset), (None, None, false));
        assert_eq!((options.local_port, options.copies), (None, 1));
    }

    #[test]
    fn options_may_stand_anywhere() {
        let one = read("--keepalive 1:2:3 --alarm 4 --two-writes --sigpipe catch 192.0.2.2 80").unwrap().unwrap();
        let other = read("192.0.2.2 --sigpipe catch --two-writes 80 --alarm 4 --keepalive 1:2:3").unwrap().unwrap();
        assert_eq!(one, other);
        assert_eq!(one.keepalive, Some(Keepalive { idle: 1, interval: 2, count: 3 }));
        assert_eq!((one.wait, one.sigpipe, one.server.port()), (Wait::Alarm(4), Sigpipe::Catch, 80));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (words, error) in [
            ("--alarm 2 --rcvtimeo 2 ::1", "--alarm and --rcvtimeo cannot be had together"),
            ("--poll --two-writes ::1", "--poll and --two-writes cannot be had together"),
            ("--connections 0 ::1", "'0' is no number from 1 to 1000"),
            ("--copies 0 ::1", "'0' is no number from 1 to 1000000"),
            ("--local-port 70000 ::1", "'70000' is no port"),
            ("--connections ::1", "'::1' is no number from 1 to 1000"),
            ("--keepalive 1:2 ::1", "'1:2' is no schedule of the form IDLE:INTERVAL:COUNT"),
            ("--keepalive 1:2:128 ::1", "'1:2:128' is no schedule of the form IDLE:INTERVAL:COUNT"),
            ("--keepalive 0:2:3 ::1", "'0:2:3' is no schedule of the form IDLE:INTERVAL:COUNT"),
            ("--connect-eintr no ::1", "'no' is none of: again, wait"),
            ("--sigpipe", "--sigpipe needs one of: default, ignore, catch"),
        ] {
            assert_eq!(read(words).unwrap_err(), error, "{words}");
        }
    }
}
