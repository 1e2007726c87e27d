//! Time that passes only when somebody lets it.

use crate::error::Result;

/// What whoever waits for a host calls again and again, where no thread carries the control connection: a lab in lockstep time.
pub trait Drive: Send + Sync {
    /// Lets the lab go on to its next boundary: gives every [`Agent`](super::Agent) its turn.
    ///
    /// # Errors
    /// The lab cannot go on, or is not to: whoever waits gets this.
    fn drive(&self) -> Result<()>;
}
