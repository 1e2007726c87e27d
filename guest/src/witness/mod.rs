//! The kernel as witness, on the guest's side: has the kernel trace what matters, and copies what it says to the flight
//! recorder.
//!
//! It copies and does not understand: the pages of the trace buffers go to the recorder as they are, with the kernel's own
//! description of its events, and are taken apart on the host. So it is small, it costs little, and what a power cut leaves is
//! the kernel's own word.
//!
//! Order: [`start`] leaves a process behind, which opens the recorder, has the kernel trace (`setup`), and copies until the machine
//! ends (`drain`). A program that is to be traced calls [`under_the_kernels_eyes`] before it is executed.
//!
//! The exception: what a kernel cannot do is recorded as a *problem*, and the rest is done. Only where there is no recorder
//! nothing is done at all.

mod drain;
mod events;
mod programs;
mod setup;
mod start;
mod survive;
mod tracefs;

pub use programs::{STARTED, under_the_kernels_eyes};
pub use start::{record, start};

use crate::SEED_DIR;
use crate::recorder::{Record, Writer};
use crate::shared;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::Path;

/// The name under which the witness lives: init spares who is called so, as the storage daemons of initramfs images are
/// spared (systemd: docs/ROOT_STORAGE_DAEMONS.md, `@` first).
pub const SURVIVOR: &str = "@witness";

/// Where the kernel shows its trace buffers.
const TRACEFS: &str = "/sys/kernel/tracing";

/// Records until the machine ends. `ready` is called when the kernel traces.
///
/// # Errors
/// There is no flight recorder, or it cannot be used. All else is recorded as a problem.
fn testify(ready: impl FnOnce()) -> io::Result<Infallible> {
    let memory = shared::recorder()?;
    let mut writer = Writer::open(memory).map_err(io::Error::other)?;
    writer.append(&boot()?).map_err(io::Error::other)?;
    let mut problems = survive::survive();
    let tracefs = Path::new(TRACEFS);
    let pace = Pace::of_this_guest();
    let setup = setup::set_up(tracefs, pace, &mut problems);
    ready();
    for (name, text) in setup.formats(tracefs, &mut problems) {
        writer.append(&Record::Format { name, text }).map_err(io::Error::other)?;
    }
    for problem in problems {
        writer.append(&problem).map_err(io::Error::other)?;
    }
    let source = clock_source();
    writer.append(&Record::ClockSource { name: source.clone() }).map_err(io::Error::other)?;
    let error = drain::drain(tracefs, &source, pace, &mut writer);
    writer.append(&problem("witness", &error)).map_err(io::Error::other)?;
    Err(error)
}

fn boot() -> io::Result<Record> {
    let line = |path: &str| fs::read_to_string(path).map(|text| text.trim_end().to_owned());
    Ok(Record::Boot {
        boot_id: line("/proc/sys/kernel/random/boot_id")?,
        release: line("/proc/sys/kernel/osrelease")?,
        witness: env!("CARGO_PKG_VERSION").to_owned(),
        page_size: page_size(),
        cpus: cpus(),
    })
}

/// When the witness looks for what was traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Again and again, by the clock: to be woken would slow what is watched.
    ByTheClock,
    /// When something was traced, and else now and then. In lockstep time nothing is slowed, and a guest that wakes for nothing is what
    /// keeps the lab from skipping time.
    ByEvents,
}

impl Pace {
    /// A guest without SSH lives in lockstep time (the seed's `control`).
    fn of_this_guest() -> Self {
        match fs::read_to_string(Path::new(SEED_DIR).join("control")) {
            Ok(control) if control.trim() == "serial" => Self::ByEvents,
            _ => Self::ByTheClock,
        }
    }
}

/// What the kernel reads its clock from; nothing, if it does not say.
fn clock_source() -> String {
    let told = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    told.map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

fn problem(what: &str, why: &impl ToString) -> Record {
    Record::Problem { what: what.to_owned(), why: why.to_string() }
}

/// Size of a page of memory, which is that of a trace buffer's pages.
fn page_size() -> u32 {
    let asked = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    asked.ok().flatten().and_then(|size| u32::try_from(size).ok()).unwrap_or(4096)
}

/// How many processors the kernel has trace buffers for.
fn cpus() -> u32 {
    let asked = nix::unistd::sysconf(nix::unistd::SysconfVar::_NPROCESSORS_CONF);
    asked.ok().flatten().and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
}
