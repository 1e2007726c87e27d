//! A libvirt on another computer, which is reached over SSH (`qemu+ssh://…`).
//!
//! All goes over one SSH connection ([`Ssh`]): libvirt's own socket is forwarded to one here, by which virsh and Vagrant speak to it; so are
//! consoles, QMP and the guests' SSH. What is no byte stream goes by a program of ours there, the relay ([`Relay`]): frames, which QEMU's UDP
//! tunnels bring to it on 127.0.0.1 *there*, the flight recorders, and whether a process is gone. So nothing but SSH must reach the other
//! computer, nothing listens to a network, and no frame travels in the clear.
//!
//! What a project needs there is in a folder of its own, which is removed with the project.

mod address;
mod relay;
mod ssh;

pub(super) use address::{Address, SCHEME};
pub(super) use ssh::Ssh;

use super::plan::{HostPlan, Plan};
use super::ports;
use super::site::{Site, kernel_name};
use crate::embedded;
use crate::error::{Context, Error, Result};
use crate::machine::qemu::RECORDER_MIB;
use deadpeer_guest::relay::{Order, Word};
use relay::Relay;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of all projects there, of the system's libvirt: QEMU's user can get to it.
const SYSTEMS: &str = "/var/lib/deadpeer/elsewhere";

/// How much of a domain's log is brought here.
const LOG_BYTES: u32 = 20_000;

/// Our program there.
const PROGRAM: &str = "witness";

/// Connects to the computer of this libvirt, and has its daemon answer at a socket here: the connection, and the URI for whoever is here.
///
/// # Errors
/// There is no such computer, it does not let us in, it is of another kind, or has no libvirt that we may use.
pub(super) fn connect(uri: &str) -> Result<(Arc<Ssh>, String)> {
    let mut ssh = Ssh::open(Address::parse(uri)?)?;
    let (place, system) = (ssh.address.place(), ssh.address.system);
    let script = match &ssh.address.socket {
        Some(socket) => format!("s=\"{socket}\""),
        None if system => "s=/run/libvirt/libvirt-sock; test -S $s || s=/var/run/libvirt/libvirt-sock".to_owned(),
        // A user's own daemon is started by whoever needs it.
        None => "virsh -q -c qemu:///session uri >&2 || libvirtd --timeout=120 -d >&2; \
                 s=\"${XDG_RUNTIME_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}}/libvirt/libvirt-sock\""
            .to_owned(),
    };
    let told = ssh.run(&format!("{script}; uname -m; id -u; id -g; test -S \"$s\" && echo \"$s\""));
    let told = told.map_err(|error| {
        Error::broken(format!("libvirt on {place} does not answer"))
            .detail(error.fact)
            .detail(error.detail.unwrap_or_default())
            .help(format!(
                "See whether it answers there: ssh {place} virsh --connect qemu:///{} list",
                if system { "system" } else { "session" }
            ))
    })?;
    let lines: Vec<&str> = told.lines().collect();
    let [machine, user, group, socket] = lines[..] else {
        return Err(Error::broken(format!("{place} does not say what it is")).detail(told));
    };
    if machine != std::env::consts::ARCH {
        return Err(Error::broken(format!("{place} is of another kind: {machine}"))
            .detail(format!("What the controller brings there runs on {} alone.", std::env::consts::ARCH)));
    }
    if system && user != "0" {
        return Err(Error::usage(format!("the system's libvirt on {place} can be used by its root alone"))
            .detail("QEMU runs as another user there, who must be given the sockets and files by which the controller hears it.")
            .help(format!("{SCHEME}root@{}/system, or the user's own: {SCHEME}{place}/session", ssh.address.host)));
    }
    ssh.user = user.parse().ok().zip(group.parse().ok());
    let here = ssh.socket("libvirt");
    ssh.forward(&here.to_string_lossy(), socket)?;
    let uri = format!("qemu+unix:///{}?socket={}", if system { "system" } else { "session" }, here.display());
    Ok((Arc::new(ssh), uri))
}

/// Where projects have their folders there, as a shell there has it.
fn base(system: bool) -> String {
    if system { SYSTEMS.to_owned() } else { "${XDG_CACHE_HOME:-$HOME/.cache}/deadpeer/elsewhere".to_owned() }
}

/// The folder of the project of this name: where it is, or will be.
///
/// # Errors
/// The other computer does not say.
pub(super) fn folder(ssh: &Ssh, name: &str) -> Result<PathBuf> {
    let path = PathBuf::from(ssh.run(&format!("echo \"{}\"", base(ssh.address.system)))?.trim_end()).join(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.is_absolute() && path.to_string_lossy().chars().all(plain) {
        return Ok(path);
    }
    Err(Error::usage(format!(
        "the provider vagrant cannot use the folder {} on {}",
        path.display(),
        ssh.address.place()
    ))
    .detail("In its name are characters that not everybody passes on as they are."))
}

/// Removes the folder of a project there, and what libvirt logged of its domains, whose names begin with `prefix`. No machine of it runs.
///
/// # Errors
/// The other computer does not do it.
pub(super) fn remove(ssh: &Ssh, folder: &Path, prefix: &str) -> Result<()> {
    // Those of others are not empty.
    let above: Vec<String> = folder.ancestors().skip(1).take(2).map(|it| format!("\"{}\"", it.display())).collect();
    let (above, folder) = (above.join(" "), folder.display());
    let logs = logs(&format!("{prefix}*"));
    ssh.run(&format!("rm -rf \"{folder}\" && {{ rmdir {above} 2>/dev/null; rm -f {logs}; }}")).map(drop)
}

/// Where libvirt logs a domain there, as a shell there has it.
fn logs(domain: &str) -> String {
    let users = "\"${XDG_CACHE_HOME:-$HOME/.cache}\"/libvirt/qemu/log";
    format!("/var/log/libvirt/qemu/{domain}.log {users}/{domain}.log")
}

/// A computer elsewhere, and a project's folder on it.
#[derive(Debug)]
pub(super) struct There {
    ssh: Arc<Ssh>,
    folder: PathBuf,
    /// Whom QEMU runs as, where it is not the user there.
    owner: Option<(u32, u32)>,
    relay: Relay,
}

impl There {
    /// Makes the folder, if it is not there, and starts the relay in it.
    ///
    /// # Errors
    /// It cannot be made, or the relay not be started.
    pub(super) fn lodge(ssh: &Arc<Ssh>, folder: &Path, owner: Option<(u32, u32)>) -> Result<Self> {
        let base = folder.parent().unwrap_or(folder).display();
        let open = if ssh.address.system { "chmod 711" } else { "chmod 700" };
        ssh.run(&format!("umask 077; mkdir -p \"{}\" && {open} \"{base}\"", folder.display())).map_err(|error| {
            error.during(&format!("cannot make the folder {} on {}", folder.display(), ssh.address.place()))
        })?;
        let program = folder.join(PROGRAM);
        ssh.send(&[embedded::guest_program(PROGRAM).unwrap_or_default()], &program)?;
        let relay = Relay::start(ssh.command(&format!("chmod 700 \"{0}\" && exec \"{0}\" relay", program.display())))?;
        let there = Self { ssh: Arc::clone(ssh), folder: folder.to_owned(), owner, relay };
        there.hand_over(&[folder.to_owned()])?;
        Ok(there)
    }

    fn ask(&self, order: &Order) -> Result<Word> {
        self.relay.ask(order).map_err(|error| self.ssh.lost().unwrap_or(error))
    }

    /// Makes whoever runs QEMU there the owner of something.
    fn hand_over(&self, paths: &[PathBuf]) -> Result<()> {
        let Some((user, group)) = self.owner else { return Ok(()) };
        let all: Vec<String> = paths.iter().map(|path| format!("\"{}\"", path.display())).collect();
        self.ssh.run(&format!("chown {user}:{group} {}", all.join(" "))).map(drop)
    }
}

/// All cables, by number: host and link.
fn cards(plan: &Plan) -> impl Iterator<Item = (u8, &HostPlan, usize)> {
    let all = plan.hosts.iter().flat_map(|host| (0..host.links.len()).map(move |link| (host, link)));
    (0..).zip(all).map(|(card, (host, link))| (card, host, link))
}

impl Site for There {
    fn is_here(&self) -> bool {
        false
    }

    fn choose_ports(&self, hosts: &mut [HostPlan]) -> Result<()> {
        let links: usize = hosts.iter().map(|host| host.links.len()).sum();
        let few = |number: usize| u8::try_from(number).broken(|| "there are too many hosts".to_owned());
        let order = Order::FreePorts { tcp: few(hosts.len())?, udp: few(2 * links)? };
        let Word::Ports(ports) = self.ask(&order)? else { return Err(unforeseen()) };
        let mut ports = ports.into_iter();
        let mut next = || ports.next().ok_or_else(unforeseen);
        for host in hosts.iter_mut() {
            host.machine_ssh_port = next()?;
        }
        for link in hosts.iter_mut().flat_map(|host| &mut host.links) {
            (link.switch_port, link.machine_port) = (next()?, next()?);
        }
        ports::choose_ssh(hosts)
    }

    fn open(&self, plan: &Plan) -> Result<()> {
        for (card, host, link) in cards(plan) {
            let link = &host.links[link];
            self.ask(&Order::Card { card, ours: link.switch_port, machines: link.machine_port })?;
        }
        let names = plan.hosts.iter().flat_map(|host| [plan.console(&host.name), plan.qmp(&host.name)]);
        let sockets: Vec<PathBuf> = names.collect();
        let all: Vec<String> = sockets.iter().map(|path| format!("\"{}\"", path.display())).collect();
        self.ssh.run(&format!("rm -f {}", all.join(" ")))?;
        for socket in &sockets {
            let here = plan.folder.join(socket.file_name().unwrap_or_default());
            self.ssh.forward_back(&socket.to_string_lossy(), &here.to_string_lossy())?;
        }
        self.hand_over(&sockets)?;
        for host in &plan.hosts {
            let port = host.ssh_port;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| ports::taken(plan, "TCP", port, &e))?;
            self.ssh.forward(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", host.machine_ssh_port))?;
        }
        Ok(())
    }

    fn cable(&self, plan: &Plan, host: &str, link: usize) -> Result<OwnedFd> {
        let found = cards(plan).find(|(_, of, number)| of.name == host && *number == link);
        let (card, ..) = found.ok_or_else(|| Error::broken(format!("host '{host}' has no link {link}")))?;
        self.relay.cable(card)
    }

    fn nobody_there(&self, plan: &Plan, host: &str) {
        for (card, ..) in cards(plan).filter(|(_, of, _)| of.name == host) {
            self.relay.nobody_there(card);
        }
    }

    fn make_folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        self.ssh.run(&format!("umask 077; mkdir \"{}\"", path.display()))?;
        self.hand_over(std::slice::from_ref(&path))?;
        Ok(path)
    }

    fn give(&self, name: &str, parts: &[&[u8]]) -> Result<()> {
        let path = self.folder.join(name);
        self.ssh.send(parts, &path)?;
        self.hand_over(&[path])
    }

    fn kernel(&self, kernel: &Path) -> Result<PathBuf> {
        let copy = self.folder.join(kernel_name(kernel));
        let there = self.ssh.run(&format!("test -e \"{}\" && echo yes || echo no", copy.display()))?;
        if there.trim_end() != "yes" {
            let file = File::open(kernel).broken(|| format!("cannot read {}", kernel.display()))?;
            self.ssh.send_file(file, &copy)?;
            self.hand_over(std::slice::from_ref(&copy))?;
        }
        Ok(copy)
    }

    fn admit(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn record_to(&self, plan: &Plan, host: &str, file: &Path) -> Result<()> {
        let number = (0..).zip(&plan.hosts).find(|(_, it)| it.name == host).map(|(number, _): (u8, _)| number);
        let recorder = number.ok_or_else(|| Error::broken(format!("the project has no host '{host}'")))?;
        let there = self.folder.join(file.file_name().unwrap_or_default());
        self.ssh.run(&format!(
            "umask 077; rm -f \"{0}\"; truncate -s {RECORDER_MIB}M \"{0}\" && ln -sfn \"{0}\" \"{1}\"",
            there.display(),
            plan.recorder(host).display()
        ))?;
        self.hand_over(std::slice::from_ref(&there))?;
        self.relay.copy_to(recorder, file)?;
        self.ask(&Order::Record { recorder, file: there.to_string_lossy().into_owned() }).map(drop)
    }

    fn process(&self, plan: &Plan, host: &str, _: &UnixStream) -> Result<u32> {
        match self.ask(&Order::Find { word: plan.qmp_device(host) })? {
            Word::Process { pid } if pid != 0 => Ok(pid),
            _ => Err(Error::broken(format!(
                "the QEMU of '{host}' is not among the processes of {}",
                self.ssh.address.place()
            ))
            .detail("Its /proc must show it (hidepid of proc(5)).")),
        }
    }

    fn state(&self, pid: u32) -> Result<Option<char>> {
        match self.ask(&Order::Look { pid })? {
            Word::State(state) => Ok(state),
            _ => Err(unforeseen()),
        }
    }

    fn command_line(&self, pid: u32) -> Option<Vec<u8>> {
        self.ssh.run(&format!("cat /proc/{pid}/cmdline")).ok().map(String::into_bytes)
    }

    fn log(&self, domain: &str) -> String {
        self.ssh.run(&format!("cat {} 2>/dev/null | tail -c {LOG_BYTES}", logs(domain))).unwrap_or_default()
    }
}

fn unforeseen() -> Error {
    Error::broken("the relay on the computer elsewhere answers something else than it was asked")
}
