//! QEMU's command line, as a pure function of what is wanted.
//!
//! Nothing but what is named here exists in the machine (`-nodefaults`), and no file of the user's changes it
//! (`-no-user-config`). QEMU is told to give up what it does not need (`-sandbox`): no new programs, no
//! privileges. It starts with the guest standing still (`-S`), so that whatever must be set over QMP before the
//! first instruction can be.

mod lockstep;

pub use lockstep::{Board, Disk, PROGRAMS_MIB, lockstep};

use super::Config;
use crate::machine::{Accelerator, Mac, mac_text};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

/// What QEMU is not allowed to do (qemu(1), `-sandbox`).
const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// Open files that QEMU inherits, by the numbers that they have in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// QEMU's end of the QMP connection, a stream socket.
    pub qmp: RawFd,
    /// The link NICs, link 0 first: address, and the machine's end of the cable.
    pub links: Vec<(Mac, RawFd)>,
    /// The file that is the flight recorder's memory; none: the machine has no flight recorder.
    pub recorder: Option<PathBuf>,
}

/// Size of the flight recorder's memory in MiB: some minutes of a busy guest, or far more of one that waits. A power of two, as
/// PCI wants it.
pub const RECORDER_MIB: u64 = 8;

/// A PC without the parts that nobody here needs; each of them costs boot time. HPET and the PM timer stay: without them
/// a busy host can make the guest's calibration of its clock fail, and the guest hang (kernel: arch/x86/kernel/tsc.c).
const MACHINE: &str = "q35,smbus=off,sata=off,usb=off,vmport=off,i8042=off";

/// An emulated processor: all that QEMU can emulate, but for two promises that it does not keep. "Enhanced REP MOVSB" and its
/// "fast short" kin make kernel and C library copy memory by an instruction that QEMU carries out a byte at a time (its
/// `gen_repz_movs`, target/i386/tcg/translate.c); without them a boot takes a tenth less.
///
/// A third it keeps, and wrongly: QEMU 7.2 computes the flags that CMPXCHG16B leaves from what it has not brought up to date
/// (`gen_cmpxchg16b`, in the same file), and an interrupt behind that instruction saves rubbish for them. The kernel's memory allocator
/// lives on it: of some hundred boots on a busy computer one panicked, and of twenty in lockstep time, where a machine is stopped every
/// millisecond. A kernel that is not offered the instruction does without.
pub(in crate::machine) const EMULATED_CPU: &str = "max,-cx16,-erms,-fsrm";

/// The command line of the machine that `config` describes, without the program's name.
#[must_use]
pub fn arguments(config: &Config, wiring: &Wiring) -> Vec<String> {
    let mut args = Arguments::default();
    args.board(config.accelerator, config.memory);
    args.add("-name", &config.name);
    args.kernel(&config.kernel, &config.initrd, &config.append);
    args.disk(&config.overlay);
    for (number, (mac, fd)) in wiring.links.iter().enumerate() {
        args.link(number, *mac, *fd);
    }
    args.control(config.control_mac);
    args.randomness();
    if let Some(file) = &wiring.recorder {
        args.recorder(file, "");
    }
    args.add("-chardev", format!("socket,id=qmp,fd={}", wiring.qmp));
    args.add("-mon", "chardev=qmp,mode=control");
    args.0.push("-S".to_owned());
    args.0
}

/// The command line of a machine without disk, network and QMP: enough to try an accelerator. Its console is on standard output.
#[must_use]
pub fn bare(accelerator: Accelerator, memory: u32, kernel: &Path, initrd: &Path, append: &str) -> Vec<String> {
    let mut args = Arguments::default();
    args.board(accelerator, memory);
    args.kernel(kernel, initrd, append);
    args.0
}

/// The name by which QMP knows a link's NIC.
pub(super) fn nic(link: usize) -> String {
    format!("nic{link}")
}

#[derive(Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, option: &str, value: impl Into<String>) {
        self.0.extend([option.to_owned(), value.into()]);
    }

    fn board(&mut self, accelerator: Accelerator, memory: u32) {
        self.0.extend(["-nodefaults", "-no-user-config"].map(str::to_owned));
        self.add("-display", "none");
        self.add("-sandbox", SANDBOX);
        self.add("-machine", MACHINE);
        let (accel, cpu) = match accelerator {
            Accelerator::Kvm => ("kvm", "host"),
            Accelerator::Tcg => ("tcg", EMULATED_CPU),
        };
        self.add("-accel", accel);
        self.add("-cpu", cpu);
        self.add("-smp", "1");
        self.add("-m", memory.to_string());
        self.add("-chardev", "stdio,id=console,signal=off");
        self.add("-serial", "chardev:console");
    }

    fn kernel(&mut self, kernel: &Path, initrd: &Path, append: &str) {
        self.add("-kernel", kernel.display().to_string());
        self.add("-initrd", initrd.display().to_string());
        self.add("-append", append);
    }

    /// A disk that keeps its promise against a power cut of this machine, which is the death of this process: on a
    /// flush, what qcow2 holds in memory goes to the host's kernel. It does not wait for the host's own disk
    /// (`no-flush`), as the host's power is not what is cut.
    fn disk(&mut self, overlay: &Path) {
        let file = escape(&overlay.display().to_string());
        self.add("-blockdev", format!("driver=file,node-name=file,filename={file},cache.no-flush=on"));
        self.add("-blockdev", "driver=qcow2,node-name=disk,file=file");
        self.add("-device", "virtio-blk-pci,drive=disk,disable-legacy=on");
    }

    /// Random numbers from the host, so that no guest has to wait for its own at boot.
    fn randomness(&mut self) {
        self.add("-object", "rng-random,id=random,filename=/dev/urandom");
        self.add("-device", "virtio-rng-pci,rng=random,disable-legacy=on");
    }

    /// Memory that the guest finds on its PCI bus and that is a file here: what it stored stays when this process dies.
    /// `more` are properties, each after a comma.
    fn recorder(&mut self, file: &Path, more: &str) {
        let file = escape(&file.display().to_string());
        self.add("-object", format!("memory-backend-file,id=recorder,share=on,mem-path={file},size={RECORDER_MIB}M"));
        self.add("-device", format!("ivshmem-plain,memdev=recorder{more}"));
    }

    /// The control NIC: a network of QEMU's own, from which nothing gets out and only SSH gets in.
    fn control(&mut self, mac: Mac) {
        self.add("-netdev", "user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:0-10.0.2.15:22");
        self.nic("control", "ctl0", mac, "");
    }

    fn link(&mut self, number: usize, mac: Mac, fd: RawFd) {
        let name = format!("link{number}");
        self.add("-netdev", format!("dgram,id={name},local.type=fd,local.str={fd}"));
        self.nic(&name, &nic(number), mac, "");
    }

    /// A NIC without boot ROM: nobody boots from it. `more` are properties, each after a comma.
    fn nic(&mut self, netdev: &str, id: &str, mac: Mac, more: &str) {
        let mac = mac_text(mac);
        self.add(
            "-device",
            format!("virtio-net-pci,netdev={netdev},id={id},mac={mac},romfile=,disable-legacy=on{more}"),
        );
    }
}

/// A value for QEMU's comma-separated options, in which a comma is doubled.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests;
