//! Finding Vagrant, its libvirt plugin and libvirt, and whether they can be worked with.

use super::elsewhere::{Address, SCHEME};
use super::virsh::{Virsh, between};
use crate::error::{Error, Result};
use crate::machine::qemu;
use crate::process;
use crate::timeline::Ended;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What helps where something is missing.
const INSTALL: &str = "./lab setup vagrant";

/// How long Vagrant may take to say something of itself: it reads some hundred files of Ruby.
const PATIENCE: Duration = Duration::from_secs(60);

/// Vagrant and libvirt on this computer.
#[derive(Debug, Clone)]
pub struct Info {
    /// Vagrant's executable.
    pub vagrant: PathBuf,
    /// libvirt.
    pub virsh: Virsh,
    /// What they are.
    pub versions: Versions,
    /// Whom QEMU runs as, where it is not this user: user and group.
    pub(super) owner: Option<(u32, u32)>,
    /// Where libvirt is, as the user says it.
    pub uri: String,
    /// What runs the machines, if libvirt is elsewhere.
    pub elsewhere: Option<Hypervisor>,
}

/// The QEMU of a libvirt elsewhere, as that tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hypervisor {
    /// The executable there, and its version.
    pub qemu: qemu::Info,
    /// Whether libvirt offers KVM.
    pub kvm: bool,
}

/// What ran the machines beside QEMU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Vagrant.
    pub vagrant: String,
    /// Its plugin vagrant-libvirt.
    pub plugin: String,
    /// libvirt's daemon.
    pub libvirt: String,
    /// Where libvirt was: `qemu:///session` (the user's own), `qemu:///system` (root's), or elsewhere. It names no user and no file.
    pub uri: String,
}

impl Info {
    /// Looks for all of it; `uri` is where libvirt is, if not [where it is usually](usual_uri).
    ///
    /// # Errors
    /// Vagrant, its plugin or virsh is missing, libvirt does not answer, or is one that cannot be worked with. The error says what helps.
    pub fn find(uri: Option<&str>) -> Result<Self> {
        let vagrant = locate("vagrant", "DEADPEER_VAGRANT")?;
        let program = locate("virsh", "DEADPEER_VIRSH")?;
        let uri = uri.map_or_else(usual_uri, str::to_owned);
        let told = can_be_used(&uri)?;
        let virsh = Virsh::at(&program, &uri)?;
        // Side by side: Vagrant reads Ruby for a second.
        let (of_libvirt, of_vagrant) = std::thread::scope(|scope| {
            let asked = scope.spawn(|| ask_vagrant(&vagrant));
            (ask_libvirt(&virsh, &told), asked.join())
        });
        let (libvirt, owner) = of_libvirt?;
        let elsewhere = virsh.ssh.is_some().then(|| ask_hypervisor(&virsh, &told)).transpose()?;
        let (version, plugin) = of_vagrant.map_err(|_| Error::broken("a worker thread of the controller died"))??;
        let versions = Versions { vagrant: version, plugin, libvirt, uri: told };
        Ok(Self { vagrant, virsh, versions, owner, uri, elsewhere })
    }
}

/// Where libvirt is if nobody says so: `LIBVIRT_DEFAULT_URI` or, if that is not set, the user's own, or the system's for root, whom libvirt
/// gives no other.
#[must_use]
pub fn usual_uri() -> String {
    let set = std::env::var("LIBVIRT_DEFAULT_URI").ok().filter(|uri| !uri.is_empty());
    let root = nix::unistd::geteuid().is_root();
    set.unwrap_or_else(|| if root { "qemu:///system" } else { "qemu:///session" }.to_owned())
}

/// Whether this libvirt is on another computer, reached over SSH.
#[must_use]
pub fn is_elsewhere(uri: &str) -> bool {
    uri.starts_with(SCHEME)
}

/// The version of a libvirt elsewhere, and that of its QEMU, if it has one that can be worked with.
///
/// # Errors
/// It cannot be reached, or cannot be worked with.
pub fn look_elsewhere(uri: &str) -> Result<(String, Option<String>)> {
    let told = can_be_used(uri)?;
    let virsh = Virsh::at(&locate("virsh", "DEADPEER_VIRSH")?, uri)?;
    let (version, _) = ask_libvirt(&virsh, &told)?;
    Ok((version, ask_hypervisor(&virsh, &told).ok().map(|it| it.qemu.version.to_string())))
}

/// The executable: the named one, or the first of the search path.
fn locate(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os(variable).filter(|it| !it.is_empty()) {
        return Ok(named.into());
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::broken(format!("{name} is missing"))
            .detail(format!("looked for it on PATH={}", search.to_string_lossy()))
            .help(format!("{INSTALL}\nor do without: --provider qemu"))
    })
}

/// A libvirt on this computer will do, or one that is reached over SSH; how a report names it.
fn can_be_used(uri: &str) -> Result<String> {
    if is_elsewhere(uri) {
        return Ok(Address::parse(uri)?.neutral());
    }
    if ["qemu:///", "qemu+unix:///", "test:///"].iter().any(|start| uri.starts_with(start)) {
        return Ok(uri.to_owned());
    }
    Err(Error::usage(format!("the provider vagrant cannot use the libvirt at {uri}"))
        .detail(
            "What the machines say, and what goes over their cables, must come to this computer: without it nothing could be proved.",
        )
        .help(format!("One on another computer is reached over SSH: {SCHEME}[USER@]HOST/system (or /session)")))
}

/// The QEMU of a libvirt elsewhere.
fn ask_hypervisor(virsh: &Virsh, told: &str) -> Result<Hypervisor> {
    let can = |kind: &str| virsh.ask(&["domcapabilities", "--arch", std::env::consts::ARCH, "--virttype", kind]);
    let (kvm, emulated) = (can("kvm")?, can("qemu")?);
    let version = virsh.tell(&["version"])?;
    let version = after(&version, "Running hypervisor: QEMU ");
    let path = between(&emulated.stdout, "<path>", "</path>").or_else(|| between(&kvm.stdout, "<path>", "</path>"));
    let (Some(path), Some(version)) = (path, version.as_deref().and_then(qemu::Version::read)) else {
        return Err(Error::broken(format!("the libvirt at {told} has no QEMU"))
            .detail(emulated.stderr.trim_end())
            .help("There: sudo apt-get install qemu-system-x86"));
    };
    if version < qemu::OLDEST {
        return Err(Error::broken(format!(
            "QEMU at {told} is too old: found {version}, needed {} or newer",
            qemu::OLDEST
        ))
        .detail(format!("found at {path}")));
    }
    Ok(Hypervisor { qemu: qemu::Info { path: path.into(), version }, kvm: kvm.how == Ended::Exit(0) })
}

/// libvirt's version, and whom its QEMUs run as, if it is not this user.
fn ask_libvirt(virsh: &Virsh, told: &str) -> Result<(String, Option<(u32, u32)>)> {
    let silent = |error: Error| {
        let start = match virsh.uri.contains("/system") {
            true => {
                "sudo systemctl start libvirtd\nor, where there is no systemd: sudo virtlogd -d && sudo libvirtd -d"
            }
            false => INSTALL,
        };
        Error::broken(format!("libvirt at {told} does not answer"))
            .detail(error.fact)
            .detail(error.detail.unwrap_or_default())
            .help(start)
    };
    let capabilities = virsh.tell(&["capabilities"]).map_err(silent)?;
    let versions = virsh.tell(&["version", "--daemon"]).map_err(silent)?;
    let version = after(&versions, "Running against daemon: ").or_else(|| after(&versions, "Using library: libvirt "));
    if !virsh.uri.contains("/system") {
        return Ok((version.unwrap_or_default(), None));
    }
    if let Some(guard) =
        ["apparmor", "selinux"].iter().find(|it| capabilities.contains(&format!("<model>{it}</model>")))
    {
        return Err(Error::broken(format!("libvirt at {told} confines its machines by {guard}"))
            .detail("They could not reach the sockets and files by which the controller hears them.")
            .help("Run as an ordinary user, whose machines are not confined,\nor set security_driver = \"none\" in /etc/libvirt/qemu.conf and restart libvirtd"));
    }
    Ok((version.unwrap_or_default(), owner(&capabilities)))
}

/// Whom QEMU runs as (libvirt's documentation, `formatcaps`: `<baselabel type='qemu'>+64055:+64055</baselabel>`).
fn owner(capabilities: &str) -> Option<(u32, u32)> {
    let label = capabilities.split_once("<model>dac</model>")?.1.split_once("<baselabel type='qemu'>")?.1;
    let (user, group) = label.split_once('<')?.0.split_once(':')?;
    let number = |text: &str| text.trim_start_matches('+').parse().ok();
    Some((number(user)?, number(group)?))
}

/// The versions of Vagrant and of its plugin.
fn ask_vagrant(vagrant: &PathBuf) -> Result<(String, String)> {
    let ask = |word: &[&str]| {
        let mut command = Command::new(vagrant);
        command.args(word).env("VAGRANT_CHECKPOINT_DISABLE", "1").env("VAGRANT_NO_COLOR", "1");
        let out = process::output(command, PATIENCE)?;
        if out.how == Ended::Exit(0) {
            return Ok(out.stdout);
        }
        Err(Error::broken(format!("`vagrant {}` {}", word.join(" "), out.how))
            .detail(out.stderr.trim_end())
            .detail(out.stdout.trim_end())
            .help(INSTALL))
    };
    let version = ask(&["--version"])?;
    let plugins = ask(&["plugin", "list"])?;
    let plugin = after(&plugins, "vagrant-libvirt (").and_then(|rest| Some(rest.split([',', ')']).next()?.to_owned()));
    let plugin = plugin.ok_or_else(|| {
        Error::broken("Vagrant has no plugin vagrant-libvirt")
            .detail(format!("`vagrant plugin list`:\n{}", plugins.trim()))
            .help(INSTALL)
    })?;
    Ok((after(&version, "Vagrant ").unwrap_or_else(|| version.trim().to_owned()), plugin))
}

/// What follows `words` on the line that begins with it.
fn after(text: &str, words: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.trim().strip_prefix(words)?.trim().to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn whom_qemu_runs_as_is_read() {
        let text = "<secmodel><model>none</model></secmodel><secmodel>\n<model>dac</model>\n<doi>0</doi>\n\
                    <baselabel type='kvm'>+1:+2</baselabel>\n<baselabel type='qemu'>+64055:+108</baselabel></secmodel>";
        assert_eq!(owner(text), Some((64_055, 108)));
        assert_eq!(owner("<model>dac</model>"), None);
    }

    #[test]
    fn a_libvirt_that_cannot_be_used_is_refused_with_what_can() {
        for uri in ["qemu://lab/system", "xen:///", "qemu+tcp://127.0.0.1/system"] {
            let error = can_be_used(uri).unwrap_err();
            assert_eq!(error.kind, crate::error::Kind::Usage);
            assert!(error.help.unwrap().contains("qemu+ssh://[USER@]HOST/system"), "{uri}");
        }
        for (uri, told) in [
            ("qemu:///session", "qemu:///session"),
            ("qemu+unix:///system?socket=/run/x", "qemu+unix:///system?socket=/run/x"),
            ("qemu+ssh://root@lab/system?keyfile=/k", "qemu+ssh://lab/system"),
        ] {
            assert_eq!(can_be_used(uri).unwrap(), told);
        }
    }
}
