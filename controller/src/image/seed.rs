//! The seed: what one host of one run must know. For our images it is an archive behind the initramfs; for a box of somebody else's, on a drive.

use super::cpio::Archive;
use super::recipe::{BOOT, EPOCH};
use crate::error::{Context, Result};
use std::borrow::Cow;
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
    /// The same, by the OpenSSH of a box of somebody else's.
    Sshd {
        /// As above.
        authorized_key: String,
        /// OpenSSH's private host key, for this run alone.
        host_key: String,
    },
    /// An agent on the second serial line. There are no keys: whoever holds the other end of that line is the controller. A network
    /// with a host side would bring the host's time into a machine that lives in lockstep.
    #[default]
    Serial,
}

/// A file of the seed: its name, permissions and content.
type SeedFile<'a> = (String, u32, Cow<'a, [u8]>);

/// OpenSSH in a box: only the seed's key opens this door, and none on the link. As many programs may run as a scenario wants.
const SSHD_CONFIG: &str = "\
ListenAddress 10.0.2.15:22
HostKey /run/deadpeer/host_key
AuthorizedKeysFile /run/deadpeer/authorized_keys
PidFile none
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
AllowAgentForwarding no
AllowTcpForwarding no
X11Forwarding no
MaxSessions 1000
MaxStartups 1000
";

/// The seed as bytes to be appended to [`super::Image::initrd`]'s, as they are: `/seed`.
#[must_use]
pub fn seed(seed: &Seed) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.folder("seed", 0o700);
    archive.folder("seed/bin", 0o755);
    for (name, mode, content) in files(seed) {
        archive.file(&format!("seed/{name}"), mode, &content);
    }
    archive.finish()
}

/// The seed as the bytes of a drive, for a host that has nothing of ours otherwise: a tar archive, with the script that applies it.
///
/// # Errors
/// None that can be: it is written to memory.
pub fn drive(seed: &Seed) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let boot = ("boot".to_owned(), 0o755, BOOT.as_bytes().into());
    for (name, mode, content) in files(seed).into_iter().chain([boot]) {
        let mut header = tar::Header::new_ustar();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_mtime(EPOCH.into());
        archive.append_data(&mut header, name, &*content).broken(|| "cannot write a seed".to_owned())?;
    }
    archive.into_inner().broken(|| "cannot write a seed".to_owned())
}

fn files(seed: &Seed) -> Vec<SeedFile<'_>> {
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
    let text = |name: &str, text: String| (name.to_owned(), 0o644, text.into_bytes().into());
    let secret = |name: &str, bytes: Cow<'_, [u8]>| (name.to_owned(), 0o600, bytes.into_owned().into());
    let mut files: Vec<SeedFile<'_>> = vec![
        text("addresses", addresses),
        text("hostname", format!("{}\n", seed.hostname)),
        text("hosts", hosts),
        text("routes", routes),
        text("sysctl", sysctl),
        ("witness".to_owned(), 0o755, seed.witness.as_slice().into()),
    ];
    files.extend(seed.programs.iter().map(|(name, bytes)| (format!("bin/{name}"), 0o755, (*bytes).into())));
    let key = |key: &str| secret("authorized_keys", format!("{}\n", key.trim_end()).into_bytes().into());
    let control = match &seed.control {
        Control::Ssh { authorized_key, host_key } => {
            files.extend([key(authorized_key), secret("host_key", host_key.into())]);
            "ssh\n"
        }
        Control::Sshd { authorized_key, host_key } => {
            files.extend([key(authorized_key), secret("host_key", host_key.as_bytes().into())]);
            files.push(text("sshd_config", SSHD_CONFIG.to_owned()));
            "sshd\n"
        }
        Control::Serial => "serial\n",
    };
    files.push(text("control", control.to_owned()));
    files
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
    fn on_a_drive_it_has_the_script_that_applies_it_and_what_openssh_needs() {
        let control = Control::Sshd { authorized_key: "ssh-ed25519 AAAA run".into(), host_key: "PEM".into() };
        let bytes = drive(&Seed { control, ..server() }).unwrap();
        assert_eq!(bytes.len() % 512, 0, "a drive has whole sectors");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                format!("{} {:o}", entry.path().unwrap().display(), entry.header().mode().unwrap())
            })
            .collect();
        for name in
            ["boot 755", "bin/echo-server 755", "witness 755", "host_key 600", "authorized_keys 600", "sshd_config 644"]
        {
            assert!(names.iter().any(|it| it == name), "{name}: {names:?}");
        }
        assert!(String::from_utf8_lossy(&bytes).contains("sshd\n"));
    }

    #[test]
    fn can_be_appended_because_its_length_is_a_multiple_of_four() {
        for name in ["a", "ab", "abc", "abcd"] {
            assert_eq!(seed(&Seed { hostname: name.into(), ..server() }).len() % 4, 0);
        }
    }
}
