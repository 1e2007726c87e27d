//! Ctrl-C as a fact that every wait looks at.

use crate::error::{Context, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether the user asked to stop. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Takes SIGINT, SIGTERM and SIGHUP from now on. The first is seen by [`Interrupt::raised`], and everything ends
    /// in order; the second ends the process at once, and its machines with it (their parent-death signal).
    ///
    /// # Errors
    /// When the process's signal handlers cannot be set.
    pub fn install() -> Result<Self> {
        let interrupt = Self::default();
        let count = Arc::clone(&interrupt.0);
        ctrlc::set_handler(move || {
            if count.fetch_add(1, Ordering::SeqCst) > 0 {
                std::process::exit(130);
            }
        })
        .broken(|| "cannot take signals".to_owned())?;
        Ok(interrupt)
    }

    /// True once the user has asked to stop.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    /// Asks to stop, as the user would.
    pub fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
