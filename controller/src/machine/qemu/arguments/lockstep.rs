//! The command line of a machine in lockstep time.
//!
//! Whatever the host decides would show: its clocks, its random numbers, the moment at which a thread of QEMU's gets its turn. So
//! everything here is counted, seeded, or done by the vCPU's own thread:
//!
//! - `-icount shift=2,sleep=off`: 4 ns an instruction; an idle machine jumps to its next timer.
//! - `-rtc clock=vm`, `-seed`: date and random numbers (the processor's RDRAND and RDSEED too) come from the machine.
//! - `hpet=off`: it would wake the machine 250 times a second.
//! - `ioeventfd=off,tx=timer`: a NIC sends from a timer on the virtual clock, not when a thread of the host's gets round to it.
//! - `-netdev hubport`: a backend without a host side; the plugin is its other end.
//! - The console is a file, which goes on over all boots: written at once, it never makes the guest wait. A pipe that is full would.
//! - No virtio disk, no user network, no random numbers from the host: all of them answer when the host is ready.

use super::{Arguments, SANDBOX, escape, nic};
use crate::machine::Mac;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// A PC without the parts that nobody needs in lockstep.
const MACHINE: &str = "q35,hpet=off,smbus=off,sata=off,usb=off,vmport=off,i8042=off";

/// The date at which every machine's clock begins.
const DATE: &str = "2026-01-01T00:00:00";

/// What a machine in lockstep is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The host's name.
    pub name: String,
    /// Memory in MiB.
    pub memory: u32,
    /// Kernel, initramfs and command line; none: the firmware finds nothing to boot.
    pub kernel: Option<(PathBuf, PathBuf, String)>,
    /// The addresses of its link NICs, link 0 first: three at most.
    pub links: Vec<Mac>,
    /// The file that the console is written to; none: it has no console.
    pub console: Option<PathBuf>,
    /// All its chance.
    pub seed: u64,
    /// The plugin's file ([`super::super::lockstep::install`]).
    pub plugin: PathBuf,
    /// The plugin's end of the socket to the coordinator, which QEMU inherits.
    pub socket: RawFd,
    /// QEMU's end of a QMP connection; the guest then stands still until it is let go.
    pub qmp: Option<RawFd>,
}

/// The command line of this machine, without the program's name.
#[must_use]
pub fn lockstep(board: &Board) -> Vec<String> {
    let mut args = Arguments::default();
    args.0.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
    args.add("-name", &board.name);
    args.add("-display", "none");
    args.add("-sandbox", SANDBOX);
    args.add("-machine", MACHINE);
    args.add("-accel", "tcg,thread=single");
    args.add("-icount", "shift=2,sleep=off");
    args.add("-cpu", "max");
    args.add("-smp", "1");
    args.add("-m", board.memory.to_string());
    args.add("-rtc", format!("base={DATE},clock=vm"));
    args.add("-seed", board.seed.to_string());
    if let Some((kernel, initrd, append)) = &board.kernel {
        args.kernel(kernel, initrd, append);
    }
    if let Some(file) = &board.console {
        args.add("-chardev", format!("file,id=console,append=on,path={}", escape(&file.display().to_string())));
        args.add("-serial", "chardev:console");
    }
    let mut plugin = format!("file={},fd={}", escape(&board.plugin.display().to_string()), board.socket);
    for (number, mac) in board.links.iter().enumerate() {
        let name = format!("link{number}");
        args.add("-netdev", format!("hubport,id={name},hubid={number}"));
        args.nic(&name, &nic(number), *mac, ",ioeventfd=off,tx=timer,x-txtimer=1000");
        plugin.push_str(&format!(",net={name}"));
    }
    if board.console.is_some() {
        plugin.push_str(",serial=console");
    }
    args.add("-plugin", plugin);
    if let Some(qmp) = board.qmp {
        args.add("-chardev", format!("socket,id=qmp,fd={qmp}"));
        args.add("-mon", "chardev=qmp,mode=control");
        args.0.push("-S".to_owned());
    }
    args.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn board() -> Board {
        Board {
            name: "router".into(),
            memory: 256,
            kernel: Some(("/cache/kernel".into(), "/runs/1/router.initrd".into(), "console=ttyS0 quiet".into())),
            links: vec![[0x02, 0xde, 0xad, 0, 0, 3], [0x02, 0xde, 0xad, 0, 1, 3]],
            console: Some("/runs/1/router.console.log".into()),
            seed: 42,
            plugin: "/runs/1/a,b/lockstep.so".into(),
            socket: 12,
            qmp: Some(13),
        }
    }

    #[test]
    fn the_whole_command_line() {
        let lines = lockstep(&board()).join(" ").replace(" -", "\n-");
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn a_machine_that_is_bare_has_no_console_no_nic_and_runs_at_once() {
        let bare = Board { kernel: None, links: vec![], console: None, qmp: None, ..board() };
        let args = lockstep(&bare);
        for option in ["-kernel", "-serial", "-chardev", "-netdev", "-device", "-mon", "-S"] {
            assert!(!args.iter().any(|arg| arg == option), "{option} in {args:?}");
        }
        assert_eq!(args.last().unwrap(), "file=/runs/1/a,,b/lockstep.so,fd=12");
    }
}
