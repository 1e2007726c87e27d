//! From an address to a session: TCP, handshake, the host's key, ours.

use super::keys::{HostKeyPublic, Keys, fingerprint_of};
use super::transport::{Link, Transport, words};
use crate::error::{Context, Error, Result};
use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use ssh2::MethodType;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What we ask for, the first that the host knows is taken: what costs an emulated processor least.
const METHODS: [(MethodType, &str); 6] = [
    (MethodType::Kex, "curve25519-sha256,curve25519-sha256@libssh.org"),
    (MethodType::HostKey, "ssh-ed25519"),
    (MethodType::CryptCs, CIPHERS),
    (MethodType::CryptSc, CIPHERS),
    (MethodType::MacCs, "hmac-sha2-256"),
    (MethodType::MacSc, "hmac-sha2-256"),
];
const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes128-ctr,aes256-ctr";

/// The time allowed, and to whom.
struct Limit {
    address: SocketAddr,
    within: Duration,
    end: Instant,
}

impl Limit {
    fn passed(&self, awaited: &str) -> Error {
        let (address, within) = (self.address, self.within);
        Error::broken(format!("no SSH session with {address} within {within:?}")).detail(format!("Awaited: {awaited}."))
    }

    fn broken(&self, awaited: &str, came: &str) -> Error {
        Error::broken(format!("no SSH session with {}: {came}", self.address)).detail(format!("Awaited: {awaited}."))
    }
}

/// Connects, checks the host's key and logs in, all within the time given.
pub(super) fn connect(
    address: SocketAddr,
    user: &str,
    keys: &Keys,
    host_key: &HostKeyPublic,
    within: Duration,
) -> Result<Link> {
    let limit = Limit { address, within, end: Instant::now() + within };
    let tcp = TcpStream::connect_timeout(&address, within.max(Duration::from_millis(1))).map_err(|e| {
        let awaited = "a TCP connection";
        if e.kind() == std::io::ErrorKind::TimedOut { limit.passed(awaited) } else { limit.broken(awaited, &words(&e)) }
    })?;
    let (transport, socket) = Transport::new(tcp).broken(|| format!("the connection to {address} cannot be used"))?;
    let mut ssh = ssh2::Session::new().map_err(|e| Error::broken(format!("libssh2 does not start: {e}")))?;
    ssh.set_blocking(false);
    for (kind, names) in METHODS {
        ssh.method_pref(kind, names)
            .map_err(|e| Error::broken(format!("libssh2 knows none of `{names}`: {}", e.message())))?;
    }
    ssh.set_tcp_stream(socket);
    let mut link = Link { ssh, transport, hasty: false };

    link.finish(&limit, ssh2::Session::handshake, |link| match link.transport.heard() {
        None => "its SSH greeting; not a byte has come",
        Some(_) => "the end of the SSH handshake",
    })?;
    link.hasty = link.ssh.banner().is_some_and(is_hasty);
    let (shown, _) = link.ssh.host_key().ok_or_else(|| limit.broken("its host key", "it showed none"))?;
    if !host_key.is(shown) {
        return Err(Error::broken(format!("{address} is not the host it should be: it showed a different host key"))
            .detail(format!("expected {}\nshown    {}", host_key.fingerprint(), fingerprint_of(shown))));
    }
    let private = keys.openssh()?;
    link.finish(
        &limit,
        |ssh| ssh.userauth_pubkey_memory(user, None, &private, None),
        |_| "its acceptance of the run's key",
    )?;
    Ok(link)
}

/// Whether the server that greets so is a dropbear of the versions 2022.82 to 2024.85 (Debian 12 has 2022.83): these end a
/// session when a command ends while another channel is open and not yet in use (its issue 321).
fn is_hasty(banner: &str) -> bool {
    let version =
        banner.split_once("dropbear_").and_then(|(_, rest)| rest.split(['-', ' ']).next()).unwrap_or_default();
    let part = |text: &str| text.parse::<u32>().ok();
    let parts = version.split_once('.').and_then(|(year, number)| Some((part(year)?, part(number)?)));
    parts.is_some_and(|it| ((2022, 82)..=(2024, 85)).contains(&it))
}

impl Link {
    /// Repeats a call until it has its answer.
    fn finish(
        &mut self,
        limit: &Limit,
        mut call: impl FnMut(&mut ssh2::Session) -> Result<(), ssh2::Error>,
        awaited: impl Fn(&Self) -> &'static str,
    ) -> Result<()> {
        loop {
            match self.call(&mut call) {
                Ok(Some(())) => return Ok(()),
                Ok(None) => {}
                Err(e) => return Err(limit.broken(awaited(self), e.message())),
            }
            let moved = self.transport.carry().broken(|| "the way to libssh2 failed".to_owned())?;
            if moved || self.transport.unread() {
                continue;
            }
            if let Some(end) = self.transport.ended() {
                return Err(limit.broken(awaited(self), end));
            }
            let left = limit.end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(limit.passed(awaited(self)));
            }
            let timeout = PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX);
            match poll(&mut [self.transport.awaited()], timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(limit.broken(awaited(self), &format!("poll failed: {e}"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_hasty;

    #[test]
    fn debian_12_s_dropbear_is_hasty_and_those_before_and_after_are_not() {
        assert!(is_hasty("SSH-2.0-dropbear_2022.83"));
        assert!(is_hasty("SSH-2.0-dropbear_2024.85-extra"));
        for other in [
            "SSH-2.0-dropbear_2020.81",
            "SSH-2.0-dropbear_2025.88",
            "SSH-2.0-OpenSSH_9.2p1 Debian-2",
            "SSH-2.0-dropbear",
            "",
        ] {
            assert!(!is_hasty(other), "{other}");
        }
    }
}
