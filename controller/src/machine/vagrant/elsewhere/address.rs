//! Where a libvirt elsewhere is: `qemu+ssh://[USER@]HOST[:PORT]/system|session[?PARAMETERS]`, as libvirt reads it (its documentation,
//! *Connection URIs*).

use crate::error::{Error, Result};
use std::path::PathBuf;

/// How such an address begins.
pub(in super::super) const SCHEME: &str = "qemu+ssh://";

/// A libvirt that is reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Address {
    /// As the user wrote it.
    pub(super) uri: String,
    pub(super) user: Option<String>,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// The system's libvirt; else the user's own.
    pub(super) system: bool,
    pub(super) keyfile: Option<PathBuf>,
    pub(super) known_hosts: Option<PathBuf>,
    /// Take whatever key the host shows.
    pub(super) no_verify: bool,
    /// The ssh program.
    pub(super) command: Option<PathBuf>,
    /// Where libvirt's daemon listens there.
    pub(super) socket: Option<String>,
}

impl Address {
    /// # Errors
    /// It is no such address, or has a parameter that is not heeded here.
    pub(in super::super) fn parse(uri: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::usage(format!("{uri} is not where a libvirt can be: {why}"))
                .help(format!("{SCHEME}[USER@]HOST[:PORT]/system (or /session), as in {SCHEME}root@lab/system"))
        };
        let rest = uri.strip_prefix(SCHEME).ok_or_else(|| wrong(format!("it does not begin with {SCHEME}")))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, path) = rest.split_once('/').ok_or_else(|| wrong("it has no path".to_owned()))?;
        let system = match path {
            "system" => true,
            "session" => false,
            _ => return Err(wrong(format!("its path is /{path}, neither /system nor /session"))),
        };
        let (user, place) = place.rsplit_once('@').map_or((None, place), |(user, place)| (Some(user), place));
        let (host, port) = match place.strip_prefix('[').and_then(|it| it.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, rest.strip_prefix(':')),
            None => place.rsplit_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map(|port| port.parse().map_err(|_| wrong(format!("{port} is no port")))).transpose()?;
        let plain =
            |text: &str| !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_graphic());
        if !plain(host) || user.is_some_and(|user| !plain(user)) {
            return Err(wrong("it names no host".to_owned()));
        }
        let mut address = Self {
            uri: uri.to_owned(),
            user: user.map(decode),
            host: host.to_owned(),
            port,
            system,
            keyfile: None,
            known_hosts: None,
            no_verify: false,
            command: None,
            socket: None,
        };
        for parameter in query.split(['&', ';']).filter(|it| !it.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = decode(value);
            match name {
                "keyfile" => address.keyfile = Some(value.into()),
                "known_hosts" => address.known_hosts = Some(value.into()),
                "no_verify" => address.no_verify = value != "0",
                "command" => address.command = Some(value.into()),
                // It goes through a shell there.
                "socket" if value.chars().any(|c| !c.is_ascii_alphanumeric() && !"/._-+".contains(c)) => {
                    return Err(wrong(format!(
                        "its socket {value} has other characters than letters, digits and /._-+"
                    )));
                }
                "socket" => address.socket = Some(value),
                // Nobody is ever asked for a password here.
                "no_tty" => {}
                _ => {
                    return Err(wrong(format!(
                        "its parameter '{name}' is none of keyfile, known_hosts, no_verify, no_tty, command, socket"
                    )));
                }
            }
        }
        Ok(address)
    }

    /// As a report names it: without the user and the files of this computer.
    pub(in super::super) fn neutral(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{SCHEME}{host}{port}/{}", if self.system { "system" } else { "session" })
    }

    /// The computer, for a person.
    pub(super) fn place(&self) -> String {
        self.user.as_ref().map_or_else(|| self.host.clone(), |user| format!("{user}@{}", self.host))
    }
}

/// `%2F` as `/`. What is no such code stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = match rest {
            [b'%', a, b, ..] => std::str::from_utf8(&[*a, *b]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &rest[3..] } else { more };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_libvirt_reads_it() {
        let it = Address::parse(
            "qemu+ssh://me@lab.example:2222/system?keyfile=%2Fhome%2Fme%2Fid&known_hosts=/k&no_verify=1&socket=/run/s&no_tty=1",
        )
        .unwrap();
        assert_eq!((it.user.as_deref(), &*it.host, it.port, it.system), (Some("me"), "lab.example", Some(2222), true));
        assert_eq!((it.keyfile, it.known_hosts), (Some("/home/me/id".into()), Some("/k".into())));
        assert!(it.no_verify && it.socket.as_deref() == Some("/run/s"));
        let it = Address::parse("qemu+ssh://[2001:db8::1]:22/session").unwrap();
        assert_eq!((&*it.host, it.port, it.system, it.no_verify), ("2001:db8::1", Some(22), false, false));
        assert_eq!(it.neutral(), "qemu+ssh://[2001:db8::1]:22/session");
        let it = Address::parse("qemu+ssh://root@lab/system?no_verify=0&keyfile=/secret/place").unwrap();
        assert!(!it.no_verify);
        assert_eq!((it.neutral(), it.place()), ("qemu+ssh://lab/system".to_owned(), "root@lab".to_owned()));
    }

    #[test]
    fn what_is_wrong_with_an_address_is_told() {
        for (uri, why) in [
            ("qemu+ssh://lab", "it has no path"),
            ("qemu+ssh:///system", "it names no host"),
            ("qemu+ssh://-oProxyCommand=x/system", "it names no host"),
            ("qemu+ssh://lab:x/system", "x is no port"),
            ("qemu+ssh://lab/system?socket=/run/x'y", "its socket /run/x'y has other characters"),
            ("qemu+ssh://lab/", "its path is /"),
            ("qemu+ssh://lab/system?proxy=auto", "its parameter 'proxy'"),
        ] {
            let error = Address::parse(uri).unwrap_err();
            assert!(error.fact.contains(why), "{uri}: {error}");
            assert!(error.help.unwrap().contains("qemu+ssh://root@lab/system"));
        }
    }

    #[test]
    fn only_codes_are_decoded() {
        assert_eq!(decode("a%20b%zz%4"), "a b%zz%4");
    }
}
