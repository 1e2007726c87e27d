//! The one error type of the controller: what happened, what came with it, and what helps.
//!
//! A room returns [`Error`] when it could not do what it was asked. It says the fact in a sentence, shows
//! the evidence (the last lines of a console, of a tool's stderr) and, where there is one, the command or
//! change that helps. [`Kind`] alone decides the exit code.

use std::fmt;

/// What an error means for the run, and so for the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller asked for something that cannot be: wrong arguments or scenario. Exit code 64.
    Usage,
    /// The lab could not do what it must: the run's outcome is *unknown*. Exit code 2.
    Broken,
    /// The user pressed Ctrl-C. Exit code 130.
    Interrupted,
}

impl Kind {
    /// The process exit code for an error of this kind (64 is `EX_USAGE` of sysexits.h, 130 is 128 + SIGINT).
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 64,
            Kind::Broken => 2,
            Kind::Interrupted => 130,
        }
    }
}

/// What happened, what came with it, and what helps.
#[derive(Debug, Clone, thiserror::Error)]
pub struct Error {
    /// What it means for the run.
    pub kind: Kind,
    /// The fact, one sentence without a full stop: "host 'server' did not open SSH within 60 s".
    pub fact: String,
    /// Evidence, several lines at most: what was awaited and what came, a tool's last words.
    pub detail: Option<String>,
    /// The command to type or the change to make.
    pub help: Option<String>,
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of wrong usage.
    pub fn usage(fact: impl Into<String>) -> Self {
        Self::new(Kind::Usage, fact)
    }

    /// The lab broke: the outcome is unknown.
    pub fn broken(fact: impl Into<String>) -> Self {
        Self::new(Kind::Broken, fact)
    }

    /// The user interrupted.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    fn new(kind: Kind, fact: impl Into<String>) -> Self {
        Self { kind, fact: fact.into(), detail: None, help: None }
    }

    /// Adds evidence; earlier evidence is kept above it. An empty text adds nothing.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        if !detail.trim().is_empty() {
            self.detail = Some(match self.detail.take() {
                Some(above) => format!("{above}\n{detail}"),
                None => detail,
            });
        }
        self
    }

    /// Says what helps: a command to type, or a change to make.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says in which undertaking it happened: "while booting 'server': ...".
    #[must_use]
    pub fn during(mut self, what: &str) -> Self {
        self.fact = format!("{what}: {}", self.fact);
        self
    }
}

impl fmt::Display for Error {
    /// The fact; then, each after a blank line, the evidence and what helps.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.fact)?;
        if let Some(detail) = &self.detail {
            write!(f, "\n\n{detail}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n\n{help}")?;
        }
        Ok(())
    }
}

/// Turns a foreign error into ours, with the fact that the caller knows.
pub trait Context<T> {
    /// Maps the error to a [`Kind::Broken`] whose fact is `fact: <foreign error>`.
    ///
    /// # Errors
    /// The mapped error, where there was one.
    fn broken(self, fact: impl FnOnce() -> String) -> Result<T>;

    /// Maps the error to a [`Kind::Usage`] whose fact is `fact: <foreign error>`.
    ///
    /// # Errors
    /// The mapped error, where there was one.
    fn usage(self, fact: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn broken(self, fact: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::broken(format!("{}: {e}", fact())))
    }

    fn usage(self, fact: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|e| Error::usage(format!("{}: {e}", fact())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_fact_then_evidence_then_help() {
        let e =
            Error::broken("QEMU is missing").detail("PATH=/bin").detail("tried qemu-system-x86_64").help("./lab setup");
        assert_eq!(e.to_string(), "QEMU is missing\n\nPATH=/bin\ntried qemu-system-x86_64\n\n./lab setup");
        assert_eq!(e.kind.exit_code(), 2);
    }
}
