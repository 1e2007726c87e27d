//! What a lab's hosts are made of: their NICs, seeds and command lines, whoever makes the machines; and the machines of QEMU alone, in real
//! time.

use super::Found;
use super::folder::Folder;
use super::guest::{Guest, HostKeys};
use crate::embedded;
use crate::error::{Context, Error, Result};
use crate::image::{self, Control, Image, Seed};
use crate::machine::qemu::{self, Qemu};
use crate::machine::{Accelerator, Mac, Machine};
use crate::remote::{HostKey, Keys};
use crate::scenario::{Host, Scenario, link_of};
use crate::timeline::Recorder;
use deadpeer_guest::{CONTROL_MAC_LINK, LINK_MAC_PREFIX};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All hosts of the scenario, with machines whose QEMU is ours.
pub(super) fn guests(
    scenario: &Scenario,
    found: &Found,
    folder: &Folder,
    recorder: &Recorder,
    witnessed: bool,
) -> Result<IndexMap<String, Guest>> {
    let accelerator = found.accelerator.accelerator;
    let keys = keys_for(scenario.hosts.len());
    let mut guests = IndexMap::new();
    for (n, ((name, host), keys)) in (0..).zip(scenario.hosts.iter().zip(keys)) {
        let image = found.images.get(name).ok_or_else(|| Error::broken(format!("host '{name}' has no image")))?;
        let control =
            Control::Ssh { authorized_key: keys.client.authorized_line(), host_key: keys.host.dropbear_file() };
        let config = qemu::Config {
            name: name.clone(),
            memory: host.memory,
            kernel: image.kernel.clone(),
            initrd: initrd(folder, name, image, &seed(scenario, name, host, control))?,
            base: image.disk.clone(),
            overlay: folder.private().join(format!("{name}.qcow2")),
            append: image::kernel_parameters(host.init(), clock(accelerator)),
            control_mac: mac(CONTROL_MAC_LINK, n),
            accelerator,
            folder: folder.path().to_owned(),
            recordings: witnessed.then(|| folder.private()),
            patience: qemu::PATIENCE,
        };
        let machine = Qemu::new(config, found.qemu.clone(), &found.qemu_img, recorder.clone())?;
        guests.insert(name.clone(), guest(name, nics(host, n), Box::new(machine), keys));
    }
    Ok(guests)
}

pub(super) fn guest(name: &str, nics: Vec<(u8, Mac)>, machine: Box<dyn Machine>, keys: Arc<HostKeys>) -> Guest {
    Guest {
        name: name.to_owned(),
        nics,
        machine,
        keys,
        session: None,
        going_down: Arc::default(),
        unplugged: false,
        programs: BTreeMap::new(),
        boot_ids: Vec::new(),
    }
}

pub(super) fn seed(scenario: &Scenario, name: &str, host: &Host, control: Control) -> Seed {
    let known = |(name, host): (&String, &Host)| -> Vec<_> {
        host.addresses.iter().map(|(ip, _)| (*ip, name.clone())).collect()
    };
    Seed {
        hostname: name.to_owned(),
        hosts: scenario.hosts.iter().flat_map(known).collect(),
        addresses: host.addresses.iter().map(|(ip, prefix)| (format!("eth{}", link_of(*ip)), *ip, *prefix)).collect(),
        gateways: host.gateway.into_iter().collect(),
        witness: embedded::guest_program("witness").unwrap_or_default().to_vec(),
        programs: embedded::guest_programs()
            .filter(|name| *name != "witness")
            .filter_map(|name| Some((name, embedded::guest_program(name)?)))
            .collect(),
        sysctl: sysctl(host),
        control,
    }
}

/// The image's initramfs with this host's seed appended, readable by the user alone: it holds the host's private key.
pub(super) fn initrd(folder: &Folder, host: &str, image: &Image, seed: &Seed) -> Result<PathBuf> {
    let path = folder.private().join(format!("{host}.initrd"));
    write_private(
        &path,
        &[&fs::read(&image.initrd).broken(|| format!("cannot read {}", image.initrd.display()))?, &image::seed(seed)],
    )?;
    Ok(path)
}

fn write_private(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .broken(|| format!("cannot make {}", path.display()))?;
    for part in parts {
        file.write_all(part).broken(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Which clock a guest's kernel has to be told of.
pub(super) fn clock(accelerator: Accelerator) -> image::Clock {
    match accelerator {
        Accelerator::Kvm => image::Clock::Kvm,
        Accelerator::Tcg => image::Clock::Emulated,
    }
}

/// The kernel parameters of a host: those of a router first, so that the scenario can say otherwise.
fn sysctl(host: &Host) -> BTreeMap<String, String> {
    let router = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"].map(|name| (name.to_owned(), "1".to_owned()));
    let mut sysctl: BTreeMap<String, String> = router.into_iter().filter(|_| host.forward).collect();
    sysctl.extend(host.sysctl.clone());
    sysctl
}

/// The link NICs of a host: the link of each, and its address.
pub(super) fn nics(host: &Host, number: u8) -> Vec<(u8, Mac)> {
    host.links().into_iter().filter_map(|link| u8::try_from(link).ok()).map(|link| (link, mac(link, number))).collect()
}

/// Hosts are numbered from 1 in MAC addresses, as people count.
pub(super) fn mac(link: u8, host: u8) -> Mac {
    let [a, b, c, d] = LINK_MAC_PREFIX;
    [a, b, c, d, link, host.saturating_add(1)]
}

/// Keys for every host of this run: one client key pair, a host key each.
pub(super) fn keys_for(host_count: usize) -> Vec<Arc<HostKeys>> {
    let client = Arc::new(Keys::generate());
    (0..host_count).map(|_| Arc::new(HostKeys { client: client.clone(), host: HostKey::generate() })).collect()
}
