//! What the lab is doing right now, for whoever shows it. Rooms send [`Progress`]; only `report` prints.

/// One thing to tell about ongoing work. `id` names a line of work ("image", "server"); the same id goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // `id`, `what` and `done` are told above.
pub enum Progress {
    /// Work began: `what` is a short phrase in the present tense ("building the guest disk").
    Began { id: String, what: String },
    /// The work goes on; `what` replaces the phrase. `done` of 100, where it is known.
    Now { id: String, what: String, done: Option<u8> },
    /// The work ended well; `what` is in the past tense ("booted in 2.9 s").
    Done { id: String, what: String },
    /// The work failed; the error itself goes another way.
    Failed { id: String, what: String },
}

/// Where progress goes. Cheap to clone; may be called from any thread.
#[derive(Clone)]
pub struct Reporter(std::sync::Arc<dyn Fn(Progress) + Send + Sync>);

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

impl Reporter {
    /// A reporter that calls `sink` for everything told.
    pub fn new(sink: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(std::sync::Arc::new(sink))
    }

    /// A reporter that tells nobody.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| ())
    }

    /// Tells one thing.
    pub fn tell(&self, progress: Progress) {
        (self.0)(progress);
    }

    /// Work `id` began.
    pub fn began(&self, id: &str, what: impl Into<String>) {
        self.tell(Progress::Began { id: id.to_owned(), what: what.into() });
    }

    /// Work `id` goes on.
    pub fn now(&self, id: &str, what: impl Into<String>, done: Option<u8>) {
        self.tell(Progress::Now { id: id.to_owned(), what: what.into(), done });
    }

    /// Work `id` ended well.
    pub fn done(&self, id: &str, what: impl Into<String>) {
        self.tell(Progress::Done { id: id.to_owned(), what: what.into() });
    }

    /// Work `id` failed.
    pub fn failed(&self, id: &str, what: impl Into<String>) {
        self.tell(Progress::Failed { id: id.to_owned(), what: what.into() });
    }
}
