//! A scenario as the rest of the controller sees it: resolved, every name known to exist.

mod boxed;
mod cable;
mod claim;
mod kernel;
mod step;

pub use boxed::BoxName;
pub use cable::{Flow, Rule, RuleVerdict, SegmentKind};
pub use claim::{Answering, Claim, Count, Expectation, Moment, ProgramEnd, SegmentClaim};
pub use kernel::{CallFamily, DescriptorClass, KernelClaim, KernelPattern, Returns, StateChange, TcpDeed};
pub use step::{Action, Pattern, Step, Until};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// A checked scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name: lower-case letters, digits and hyphens; the file's name without `.yaml`.
    pub name: String,
    /// One line.
    pub title: String,
    /// Section of W. R. Stevens, *UNIX Network Programming*, vol. 1, 3rd ed.: "5.15".
    pub section: Option<String>,
    /// What happens, for a student.
    pub story: String,
    /// What the textbook claims.
    pub textbook: Option<String>,
    /// Which time its lab lives on, if the user says nothing else; real time, if none.
    pub time: Option<Time>,
    /// The hosts, in the order in which they are drawn.
    pub hosts: IndexMap<String, Host>,
    /// The programs by name.
    pub programs: IndexMap<String, Program>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is claimed.
    pub expectations: Vec<Expectation>,
    /// The text it was read from, byte for byte, kept in the run's folder.
    pub source: String,
}

/// A host: one guest with its own kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Addresses of its link NIC with prefix length. Never empty.
    pub addresses: Vec<(IpAddr, u8)>,
    /// What is to run as PID 1, if the scenario says so.
    pub init: Option<Init>,
    /// Memory in MiB.
    pub memory: u32,
    /// Kernel parameters set before any program starts, as sysctl(8) names them.
    pub sysctl: BTreeMap<String, String>,
    /// The Debian suite whose image and kernel it boots; that of the run, if none.
    pub kernel: Option<String>,
    /// The box that it is made from in place of an image.
    pub boxed: Option<BoxName>,
    /// Where it sends what is not for its own links: the address of another host on one of them.
    pub gateway: Option<IpAddr>,
    /// It hands on what is not for itself: a router.
    pub forward: bool,
}

impl Host {
    /// What runs as PID 1: a box brings systemd, an image either.
    #[must_use]
    pub fn init(&self) -> Init {
        self.init.unwrap_or(if self.boxed.is_some() { Init::Systemd } else { Init::default() })
    }

    /// The links it is on, each with a NIC of its own: `eth` and the link's number.
    #[must_use]
    pub fn links(&self) -> BTreeSet<usize> {
        self.addresses.iter().map(|(address, _)| link_of(*address)).collect()
    }
}

/// The link that an address belongs to: 0 for 192.0.2.0/24 and 2001:db8::/64, 1 for 198.51.100.0/24 and 2001:db8:1::/64. A
/// scenario's hosts have no others.
#[must_use]
pub fn link_of(address: IpAddr) -> usize {
    let first = match address {
        IpAddr::V4(address) => address.octets()[..3] == Ipv4Addr::new(192, 0, 2, 0).octets()[..3],
        IpAddr::V6(address) => address.segments()[2] == 0,
    };
    usize::from(!first)
}

/// Which time a lab lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Time {
    /// The time of this computer: what takes a minute takes a minute
    #[default]
    Real,
    /// One virtual clock for all machines, which skips what nobody needs: the same bytes in every run
    Lockstep,
}

/// What runs as PID 1 on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// System V init, the one the textbook knew.
    #[default]
    Sysvinit,
    /// systemd.
    Systemd,
}

/// What runs on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The host it runs on.
    pub host: String,
    /// The command's words. The first is one of our guest programs (`echo-server`), which are on every host, or
    /// something the image holds.
    pub command: Vec<String>,
    /// It is started by the host's init, as services are, and outlives the control channel: a shutdown ends it as it would
    /// end any service. It has no terminal, and nothing can be typed into it.
    pub service: bool,
}

impl Scenario {
    /// The step with this name.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|s| s.name.as_deref() == Some(name))
    }
}
