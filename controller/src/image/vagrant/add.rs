//! Has Vagrant take a box.

use super::super::tool::{self, Tool};
use super::pack::Packed;
use crate::error::{Context, Error, Result};
use std::fmt::Write as _;

/// What became of a box that Vagrant was to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// Vagrant has it now.
    Now {
        /// Earlier versions of it, which were removed.
        removed: Vec<String>,
        /// Earlier versions that stay, as machines use them.
        kept: Vec<String>,
    },
    /// Vagrant had it.
    Already,
}

/// Has Vagrant take this box under its name and version, unless it has that. Earlier versions of it that no machine uses are removed.
///
/// # Errors
/// Vagrant is missing or refuses.
pub fn add(packed: &Packed, interrupted: &dyn Fn() -> bool) -> Result<Added> {
    if !tool::missing(&["vagrant"]).is_empty() {
        return Err(Error::broken("Vagrant is missing, which was to take the box")
            .detail(format!("the box is packed: {}", packed.file.display()))
            .help("./lab setup vagrant\nor pack it without: controller image box --no-add --out FILE"));
    }
    let versions = versions(&vagrant(["box", "list", "--machine-readable"], interrupted)?, &packed.name);
    if versions.contains(&packed.version) {
        return Ok(Added::Already);
    }
    let folder = tempfile::tempdir().broken(|| "cannot make a folder".to_owned())?;
    let catalogue = folder.path().join("catalogue.json");
    std::fs::write(&catalogue, catalogue_of(packed)).broken(|| format!("cannot write {}", catalogue.display()))?;
    vagrant(["box", "add", "--provider", "libvirt", &catalogue.to_string_lossy()], interrupted)
        .map_err(|error| error.during("having Vagrant take the box"))?;
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for version in versions {
        let remove = ["box", "remove", &packed.name, "--provider", "libvirt", "--box-version", &version];
        // It refuses where a machine uses it, and would ask; nobody is there to answer.
        match vagrant(remove, interrupted) {
            Ok(_) => removed.push(version),
            Err(error) if tool::is_interrupt(&error) => return Err(error),
            Err(_) => kept.push(version),
        }
    }
    Ok(Added::Now { removed, kept })
}

/// Runs Vagrant and gives what it printed.
fn vagrant<'a>(args: impl IntoIterator<Item = &'a str>, interrupted: &dyn Fn() -> bool) -> Result<String> {
    // A Vagrantfile of the folder that we happen to be in is nobody's business here.
    let output = Tool::new("vagrant").args(args).env("VAGRANT_CWD", "/").run(interrupted, &mut tool::ignore)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// The versions of a box for libvirt in what `vagrant box list --machine-readable` prints: lines of `TIME,TARGET,KIND,DATA`.
fn versions(listed: &str, name: &str) -> Vec<String> {
    let mut versions = Vec::new();
    let (mut boxed, mut provider) = ("", "");
    for line in listed.lines() {
        match line.splitn(4, ',').collect::<Vec<_>>()[..] {
            [_, _, "box-name", data] => boxed = data,
            [_, _, "box-provider", data] => provider = data,
            [_, _, "box-version", data] if boxed == name && provider == "libvirt" => versions.push(data.to_owned()),
            _ => {}
        }
    }
    versions
}

/// The catalogue by which Vagrant takes a file under a version, and checks its hash.
fn catalogue_of(packed: &Packed) -> String {
    let mut url = String::from("file://");
    for byte in packed.file.to_string_lossy().bytes() {
        // RFC 3986, 2.3: what needs no percent sign.
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            _ => drop(write!(url, "%{byte:02X}")),
        }
    }
    serde_json::json!({
        "name": packed.name,
        "versions": [{
            "version": packed.version,
            "providers": [{
                "name": "libvirt",
                "url": url,
                "checksum_type": "sha256",
                "checksum": packed.sha256,
            }],
        }],
    })
    .to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_the_box_for_libvirt() {
        let listed = "1700000000,,ui,info,deadpeer/trixie (libvirt%!(VAGRANT_COMMA) 0.1.0.7)\n\
            1700000000,,box-name,deadpeer/trixie\n1700000000,,box-provider,libvirt\n1700000000,,box-version,0.1.0.7\n\
            1700000000,,box-name,deadpeer/trixie\n1700000000,,box-provider,libvirt\n1700000000,,box-version,0.1.0.8\n\
            1700000000,,box-name,deadpeer/trixie\n1700000000,,box-provider,qemu\n1700000000,,box-version,0.1.0.9\n\
            1700000000,,box-name,other/trixie\n1700000000,,box-provider,libvirt\n1700000000,,box-version,2\n";
        assert_eq!(versions(listed, "deadpeer/trixie"), ["0.1.0.7", "0.1.0.8"]);
        assert!(versions("", "deadpeer/trixie").is_empty());
    }

    #[test]
    fn the_catalogue_names_file_version_and_hash() {
        let packed = Packed {
            name: "deadpeer/trixie".into(),
            version: "0.1.0.7".into(),
            file: "/home/a b/x%.box".into(),
            sha256: "ab".repeat(32),
            size: 1,
            fresh: true,
        };
        let json: serde_json::Value = serde_json::from_str(&catalogue_of(&packed)).unwrap();
        let provider = &json["versions"][0]["providers"][0];
        assert_eq!(json["name"], "deadpeer/trixie");
        assert_eq!(json["versions"][0]["version"], "0.1.0.7");
        assert_eq!(provider["url"], "file:///home/a%20b/x%25.box");
        assert_eq!(provider["checksum"], "ab".repeat(32));
    }
}
