//! `result.json`: what a run came to, for other programs.

use crate::error::Error;
use crate::judge::{Judged, Outcome};
use crate::scenario::Init;
use crate::timeline::KernelAccount;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of the shape of [`RunResult`]. Raised when a reader of an older one could misread a newer one.
pub const SCHEMA_VERSION: u32 = 1;

/// What a run came to. `result.json` in a run's folder, and what `--format json` prints.
///
/// Keys keep their order and are never left out (null where there is nothing to say) but for those of an
/// expectation that did not fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunResult {
    /// Version of this shape: [`SCHEMA_VERSION`].
    pub schema: u32,
    /// What was run.
    pub scenario: ScenarioId,
    /// What it came to.
    pub outcome: Outcome,
    /// What broke, for outcome unknown; the reason, for outcome skipped.
    pub error: Option<Broken>,
    /// The expectations, in the scenario's order.
    pub expectations: Vec<Judged>,
    /// When and how long.
    pub time: Times,
    /// The seed, out of which all chance came; null where machines ran in real time.
    #[serde(default)]
    pub seed: Option<u64>,
    /// What ran the machines: hardware virtualisation or software emulation.
    pub accelerator: Option<Accelerator>,
    /// What made the machines, where the controller did not run QEMU itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// What it ran on and with.
    pub versions: Versions,
    /// The hosts by name, in the scenario's order.
    pub hosts: IndexMap<String, HostResult>,
    /// The user's own programs that ran in the places of the scenario's, by the names of those.
    pub own_programs: IndexMap<String, OwnProgram>,
    /// What the testimony of each host's kernel is worth, by boot; empty for a host whose kernel was not asked to testify.
    #[serde(default)]
    pub witnesses: IndexMap<String, Vec<KernelAccount>>,
    /// What went over the cable.
    pub frames: Frames,
    /// The run's folder, as an absolute path; empty where there is none, as the run never began.
    pub folder: PathBuf,
    /// The files in the run's folder, by name.
    pub files: Vec<String>,
}

/// Which scenario was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ScenarioId {
    /// Its name.
    pub name: String,
    /// One line.
    pub title: String,
    /// Section of *UNIX Network Programming*, vol. 1, 3rd ed.
    pub section: Option<String>,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
}

/// What broke: an [`Error`] of the lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Broken {
    /// The fact, in a sentence.
    pub fact: String,
    /// What was awaited and what came, in several lines.
    pub detail: Option<String>,
    /// The command to type or the change to make.
    pub help: Option<String>,
}

impl From<&Error> for Broken {
    fn from(error: &Error) -> Self {
        Self { fact: error.fact.clone(), detail: error.detail.clone(), help: error.help.clone() }
    }
}

/// When and how long a run was.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Times {
    /// When it began: RFC 3339, in UTC.
    pub started: String,
    /// From the command to the report, in seconds of real time.
    pub wall_seconds: f64,
    /// In seconds of virtual time; null where machines ran in real time.
    pub virtual_seconds: Option<f64>,
    /// Whether the lab was restored from a checkpoint, or one was saved of it; null if neither.
    #[serde(default)]
    pub checkpoint: Option<CheckpointUse>,
    /// Of the wall time, what was neither boots nor reboots nor a checkpoint's nor waits that the scenario asks for, in seconds.
    pub overhead_seconds: f64,
    /// What the wall time went into, in order of time.
    pub phases: Vec<Phase>,
}

/// What a run did with the checkpoint of its lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CheckpointUse {
    /// Its key in the cache: a hash of everything that shapes it.
    pub key: String,
    /// What was done.
    pub used: CheckpointUsed,
}

/// Whether a lab came from its checkpoint or went to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointUsed {
    /// The hosts did not boot: they were restored.
    Restored,
    /// The hosts booted, and were saved.
    Saved,
}

/// A stretch of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Phase {
    /// In words: "boot client, server".
    pub name: String,
    /// How long, in seconds of real time.
    pub seconds: f64,
    /// The same in virtual time; null where machines ran in real time.
    #[serde(default)]
    pub virtual_seconds: Option<f64>,
    /// Of what kind.
    pub kind: PhaseKind,
}

/// What a stretch of a run is spent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseKind {
    /// Building the image, the first run only; or making machines from a box of somebody else's.
    Image,
    /// The hosts' first boot.
    Boot,
    /// The hosts' first boot, out of a checkpoint.
    Restore,
    /// Saving a checkpoint, for the runs to come.
    Save,
    /// A boot that a step asks for.
    Reboot,
    /// A pause that a step asks for, or watching until a claim is decided.
    Wait,
    /// Any other step.
    Step,
    /// The controller's own work.
    Overhead,
}

/// How the machines were run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Accelerator {
    /// QEMU's name for it: `kvm` or `tcg`.
    pub used: String,
    /// Why this one.
    pub why: String,
}

/// Vagrant, which made the machines, and what it did that with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// `vagrant`.
    pub name: String,
    /// Vagrant's version.
    pub vagrant: String,
    /// That of its plugin vagrant-libvirt.
    pub plugin: String,
    /// That of libvirt's daemon.
    pub libvirt: String,
    /// Where libvirt was: `qemu:///session` (the user's own), `qemu:///system` (root's).
    pub uri: String,
}

/// What a run ran on and with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Versions {
    /// This controller.
    pub deadpeer: String,
    /// QEMU, as `query-version` says.
    pub qemu: Option<String>,
    /// The kernel under the controller (`uname -r`).
    pub host_kernel: Option<String>,
    /// The guests' kernels by host (`uname -r`), as of their last boot.
    pub guest_kernels: IndexMap<String, String>,
}

/// What is known of a host after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HostResult {
    /// The kernel's ids of its boots, in order.
    pub boot_ids: Vec<String>,
    /// What ran as PID 1.
    pub init: Init,
    /// Its addresses with prefix length: `192.0.2.1/24`.
    pub addresses: Vec<String>,
    /// What it booted from: its disk and its kernel.
    pub image: Option<Image>,
    /// The box that it was made from in place of an image, with its version.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub boxed: Option<String>,
}

/// A program of the user's that ran in the place of a scenario's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OwnProgram {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The command that was run on the host, word by word.
    pub command: Vec<String>,
}

/// What went over the cable, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Frames {
    /// Frames that came into the switch.
    pub total: u64,
    /// The same by kind; each counts once. The kinds of segments are named as scenarios name them, `other` is
    /// background that is neither ARP nor IPv6 neighbour discovery.
    pub by_kind: IndexMap<String, u64>,
}

/// The image that a host started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Image {
    /// Its key in the cache: a hash of everything that shapes it.
    pub key: String,
    /// The Debian suite that it was made from.
    pub suite: String,
}

impl RunResult {
    /// The process exit code of this run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.outcome.exit_code()
    }

    /// The number of expectations that held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.expectations.iter().filter(|j| j.held == Some(true)).count()
    }
}

/// `result` as `result.json` has it: indented, keys in the order of the types, a newline at the end.
#[must_use]
pub fn to_json(result: &RunResult) -> String {
    // Nothing in these types can fail to be written: no map with keys other than strings, no failing Serialize.
    let mut json = serde_json::to_string_pretty(result).unwrap_or_default();
    json.push('\n');
    json
}

/// The JSON Schema of `result.json`, as committed at `docs/result.schema.json`.
#[must_use]
pub fn result_schema() -> String {
    let mut schema = schemars::schema_for!(RunResult);
    schema.insert("title".to_owned(), "Deadpeer's result.json".into());
    let mut json = serde_json::to_string_pretty(&schema).unwrap_or_default();
    json.push('\n');
    json
}
