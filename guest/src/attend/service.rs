//! A service: started by the host's init, as init starts services, and ended by it at shutdown.
//!
//! * *systemd*: a unit in `/run/systemd/system`, named as the program, ordered after the unit that holds network and SSH: so it
//!   is stopped before these (systemd.unit(5), `After=`). Its time-outs are systemd's own; a drop-in changes them.
//! * *System V init*: a child of a child that ends, so that it is init's, in a session of its own: what `start-stop-daemon
//!   --background` does. It gets the signals that `sendsigs` sends to everybody.

use super::exits::Exit;
use super::program::{forked, reaped};
use super::{Mark, Start, Word, become_program, find, limits};
use crate::wrap::complain;
use crate::{SEED_DIR, WITNESS};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo, setsid};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the running systemd makes itself known by (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";

/// The unit of network and SSH, in the image.
const OURS: &str = "deadpeer.service";

/// The files about a service, in the seed's folder.
fn file(name: &str, what: &str) -> PathBuf {
    Path::new(SEED_DIR).join(format!("service-{name}.{what}"))
}

/// Has it started and waits for its end, then for that of the channel.
pub(super) fn attend(start: &Start) -> Result<(), String> {
    let cannot = |what: &'static str| move |e: std::io::Error| format!("{what}: {e}");
    let terminal = fs::read_link("/proc/self/fd/1").map_err(cannot("its terminal"))?;
    let (command, pid, output) =
        (file(&start.name, "command"), file(&start.name, "pid"), file(&start.name, "terminal"));
    for old in [&pid, &output] {
        let _ = fs::remove_file(old);
    }
    symlink(terminal, &output).map_err(cannot("its terminal"))?;
    fs::write(&command, format!("{}\0{}", start.mark, start.command.join("\0"))).map_err(cannot("its command"))?;
    mkfifo(&pid, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|e| format!("its pid: {}", e.desc()))?;
    // Open for writing too, so that to open it does not wait for the other end.
    let pipe = fs::File::options().read(true).write(true).open(&pid).map_err(cannot("its pid"))?;

    let exits = super::exits::Exits::listen();
    if Path::new(SYSTEMD).is_dir() {
        by_systemd(start)?
    } else {
        by_sysvinit(&start.name)?
    }
    let mut line = String::new();
    BufReader::new(&pipe).read_line(&mut line).map_err(cannot("its pid"))?;
    let process = Pid::from_raw(line.trim().parse().map_err(|_| format!("its pid: it says {line:?}"))?);

    let hangup = SigSet::from_iter([Signal::SIGHUP]);
    let hangup = SignalFd::with_flags(&hangup, SfdFlags::SFD_CLOEXEC).map_err(|e| format!("signalfd: {}", e.desc()))?;
    match super::exits::wait(exits.as_ref(), process, hangup.as_fd())? {
        None => return Ok(()),
        Some(Exit::Status(status)) => start.mark.say(&Word::of_status(status)),
        Some(Exit::Unknown) => {
            start.mark.say(&Word::Gone("init reaped it, and the kernel did not tell how".to_owned()))
        }
    }
    // The children that it may have left still print.
    let _ = hangup.read_signal();
    Ok(())
}

/// Becomes the service. Returns an exit status if it cannot.
pub(super) fn become_it(name: &str) -> i32 {
    // systemd gives its own.
    crate::shell::set_path();
    let why = match prepare(name) {
        Ok(start) => become_program(&start),
        Err(why) => why,
    };
    complain(format_args!("{name}: {why}"));
    127
}

/// What the attendant left for this process; and tells the attendant who it is.
fn prepare(name: &str) -> Result<Start, String> {
    let text = fs::read_to_string(file(name, "command")).map_err(|e| format!("its command: {e}"))?;
    let mut words = text.split('\0').map(str::to_owned);
    let mark = words.next().and_then(|mark| Mark::read(&mark)).ok_or("its command has no mark")?;
    let command: Vec<String> = words.collect();
    command.first().and_then(|word| find(word)).ok_or("its command is not on this host")?;
    let mut pid = fs::File::options().write(true).open(file(name, "pid")).map_err(|e| format!("its pid: {e}"))?;
    pid.write_all(format!("{}\n", nix::unistd::getpid()).as_bytes()).map_err(|e| format!("its pid: {e}"))?;
    Ok(Start { mark, service: true, name: name.to_owned(), command })
}

fn by_systemd(start: &Start) -> Result<(), String> {
    let name = format!("{}.service", start.name);
    for folder in ["/etc/systemd/system", "/usr/lib/systemd/system"] {
        if Path::new(folder).join(&name).exists() {
            return Err(format!("the image has a unit {name} of its own; give the program another name"));
        }
    }
    let file = Path::new(SYSTEMD).join(&name);
    fs::write(&file, unit(&start.name)).map_err(|e| format!("{}: {e}", file.display()))?;
    let status = Command::new("systemctl").args(["start", &name]).status().map_err(|e| format!("systemctl: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`systemctl start {name}` failed: {status}")) }
}

fn unit(name: &str) -> String {
    let terminal = file(name, "terminal");
    format!(
        "[Unit]\n\
         Description=Deadpeer program {name}\n\
         DefaultDependencies=no\n\
         After={OURS}\n\
         Conflicts=shutdown.target\n\
         Before=shutdown.target\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={WITNESS} become {name}\n\
         StandardInput=null\n\
         StandardOutput=file:{terminal}\n\
         StandardError=inherit\n\
         TasksMax={tasks}\n\
         MemoryMax={memory}%\n",
        terminal = terminal.display(),
        tasks = limits::PROCESSES,
        memory = limits::MEMORY_PERCENT,
    )
}

/// Forks twice: the child in between ends, and init takes the other over.
fn by_sysvinit(name: &str) -> Result<(), String> {
    let between = forked(|| {
        let _ = setsid();
        let started = forked(|| become_by_hand(name));
        i32::from(started.is_err())
    })?;
    loop {
        match reaped(between)? {
            Some(0) => return Ok(()),
            Some(status) => return Err(format!("the start of its process: status {status}")),
            // Not long: it only forks.
            None => drop(SigSet::from_iter([Signal::SIGCHLD]).wait()),
        }
    }
}

/// What systemd does by the unit's settings; then the witness anew, as systemd would execute it.
fn become_by_hand(name: &str) -> i32 {
    let prepared = limits::enter(name).and_then(|()| {
        let null = fs::File::open("/dev/null").map_err(|e| format!("/dev/null: {e}"))?;
        nix::unistd::dup2_stdin(null).map_err(|e| format!("dup2: {}", e.desc()))?;
        std::env::set_current_dir("/").map_err(|e| format!("/: {e}"))
    });
    if let Err(why) = prepared {
        complain(format_args!("{name}: {why}"));
        return 127;
    }
    super::fresh_signals();
    let error = std::os::unix::process::CommandExt::exec(Command::new(WITNESS).args(["become", name]));
    complain(format_args!("{name}: {WITNESS}: {error}"));
    127
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_stopped_before_network_and_ssh_and_waits_as_systemd_waits() {
        let unit = unit("echo-server");
        assert!(unit.contains("\nAfter=deadpeer.service\nConflicts=shutdown.target\n"), "{unit}");
        assert!(unit.contains("\nExecStart=/run/deadpeer/witness become echo-server\n"), "{unit}");
        assert!(unit.contains("\nStandardOutput=file:/run/deadpeer/service-echo-server.terminal\n"), "{unit}");
        assert!(!unit.contains("Timeout"), "{unit}");
    }
}
