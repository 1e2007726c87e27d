//! The cable of a lab, in either time.

use super::world::World;
use crate::cable::{Cable, Summary};
use crate::error::Result;
use crate::scenario::Rule;
use std::sync::Arc;

/// The cable. What its methods do is told at [`Cable`]'s of the same names.
#[derive(Debug)]
pub(super) enum Wires {
    /// A switch with a thread of its own.
    Real(Cable),
    /// A part of the world of lockstep time.
    Lockstep(Arc<World>),
}

impl Wires {
    pub(super) fn set_link(&self, host: &str, up: bool) -> Result<()> {
        match self {
            Self::Real(cable) => cable.set_link(host, up),
            Self::Lockstep(world) => world.set_link(host, up),
        }
    }

    pub(super) fn sleep(&self, host: &str) -> Result<()> {
        match self {
            Self::Real(cable) => cable.sleep(host),
            Self::Lockstep(world) => world.sleep(host),
        }
    }

    pub(super) fn set_rules(&self, rules: Vec<Rule>) -> Result<()> {
        match self {
            Self::Real(cable) => cable.set_rules(rules),
            Self::Lockstep(world) => world.set_rules(rules),
        }
    }

    pub(super) fn finish(self) -> Result<Summary> {
        match self {
            Self::Real(cable) => cable.finish(),
            Self::Lockstep(world) => world.finish(),
        }
    }
}
