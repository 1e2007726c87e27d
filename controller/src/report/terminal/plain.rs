//! Progress where there is no terminal: a line for each thing that happened, with its time.

use super::super::text::harmless;
use crate::progress::Progress as Told;
use std::collections::HashMap;
use std::io::Write;
use std::time::Instant;

pub(super) struct Plain {
    to: Box<dyn Write + Send>,
    began: Instant,
    /// The last phrase of each line of work: only a new one is worth a line, a new percentage is not.
    last: HashMap<String, String>,
}

impl Plain {
    pub(super) fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to, began: Instant::now(), last: HashMap::new() }
    }

    pub(super) fn show(&mut self, told: Told) {
        let (id, what) = match told {
            Told::Began { id, what } | Told::Done { id, what } => (id, what),
            Told::Failed { id, what } => (id, format!("failed: {what}")),
            Told::Now { id, what, .. } if self.last.get(&id) == Some(&what) => return,
            Told::Now { id, what, .. } => (id, what),
        };
        self.line(&format!("{}: {}", harmless(&id), harmless(&what)));
        self.last.insert(id, what);
    }

    /// Writes one line, with its time.
    pub(super) fn line(&mut self, line: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        // In one write, so that lines of other writers come between lines, not within them. Nobody reading
        // progress is no reason to stop the run.
        let _ = self.to.write_all(format!("[{seconds:>7.3}] {line}\n").as_bytes());
    }
}
