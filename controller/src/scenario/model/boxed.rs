//! The box that a host is made from, where that is none of ours.

use super::{Init, Scenario};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// A box of Vagrant's: its name, and which version of it, if not the newest that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxName {
    /// Its name, as Vagrant has it: `debian/bookworm64`.
    pub name: String,
    /// The one version that is meant.
    pub version: Option<String>,
}

impl FromStr for BoxName {
    type Err = String;

    /// `NAME`, or `NAME@VERSION`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
        let plain = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > 2 || !parts.iter().copied().chain(version).all(plain) {
            return Err(format!(
                "{text:?} is no box's name: as in debian/bookworm64, or with a version, debian/bookworm64@12.20250126.1"
            ));
        }
        Ok(Self { name: name.to_owned(), version: version.map(str::to_owned) })
    }
}

impl fmt::Display for BoxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

impl Scenario {
    /// Has all hosts be made from this box, whatever they say themselves.
    ///
    /// # Errors
    /// Wrong usage: a host is to have the init that no box has.
    pub fn use_box(&mut self, boxed: &BoxName) -> Result<()> {
        for (name, host) in &mut self.hosts {
            if host.init == Some(Init::Sysvinit) {
                return Err(Error::usage(format!(
                    "host '{name}' of scenario {} has sysvinit, which no box brings",
                    self.name
                ))
                .detail("A box boots its own init, systemd; what sysvinit does cannot be seen there.")
                .help(format!("Leave out --box {boxed}, or take a scenario whose hosts name no init, or systemd.")));
            }
            host.kernel = None;
            host.boxed = Some(boxed.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_named_with_or_without_a_version() {
        let read = |text: &str| text.parse::<BoxName>();
        let plain = read("debian/bookworm64").unwrap();
        assert_eq!((plain.name.as_str(), &plain.version), ("debian/bookworm64", &None));
        let one = read("generic-x.y@12.1").unwrap();
        assert_eq!((one.name.as_str(), one.version.as_deref()), ("generic-x.y", Some("12.1")));
        for text in ["debian/bookworm64", "a@1"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        for wrong in ["", "a/b/c", "/a", "a/", "a@", "@1", "../a", "a b", "a'b", "a/..", "-a"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
