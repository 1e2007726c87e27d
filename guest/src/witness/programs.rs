//! Puts a program under the kernel's eyes.

use super::{TRACEFS, tracefs};
use crate::recorder::Instance;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// What the trace says when a program is about to be started; its name follows, ` pid `, and its process id.
pub const STARTED: &str = "deadpeer: program ";

/// Has the kernel trace what this process does from now on, and what its children do, as the program `name`. The trace itself
/// says who is who. Nothing happens where the kernel does not trace: the recording then has no such program in it.
pub fn under_the_kernels_eyes(name: &str) {
    let _ = enrol(&tracefs::folder(Path::new(TRACEFS), Instance::Programs), name, std::process::id());
}

fn enrol(instance: &Path, name: &str, pid: u32) -> io::Result<()> {
    let mut marker = OpenOptions::new().write(true).open(instance.join("trace_marker"))?;
    marker.write_all(format!("{STARTED}{name} pid {pid}").as_bytes())?;
    tracefs::add(&instance.join("set_event_pid"), &pid.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_program_is_added_to_those_that_are_traced_and_the_trace_says_so() {
        let instance = tempfile::tempdir().unwrap();
        fs::write(instance.path().join("set_event_pid"), "32767\n").unwrap();
        fs::write(instance.path().join("trace_marker"), "").unwrap();
        enrol(instance.path(), "echo-server", 312).unwrap();
        assert_eq!(
            fs::read_to_string(instance.path().join("trace_marker")).unwrap(),
            "deadpeer: program echo-server pid 312"
        );
        assert_eq!(fs::read_to_string(instance.path().join("set_event_pid")).unwrap(), "32767\n312");
    }

    #[test]
    fn where_nothing_is_traced_nothing_happens() {
        let nowhere = tempfile::tempdir().unwrap();
        assert!(enrol(nowhere.path(), "echo-server", 312).is_err());
        assert_eq!(fs::read_dir(nowhere.path()).unwrap().count(), 0);
    }
}
