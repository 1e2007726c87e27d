//! The disk: a raw ext4 file system made from a tree of files, without privileges and always with the same bytes.
//!
//! mke2fs makes it empty, debugfs fills it from a script. `mke2fs -d` would do both, but before e2fsprogs 1.47.1
//! it takes files in the order of the host's directories and keeps their change times, which nobody can set.

use super::recipe::{DISK_MIB, EPOCH, MKE2FS};
use super::tool::{self, Tool};
use super::tree::{Content, Node, Tree};
use crate::error::{Context, Error, Result};
use std::fmt::Write as _;
use std::path::Path;

/// Makes the file system `disk` of `tree`. `scratch` is a folder for files in between.
pub(super) fn make(tree: &Tree, disk: &Path, scratch: &Path, interrupted: &dyn Fn() -> bool) -> Result<()> {
    let own = scratch.join("own");
    std::fs::create_dir(&own).broken(|| format!("cannot make {}", own.display()))?;
    let script_file = scratch.join("debugfs.script");
    let script = script(tree, &own)?;
    std::fs::write(&script_file, script).broken(|| format!("cannot write {}", script_file.display()))?;
    // The features and numbers of a host's /etc/mke2fs.conf must not get in.
    let no_settings = scratch.join("mke2fs.conf");
    std::fs::write(&no_settings, "").broken(|| format!("cannot write {}", no_settings.display()))?;
    let pinned = |tool: Tool| {
        tool.env("MKE2FS_CONFIG", &no_settings)
            .env("E2FSPROGS_FAKE_TIME", EPOCH.to_string())
            .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
    };
    pinned(Tool::new("mke2fs").args(MKE2FS).arg(disk).args([format!("{DISK_MIB}M")]))
        .run(interrupted, &mut tool::ignore)?;
    let mut complaints = Vec::new();
    pinned(Tool::new("debugfs").args(["-w", "-f"]).arg(&script_file).arg(disk)).run(interrupted, &mut |line| {
        // Its version is all that it should say here; its exit status is 0 even if it could write nothing.
        if !line.starts_with("debugfs ") && !line.is_empty() && complaints.len() < 10 {
            complaints.push(line.to_owned());
        }
    })?;
    if !complaints.is_empty() {
        return Err(Error::broken("debugfs could not fill the guest's disk").detail(complaints.join("\n")));
    }
    // -f: whatever the superblock says; -n: nothing is changed.
    let mut words = String::new();
    let checked = pinned(Tool::new("e2fsck").args(["-f", "-n"]).arg(disk)).run(interrupted, &mut |line| {
        let _ = writeln!(words, "{line}");
    });
    checked.map(drop).map_err(|error| error.detail(words))
}

/// What debugfs must do, in the order of the tree.
fn script(tree: &Tree, own: &Path) -> Result<String> {
    let mut script = String::new();
    let mut here = String::new();
    let mut files = 0;
    for (path, node) in tree {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if folder != here {
            let _ = writeln!(script, "cd {}", quoted(&format!("/{folder}"))?);
            folder.clone_into(&mut here);
        }
        let name = quoted(name)?;
        match node {
            Node::Folder(mode) => {
                let _ = writeln!(script, "mkdir {name}");
                let _ = writeln!(script, "set_inode_field {name} mode 04{mode:04o}");
            }
            Node::Link(target) => {
                let _ = writeln!(script, "symlink {name} {}", quoted(target)?);
            }
            Node::File(mode, content) => {
                let source = match content {
                    Content::Unpacked(file) => file.clone(),
                    Content::Own(text) => {
                        files += 1;
                        let file = own.join(files.to_string());
                        std::fs::write(&file, text).broken(|| format!("cannot write {}", file.display()))?;
                        file
                    }
                };
                let _ = writeln!(script, "write {} {name}", quoted(&source.to_string_lossy())?);
                let _ = writeln!(script, "set_inode_field {name} mode 010{mode:04o}");
            }
        }
    }
    Ok(script)
}

/// A word of debugfs's command language (libss): in double quotes, within which a double quote is doubled. A line
/// break cannot be written.
fn quoted(word: &str) -> Result<String> {
    if word.contains(['\n', '\r', '\0']) {
        return Err(Error::broken(format!("a file name that debugfs cannot be told: {word:?}")));
    }
    Ok(format!("\"{}\"", word.replace('"', "\"\"")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_script_walks_the_tree_folder_by_folder() {
        let own = tempfile::tempdir().unwrap();
        let tree = Tree::from([
            ("bin".to_owned(), Node::Link("usr/bin".into())),
            ("etc".to_owned(), Node::Folder(0o755)),
            ("etc/a b".to_owned(), Node::File(0o600, Content::Own("text"))),
            ("tmp".to_owned(), Node::Folder(0o1777)),
        ]);
        let own_file = own.path().join("1");
        assert_eq!(
            script(&tree, own.path()).unwrap(),
            format!(
                "symlink \"bin\" \"usr/bin\"\nmkdir \"etc\"\nset_inode_field \"etc\" mode 040755\ncd \"/etc\"\n\
                 write \"{}\" \"a b\"\nset_inode_field \"a b\" mode 0100600\ncd \"/\"\nmkdir \"tmp\"\n\
                 set_inode_field \"tmp\" mode 041777\n",
                own_file.display()
            )
        );
        assert_eq!(std::fs::read_to_string(own_file).unwrap(), "text");
    }

    #[test]
    fn a_name_with_a_line_break_is_refused() {
        assert_eq!(quoted("a\"b").unwrap(), "\"a\"\"b\"");
        assert!(quoted("a\nb").is_err());
    }
}
