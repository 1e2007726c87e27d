//! Who makes the machines of a lab in real time: QEMU alone, or Vagrant with libvirt.

use super::folder::Folder;
use super::guest::Guest;
use super::hosts::{clock, guest, keys_for, mac, nics, seed};
use super::interrupt::Interrupt;
use super::phases::Phases;
use super::{Found, Options};
use crate::error::{Context, Error, Result};
use crate::image::{self, Control};
use crate::machine::qemu::Chosen;
use crate::machine::vagrant::{self, Boots, Config, HostPlan, Hypervisor, Info, LinkPlan, Plan, Project, Vagrant};
use crate::machine::{Accelerator, Choice};
use crate::progress::Reporter;
use crate::report::{self, PhaseKind};
use crate::scenario::{BoxName, Host, Scenario, Time};
use crate::timeline::Recorder;
use deadpeer_guest::CONTROL_MAC_LINK;
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Who makes the machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Provider {
    /// The controller runs QEMU itself.
    #[default]
    Qemu,
    /// Vagrant makes them, and libvirt runs them.
    Vagrant {
        /// Keep them, switched off, for the next run whose machines are the same.
        keep: bool,
        /// Where libvirt is; the user's own, or root's, if none.
        uri: Option<String>,
    },
}

impl Provider {
    /// What it takes, and whether it can do what is asked; none for QEMU alone.
    ///
    /// # Errors
    /// Something is missing, or is asked that it cannot do.
    pub(super) fn find(&self, time: Time, reporter: &Reporter) -> Result<Option<Info>> {
        let Self::Vagrant { uri, .. } = self else { return Ok(None) };
        if time == Time::Lockstep {
            return Err(Error::usage("the provider vagrant cannot make machines in lockstep time")
                .detail("libvirt lets a machine's clock go by itself, and nobody could stop it at each boundary.")
                .help("Use --time real, or --provider qemu."));
        }
        reporter.began(PROGRESS, "looking for Vagrant and libvirt");
        let found = Info::find(uri.as_deref());
        match &found {
            Ok(info) => {
                let it = &info.versions;
                let what = format!(
                    "Vagrant {}, vagrant-libvirt {}, libvirt {} at {}",
                    it.vagrant, it.plugin, it.libvirt, it.uri
                );
                tracing::info!("{what}");
                reporter.done(PROGRESS, what);
            }
            Err(error) => reporter.failed(PROGRESS, error.fact.clone()),
        }
        found.map(Some)
    }
}

/// Memory of a host that is made from a box, in MiB, at the least: it boots all that is in there.
const BOX_MEMORY: u32 = 512;

/// The id under which progress of the provider is told.
const PROGRESS: &str = "vagrant";

/// What accelerates machines elsewhere. No guest is tried with KVM there, and a KVM that is offered may not work: so it must be asked for.
///
/// # Errors
/// KVM is asked for, and libvirt does not offer it.
pub(super) fn accelerator_of(there: &Hypervisor, choice: Choice) -> Result<Chosen> {
    let chosen = |accelerator, why: &str, help: Option<&str>| {
        Ok(Chosen { accelerator, why: why.to_owned(), help: help.map(str::to_owned) })
    };
    let tcg = Accelerator::Tcg;
    match (choice, there.kvm) {
        (Choice::Tcg, _) => chosen(tcg, "TCG, as asked", None),
        (Choice::Kvm, true) => chosen(Accelerator::Kvm, "KVM, as asked; it was not tried before", None),
        (Choice::Auto, true) => chosen(
            tcg,
            "TCG: libvirt elsewhere offers KVM, which was not tried",
            Some("--accel kvm, if it works there"),
        ),
        (Choice::Auto, false) => chosen(tcg, "TCG: libvirt elsewhere does not offer KVM", None),
        (Choice::Kvm, false) => Err(Error::broken("KVM was asked for, and libvirt elsewhere does not offer it")
            .help("--accel auto (or tcg)\nor see there what is missing: virt-host-validate qemu")),
    }
}

/// The box that a host is made from, with its version.
///
/// # Errors
/// Wrong usage: Vagrant does not make the machines. Or Vagrant has no such box.
pub(super) fn boxed(host: &str, boxed: &BoxName, info: Option<&Info>) -> Result<BoxName> {
    if info.is_none() {
        return Err(Error::usage(format!(
            "host '{host}' is made from the box {boxed}, which the provider qemu cannot do"
        ))
        .help("Use --provider vagrant."));
    }
    vagrant::with_version(boxed)
}

/// What a report says of it.
pub(super) fn told(info: &Info) -> report::Provider {
    let it = info.versions.clone();
    report::Provider {
        name: "vagrant".to_owned(),
        vagrant: it.vagrant,
        plugin: it.plugin,
        libvirt: it.libvirt,
        uri: it.uri,
    }
}

/// All hosts of the scenario, with machines that Vagrant will make, and the project that they share.
#[allow(clippy::too_many_arguments)] // As where it is called.
pub(super) fn guests(
    scenario: &Scenario,
    options: &Options,
    found: &Found,
    info: &Info,
    folder: &Folder,
    recorder: &Recorder,
    interrupt: &Interrupt,
    reporter: &Reporter,
    phases: &mut Phases,
) -> Result<(IndexMap<String, Guest>, Arc<Project>)> {
    let hosts = (0..).zip(&scenario.hosts).map(|(n, (name, host))| host_plan(n, name, host, found, options));
    let plan = Plan {
        folder: PathBuf::new(),
        site: PathBuf::new(),
        uri: info.uri.clone(),
        connect: String::new(),
        disk_owner: None,
        prefix: String::new(),
        pool: String::new(),
        emulator: found.qemu.path.clone(),
        accelerator: found.accelerator.accelerator,
        key: PathBuf::new(),
        boot_seconds: options.boot_within.as_secs().max(1),
        hosts: hosts.collect::<Result<_>>()?,
    };
    let interrupt = interrupt.clone();
    let project = Project::prepare(Config {
        info: info.clone(),
        plan,
        keep: matches!(options.provider, Provider::Vagrant { keep: true, .. }),
        controller: std::env::current_exe().ok(),
        log: folder.file("vagrant.log"),
        stop: Box::new(move || interrupt.raised()),
    })?;
    let project = Arc::new(project);
    phases.end("lay out the project", PhaseKind::Overhead);
    match furnished(scenario, found, folder, recorder, &project, reporter, phases) {
        Ok(guests) => Ok((guests, project)),
        Err(error) => match project.close() {
            Ok(()) => Err(error),
            Err(left) => Err(error.detail(left.to_string())),
        },
    }
}

/// The project's hosts, with all that their machines need to be switched on.
fn furnished(
    scenario: &Scenario,
    found: &Found,
    folder: &Folder,
    recorder: &Recorder,
    project: &Arc<Project>,
    reporter: &Reporter,
    phases: &mut Phases,
) -> Result<IndexMap<String, Guest>> {
    let mut machines = Vec::new();
    let keys = keys_for(scenario.hosts.len());
    if let Some(any) = keys.first() {
        project.give_key(&any.client.openssh()?)?;
    }
    for ((name, host), keys) in scenario.hosts.iter().zip(&keys) {
        let authorized_key = keys.client.authorized_line();
        if let Some(image) = found.images.get(name) {
            let control = Control::Ssh { authorized_key, host_key: keys.host.dropbear_file() };
            let ours = fs::read(&image.initrd).broken(|| format!("cannot read {}", image.initrd.display()))?;
            project.give_initrd(name, &[&ours, &image::seed(&seed(scenario, name, host, control))])?;
        } else {
            let control = Control::Sshd { authorized_key, host_key: keys.host.openssh()?.clone() };
            project.give_seed(name, &image::drive(&seed(scenario, name, host, control))?)?;
        }
        machines.push(Vagrant::new(Arc::clone(project), name, folder.path(), recorder.clone())?);
    }
    if make(project, &machines, found, reporter)? {
        phases.end("make the machines from a box", PhaseKind::Image);
    }
    let all = (0..).zip(&scenario.hosts).zip(machines.into_iter().zip(keys));
    let guests = all.map(|((n, (name, host)), (machine, keys))| {
        (name.clone(), guest(name, nics(host, n), Box::new(machine), keys))
    });
    Ok(guests.collect())
}

/// Furnishes what comes from boxes of somebody else's. Whether there was anything to do.
fn make(project: &Arc<Project>, machines: &[Vagrant], found: &Found, reporter: &Reporter) -> Result<bool> {
    let boxes: BTreeSet<String> = found.boxes.values().map(ToString::to_string).collect();
    let boxes: Vec<String> = boxes.into_iter().collect();
    if boxes.is_empty() {
        return Ok(false);
    }
    reporter.began(PROGRESS, format!("making machines from {}", boxes.join(", ")));
    let made = vagrant::make(project, machines);
    match &made {
        Ok(true) => reporter.done(PROGRESS, format!("machines made from {}", boxes.join(", "))),
        Ok(false) => reporter.done(PROGRESS, format!("machines that were kept, from {}", boxes.join(", "))),
        Err(error) => reporter.failed(PROGRESS, error.fact.clone()),
    }
    made
}

fn host_plan(n: u8, name: &str, host: &Host, found: &Found, options: &Options) -> Result<HostPlan> {
    let (box_name, box_version, boots) = match (found.images.get(name), found.boxes.get(name)) {
        (Some(image), _) => {
            let (name, version) = image::vagrant::identity(image)?;
            let append = image::kernel_parameters(host.init(), clock(found.accelerator.accelerator));
            (name, version, Boots::Kernel { kernel: image.kernel.clone(), append })
        }
        (None, Some(boxed)) => (boxed.name.clone(), boxed.version.clone().unwrap_or_default(), Boots::Box),
        (None, None) => return Err(Error::broken(format!("host '{name}' has neither image nor box"))),
    };
    let link = |(_, mac): (u8, _)| LinkPlan { mac, switch_port: 0, machine_port: 0 };
    Ok(HostPlan {
        name: name.to_owned(),
        box_name,
        box_version,
        memory: if boots == Boots::Box { host.memory.max(BOX_MEMORY) } else { host.memory },
        boots,
        control_mac: mac(CONTROL_MAC_LINK, n),
        ssh_port: 0,
        machine_ssh_port: 0,
        links: nics(host, n).into_iter().map(link).collect(),
        recorder: options.witness,
    })
}
