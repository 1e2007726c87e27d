//! A scenario as it stands in its file: types that mirror the YAML, with the place of everything.
//!
//! Parsing ([`read`]) checks the shape: which fields there are, what is a map and what a list. What the words in
//! them mean is checked afterwards, by `resolve`. The JSON Schema for editors ([`schema()`]) is made from the same
//! types; the comments on their fields are what editors and the reference show.

mod either;
mod expectation;
mod field;
mod kernel;
mod kinds;
mod schema;
mod step;
mod yaml;

pub(super) use either::{BoundsSource, CountSource, ReturnsSource};
pub(super) use expectation::{AnsweringSource, CLAIMS, EndedSource, ExpectationSource, FlagWord, FlowSource};
pub(super) use field::{Field, List, Map, Value};
pub(super) use kernel::{CallSource, DeliveredSource, SentSource, StateSource};
pub(super) use kinds::{BootId, Carrier, Choice, Flag, Reference, nth_addresses, read_name, wrong_with_sysctl};
pub(super) use schema::schema;
pub(super) use step::{RuleSource, StepSource, UntilSource, VERBS, VERDICTS, Verb};
pub(super) use yaml::read;

use super::model::{Init, Time};
use super::names;
use kinds::{
    Address, BoxWord, Command, Gateway, Line, Memory, Name, Prose, Section, Suite, SysctlValue, Truth, name_form,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// A Deadpeer scenario: hosts, what runs on them, what is done to them, and what is then claimed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Scenario", extend("required" = ["name", "title", "story", "hosts", "steps", "expectations"]))]
pub(super) struct FileSource {
    /// The scenario's name, as `controller run NAME` takes it: lower-case letters, digits and hyphens.
    pub(super) name: Value<Name>,
    /// What it shows, in one line.
    pub(super) title: Value<Line>,
    /// What happens, told to a student.
    pub(super) story: Value<Prose>,
    /// What the textbook says about it.
    pub(super) textbook: Field<TextbookSource>,
    /// Which time the machines live on: `real`, or `lockstep`, in which what takes hours takes seconds and every run is the same.
    /// Real if left out, or what `controller run --time` says.
    pub(super) time: Value<Time>,
    /// The machines by name, in the order in which they are drawn. At most 16.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 16, "propertyNames" = name_form(names::LONGEST_HOST_NAME)))]
    pub(super) hosts: Field<Map<HostSource>>,
    /// What runs on them, by name.
    #[schemars(extend("propertyNames" = name_form(names::LONGEST_NAME)))]
    pub(super) programs: Field<Map<ProgramSource>>,
    /// What is done, in order. Each step does one thing, and is over before the next begins.
    #[schemars(extend("minItems" = 1))]
    pub(super) steps: List<StepSource>,
    /// What is claimed about what was seen.
    #[schemars(extend("minItems" = 1))]
    pub(super) expectations: List<ExpectationSource>,
}

/// What the textbook says: W. R. Stevens, B. Fenner, A. M. Rudoff, *UNIX Network Programming*, vol. 1, 3rd ed.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Textbook", extend("required" = ["section", "claim"]))]
pub(super) struct TextbookSource {
    /// The section, in quotes: "5.15".
    pub(super) section: Value<Section>,
    /// What it claims, in your own words.
    pub(super) claim: Value<Prose>,
}

/// A host: one machine with its own kernel. Every field may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Host", extend("type" = ["object", "null"]))]
pub(super) struct HostSource {
    /// Its addresses, with prefix length: out of 192.0.2.0/24 and 2001:db8::/64 on the first link (`eth0`), out of
    /// 198.51.100.0/24 and 2001:db8:1::/64 on the second (`eth1`). Left out: `client` gets 192.0.2.1 and 2001:db8::1,
    /// `server` .2, `router` .254, any other the next that is free; with `forward`, the same on the second link too.
    #[schemars(extend("minItems" = 1))]
    pub(super) addresses: List<AddressWord>,
    /// What runs as PID 1: `sysvinit` (the default) or `systemd`, which a box always has.
    pub(super) init: Value<Init>,
    /// Its memory, from 128 MiB to 8 GiB. 256 MiB if left out; one from a box has 512 MiB at
    /// the least.
    pub(super) memory: Value<Memory>,
    /// Kernel parameters, set before any program starts, by the names that sysctl(8) uses.
    pub(super) sysctl: Field<Map<SysctlWord>>,
    /// The Debian suite whose image and kernel it boots, whatever the others boot: `bullseye`, `bookworm`, `trixie` or
    /// `sid`. That of the run if left out.
    pub(super) kernel: Value<Suite>,
    /// The box that Vagrant makes it from, in place of an image: `debian/bookworm64`, or one version of it,
    /// `debian/bookworm64@12.20250126.1`. It boots whatever is in that box, which must be a Debian (or its like) with systemd and
    /// OpenSSH. For `--provider vagrant` alone.
    #[serde(rename = "box")]
    pub(super) boxed: Value<BoxWord>,
    /// Where it sends what is not for its own link: the address of a router on that link.
    pub(super) gateway: Value<Gateway>,
    /// `true` for a router: it hands on what is not for itself, from link to link.
    pub(super) forward: Value<Truth>,
}

/// A program that runs on a host.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Program", extend("required" = ["host", "run"]))]
pub(super) struct ProgramSource {
    /// The host that it runs on.
    pub(super) host: Value<Reference>,
    /// Its command: words, quoted as in a shell, but read by none: no `|`, `>`, `$` or `*`.
    pub(super) run: Value<Command>,
    /// `true` to have it started by its host's init, as services are: it has no terminal, outlives the control channel, and
    /// ends at a shutdown as any service does.
    pub(super) service: Value<Truth>,
}

/// An item of `addresses`.
pub(super) type AddressWord = field::Word<Address>;

/// A value in `sysctl`.
pub(super) type SysctlWord = field::Word<SysctlValue>;
