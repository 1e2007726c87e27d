//! The seed: what one host of one run must know, as an archive behind the initramfs.

use super::cpio::Archive;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What a guest is told about itself. What becomes of it in the guest: `deadpeer_guest`'s module docs.
#[derive(Debug, Clone, Default)]
pub struct Seed {
    /// The host's name.
    pub hostname: String,
    /// `/etc/hosts`: names and addresses of every host of the lab; loopback is added.
    pub hosts: Vec<(IpAddr, String)>,
    /// The addresses of link NICs: the NIC's name in the guest ("eth0"), address, prefix length.
    pub addresses: Vec<(String, IpAddr, u8)>,
    /// Where what is not for a link goes: default gateways, one of a family at most.
    pub gateways: Vec<IpAddr>,
    /// The witness, a static executable (`embedded::guest_program`).
    pub witness: Vec<u8>,
    /// The guest programs that scenarios start, likewise, by their names.
    pub programs: BTreeMap<&'static str, &'static [u8]>,
    /// Kernel parameters by the names that sysctl(8) gives them, applied before the control channel is open.
    pub sysctl: BTreeMap<String, String>,
    /// How the controller reaches it.
    pub control: Control,
}

/// The channel by which the controller has a guest do things.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Control {
    /// SSH, over a NIC that is for nothing else.
    Ssh {
        /// The one public key that may log in as root, one line as in sshd(8)'s `authorized_keys`.
        authorized_key: String,
        /// Dropbear's private host key, for this run alone (`remote::HostKey`).
        host_key: Vec<u8>,
    },
    /// An agent on the second serial line. There are no keys: whoever holds the other end of that line is the controller. A network
    /// with a host side would bring the host's time into a machine that lives in lockstep.
    #[default]
    Serial,
}

/// The seed as bytes to be appended to [`super::Image::initrd`]'s, as they are.
#[must_use]
pub fn seed(seed: &Seed) -> Vec<u8> {
    let mut hosts = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    for (address, name) in &seed.hosts {
        let _ = writeln!(hosts, "{address} {name}");
    }
    let mut addresses = String::new();
    for (nic, address, prefix) in &seed.addresses {
        let _ = writeln!(addresses, "{nic} {address}/{prefix}");
    }
    let mut routes = String::new();
    for gateway in &seed.gateways {
        let _ = writeln!(routes, "route add default via {gateway}");
    }
    let mut sysctl = String::new();
    for (name, value) in &seed.sysctl {
        let _ = writeln!(sysctl, "{name} = {value}");
    }
    let mut archive = Archive::default();
    archive.folder("seed", 0o700);
    archive.file("seed/addresses", 0o644, addresses.as_bytes());
    archive.folder("seed/bin", 0o755);
    for (name, bytes) in &seed.programs {
        archive.file(&format!("seed/bin/{name}"), 0o755, bytes);
    }
    let control = match &seed.control {
        Control::Ssh { authorized_key, host_key } => {
            archive.file("seed/authorized_keys", 0o600, format!("{}\n", authorized_key.trim_end()).as_bytes());
            archive.file("seed/host_key", 0o600, host_key);
            "ssh\n"
        }
        Control::Serial => "serial\n",
    };
    archive.file("seed/control", 0o644, control.as_bytes());
    archive.file("seed/hostname", 0o644, format!("{}\n", seed.hostname).as_bytes());
    archive.file("seed/hosts", 0o644, hosts.as_bytes());
    archive.file("seed/routes", 0o644, routes.as_bytes());
    archive.file("seed/sysctl", 0o644, sysctl.as_bytes());
    archive.file("seed/witness", 0o755, &seed.witness);
    archive.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn server() -> Seed {
        Seed {
            hostname: "server".into(),
            hosts: vec![
                ("192.0.2.1".parse().unwrap(), "client".into()),
                ("2001:db8::2".parse().unwrap(), "server".into()),
            ],
            addresses: vec![
                ("eth0".into(), "192.0.2.2".parse().unwrap(), 24),
                ("eth0".into(), "2001:db8::2".parse().unwrap(), 64),
            ],
            gateways: vec!["192.0.2.254".parse().unwrap(), "2001:db8::fe".parse().unwrap()],
            witness: b"\x7fELF".into(),
            programs: BTreeMap::from([("echo-server", b"\x7fELF too".as_slice())]),
            sysctl: BTreeMap::from([("net.ipv4.tcp_retries2".into(), "5".into())]),
            control: Control::Ssh { authorized_key: "ssh-ed25519 AAAA run".into(), host_key: vec![1; 83] },
        }
    }

    #[test]
    fn holds_every_file_that_the_boot_script_reads() {
        let bytes = seed(&server());
        let text = String::from_utf8_lossy(&bytes);
        for part in [
            "seed/addresses\0",
            "eth0 192.0.2.2/24\neth0 2001:db8::2/64\n",
            "seed/hostname\0",
            "\0server\n",
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n192.0.2.1 client\n2001:db8::2 server\n",
            "net.ipv4.tcp_retries2 = 5\n",
            "route add default via 192.0.2.254\nroute add default via 2001:db8::fe\n",
            "seed/witness\0",
            "seed/bin/echo-server\0",
            "ELF too",
            "seed/control\0",
            "\0ssh\n",
            "ssh-ed25519 AAAA run\n",
        ] {
            assert!(text.contains(part), "{part:?} is missing in {text:?}");
        }
    }

    #[test]
    fn a_guest_with_a_serial_line_is_given_no_keys() {
        let bytes = seed(&Seed { control: Control::Serial, ..server() });
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("\0serial\n") && !text.contains("key"), "{text:?}");
    }

    #[test]
    fn can_be_appended_because_its_length_is_a_multiple_of_four() {
        for name in ["a", "ab", "abc", "abcd"] {
            assert_eq!(seed(&Seed { hostname: name.into(), ..server() }).len() % 4, 0);
        }
    }
}
