//! The hosts of a lab in lockstep time, before they are switched on.

use super::folder::Folder;
use super::guest::Guest;
use super::hosts::{guest, initrd, keys_for, nics, seed};
use super::world::World;
use super::{Found, Options};
use crate::error::{Error, Result};
use crate::image::{self, Clock, Control};
use crate::machine::qemu::lockstep::{self, Company, Config, LockstepMachine};
use crate::scenario::Scenario;
use crate::timeline::Recorder;
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Seeds of a run's machines are so far apart: none has so many hosts, or power-ons of a host.
const HOSTS_AT_MOST: u64 = 1 << 8;
const POWER_ONS_AT_MOST: u64 = 1 << 16;

/// What shapes each host's boot and is not the same in all labs, in words.
pub(super) fn described(scenario: &Scenario, options: &Options, found: &Found) -> Result<Vec<String>> {
    (0..)
        .zip(&scenario.hosts)
        .map(|(n, (name, host))| {
            let image = found.images.get(name).ok_or_else(|| Error::broken(format!("host '{name}' has no image")))?;
            let seed = Sha256::digest(image::seed(&seed(scenario, name, host, Control::Serial)));
            let append = image::kernel_parameters(host.init(), Clock::Lockstep);
            let artefacts = &image.contents.artefacts;
            let (memory, nics, witnessed) = (host.memory, nics(host, n), options.witness);
            Ok(format!("{name} {memory} {nics:?} {append} {witnessed} {seed:?} {artefacts:?}"))
        })
        .collect()
}

/// All hosts of the scenario, with machines that live in `world`.
pub(super) fn guests(
    scenario: &Scenario,
    options: &Options,
    found: &Found,
    folder: &Folder,
    recorder: &Recorder,
    world: &Arc<World>,
) -> Result<IndexMap<String, Guest>> {
    let plugin = lockstep::install(&folder.private())?;
    let mut guests = IndexMap::new();
    for (n, ((name, host), keys)) in (0..).zip(scenario.hosts.iter().zip(keys_for(scenario.hosts.len()))) {
        let image = found.images.get(name).ok_or_else(|| Error::broken(format!("host '{name}' has no image")))?;
        let nics = nics(host, n);
        let programs = folder.private().join(format!("{name}.programs"));
        lockstep::program_disk(&programs)?;
        let config = Config {
            name: name.clone(),
            memory: host.memory,
            kernel: image.kernel.clone(),
            initrd: initrd(folder, name, image, &seed(scenario, name, host, Control::Serial))?,
            base: image.disk.clone(),
            programs,
            append: image::kernel_parameters(host.init(), Clock::Lockstep),
            links: nics.iter().map(|(_, mac)| *mac).collect(),
            plugin: plugin.clone(),
            first_seed: u64::from(n),
            // Above those of first boots, which are the hosts' numbers.
            seed: (options.seed.wrapping_mul(HOSTS_AT_MOST).wrapping_add(u64::from(n)))
                .wrapping_mul(POWER_ONS_AT_MOST)
                .wrapping_add(HOSTS_AT_MOST),
            folder: folder.path().to_owned(),
            private: folder.private(),
            witnessed: options.witness,
        };
        let company: Arc<dyn Company> = Arc::<World>::clone(world);
        let (machine, ears) = LockstepMachine::new(config, found.qemu.path.clone(), recorder.clone(), company);
        world.add(name, nics.iter().map(|(link, _)| *link).collect(), ears);
        guests.insert(name.clone(), guest(name, nics, Box::new(machine), keys));
    }
    Ok(guests)
}
