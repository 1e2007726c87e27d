//! The catalogue: the scenarios that travel inside the binary.

use super::names;
use super::{Scenario, load, parse};
use crate::error::Error;
use std::path::Path;

/// Scenarios by name, with their texts.
#[derive(Debug, Clone, Copy)]
pub struct Catalogue {
    scenarios: &'static [(&'static str, &'static str)],
}

impl Catalogue {
    /// A catalogue of these names and texts.
    #[must_use]
    pub const fn new(scenarios: &'static [(&'static str, &'static str)]) -> Self {
        Self { scenarios }
    }

    /// The names, in the catalogue's order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.scenarios.iter().map(|(name, _)| *name)
    }

    /// The name and the text of the scenario that is so named.
    ///
    /// # Errors
    /// There is none; the error names the nearest.
    pub fn find(&self, name: &str) -> Result<(&'static str, &'static str), Error> {
        if let Some(found) = self.scenarios.iter().find(|(known, _)| *known == name) {
            return Ok(*found);
        }
        let error = Error::usage(format!("there is no scenario {name:?}"));
        Err(match names::nearest(name, self.names()) {
            Some(near) => error.help(format!("did you mean {near}? All of them: controller list")),
            None => error.help("controller list"),
        })
    }

    /// The scenario that an argument of the command line means: a path to a YAML file (it holds a `/` or ends in
    /// `.yaml` or `.yml`), else a name of the catalogue.
    ///
    /// # Errors
    /// As [`load`] and [`Self::find`].
    pub fn resolve(&self, argument: &str) -> Result<Scenario, Error> {
        if argument.contains('/') || argument.ends_with(".yaml") || argument.ends_with(".yml") {
            return load(Path::new(argument));
        }
        match self.find(argument) {
            Ok((name, text)) => Ok(parse(&format!("{name}.yaml"), text)?),
            Err(error) if Path::new(argument).exists() => {
                Err(Error::usage(error.fact).help(format!("for the file of this name: ./{argument}")))
            }
            Err(error) => Err(error),
        }
    }
}
