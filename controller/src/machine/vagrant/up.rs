//! `vagrant up`: the machines of a project, in one go and side by side; those from boxes of somebody else's apart, as they are furnished.
//!
//! A machine runs long before Vagrant is done with it, which waits until it can log in; its boot is watched meanwhile like any other. Where
//! its SSH is, `vagrant ssh-config` says afterwards.

use super::boxes;
use super::plan::Plan;
use super::project::Project;
use crate::error::{Context, Error, Result};
use crate::machine::Accelerator;
use crate::process::{self, Child};
use crate::timeline::Ended;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How long Vagrant may take beside the boots: it reads Ruby, copies the box's disk and defines the machines.
const BESIDE_BOOTS: Duration = Duration::from_secs(180);

/// How long `vagrant ssh-config` may take.
const CONFIG_WITHIN: Duration = Duration::from_secs(120);

/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(20);

/// Lines of Vagrant's that an error shows.
const LINES: usize = 25;

/// A `vagrant up`. Dropped, it is ended, if it still works.
#[derive(Debug)]
pub(super) struct Up {
    /// What Vagrant was told: `up`, `halt`.
    what: &'static str,
    child: Child,
    log: PathBuf,
    began: Instant,
    within: Duration,
    /// It is done, and this is where the machines' SSH is.
    endpoints: Option<Vec<(String, SocketAddr)>>,
}

impl Up {
    /// Begins to bring up these hosts: with whatever its Vagrantfile has for provisioning them, or without.
    fn begin(project: &Project, hosts: &[&str], provision: &str) -> Result<Self> {
        Self::start(project, "up", &[&["--provider=libvirt", provision], hosts].concat())
    }

    fn start(project: &Project, what: &'static str, words: &[&str]) -> Result<Self> {
        let file = File::options()
            .append(true)
            .create(true)
            .open(&project.log)
            .broken(|| format!("cannot write {}", project.log.display()))?;
        let mut command = vagrant(project, &[&[what], words].concat());
        let other = file.try_clone().broken(|| "cannot keep what Vagrant says".to_owned())?;
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        let child = process::spawn(command, |_| ())?;
        let within = BESIDE_BOOTS + Duration::from_secs(project.plan.boot_seconds);
        Ok(Self { what, child, log: project.log.clone(), began: Instant::now(), within, endpoints: None })
    }

    /// Whether it is done; an error if it failed, or takes too long.
    fn done(&self) -> Result<bool> {
        match self.child.ended() {
            Some(Ended::Exit(0)) => Ok(true),
            Some(how) => Err(failed(self.what, &how, &fs::read_to_string(&self.log).unwrap_or_default())),
            None if self.began.elapsed() > self.within => {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                Err(Error::broken(format!("`vagrant {}` was not done within {:?}", self.what, self.within))
                    .detail(last(&said))
                    .help("Give the machines longer: --boot-within '180 s'"))
            }
            None => Ok(false),
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Vagrant may be a program that started another: both are in the group that this one leads.
        if self.child.ended().is_none()
            && let Ok(pid) = i32::try_from(self.child.pid())
        {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Begins a `vagrant up` of these hosts, which are made from boxes of somebody else's, that furnishes them too.
pub(super) fn furnish(project: &Project, hosts: &[&str]) -> Result<()> {
    let mut up = project.up.lock().unwrap_or_else(PoisonError::into_inner);
    *up = Some(Up::begin(project, hosts, "--provision")?);
    Ok(())
}

/// Has Vagrant shut these hosts down; [`go`] says how that goes.
pub(super) fn halt(project: &Project, hosts: &[&str]) -> Result<()> {
    let mut up = project.up.lock().unwrap_or_else(PoisonError::into_inner);
    *up = Some(Up::start(project, "halt", hosts)?);
    Ok(())
}

/// Vagrant has done its part with those hosts.
pub(super) fn done(project: &Project) {
    *project.up.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Begins `vagrant up`, unless that was done; says how it goes.
pub(super) fn go(project: &Project) -> Result<bool> {
    let mut up = project.up.lock().unwrap_or_else(PoisonError::into_inner);
    match &*up {
        Some(up) => up.done(),
        None => {
            *up = Some(Up::begin(project, &made_at_once(project), "--no-provision")?);
            Ok(false)
        }
    }
}

/// Waits until Vagrant is done, and gives where it says that the host's SSH is.
pub(super) fn endpoint(project: &Project, host: &str) -> Result<SocketAddr> {
    let mut up = project.up.lock().unwrap_or_else(PoisonError::into_inner);
    let endpoints = match &mut *up {
        None => noted_endpoints(project)?,
        Some(up) => match &up.endpoints {
            Some(known) => known.clone(),
            None => {
                while !up.done()? {
                    if (project.stop)() {
                        return Err(Error::interrupted());
                    }
                    std::thread::sleep(LOOK);
                }
                note_endpoints(project, &ask_endpoints(project, &made_at_once(project))?)?;
                up.endpoints.insert(noted_endpoints(project)?).clone()
            }
        },
    };
    let found = endpoints.iter().find(|(name, _)| name == host).map(|(_, address)| *address);
    found.ok_or_else(|| Error::broken(format!("`vagrant ssh-config` does not say where the SSH of host '{host}' is")))
}

/// The hosts that need no furnishing.
fn made_at_once(project: &Project) -> Vec<&str> {
    project.plan.hosts.iter().filter(|host| !host.is_foreign()).map(|host| host.name.as_str()).collect()
}

/// What `vagrant ssh-config` says of these hosts, which are up.
pub(super) fn ask_endpoints(project: &Project, hosts: &[&str]) -> Result<String> {
    let out = process::output(vagrant(project, &[&["ssh-config"], hosts].concat()), CONFIG_WITHIN)?;
    if out.how != Ended::Exit(0) {
        return Err(Error::broken(format!("`vagrant ssh-config` {}", out.how)).detail(last(&out.stderr)));
    }
    Ok(out.stdout)
}

/// Notes down what `vagrant ssh-config` said of some hosts: their machines are made. A lab that takes them again goes by it.
pub(super) fn note_endpoints(project: &Project, said: &str) -> Result<()> {
    let file = endpoints_file(&project.plan);
    let text = fs::read_to_string(&file).unwrap_or_default() + said;
    fs::write(&file, text).broken(|| format!("cannot write {}", file.display()))
}

/// Whether all machines of a plan were made.
pub(super) fn is_complete(plan: &Plan) -> bool {
    let noted = parse(&fs::read_to_string(endpoints_file(plan)).unwrap_or_default());
    plan.hosts.iter().all(|host| noted.iter().any(|(name, _)| *name == host.name))
}

fn noted_endpoints(project: &Project) -> Result<Vec<(String, SocketAddr)>> {
    let file = endpoints_file(&project.plan);
    fs::read_to_string(&file).map(|text| parse(&text)).broken(|| format!("cannot read {}", file.display()))
}

/// Where it is kept what `vagrant ssh-config` said of the machines that are made.
fn endpoints_file(plan: &Plan) -> PathBuf {
    plan.folder.join("ssh-config")
}

/// Where each host's SSH is, out of an ssh_config(5).
fn parse(text: &str) -> Vec<(String, SocketAddr)> {
    let mut all = Vec::new();
    let (mut host, mut name) = (String::new(), String::new());
    for line in text.lines() {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["Host", it] => host = it.to_owned(),
            ["HostName", it] => name = it.to_owned(),
            ["Port", port] => all.extend(format!("{name}:{port}").parse().ok().map(|address| (host.clone(), address))),
            _ => {}
        }
    }
    all
}

/// Vagrant on a project, with a home of the project's own: what Vagrant notes down of machines is gone with them, and several labs do not
/// wait for each other's locks. Boxes and plugins are the user's.
pub(super) fn vagrant(project: &Project, words: &[&str]) -> Command {
    let mut command = Command::new(&project.info.vagrant);
    let folder = &project.plan.folder;
    command.args(words).current_dir(folder).env("VAGRANT_CWD", folder).env("VAGRANT_HOME", folder.join("home"));
    for name in ["VAGRANT_VAGRANTFILE", "VAGRANT_DOTFILE_PATH", "VAGRANT_LOG"] {
        command.env_remove(name);
    }
    for name in ["VAGRANT_NO_COLOR", "VAGRANT_CHECKPOINT_DISABLE", "VAGRANT_BOX_UPDATE_CHECK_DISABLE"] {
        command.env(name, "1");
    }
    // The box would try it out for itself.
    let accelerator = match project.plan.accelerator {
        Accelerator::Kvm => "kvm",
        Accelerator::Tcg => "tcg",
    };
    command.env("DEADPEER_ACCELERATOR", accelerator).env("LC_ALL", "C.UTF-8");
    command
}

/// Makes the project's own home for Vagrant.
pub(super) fn home(folder: &Path) -> Result<()> {
    let home = folder.join("home");
    fs::create_dir(&home).broken(|| format!("cannot make {}", home.display()))?;
    for name in ["boxes", "gems", "plugins.json"] {
        let (theirs, ours) = (boxes::home().join(name), home.join(name));
        if theirs.exists() {
            symlink(&theirs, &ours).broken(|| format!("cannot make {}", ours.display()))?;
        }
    }
    Ok(())
}

/// Why Vagrant failed, as far as that can be told from what it said, and what helps.
fn failed(what: &str, how: &Ended, said: &str) -> Error {
    let fact =
        if what == "up" { "Vagrant did not bring the machines up" } else { "Vagrant did not shut the machines down" };
    why(said, fact).detail(format!("`vagrant {what}` {how}; it said last:\n{}", last(said)))
}

/// What these words of Vagrant's or QEMU's mean, and what helps; `else_fact`, if that is not known.
pub(super) fn why(said: &str, else_fact: &str) -> Error {
    match KNOWN.iter().find(|(words, ..)| said.contains(words)) {
        None => Error::broken(else_fact),
        Some((_, fact, help)) => Error::broken(*fact).help(*help),
    }
}

/// What Vagrant and QEMU say (their own words), what it means, and what helps.
const KNOWN: [(&str, &str, &str); 8] = [
    (
        "Could not set up host forwarding rule",
        "a port of 127.0.0.1 that was free when the lab was planned is in use",
        "Run it again: other ports are taken. See who listens: ss -ltnp",
    ),
    (
        "can't bind ip=",
        "a UDP port of 127.0.0.1 that was free when the lab was planned is in use",
        "Run it again: other ports are taken. See who has it: ss -lunp",
    ),
    (
        "could not be found or could not be accessed",
        "Vagrant does not have a box that it had before",
        "controller image box\nor, if it is a box of somebody else's: vagrant box add --provider libvirt NAME",
    ),
    (
        "The provider 'libvirt' could not be found",
        "Vagrant cannot use its plugin vagrant-libvirt",
        "./lab setup vagrant",
    ),
    ("Error while connecting to Libvirt", "libvirt does not answer Vagrant", "See whether it answers: virsh list"),
    (
        "virtlogd-sock",
        "libvirt's daemon for logs does not answer",
        "sudo systemctl start virtlogd\nor, where there is no systemd: sudo virtlogd -d",
    ),
    (
        "deadpeer: the box lacks",
        "the box lacks what a host of a lab needs",
        "Take a box of a Debian with systemd, OpenSSH, iproute2, iputils-ping and procps.",
    ),
    (
        "Timed out while waiting for the machine to boot",
        "a machine did not let Vagrant log in",
        "Give it longer, if it may have been still booting: --boot-within '180 s'",
    ),
];

/// The last lines, but for where in Ruby's files something happened, and for progress that was drawn over itself.
fn last(text: &str) -> String {
    let told = |line: &&str| {
        !line.is_empty() && !line.contains(".rb:") && !line.contains("<internal:") && !line.contains("\u{1b}[K")
    };
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(told).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn where_ssh_is_is_read_of_each_host() {
        let text = "Host client\n  HostName 127.0.0.1\n  User root\n  Port 42001\n  IdentityFile /x\n\n\
                    Host server\n  HostName 127.0.0.1\n  User root\n  Port 42002\n";
        let wanted = [("client", 42_001), ("server", 42_002)]
            .map(|(host, port)| (host.to_owned(), ([127, 0, 0, 1], port).into()));
        assert_eq!(parse(text), wanted);
        assert_eq!(parse("Host x\n  HostName nowhere\n  Port 1\n"), []);
    }

    #[test]
    fn what_vagrant_says_is_named_with_what_helps() {
        let said = "==> client: ...\nCall to virDomainCreateWithFlags failed: internal error: process exited while connecting to monitor: \
                    Could not set up host forwarding rule 'tcp:127.0.0.1:42001-10.0.2.15:22'\n";
        let error = failed("up", &Ended::Exit(1), said);
        assert!(error.fact.starts_with("a port of 127.0.0.1") && error.help.is_some(), "{error}");
        assert!(error.detail.unwrap().contains("tcp:127.0.0.1:42001"));
        let error = failed("up", &Ended::Exit(1), "something new\n");
        assert_eq!(error.fact, "Vagrant did not bring the machines up");
        assert!(error.detail.unwrap().ends_with("something new"));
    }
}
