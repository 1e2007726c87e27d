//! `controller.log`: what the controller itself noted during a run, on the lab's clock.
//!
//! Several labs may run side by side in one process, each with a log of its own. A thread writes to the log of the run
//! that it works for: the run's own thread opens the log, and every thread it starts by way of [`belonging`] writes there too.
//!
//! The exception: a thread that nobody said a word about (a library's, say) writes to the one log there is, and nowhere
//! while there are several or none.

use crate::error::{Context, Result};
use crate::timeline::Clock;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

thread_local! {
    /// The log of the run that this thread works for.
    static OURS: RefCell<Option<Arc<Log>>> = const { RefCell::new(None) };
}

/// The logs of all runs that are on.
static OPEN: Mutex<Vec<Weak<Log>>> = Mutex::new(Vec::new());

/// A run's log.
#[derive(Debug)]
struct Log {
    /// Written to directly: one line, one write, so that lines of several threads do not mix.
    file: File,
    clock: Clock,
}

/// Where diagnostics of this thread go: the log of its run.
#[derive(Debug, Default, Clone, Copy)]
pub struct RunLog;

/// Closes the run's log when dropped, on the thread that opened it.
#[derive(Debug)]
pub struct Closing {
    log: Arc<Log>,
    before: Option<Arc<Log>>,
}

impl RunLog {
    /// Opens a run's log: from now on this thread works for that run.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn open(path: &Path, clock: Clock) -> Result<Closing> {
        let file = File::create(path).broken(|| format!("cannot make {}", path.display()))?;
        let log = Arc::new(Log { file, clock });
        open().push(Arc::downgrade(&log));
        let before = OURS.replace(Some(log.clone()));
        Ok(Closing { log, before })
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        OURS.set(self.before.take());
        open().retain(|log| log.as_ptr() != Arc::as_ptr(&self.log));
    }
}

/// `work` for another thread, which then works for the same run as this one.
pub fn belonging<T>(work: impl FnOnce() -> T + Send) -> impl FnOnce() -> T + Send {
    let log = OURS.with_borrow(Option::clone);
    move || {
        OURS.set(log);
        work()
    }
}

fn open() -> MutexGuard<'static, Vec<Weak<Log>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log that this thread writes to.
fn current() -> Option<Arc<Log>> {
    OURS.with_borrow(Option::clone).or_else(|| match &open()[..] {
        [only] => only.upgrade(),
        _ => None,
    })
}

/// Writes one line to a log, or nowhere.
#[derive(Debug)]
pub struct Line(Option<Arc<Log>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_ref().map_or(Ok(bytes.len()), |log| (&log.file).write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = Line;

    fn make_writer(&'a self) -> Self::Writer {
        Line(current())
    }
}

impl FormatTime for RunLog {
    /// The lab's time, as in the timeline.
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        write!(w, "{:>9}", current().map(|log| log.clock.now()).unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::thread;

    fn write(text: &str) {
        RunLog.make_writer().write_all(text.as_bytes()).unwrap();
    }

    /// One test: the logs that are open are the process's.
    #[test]
    fn every_thread_writes_to_the_log_of_the_run_that_it_works_for() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (home.path().join("one"), home.path().join("two"));
        write("nobody's\n");
        let first = RunLog::open(&one, Clock::start()).unwrap();
        thread::spawn(|| write("a stranger's, while one run is on\n")).join().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _second = RunLog::open(&two, Clock::start()).unwrap();
                write("two\n");
                thread::spawn(belonging(|| {
                    write("two's thread\n");
                    thread::spawn(belonging(|| write("and the thread of that\n"))).join().unwrap();
                }))
                .join()
                .unwrap();
                thread::spawn(|| write("a stranger's, while two are on\n")).join().unwrap();
            });
        });
        write("one\n");
        let late = belonging(|| write("late\n"));
        drop(first);
        write("nobody's\n");
        thread::spawn(late).join().unwrap();
        let read = |path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(one), "a stranger's, while one run is on\none\nlate\n");
        assert_eq!(read(two), "two\ntwo's thread\nand the thread of that\n");
    }
}
