//! Addresses, control bits, kernel parameters and signals.

use super::{Kind, Wrong};
use crate::scenario::names;
use schemars::{Schema, json_schema};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the addresses of the lab's two links may lie: networks kept for documentation, which are never somebody's host
/// (RFC 5737, RFC 3849).
const RANGES: &str =
    "192.0.2.0/24 and 2001:db8::/64 (the first link), 198.51.100.0/24 and 2001:db8:1::/64 (the second)";

/// An address of a host's link with its prefix length: "192.0.2.1/24".
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Address;

impl Kind for Address {
    type Value = (IpAddr, u8);
    const WHAT: &'static str = "an address";

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(192\.0\.2\.|198\.51\.100\.|2001:[dD][bB]8:)[0-9a-fA-F:]+(/\d+)?$",
            "examples": ["192.0.2.1/24", "2001:db8::1/64"],
        })
    }

    fn read(text: &str) -> Result<(IpAddr, u8), Wrong> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let no_address = || {
            Wrong::new(format!("{text:?} is no address"), "an IPv4 or IPv6 address must stand here")
                .help("as in `192.0.2.1/24` or `2001:db8::1/64`")
        };
        let address: IpAddr = address.parse().map_err(|_| no_address())?;
        let (usual, least, most) = match address {
            IpAddr::V4(_) => (24, 24, 30),
            IpAddr::V6(_) => (64, 64, 126),
        };
        let prefix = match prefix {
            None => usual,
            Some(prefix) => prefix.parse::<u8>().map_err(|_| no_address())?,
        };
        on_a_link(address)?;
        if !(least..=most).contains(&prefix) {
            return Err(Wrong::new(format!("a link cannot have the prefix length {prefix}"), "out of range")
                .help(format!("from {least} to {most}; usual is /{usual}")));
        }
        if !host_address(address, prefix) {
            return Err(Wrong::new(
                format!("{address}/{prefix} is no host's address"),
                "names the network or all of it",
            ));
        }
        Ok((address, prefix))
    }
}

/// Refuses what is not in [`RANGES`].
fn on_a_link(address: IpAddr) -> Result<(), Wrong> {
    let (documentation, known) = match address {
        IpAddr::V4(a) => {
            let known = matches!(a.octets(), [192, 0, 2, _] | [198, 51, 100, _]);
            (known, known)
        }
        IpAddr::V6(a) => (a.segments()[..2] == [0x2001, 0xdb8], matches!(a.segments(), [0x2001, 0xdb8, 0 | 1, 0, ..])),
    };
    let (fact, label) = match (documentation, known) {
        (_, true) => return Ok(()),
        (true, false) => (format!("{address} is on neither link"), "not one of the lab's networks"),
        (false, false) => (format!("{address} could be somebody's host"), "not a documentation address"),
    };
    let help = format!("a lab's addresses lie in {RANGES}, which nobody's host has (RFC 5737, RFC 3849)");
    Err(Wrong::new(fact, label).help(help))
}

/// False for the network's own address and, in IPv4, the broadcast address.
fn host_address(address: IpAddr, prefix: u8) -> bool {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX >> prefix;
            let host = a.to_bits() & mask;
            host != 0 && host != mask
        }
        IpAddr::V6(a) => a.to_bits() & (u128::MAX >> prefix) != 0,
    }
}

/// The addresses that a host is given on a link (0 or 1) when the scenario names none: the `n`th of both its networks.
pub(crate) fn nth_addresses(link: u8, n: u8) -> [(IpAddr, u8); 2] {
    let v4 = if link == 0 { Ipv4Addr::new(192, 0, 2, n) } else { Ipv4Addr::new(198, 51, 100, n) };
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, link.into(), 0, 0, 0, 0, n.into());
    [(v4.into(), 24), (v6.into(), 64)]
}

/// The address of a router, without a prefix length.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gateway;

impl Kind for Gateway {
    type Value = IpAddr;
    const WHAT: &'static str = "a router's address";

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(192\.0\.2\.|198\.51\.100\.|2001:[dD][bB]8:)[0-9a-fA-F:]+$",
            "examples": ["192.0.2.254"],
        })
    }

    fn read(text: &str) -> Result<IpAddr, Wrong> {
        let address: IpAddr = text.parse().map_err(|_| {
            let wrong = Wrong::new(format!("{text:?} is no address"), "an IPv4 or IPv6 address must stand here");
            match text.split_once('/') {
                Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                    wrong.help(format!("without prefix length: `{address}`"))
                }
                _ => wrong.help("the address of a router on the same link, as in `192.0.2.254`"),
            }
        })?;
        on_a_link(address)?;
        Ok(address)
    }
}

/// A control bit of TCP (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    Syn,
    Ack,
    Fin,
    Rst,
    Psh,
    Urg,
}

impl super::Choice for Flag {
    const WHAT: &'static str = "a control bit";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("SYN", Flag::Syn),
        ("ACK", Flag::Ack),
        ("FIN", Flag::Fin),
        ("RST", Flag::Rst),
        ("PSH", Flag::Psh),
        ("URG", Flag::Urg),
    ];
}

/// The value of a kernel parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SysctlValue;

impl Kind for SysctlValue {
    type Value = String;
    const WHAT: &'static str = "the value";

    fn schema() -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        match text.trim() {
            "" => Err(Wrong::new("the value is empty", "something must stand here")),
            value if value.chars().any(char::is_control) => Err(Wrong::new("the value has several lines", "one line")),
            value => Ok(value.to_owned()),
        }
    }
}

/// What is wrong with the name of a kernel parameter, or nothing.
pub(crate) fn wrong_with_sysctl(name: &str) -> Option<Wrong> {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if name.split('.').all(part) && name.contains('.') {
        return None;
    }
    let wrong =
        Wrong::new(format!("{name:?} is no kernel parameter's name"), "not of the form `net.ipv4.tcp_retries2`");
    let dotted = name.trim_start_matches("/proc/sys/").replace('/', ".");
    Some(if dotted != name && wrong_with_sysctl(&dotted).is_none() {
        wrong.help(format!("with dots: `{dotted}`"))
    } else {
        wrong
    })
}

/// Signals by name without SIG (signal(7)).
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// A signal, read to its name without SIG.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signal;

impl Kind for Signal {
    type Value = String;
    const WHAT: &'static str = "a signal";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "enum": SIGNALS })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        if SIGNALS.contains(&text) {
            return Ok(text.to_owned());
        }
        let bare = text.to_uppercase();
        let bare = bare.strip_prefix("SIG").unwrap_or(&bare);
        let help = match names::nearest(bare, SIGNALS) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "a signal's name without SIG, as in `TERM` or `KILL` (see signal(7))".to_owned(),
        };
        Err(Wrong::new(format!("{text:?} is no signal"), "unknown").help(help))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lie_in_the_documentation_ranges() {
        assert_eq!(Address::read("192.0.2.7").unwrap(), ("192.0.2.7".parse().unwrap(), 24));
        assert_eq!(Address::read("2001:db8:1::7/80").unwrap(), ("2001:db8:1::7".parse().unwrap(), 80));
        let bad = "10.0.0.1/24 192.0.2.0/24 192.0.2.255/24 192.0.2.1/8 192.0.2.1/33 192.0.2.1/x 192.0.2 2001:db9::1 \
                   2001:db8::/64 2001:db8:2::1 2001:db8::1/48 ::ffff:192.0.2.1 198.51.101.1 2001:db8::1/300 192.0.2.1/";
        for bad in bad.split_whitespace() {
            assert!(Address::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_gateway_is_an_address_of_a_link_without_prefix_length() {
        assert_eq!(Gateway::read("192.0.2.254").unwrap().to_string(), "192.0.2.254");
        for bad in ["", "router", "192.0.2.254/24", "10.0.0.1", "2001:db8:2::1"] {
            assert!(Gateway::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_signal_is_one_that_the_system_knows() {
        for name in SIGNALS {
            assert!(format!("SIG{name}").parse::<nix::sys::signal::Signal>().is_ok(), "{name}");
        }
        assert!(Signal::read("SIGKILL").is_err_and(|wrong| format!("{wrong:?}").contains("`KILL`")));
    }

    #[test]
    fn kernel_parameters_are_named_with_dots() {
        assert!(wrong_with_sysctl("net.ipv4.tcp_retries2").is_none());
        assert!(format!("{:?}", wrong_with_sysctl("net/ipv4/tcp_retries2")).contains("`net.ipv4.tcp_retries2`"));
        for bad in ["", "tcp", "net..x", ".net.x", "net.x.", "net.x y", "net.;rm"] {
            assert!(wrong_with_sysctl(bad).is_some(), "{bad}");
        }
    }
}
