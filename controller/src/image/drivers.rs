//! The drivers that the initramfs loads, out of a kernel's modules.

use super::kernel::{Kernel, unpacker};
use super::tool;
use crate::error::{Error, Result};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The drivers `wanted` and all that they depend on, unpacked, in an order in which they can be loaded: name and
/// content. What is built into the kernel is not among them.
pub(super) fn drivers(
    kernel: &Kernel,
    wanted: &[&str],
    interrupted: &dyn Fn() -> bool,
) -> Result<Vec<(String, Vec<u8>)>> {
    let builtin = read(&kernel.modules.join("modules.builtin"))?;
    let builtin: Vec<String> = String::from_utf8_lossy(&builtin).lines().filter_map(module_name).collect();
    let mut files = Vec::new();
    walk(&kernel.modules.join("kernel"), &mut files)?;
    let mut drivers = Drivers { kernel, builtin, files, above: Vec::new(), loaded: Vec::new() };
    for name in wanted {
        drivers.load(&canonical(name), interrupted)?;
    }
    Ok(drivers.loaded)
}

/// Drivers being put in order.
struct Drivers<'a> {
    kernel: &'a Kernel,
    builtin: Vec<String>,
    files: Vec<PathBuf>,
    /// Those that wait for what they depend on.
    above: Vec<String>,
    loaded: Vec<(String, Vec<u8>)>,
}

impl Drivers<'_> {
    /// Puts down a driver after all that it depends on.
    fn load(&mut self, name: &str, interrupted: &dyn Fn() -> bool) -> Result<()> {
        if self.builtin.iter().any(|other| other == name) || self.loaded.iter().any(|(other, _)| other == name) {
            return Ok(());
        }
        let release = &self.kernel.release;
        if self.above.iter().any(|other| other == name) {
            return Err(Error::broken(format!("kernel {release}: driver {name} depends on itself")));
        }
        let file = self.files.iter().find(|file| module_name(&file.to_string_lossy()).as_deref() == Some(name));
        let Some(file) = file else {
            return Err(Error::broken(format!("kernel {release} has no driver {name}")));
        };
        let packed = read(file)?;
        let module = if packed.starts_with(b"\x7fELF") {
            packed
        } else {
            unpacker(&packed)?.input(Cursor::new(packed)).run(interrupted, &mut tool::ignore)?
        };
        self.above.push(name.to_owned());
        for other in depends(&module) {
            self.load(&other, interrupted)?;
        }
        self.above.pop();
        self.loaded.push((name.to_owned(), module));
        Ok(())
    }
}

/// The modules that a module says it depends on: `depends=a,b` in its `.modinfo` section, whose strings end in NUL.
fn depends(module: &[u8]) -> Vec<String> {
    const WORD: &[u8] = b"\0depends=";
    let Some(start) = module.windows(WORD.len()).position(|window| window == WORD) else { return Vec::new() };
    let value = &module[start + WORD.len()..];
    let value = &value[..value.iter().position(|byte| *byte == 0).unwrap_or(0)];
    String::from_utf8_lossy(value).split(',').filter(|name| !name.is_empty()).map(canonical).collect()
}

/// Modules are named with `-` and `_` at will.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// `virtio_rng` of `kernel/drivers/char/hw_random/virtio-rng.ko.xz`.
fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, _) = file.split_once(".ko")?;
    Some(canonical(name))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let cannot = |e: std::io::Error| Error::broken(format!("cannot read {}: {e}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if entry.file_type().map_err(cannot)?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::broken(format!("cannot read {}: {e}", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_module_tells_what_it_depends_on() {
        assert_eq!(
            depends(b"\x7fELF..\0license=GPL\0depends=net-failover,failover\0name=x\0"),
            ["net_failover", "failover"]
        );
        assert!(depends(b"\x7fELF..\0depends=\0").is_empty());
        assert!(depends(b"\x7fELF").is_empty());
    }

    #[test]
    fn drivers_come_after_what_they_depend_on_and_built_in_ones_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join("lib/modules/6.1");
        std::fs::create_dir_all(folder.path().join("boot")).unwrap();
        std::fs::create_dir_all(modules.join("kernel/net")).unwrap();
        std::fs::write(folder.path().join("boot/vmlinuz-6.1"), "").unwrap();
        std::fs::write(modules.join("modules.builtin"), "kernel/drivers/virtio/virtio_pci.ko\n").unwrap();
        for (name, needs) in [("virtio-net", "net_failover"), ("net_failover", "failover,virtio_pci"), ("failover", "")]
        {
            let bytes = format!("\x7fELF\0depends={needs}\0");
            std::fs::write(modules.join("kernel/net").join(format!("{name}.ko")), bytes).unwrap();
        }
        let kernel = Kernel::find(folder.path()).unwrap();
        let found = drivers(&kernel, &["virtio_pci", "virtio_net", "failover"], &|| false).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["failover", "net_failover", "virtio_net"]);
        std::fs::write(modules.join("kernel/net/failover.ko"), "\x7fELF\0depends=virtio-net\0").unwrap();
        let error = drivers(&kernel, &["virtio_net"], &|| false).unwrap_err();
        assert_eq!(error.fact, "kernel 6.1: driver virtio_net depends on itself");
        let error = drivers(&kernel, &["nvme"], &|| false).unwrap_err();
        assert_eq!(error.fact, "kernel 6.1 has no driver nvme");
    }
}
