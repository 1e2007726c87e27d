//! Addresses, control bits, kernel parameters and signals.

use super::{Kind, Wrong};
use crate::scenario::names;
use schemars::{Schema, json_schema};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the lab's addresses may lie: networks kept for documentation, which are never somebody's host
/// (RFC 5737, RFC 3849).
const RANGES: &str = "192.0.2.0/24, 198.51.100.0/24 and 2001:db8::/32";

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
            IpAddr::V6(_) => (64, 32, 126),
        };
        let prefix = match prefix {
            None => usual,
            Some(prefix) => prefix.parse::<u8>().map_err(|_| no_address())?,
        };
        if !documentation(address) {
            return Err(Wrong::new(format!("{address} could be somebody's host"), "not a documentation address")
                .help(format!("a lab's addresses lie in {RANGES}, which nobody's host has (RFC 5737, RFC 3849)")));
        }
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

/// True for the ranges of [`RANGES`].
fn documentation(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => matches!(a.octets(), [192, 0, 2, _] | [198, 51, 100, _]),
        IpAddr::V6(a) => a.segments()[..2] == [0x2001, 0xdb8],
    }
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

/// The address that a host is given when the scenario names none: the `n`th of both link networks.
pub(crate) fn nth_addresses(n: u8) -> Vec<(IpAddr, u8)> {
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(n));
    vec![(Ipv4Addr::new(192, 0, 2, n).into(), 24), (v6.into(), 64)]
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
        assert_eq!(Address::read("2001:db8:1::7/48").unwrap(), ("2001:db8:1::7".parse().unwrap(), 48));
        let bad = "10.0.0.1/24 192.0.2.0/24 192.0.2.255/24 192.0.2.1/8 192.0.2.1/33 192.0.2.1/x 192.0.2 2001:db9::1 \
                   2001:db8::/64 ::ffff:192.0.2.1 198.51.101.1 2001:db8::1/300 192.0.2.1/";
        for bad in bad.split_whitespace() {
            assert!(Address::read(bad).is_err(), "{bad}");
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
