//! The boxes that Vagrant has, as it keeps them in its home.

use super::plan::{HostPlan, Plan};
use crate::error::{Error, Result};
use std::fs::read_dir;
use std::path::{Path, PathBuf};

/// Vagrant's home: the user's boxes and plugins.
pub(super) fn home() -> PathBuf {
    let named = std::env::var_os("VAGRANT_HOME").filter(|home| !home.is_empty());
    named.map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".vagrant.d"), PathBuf::from)
}

/// Makes sure that Vagrant has the boxes of all machines.
///
/// # Errors
/// It has not: what is there, and the command that adds it.
pub(super) fn present(plan: &Plan) -> Result<()> {
    let boxes = home().join("boxes");
    plan.hosts.iter().try_for_each(|host| if has(&boxes, host) { Ok(()) } else { Err(missing(&boxes, host)) })
}

fn folder(boxes: &Path, host: &HostPlan) -> PathBuf {
    boxes.join(host.box_name.replace('/', "-VAGRANTSLASH-"))
}

/// `NAME/VERSION/PROVIDER`, since Vagrant 2.4 with the architecture before the provider.
fn has(boxes: &Path, host: &HostPlan) -> bool {
    let version = folder(boxes, host).join(&host.box_version);
    let deeper = read_dir(&version).into_iter().flatten().flatten().map(|entry| entry.path());
    std::iter::once(version).chain(deeper).any(|path| path.join("libvirt").is_dir())
}

fn missing(boxes: &Path, host: &HostPlan) -> Error {
    let others = read_dir(folder(boxes, host)).into_iter().flatten().flatten();
    let others: Vec<String> = others
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let there = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    let HostPlan { name, box_name, box_version, .. } = host;
    let suite = box_name.rsplit('/').next().unwrap_or_default();
    Error::broken(format!("Vagrant has no box {box_name} of version {box_version}, which host '{name}' needs"))
        .detail(format!("versions in {}: {there}", boxes.display()))
        .help(format!("controller image box --kernel {suite}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_found_by_name_and_version_in_either_layout() {
        let home = tempfile::tempdir().unwrap();
        let host = HostPlan {
            name: "server".into(),
            box_name: "deadpeer/trixie".into(),
            box_version: "0.1.0.7".into(),
            memory: 256,
            kernel: PathBuf::new(),
            append: String::new(),
            control_mac: [0; 6],
            ssh_port: 0,
            machine_ssh_port: 0,
            links: Vec::new(),
            recorder: true,
        };
        assert!(!has(home.path(), &host));
        for layout in ["0.1.0.7/libvirt", "0.1.0.7/amd64/libvirt"] {
            let path = folder(home.path(), &host).join(layout);
            std::fs::create_dir_all(&path).unwrap();
            assert!(has(home.path(), &host), "{layout}");
            std::fs::remove_dir_all(folder(home.path(), &host)).unwrap();
        }
        std::fs::create_dir_all(folder(home.path(), &host).join("0.1.0.6/libvirt")).unwrap();
        let error = missing(home.path(), &host);
        assert_eq!(error.fact, "Vagrant has no box deadpeer/trixie of version 0.1.0.7, which host 'server' needs");
        assert!(error.detail.unwrap().ends_with(": 0.1.0.6"));
        assert_eq!(error.help.unwrap(), "controller image box --kernel trixie");
    }
}
