//! Has the kernel trace.

use super::events::{self, Event};
use super::{Pace, problem, tracefs};
use crate::recorder::{Instance, Record};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

/// Size of an instance's trace buffer per processor, in KiB: what may happen while the witness does not come to read.
const BUFFER_KIB: u32 = 4096;

/// CLOCK_BOOTTIME: it goes on while the machine sleeps, and nobody sets it.
const CLOCK: &str = "boot";

/// Whether the kernel keeps, at each switch of processes, which name a traced one has: for texts that nobody reads here, and not for
/// nothing. Instances inherit it.
const NAMES: &str = "options/record-cmd";

/// What the kernel was brought to trace.
#[derive(Debug, Default)]
pub(super) struct Setup {
    /// Events that are switched on.
    names: BTreeSet<String>,
}

/// Whether the kernel hurries where it must wait until nobody uses what it changes (kernel: Documentation/RCU/checklist.rst,
/// `rcu_expedited`). Tracing is set up in half the time.
const HURRY: &str = "/sys/kernel/rcu_expedited";

/// Sets up both instances. What cannot be done is added to `problems`.
pub(super) fn set_up(root: &Path, pace: Pace, problems: &mut Vec<Record>) -> Setup {
    // Where it cannot, it takes longer; that is all.
    let hurried = fs::write(HURRY, "1").is_ok();
    let setup = trace(root, pace, problems);
    if hurried {
        let _ = fs::write(HURRY, "0");
    }
    setup
}

fn trace(root: &Path, pace: Pace, problems: &mut Vec<Record>) -> Setup {
    let mut note = |what: &str, done: io::Result<()>| {
        if let Err(error) = &done {
            problems.push(problem(what, error));
        }
        done.is_ok()
    };
    // Where it cannot, it costs more; that is all.
    let _ = fs::write(root.join(NAMES), "0");
    for instance in Instance::ALL {
        let folder = tracefs::folder(root, instance);
        let made = fs::create_dir(&folder).or_else(|e| if folder.is_dir() { Ok(()) } else { Err(e) });
        if !note(instance.name(), made) {
            continue;
        }
        note("buffer_size_kb", tracefs::add(&folder.join("buffer_size_kb"), &BUFFER_KIB.to_string()));
        note("trace_clock", tracefs::add(&folder.join("trace_clock"), CLOCK));
        if pace == Pace::ByEvents {
            // The witness wakes with the first event, not when the buffer is half full. Older kernels know no other way.
            let _ = fs::write(folder.join("buffer_percent"), "0");
        }
    }
    // An empty list would mean everybody.
    let programs = tracefs::folder(root, Instance::Programs);
    note("set_event_pid", tracefs::add(&programs.join("set_event_pid"), &nobody().to_string()));
    note("event-fork", tracefs::add(&programs.join("options/event-fork"), "1"));
    for (_, name, definition) in events::PROBES {
        note(name, tracefs::add(&root.join("kprobe_events"), definition));
    }

    let mut setup = Setup::default();
    for Event { instance, name, filter } in events::all() {
        let event = tracefs::folder(root, instance).join("events").join(&name);
        let filtered = if filter.is_empty() { Ok(()) } else { tracefs::add(&event.join("filter"), filter) };
        let on = filtered.and_then(|()| tracefs::add(&event.join("enable"), "1"));
        if note(&name, on) {
            setup.names.insert(name);
        }
    }
    setup
}

impl Setup {
    /// The kernel's descriptions of everything that it traces: name and text.
    pub(super) fn formats(&self, root: &Path, problems: &mut Vec<Record>) -> Vec<(String, String)> {
        let mut read = |name: &str, file: &str| match tracefs::read(&root.join("events").join(file)) {
            Ok(text) => Some((name.to_owned(), text)),
            Err(error) => {
                problems.push(problem(name, &error));
                None
            }
        };
        let headers = ["header_page", "header_event"].iter().filter_map(|name| read(name, name)).collect::<Vec<_>>();
        let names = self.names.iter().map(String::as_str).chain(["ftrace/print"]);
        let events = names.filter_map(|name| read(name, &format!("{name}/format"))).collect::<Vec<_>>();
        [headers, events].concat()
    }
}

/// A process id that nobody has: the last that this kernel would give.
fn nobody() -> u32 {
    let most = fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|text| text.trim().parse::<u32>().ok());
    most.unwrap_or(32768).saturating_sub(1)
}
