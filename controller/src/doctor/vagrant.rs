//! Looking at Vagrant and its libvirt. What they print is taken apart by functions of a text.

use super::collect::find;
use super::facts::{Libvirt, Trouble, Vagrant};
use crate::error::Error;
use crate::machine;
use std::process::Command;

/// How long one of them may take to answer, in seconds: Vagrant is a large Ruby program, and libvirt's daemon may have to be started.
const PATIENCE: &str = "30";

/// What is to be said of Vagrant on this host, for this user.
pub(super) fn look(root: bool) -> Vagrant {
    let uri = machine::vagrant::usual_uri();
    let libvirt = libvirt(&uri, root);
    let plugins = answer("vagrant", &["plugin", "list"]);
    Vagrant {
        version: answer("vagrant", &["--version"])
            .map(|said| said.trim().trim_start_matches("Vagrant ").to_owned())
            .map_err(|why| Trouble {
                fact: format!("Vagrant does not work: {why}"),
                help: Some("vagrant --version".to_owned()),
            }),
        plugin: plugins.ok().and_then(|said| plugin(&said)),
        uri,
        libvirt,
    }
}

fn libvirt(uri: &str, root: bool) -> Result<Libvirt, Trouble> {
    let lacking = [("virsh", "libvirt-clients"), ("libvirtd", "libvirt-daemon")];
    if let Some((program, package)) = lacking.into_iter().find(|(program, _)| find(program).is_none()) {
        let sudo = if root { "" } else { "sudo " };
        return Err(Trouble {
            fact: format!("{program} is missing, which machines made by Vagrant need"),
            help: Some(format!("{sudo}apt-get install --no-install-recommends {package}")),
        });
    }
    if machine::vagrant::is_elsewhere(uri) {
        let trouble = |error: Error| Trouble { fact: error.fact, help: error.help };
        return machine::vagrant::look_elsewhere(uri).map_err(trouble).map(|(version, qemu)| Libvirt { version, qemu });
    }
    let said = answer("virsh", &["--connect", uri, "version"]).map_err(|why| Trouble {
        fact: format!("libvirt does not answer at {uri}: {why}"),
        // For an ordinary user, libvirt's library starts the daemon by itself.
        help: Some(
            if root { "systemctl start libvirtd, or without systemd: libvirtd --daemon" } else { "virsh uri" }
                .to_owned(),
        ),
    })?;
    let emulates = answer("virsh", &["--connect", uri, "domcapabilities", "--virttype", "qemu"]).is_ok();
    let version = after(&said, "Using library: libvirt ").unwrap_or_else(|| "of an unknown version".to_owned());
    Ok(Libvirt { version, qemu: after(&said, "Running hypervisor: QEMU ").filter(|_| emulates) })
}

/// What a program prints; if it fails, the first line of what it says of that.
fn answer(program: &str, arguments: &[&str]) -> Result<String, String> {
    let run = Command::new("timeout").arg(PATIENCE).arg(program).args(arguments).env("LC_ALL", "C").output();
    let output = run.map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(match (output.status.code(), errors.lines().rfind(|line| !line.trim().is_empty())) {
        (Some(124), _) => format!("no answer within {PATIENCE} s"),
        (_, Some(line)) => line.trim().trim_start_matches("error: ").to_owned(),
        _ => output.status.to_string(),
    })
}

/// The version of vagrant-libvirt in what `vagrant plugin list` prints: `vagrant-libvirt (0.11.2, system)`.
pub(super) fn plugin(listed: &str) -> Option<String> {
    let version = after(listed, "vagrant-libvirt (")?;
    Some(version.split([',', ')']).next().unwrap_or_default().to_owned())
}

/// What follows these words on the line that begins with them.
pub(super) fn after(text: &str, words: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(words)).map(|rest| rest.trim().to_owned())
}
