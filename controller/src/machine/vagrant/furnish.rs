//! What a project's machines need before they start: the Vagrantfile, the storage pool, kernels, fresh disks.

use super::site::private_file;
use super::vagrantfile::vagrantfile;
use super::{Project, up};
use crate::error::{Context, Result};
use std::fs;
use std::path::Path;

impl Project {
    /// Makes what is made before anything is known of the hosts' seeds.
    pub(super) fn furnish(&mut self) -> Result<()> {
        for host in &mut self.plan.hosts {
            host.kernel = self.site.kernel(&host.kernel)?;
        }
        if self.reused {
            self.forget_recordings()?;
            return self.fresh_disks();
        }
        let file = self.plan.folder.join("Vagrantfile");
        fs::write(&file, vagrantfile(&self.plan)).broken(|| format!("cannot write {}", file.display()))?;
        up::home(&self.plan.folder)?;
        let pool = self.site.make_folder("pool")?;
        self.info.virsh.make_pool(&self.plan.pool, &pool.to_string_lossy())
    }

    /// Removes what the kernels of the last lab recorded.
    fn forget_recordings(&self) -> Result<()> {
        let folder = &self.plan.folder;
        let entries = fs::read_dir(folder).broken(|| format!("cannot read {}", folder.display()))?;
        let recordings = entries.flatten().map(|entry| entry.path());
        for path in recordings.filter(|path| path.extension().is_some_and(|it| it == "recorder")) {
            fs::remove_file(&path).broken(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Gives every machine that was kept a disk on which nothing was ever written.
    fn fresh_disks(&self) -> Result<()> {
        let plan = &self.plan;
        let disk = |host: &str| format!("{}.img", plan.domain(host));
        plan.hosts.iter().try_for_each(|host| self.info.virsh.renew_volume(&plan.pool, &disk(&host.name)))
    }

    /// Gives the machine of `host` its initramfs: these parts, one after the other.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give_initrd(&self, host: &str, parts: &[&[u8]]) -> Result<()> {
        let path = self.plan.initrd(host);
        self.site.give(&path.file_name().unwrap_or_default().to_string_lossy(), parts)
    }

    /// Gives Vagrant the key by which it logs in.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give_key(&self, key: &str) -> Result<()> {
        private_file(Path::new(&self.plan.key), &[key.as_bytes()])
    }
}
