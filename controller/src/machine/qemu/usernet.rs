//! Which port QEMU chose for the guest's SSH.
//!
//! QEMU is asked to forward port 0, so that the kernel chooses a free one and nobody can take it in between. What
//! it chose stands in the monitor's `info usernet`.

use std::net::{Ipv4Addr, SocketAddr};

/// The guest's port that is forwarded.
const GUEST_PORT: &str = "22";

/// Where the guest's SSH is reached, as `info usernet` tells it:
///
/// ```text
///   Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
///   TCP[HOST_FORWARD]   3       127.0.0.1 37871       10.0.2.15    22     0     0
/// ```
pub(super) fn control_address(text: &str) -> Option<SocketAddr> {
    text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [state, _fd, address, port, _guest, guest_port, ..] = words[..] else { return None };
        let address: Ipv4Addr = address.parse().ok()?;
        let port: u16 = port.parse().ok()?;
        (state == "TCP[HOST_FORWARD]" && guest_port == GUEST_PORT && port != 0).then(|| (address, port).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// QEMU 7.2.22's own words.
    const REAL: &str = "Hub -1 (ctl):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n  \
                        TCP[HOST_FORWARD]   3       127.0.0.1 37871       10.0.2.15    22     0     0\r\n";

    #[test]
    fn finds_the_port_that_qemu_chose() {
        assert_eq!(control_address(REAL), Some(([127, 0, 0, 1], 37871).into()));
    }

    #[test]
    fn an_open_connection_or_another_forward_is_not_taken_for_it() {
        for other in ["TCP[ESTABLISHED]", "UDP[236 sec]"] {
            assert_eq!(control_address(&REAL.replace("TCP[HOST_FORWARD]", other)), None, "{other}");
        }
        assert_eq!(control_address(&REAL.replace("   22 ", " 2222 ")), None);
        assert_eq!(control_address(&REAL.replace("37871", "0")), None);
        assert_eq!(control_address(""), None);
    }
}
