//! The boxes that Vagrant has, as it keeps them in its home.

use super::plan::{HostPlan, Plan};
use crate::error::{Error, Result};
use crate::scenario::BoxName;
use std::fs::read_dir;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Vagrant's home: the user's boxes and plugins.
pub(super) fn home() -> PathBuf {
    let named = std::env::var_os("VAGRANT_HOME").filter(|home| !home.is_empty());
    named.map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".vagrant.d"), PathBuf::from)
}

/// Makes sure that Vagrant has our boxes, for the machines that come from them.
///
/// # Errors
/// It has not: what is there, and the command that adds it.
pub(super) fn present(plan: &Plan) -> Result<()> {
    let boxes = home().join("boxes");
    let mut ours = plan.hosts.iter().filter(|host| !host.is_foreign());
    let has = |host: &HostPlan| has(&boxes, &host.box_name, &host.box_version);
    ours.try_for_each(|host| if has(host) { Ok(()) } else { Err(missing(&boxes, host)) })
}

/// The box of this name, with its version: the one that is named, or the newest that Vagrant has.
///
/// # Errors
/// Vagrant has no such box for libvirt: the command that adds it.
pub fn with_version(boxed: &BoxName) -> Result<BoxName> {
    newest(&home().join("boxes"), boxed)
}

fn newest(boxes: &Path, boxed: &BoxName) -> Result<BoxName> {
    let all = versions(boxes, &boxed.name);
    let wanted = |version: &&String| boxed.version.as_ref().is_none_or(|wanted| wanted == *version);
    let fitting = all.iter().filter(|version| has(boxes, &boxed.name, version)).filter(wanted);
    match fitting.max_by_key(|version| parts(version)) {
        Some(version) => Ok(BoxName { name: boxed.name.clone(), version: Some(version.clone()) }),
        None => {
            let version = boxed.version.as_ref().map(|it| format!(" --box-version {it}")).unwrap_or_default();
            Err(Error::broken(format!("Vagrant has no box {boxed} for libvirt"))
                .detail(format!("versions in {}: {}", boxes.display(), listed(&all)))
                .help(format!("vagrant box add --provider libvirt{version} {}", boxed.name)))
        }
    }
}

/// A version's parts in the order in which versions follow each other: numbers as numbers (Ruby's `Gem::Version`).
fn parts(version: &str) -> Vec<(u64, String)> {
    let part = |part: &str| (part.parse().unwrap_or(0), part.to_owned());
    version.split(['.', '-']).map(part).collect()
}

/// The disk image of a box that Vagrant has: its size in bytes and when it was changed. A box that was added under the same name and version
/// has another.
pub(super) fn image(name: &str, version: &str) -> Option<(u64, SystemTime)> {
    let version = folder(&home().join("boxes"), name).join(version);
    let deeper = read_dir(&version).into_iter().flatten().flatten().map(|entry| entry.path());
    let images = std::iter::once(version).chain(deeper).map(|path| path.join("libvirt/box.img"));
    images.filter_map(|path| path.metadata().ok()).find_map(|it| Some((it.len(), it.modified().ok()?)))
}

fn folder(boxes: &Path, name: &str) -> PathBuf {
    boxes.join(name.replace('/', "-VAGRANTSLASH-"))
}

/// The versions of a box, whatever they are for.
fn versions(boxes: &Path, name: &str) -> Vec<String> {
    let entries = read_dir(folder(boxes, name)).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn listed(versions: &[String]) -> String {
    if versions.is_empty() { "none".to_owned() } else { versions.join(", ") }
}

/// `NAME/VERSION/PROVIDER`, since Vagrant 2.4 with the architecture before the provider.
fn has(boxes: &Path, name: &str, version: &str) -> bool {
    let version = folder(boxes, name).join(version);
    let deeper = read_dir(&version).into_iter().flatten().flatten().map(|entry| entry.path());
    std::iter::once(version).chain(deeper).any(|path| path.join("libvirt").is_dir())
}

fn missing(boxes: &Path, host: &HostPlan) -> Error {
    let there = listed(&versions(boxes, &host.box_name));
    let HostPlan { name, box_name, box_version, .. } = host;
    let suite = box_name.rsplit('/').next().unwrap_or_default();
    Error::broken(format!("Vagrant has no box {box_name} of version {box_version}, which host '{name}' needs"))
        .detail(format!("versions in {}: {there}", boxes.display()))
        .help(format!("controller image box --kernel {suite}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::plan::Boots;
    use super::*;

    #[test]
    fn of_a_box_of_somebody_elses_the_newest_version_is_taken_or_the_one_that_is_named() {
        let home = tempfile::tempdir().unwrap();
        let boxes = home.path();
        let wanted = |text: &str| newest(boxes, &text.parse().unwrap());
        let error = wanted("debian/bookworm64").unwrap_err();
        assert_eq!(error.fact, "Vagrant has no box debian/bookworm64 for libvirt");
        assert_eq!(error.help.unwrap(), "vagrant box add --provider libvirt debian/bookworm64");
        for version in ["12.9.1/libvirt", "12.20250126.1/amd64/libvirt", "13.1/virtualbox"] {
            std::fs::create_dir_all(folder(boxes, "debian/bookworm64").join(version)).unwrap();
        }
        assert_eq!(wanted("debian/bookworm64").unwrap().to_string(), "debian/bookworm64@12.20250126.1");
        assert_eq!(wanted("debian/bookworm64@12.9.1").unwrap().to_string(), "debian/bookworm64@12.9.1");
        let error = wanted("debian/bookworm64@13.1").unwrap_err();
        assert_eq!(error.help.unwrap(), "vagrant box add --provider libvirt --box-version 13.1 debian/bookworm64");
    }

    #[test]
    fn a_box_is_found_by_name_and_version_in_either_layout() {
        let home = tempfile::tempdir().unwrap();
        let host = HostPlan {
            name: "server".into(),
            box_name: "deadpeer/trixie".into(),
            box_version: "0.1.0.7".into(),
            memory: 256,
            boots: Boots::Kernel { kernel: PathBuf::new(), append: String::new() },
            control_mac: [0; 6],
            ssh_port: 0,
            machine_ssh_port: 0,
            links: Vec::new(),
            recorder: true,
        };
        let has = || has(home.path(), &host.box_name, &host.box_version);
        let folder = folder(home.path(), &host.box_name);
        assert!(!has());
        for layout in ["0.1.0.7/libvirt", "0.1.0.7/amd64/libvirt"] {
            let path = folder.join(layout);
            std::fs::create_dir_all(&path).unwrap();
            assert!(has(), "{layout}");
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(folder.join("0.1.0.6/libvirt")).unwrap();
        let error = missing(home.path(), &host);
        assert_eq!(error.fact, "Vagrant has no box deadpeer/trixie of version 0.1.0.7, which host 'server' needs");
        assert!(error.detail.unwrap().ends_with(": 0.1.0.6"));
        assert_eq!(error.help.unwrap(), "controller image box --kernel trixie");
    }
}
