//! The guest's files: what the packages brought, less what is left out, and ours over it.

use super::recipe;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// One thing in the guest's file system. Everything belongs to root: extraction by an ordinary user keeps no owners,
/// and no guest of the lab has other users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A folder and its permissions.
    Folder(u32),
    /// A file: its permissions, and where its content is.
    File(u32, Content),
    /// A symbolic link and its target.
    Link(String),
}

/// Where a file's content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// In this file of the host.
    Unpacked(PathBuf),
    /// Here.
    Own(&'static str),
}

/// A guest's files by path, without leading slash. A folder sorts before what is in it.
pub(super) type Tree = BTreeMap<String, Node>;

/// The guest's tree from the folder that mmdebstrap unpacked packages into.
pub(super) fn assemble(unpacked: &Path) -> Result<Tree> {
    let mut tree = Tree::new();
    collect(unpacked, "", &mut tree)?;
    for (path, mode) in recipe::FOLDERS {
        place(&mut tree, path, Node::Folder(*mode));
    }
    for (path, mode, content) in recipe::FILES {
        place(&mut tree, path, Node::File(*mode, Content::Own(content)));
    }
    for (path, target) in recipe::LINKS {
        place(&mut tree, path, Node::Link((*target).to_owned()));
    }
    for applet in recipe::APPLETS.split_whitespace() {
        let taken = ["bin", "sbin"].iter().any(|folder| tree.contains_key(&format!("usr/{folder}/{applet}")));
        if !taken {
            place(&mut tree, &format!("usr/bin/{applet}"), Node::Link("busybox".to_owned()));
        }
    }
    Ok(tree)
}

/// The file at this path of the tree, links not followed.
pub(super) fn unpacked_file<'a>(tree: &'a Tree, path: &str) -> Option<&'a Path> {
    match tree.get(path)? {
        Node::File(_, Content::Unpacked(file)) => Some(file),
        _ => None,
    }
}

/// Puts a node, and the folders above it that are missing.
fn place(tree: &mut Tree, path: &str, node: Node) {
    for (slash, _) in path.match_indices('/') {
        tree.entry(path[..slash].to_owned()).or_insert(Node::Folder(0o755));
    }
    tree.insert(path.to_owned(), node);
}

fn collect(root: &Path, folder: &str, tree: &mut Tree) -> Result<()> {
    let here = root.join(folder);
    let cannot = |path: &Path, e: std::io::Error| Error::broken(format!("cannot read {}: {e}", path.display()));
    for entry in std::fs::read_dir(&here).map_err(|e| cannot(&here, e))? {
        let entry = entry.map_err(|e| cannot(&here, e))?;
        let file = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            return Err(Error::broken(format!("a package holds a file whose name is not UTF-8: {}", file.display())));
        };
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        let kind = entry.file_type().map_err(|e| cannot(&file, e))?;
        // A link that stands for a folder (usr-merge's) is made anew by the recipe.
        if folder.is_empty() && kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, tree)?;
        }
        let merged = merge_usr(&path);
        if left_out(&merged, kind.is_dir()) {
            continue;
        }
        // Without set-user-ID bits, which extraction by an ordinary user does not keep: root has no use for them.
        let mode = || Ok::<u32, Error>(entry.metadata().map_err(|e| cannot(&file, e))?.permissions().mode() & 0o777);
        let node = if kind.is_dir() {
            // Of folders, ordinary permissions do; and one that only held what is left out is not wanted.
            continue;
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&file).map_err(|e| cannot(&file, e))?;
            Node::Link(moved_target(&path, &merged, &target.to_string_lossy()))
        } else if kind.is_file() {
            Node::File(mode()?, Content::Unpacked(file))
        } else {
            continue; // device nodes: the guest's kernel makes its own
        };
        place(tree, &merged, node);
    }
    Ok(())
}

/// `usr/bin/sh` of `bin/sh`: packages of bookworm and older still unpack into `/bin`, `/sbin` and `/lib`.
fn merge_usr(path: &str) -> String {
    match path.split('/').next() {
        Some("bin" | "sbin" | "lib" | "lib64") => format!("usr/{path}"),
        _ => path.to_owned(),
    }
}

/// A relative target that climbs must be made absolute where its link moved a level down.
fn moved_target(path: &str, merged: &str, target: &str) -> String {
    if path == merged || !target.starts_with("..") {
        return target.to_owned();
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

fn left_out(path: &str, is_folder: bool) -> bool {
    let within = |list: &[&str]| list.iter().any(|prefix| path.starts_with(prefix));
    !is_folder && within(recipe::LEFT_OUT) && !within(recipe::KEPT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn unpacked(files: &[&str]) -> (tempfile::TempDir, Tree) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let tree = assemble(root.path()).unwrap();
        (root, tree)
    }

    #[test]
    fn files_of_unmerged_packages_move_into_usr() {
        let (root, tree) = unpacked(&["bin/busybox", "lib/x86_64-linux-gnu/libc.so.6", "usr/bin/ip"]);
        assert_eq!(unpacked_file(&tree, "usr/bin/busybox"), Some(root.path().join("bin/busybox").as_path()));
        assert!(unpacked_file(&tree, "usr/lib/x86_64-linux-gnu/libc.so.6").is_some());
        assert!(unpacked_file(&tree, "usr/bin/ip").is_some());
        assert_eq!(tree["bin"], Node::Link("usr/bin".into()));
    }

    #[test]
    fn manuals_stay_behind_and_exceptions_do_not() {
        let (_root, tree) = unpacked(&[
            "usr/share/man/man8/ip.8.gz",
            "usr/share/sysvinit/inittab",
            "usr/lib/systemd/system/getty@.service",
            "usr/lib/systemd/system/poweroff.target",
        ]);
        assert!(!tree.contains_key("usr/share/man"));
        assert!(tree.contains_key("usr/share/sysvinit/inittab"));
        assert!(!tree.contains_key("usr/lib/systemd/system/getty@.service"));
        assert!(tree.contains_key("usr/lib/systemd/system/poweroff.target"));
    }

    #[test]
    fn a_packages_command_is_preferred_to_busyboxs() {
        let (_root, tree) = unpacked(&["usr/sbin/arp", "usr/bin/ps"]);
        assert!(!tree.contains_key("usr/bin/arp"));
        assert_eq!(tree["usr/bin/ls"], Node::Link("busybox".into()));
        assert!(matches!(tree["usr/bin/ps"], Node::File(..)));
    }

    #[test]
    fn ours_replace_the_packages_files() {
        let (_root, tree) = unpacked(&["etc/fstab"]);
        assert!(matches!(tree["etc/fstab"], Node::File(0o644, Content::Own(_))));
    }

    #[test]
    fn every_node_has_its_folder_before_it() {
        let (_root, tree) = unpacked(&["opt/a/b/c"]);
        for path in tree.keys() {
            if let Some((folder, _)) = path.rsplit_once('/') {
                assert!(matches!(tree.get(folder), Some(Node::Folder(_))), "{path} has no folder");
            }
        }
    }

    #[test]
    fn a_climbing_link_that_moved_still_leads_to_the_same_file() {
        assert_eq!(moved_target("lib/a/x", "usr/lib/a/x", "../../usr/share/x"), "/usr/share/x");
        assert_eq!(moved_target("lib/a/x", "usr/lib/a/x", "x.1"), "x.1");
        assert_eq!(moved_target("usr/lib/x", "usr/lib/x", "../y"), "../y");
    }
}
