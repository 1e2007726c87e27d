//! What a project's machines need before they start: the Vagrantfile, the storage pool, kernels, fresh disks.

use super::making::{SCRIPT, SCRIPT_FILE};
use super::plan::{Boots, HostPlan};
use super::site::private_file;
use super::vagrantfile::vagrantfile;
use super::{Project, up};
use crate::error::{Context, Result};
use std::fs;
use std::path::Path;

impl Project {
    /// Makes what is made before anything is known of the hosts' seeds.
    pub(super) fn lay_out(&mut self) -> Result<()> {
        for host in &mut self.plan.hosts {
            if let Boots::Kernel { kernel, .. } = &mut host.boots {
                *kernel = self.site.kernel(kernel)?;
            }
        }
        if self.reused {
            self.forget_recordings()?;
            return self.fresh_disks();
        }
        let file = self.plan.folder.join("Vagrantfile");
        fs::write(&file, vagrantfile(&self.plan)).broken(|| format!("cannot write {}", file.display()))?;
        if self.plan.hosts.iter().any(HostPlan::is_foreign) {
            let script = self.plan.folder.join(SCRIPT_FILE);
            fs::write(&script, SCRIPT).broken(|| format!("cannot write {}", script.display()))?;
        }
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

    /// Gives every machine that was kept a disk on which no lab has ever written.
    fn fresh_disks(&self) -> Result<()> {
        let plan = &self.plan;
        let disk = |host: &str| format!("{}.img", plan.domain(host));
        plan.hosts.iter().try_for_each(|host| match &host.boots {
            Boots::Kernel { .. } => self.info.virsh.renew_volume(&plan.pool, &disk(&host.name)),
            Boots::Box => self.info.virsh.revert_to_snapshot(&plan.domain(&host.name)),
        })
    }

    /// Gives the machine of `host` its initramfs: these parts, one after the other.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give_initrd(&self, host: &str, parts: &[&[u8]]) -> Result<()> {
        let path = self.plan.initrd(host);
        self.site.give(&path.file_name().unwrap_or_default().to_string_lossy(), parts)
    }

    /// Gives the machine of `host`, which boots what is in its box, the drive with its seed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give_seed(&self, host: &str, seed: &[u8]) -> Result<()> {
        let path = self.plan.seed(host);
        self.site.give(&path.file_name().unwrap_or_default().to_string_lossy(), &[seed])
    }

    /// Gives Vagrant the key by which it logs in.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn give_key(&self, key: &str) -> Result<()> {
        private_file(Path::new(&self.plan.key), &[key.as_bytes()])
    }
}
