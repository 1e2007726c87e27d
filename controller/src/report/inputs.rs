//! `inputs.json`: everything that shaped a run, so that it can be run again elsewhere, and compared with what is there.

use super::result::{Accelerator, Provider};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the shape of [`Inputs`].
pub const INPUTS_SCHEMA: u32 = 1;

/// Everything that shaped a run. It names no user, no computer and no folder of theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Version of this shape: [`INPUTS_SCHEMA`].
    pub schema: u32,
    /// The controller's version.
    pub controller: String,
    /// SHA-256 of the programs that the controller brings to each host, by name.
    pub guest_programs: BTreeMap<String, String>,
    /// What was asked for beside the scenario.
    pub options: Asked,
    /// What ran the machines.
    pub accelerator: Option<Accelerator>,
    /// What made the machines, where the controller did not run QEMU itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// QEMU's version.
    pub qemu: Option<String>,
    /// The computer, as far as it matters.
    pub computer: Computer,
    /// The hosts, in the scenario's order.
    pub hosts: IndexMap<String, HostInputs>,
    /// The images that they started from, by key.
    pub images: BTreeMap<String, ImageInputs>,
}

/// What was asked for beside the scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The suite that all hosts were to boot, whatever the scenario says.
    pub kernel: Option<String>,
    /// The box that all hosts were to be made from, whatever the scenario says.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub boxed: Option<String>,
    /// Which accelerator: `auto`, `kvm` or `tcg`.
    pub accelerator: String,
    /// Which time the lab lived on: `real` or `lockstep`.
    pub time: String,
    /// All chance there was in lockstep time.
    pub seed: u64,
    /// Within which time a host had to have booted, in seconds.
    pub boot_within_seconds: u64,
    /// Within which time the run had to be over, in seconds.
    pub within_seconds: u64,
    /// Whether the hosts' kernels testified.
    pub witness: bool,
}

/// A computer on which a lab ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Computer {
    /// Its processors' architecture, as Rust names it.
    pub architecture: String,
    /// Its processors' name, as its kernel tells it.
    pub processor: Option<String>,
    /// How many there are for this program.
    pub processors: usize,
    /// Its memory, in MiB.
    pub memory: Option<u64>,
    /// Its kernel (`uname -r`).
    pub kernel: Option<String>,
}

/// What shaped one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostInputs {
    /// The image that it started from, by its key.
    pub image: Option<String>,
    /// The box that it was made from in place of an image, with its version.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub boxed: Option<String>,
    /// What its kernel was told beside its defaults.
    pub sysctl: BTreeMap<String, String>,
    /// QEMU's command line at its first boot, with `RUN` for the run's private folder and `IMAGE` for the image's.
    pub qemu: Vec<String>,
}

/// An image: what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInputs {
    /// The suite of Debian.
    pub suite: String,
    /// Its kernel (`uname -r`).
    pub kernel: String,
    /// Size in bytes and SHA-256 of its files, by name.
    pub files: BTreeMap<String, (u64, String)>,
    /// Versions of its packages, by name.
    pub packages: BTreeMap<String, String>,
}

/// `inputs` as `inputs.json` has it.
#[must_use]
pub fn inputs_to_json(inputs: &Inputs) -> String {
    // Nothing in these types can fail to be written: no map with keys other than strings, no failing Serialize.
    serde_json::to_string_pretty(inputs).unwrap_or_default() + "\n"
}
