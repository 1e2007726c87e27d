//! The command line of a machine in lockstep time.
//!
//! Whatever the host decides would show: its clocks, its random numbers, the moment at which a thread of QEMU's gets its turn. So
//! everything here is counted, seeded, or done by the vCPU's own thread:
//!
//! - `-icount shift=2,sleep=off`: 4 ns an instruction; an idle machine jumps to its next timer.
//! - `-rtc clock=vm`, `-seed`: date and random numbers come from the machine.
//! - `hpet=off`: it would wake the machine 250 times a second.
//! - `ioeventfd=off,tx=timer`: a NIC sends from a timer on the virtual clock, not when a thread of the host's gets round to it.
//! - `guest_announce=off`: no guest is to tell the network that it was restored. QEMU 7.2 could be told so by `announce-rounds` alone, but then
//!   frees the card's timer, and dies when the guest resets the card (`virtio_net_post_load_device`, `virtio_net_reset`).
//! - `-netdev hubport`: a backend without a host side; the plugin is its other end.
//! - The console is a file, which goes on over all boots: written at once, it never makes the guest wait. A pipe that is full would.
//!   So is what the agent on the second serial line says.
//! - The disk is an NVDIMM, memory that is a file: written at once, too. What the guest synced is in it when QEMU is killed.
//! - The program disk is memory on the PCI bus (`ivshmem-plain`) that is a file: nothing of it is in the guest's memory before a program
//!   is brought from there. `readonly=on`: a file that QEMU cannot write to, and memory that ignores a guest's stores. `master=on`: such
//!   a machine may be saved and restored.
//! - The processor has no random numbers (`-rdrand,-rdseed`): how many of them were drawn is not part of what QEMU saves of a machine.
//! - No virtio disk, no user network, no random numbers from the host: all of them answer when the host is ready.

use super::{Arguments, EMULATED_CPU, SANDBOX, escape, nic};
use crate::machine::Mac;
use deadpeer_guest::PROGRAM_DISK_SLOT;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

/// A PC without the parts that nobody needs in lockstep.
const MACHINE: &str = "q35,hpet=off,smbus=off,sata=off,usb=off,vmport=off,i8042=off";

/// The date at which every machine's clock begins.
const DATE: &str = "2026-01-01T00:00:00";

/// The disk of a machine in lockstep ([`super::super::lockstep::disk`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The file: this machine's alone, written to.
    pub file: PathBuf,
    /// Its length in MiB, which is the NVDIMM's.
    pub mib: u64,
}

/// Size of the program disk in MiB: a power of two, as PCI wants it. All hosts have one of this size, whatever is on it.
pub const PROGRAMS_MIB: u64 = 128;

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
    /// Its disk, `/dev/pmem0` in the guest.
    pub disk: Option<Disk>,
    /// The file that is the program disk, of [`PROGRAMS_MIB`] ([`super::super::lockstep::program_disk`]).
    pub programs: Option<PathBuf>,
    /// The file that is the flight recorder's memory, of [`super::RECORDER_MIB`].
    pub recorder: Option<PathBuf>,
    /// The file that the console is written to; none: it has no console.
    pub console: Option<PathBuf>,
    /// The file that the agent's serial line is written to, the one after the console's. Where there is one, what is typed goes to the
    /// agent.
    pub agent: Option<PathBuf>,
    /// All its chance.
    pub seed: u64,
    /// The plugin's file ([`super::super::lockstep::install`]).
    pub plugin: PathBuf,
    /// The plugin's end of the socket to the coordinator, which QEMU inherits.
    pub socket: RawFd,
    /// QEMU's end of a QMP connection; the guest then stands still until it is let go.
    pub qmp: Option<RawFd>,
    /// Whether its state comes over QMP (`migrate-incoming`), and it boots nothing.
    pub restored: bool,
}

/// The command line of this machine, without the program's name.
#[must_use]
pub fn lockstep(board: &Board) -> Vec<String> {
    let mut args = Arguments::default();
    args.0.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
    args.add("-name", &board.name);
    args.add("-display", "none");
    args.add("-sandbox", SANDBOX);
    let nvdimm = if board.disk.is_some() { ",nvdimm=on" } else { "" };
    args.add("-machine", format!("{MACHINE}{nvdimm}"));
    args.add("-accel", "tcg,thread=single");
    args.add("-icount", "shift=2,sleep=off");
    args.add("-cpu", format!("{EMULATED_CPU},-rdrand,-rdseed"));
    args.add("-smp", "1");
    match &board.disk {
        Some(disk) => {
            args.add("-m", format!("{0},slots=1,maxmem={1}M", board.memory, u64::from(board.memory) + disk.mib))
        }
        None => args.add("-m", board.memory.to_string()),
    }
    args.add("-rtc", format!("base={DATE},clock=vm"));
    args.add("-seed", board.seed.to_string());
    if let Some((kernel, initrd, append)) = &board.kernel {
        args.kernel(kernel, initrd, append);
    }
    if let Some(disk) = &board.disk {
        args.nvdimm(disk);
    }
    if let Some(file) = &board.programs {
        args.programs(file);
    }
    if let Some(file) = &board.recorder {
        // Its memory's master (ivshmem's word): what it holds is saved with the machine.
        args.recorder(file, ",master=on");
    }
    let lines = [("console", &board.console), ("agent", &board.agent)];
    let lines: Vec<_> = lines.into_iter().filter_map(|(id, file)| Some((id, file.as_ref()?))).collect();
    for (id, file) in &lines {
        args.add("-chardev", format!("file,id={id},append=on,path={}", escape(&file.display().to_string())));
        args.add("-serial", format!("chardev:{id}"));
    }
    let mut plugin = format!("file={},fd={}", escape(&board.plugin.display().to_string()), board.socket);
    for (number, mac) in board.links.iter().enumerate() {
        let name = format!("link{number}");
        args.add("-netdev", format!("hubport,id={name},hubid={number}"));
        args.nic(&name, &nic(number), *mac, ",ioeventfd=off,tx=timer,x-txtimer=1000,guest_announce=off");
        plugin.push_str(&format!(",net={name}"));
    }
    if let Some((id, _)) = lines.last() {
        plugin.push_str(&format!(",serial={id}"));
    }
    args.add("-plugin", plugin);
    if let Some(qmp) = board.qmp {
        args.add("-chardev", format!("socket,id=qmp,fd={qmp}"));
        args.add("-mon", "chardev=qmp,mode=control");
        args.0.push("-S".to_owned());
    }
    if board.restored {
        args.add("-incoming", "defer");
    }
    args.0
}

impl Arguments {
    /// Memory that outlives the machine, and that the guest has a block device of.
    fn nvdimm(&mut self, disk: &Disk) {
        let file = escape(&disk.file.display().to_string());
        self.add("-object", format!("memory-backend-file,id=disk,share=on,mem-path={file},size={}M", disk.mib));
        self.add("-device", "nvdimm,memdev=disk");
    }

    /// Memory that the guest finds on its PCI bus, at a place that it knows, and can only read.
    fn programs(&mut self, file: &Path) {
        let file = escape(&file.display().to_string());
        let backend = "memory-backend-file,id=programs,share=on,readonly=on";
        self.add("-object", format!("{backend},mem-path={file},size={PROGRAMS_MIB}M"));
        self.add("-device", format!("ivshmem-plain,memdev=programs,master=on,addr={PROGRAM_DISK_SLOT:#x}"));
    }
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
            disk: Some(Disk { file: "/runs/1/router.disk".into(), mib: 192 }),
            programs: Some("/runs/1/router.programs".into()),
            recorder: Some("/runs/1/router.1.recorder".into()),
            console: Some("/runs/1/router.console.log".into()),
            agent: Some("/runs/1/router.agent".into()),
            seed: 42,
            plugin: "/runs/1/a,b/lockstep.so".into(),
            socket: 12,
            qmp: Some(13),
            restored: false,
        }
    }

    #[test]
    fn the_whole_command_line() {
        let lines = lockstep(&board()).join(" ").replace(" -", "\n-");
        insta::assert_snapshot!(lines);
    }

    fn bare() -> Board {
        Board {
            kernel: None,
            links: vec![],
            disk: None,
            programs: None,
            recorder: None,
            console: None,
            agent: None,
            qmp: None,
            ..board()
        }
    }

    #[test]
    fn what_is_typed_goes_to_the_agent_where_there_is_one() {
        let lines = |board: Board| {
            let plugin = lockstep(&board).pop().unwrap();
            plugin.split_once(",serial=").map(|(_, id)| id.to_owned())
        };
        let console = Board { console: Some("/console".into()), ..bare() };
        assert_eq!(lines(Board { agent: Some("/agent".into()), ..console.clone() }).as_deref(), Some("agent"));
        assert_eq!(lines(console).as_deref(), Some("console"));
        assert_eq!(lines(bare()), None);
    }

    #[test]
    fn a_machine_that_is_bare_has_no_console_no_nic_and_runs_at_once() {
        let args = lockstep(&bare());
        for option in ["-kernel", "-serial", "-chardev", "-netdev", "-object", "-device", "-mon", "-S"] {
            assert!(!args.iter().any(|arg| arg == option), "{option} in {args:?}");
        }
        assert!(!args.iter().any(|arg| arg.contains("nvdimm") || arg.contains("maxmem")), "{args:?}");
        assert_eq!(args.last().unwrap(), "file=/runs/1/a,,b/lockstep.so,fd=12");
    }
}
