//! How processes fare, as proc(5) has it.

use std::fs::{read, read_dir, read_to_string};

/// The process among whose arguments is this one; the first that is found, but this process itself.
pub(super) fn find(word: &str) -> Option<u32> {
    let own = std::process::id();
    read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = read(entry.path().join("cmdline")).ok()?;
        let is_it = line.split(|byte| *byte == 0).any(|it| it == word.as_bytes());
        (is_it && pid != own).then_some(pid)
    })
}

/// A process's state, a letter (proc_pid_stat(5)); none if there is no such process, or it is dead and not reaped.
#[must_use]
pub fn state(pid: u32) -> Option<char> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next().filter(|state| !matches!(state, 'Z' | 'X'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::{Duration, Instant};

    #[test]
    fn a_process_is_found_by_an_argument_and_gone_when_it_is_dead() {
        let mut child = Command::new("sleep").args(["1000.0625", "0"]).spawn().unwrap();
        // A program that was just begun is there for a moment before its arguments are (load_elf_binary() in fs/binfmt_elf.c).
        let deadline = Instant::now() + Duration::from_secs(10);
        while find("1000.0625").is_none() && Instant::now() < deadline {}
        assert_eq!(find("1000.0625"), Some(child.id()));
        assert_eq!(find("1000.062"), None);
        assert!(state(child.id()).is_some());
        child.kill().unwrap();
        while state(child.id()).is_some() {}
        child.wait().unwrap();
        assert_eq!(state(child.id()), None);
    }
}
