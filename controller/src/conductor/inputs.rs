//! What shaped a run, written into its folder.

use super::guest::Guest;
use super::provider::told;
use super::{Found, Options};
use crate::doctor;
use crate::embedded;
use crate::report::{Accelerator, Asked, Computer, HostInputs, INPUTS_SCHEMA, ImageInputs, Inputs};
use crate::scenario::{Host, Scenario, Time};
use clap::ValueEnum;
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::path::Path;

/// QEMU's command lines by host, as their kernel has them (proc(5), `/proc/PID/cmdline`): what was really run. `project` is the folder of a
/// Vagrant project, which is not named.
pub(super) fn command_lines(guests: &IndexMap<String, Guest>, project: Option<&Path>) -> IndexMap<String, Vec<String>> {
    let neutral =
        |word: String| project.map_or_else(|| word.clone(), |folder| word.replace(&*folder.to_string_lossy(), "RUN"));
    let line = |guest: &Guest| {
        let bytes = guest.machine.command_line()?;
        let words = bytes.split(|byte| *byte == 0).map(|word| neutral(String::from_utf8_lossy(word).into_owned()));
        // The first word is the program's path, the last one what follows the last zero: nothing.
        let words: Vec<String> = words.skip(1).collect();
        Some(words[..words.len().saturating_sub(1)].to_vec())
    };
    guests.iter().map(|(name, guest)| (name.clone(), line(guest).unwrap_or_default())).collect()
}

/// Everything that shaped this run. `private` is its private folder, which no reader has.
pub(super) fn inputs(
    scenario: &Scenario,
    options: &Options,
    found: Option<&Found>,
    command_lines: &IndexMap<String, Vec<String>>,
    private: &Path,
) -> Inputs {
    let vagrant = found.is_some_and(|found| found.vagrant.is_some());
    let home = std::env::var("HOME").ok().filter(|home| vagrant && home.len() > 1);
    let host = |(name, host): (&String, &Host)| {
        let image = found.and_then(|found| found.images.get(name));
        let folder = image.and_then(|image| image.kernel.parent());
        let neutral = |word: &String| {
            let word = word.replace(&*private.to_string_lossy(), "RUN");
            let word = folder.map_or_else(|| word.clone(), |folder| word.replace(&*folder.to_string_lossy(), "IMAGE"));
            // libvirt has folders of its own in the user's home.
            home.as_ref().map_or_else(|| word.clone(), |home| word.replace(home, "HOME"))
        };
        let inputs = HostInputs {
            image: image.map(|image| image.key.clone()),
            boxed: found.and_then(|found| found.boxes.get(name)).map(ToString::to_string),
            sysctl: host.sysctl.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            qemu: command_lines.get(name).into_iter().flatten().map(neutral).collect(),
        };
        (name.clone(), inputs)
    };
    Inputs {
        schema: INPUTS_SCHEMA,
        controller: env!("CARGO_PKG_VERSION").to_owned(),
        guest_programs: guest_programs(),
        options: asked(scenario, options),
        accelerator: found.map(|found| Accelerator {
            used: found.accelerator.accelerator.to_string().to_lowercase(),
            why: found.accelerator.why.clone(),
        }),
        provider: found.and_then(|found| found.vagrant.as_ref()).map(told),
        qemu: found.map(|found| found.qemu.version.to_string()),
        computer: computer(),
        hosts: scenario.hosts.iter().map(host).collect(),
        images: images(found),
    }
}

fn asked(scenario: &Scenario, options: &Options) -> Asked {
    let word =
        |value: Option<clap::builder::PossibleValue>| value.map(|it| it.get_name().to_owned()).unwrap_or_default();
    let time: Time = options.time.or(scenario.time).unwrap_or_default();
    Asked {
        kernel: options.kernel.clone(),
        boxed: options.boxed.as_ref().map(ToString::to_string),
        accelerator: word(options.accelerator.to_possible_value()),
        time: word(time.to_possible_value()),
        seed: options.seed,
        boot_within_seconds: options.boot_within.as_secs(),
        within_seconds: options.within.as_secs(),
        witness: options.witness,
    }
}

/// SHA-256 of the programs that travel in this controller.
#[must_use]
pub fn guest_programs() -> BTreeMap<String, String> {
    embedded::guest_programs().filter_map(|name| Some((name.to_owned(), hex(embedded::guest_program(name)?)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn images(found: Option<&Found>) -> BTreeMap<String, ImageInputs> {
    let told = |image: &crate::image::Image| ImageInputs {
        suite: image.contents.suite.clone(),
        kernel: image.kernel_release.clone(),
        files: image.contents.artefacts.iter().map(|(name, it)| (name.clone(), (it.size, it.sha256.clone()))).collect(),
        packages: image.contents.packages.iter().map(|it| (it.name.clone(), it.version.clone())).collect(),
    };
    found.iter().flat_map(|found| found.images.values()).map(|image| (image.key.clone(), told(image))).collect()
}

/// The computer that this runs on.
#[must_use]
pub fn computer() -> Computer {
    let processor = |text: String| {
        let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
        Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    Computer {
        architecture: std::env::consts::ARCH.to_owned(),
        processor: read_to_string("/proc/cpuinfo").ok().and_then(processor),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        memory: doctor::total_memory(),
        kernel: read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
    }
}
