//! Machines: power, reset, carrier, console, and the proof of what happened to them.
//!
//! [`Machine`] is what the conductor knows; a provider implements it ([`qemu`] runs QEMU itself, [`vagrant`] has Vagrant and libvirt run it). Everything a
//! machine does is told to the timeline as it happens, whoever caused it: the conductor asks for something, then
//! waits for the event. A machine never waits for its guest; it blocks only for the hypervisor's own short
//! actions, each with a deadline.
//!
//! Order: `power_on` records *powered on*; the guest's console brings *booted*, in its own time; `power_off` has
//! recorded *powered off* when it returns. A guest that was asked over its control channel to shut down or to
//! reboot shows as *shut down* or *reset*, with the hypervisor's reason.
//!
//! Exception: a process that ends after its guest shut down did not *die*, and neither did one that was powered
//! off. Any other end is *died*, with its last words.

mod accelerator;
mod console;
pub mod qemu;
mod qmp;
mod recordings;
mod teller;
pub mod vagrant;

pub use accelerator::{Accelerator, Choice};

use crate::error::{Error, Result};
use crate::timeline::Ended;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// An Ethernet address as `02:de:ad:00:00:01`.
fn mac_text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// A link NIC and the machine's end of its cable.
#[derive(Debug)]
pub struct Link {
    /// The NIC's address.
    pub mac: Mac,
    /// A connected datagram socket: a datagram is an Ethernet frame without its check sum.
    pub end: OwnedFd,
}

/// One host's machine.
pub trait Machine: Send {
    /// The host's name.
    fn host(&self) -> &str;

    /// The hypervisor's command line, as its kernel has it (proc(5), `/proc/PID/cmdline`): a zero after each word. None while it is off.
    fn command_line(&self) -> Option<Vec<u8>> {
        std::fs::read(format!("/proc/{}/cmdline", self.pid()?)).ok()
    }

    /// Whether it runs on this computer: its process, and the clock that its own goes by, are this computer's.
    fn is_here(&self) -> bool {
        true
    }

    /// Switches power on, with these link NICs (link 0 first). Returns when the hypervisor runs the guest, long before it
    /// is booted. A cable that was unplugged before is unplugged still.
    ///
    /// # Errors
    /// The machine is on; the hypervisor cannot be started, ended at once (its last words are the evidence), or
    /// does not answer.
    fn power_on(&mut self, links: Vec<Link>) -> Result<()>;

    /// The controller's end of a link's cable, where the provider makes it: a connected datagram socket, for the switch. None: the machine
    /// is handed its own end at `power_on`.
    ///
    /// # Errors
    /// There is no such link, or no more open files.
    fn cable(&self, link: usize) -> Result<Option<OwnedFd>> {
        let _ = link;
        Ok(None)
    }

    /// Cuts the power: ends the hypervisor's process by a signal, and waits until it is gone. What comes back is the proof: `Signal("KILL")`
    /// where the process is ours, else the signal that the provider ended it by.
    ///
    /// # Errors
    /// The machine is off, or its process ended in any other way: then it was not this that ended it.
    fn power_off(&mut self) -> Result<Ended>;

    /// Writes all that the machine is, memory, disk and devices, without its noticing. Only in lockstep time, at a boundary.
    ///
    /// # Errors
    /// The machine is off, the hypervisor refuses or ends, or it cannot be written. The machine goes on all the same, if it lives.
    fn save(&mut self, into: &mut dyn Write) -> Result<()> {
        let _ = into;
        Err(Error::broken(format!("the machine of '{}' cannot be saved: it lives in real time", self.host())))
    }

    /// Makes a machine, whose power was never on, what was [saved](Machine::save) of one like it. It stands still until `power_on`, which
    /// then boots nothing.
    ///
    /// # Errors
    /// It cannot be read to its end, or the hypervisor does not take it. The machine is off then, as if nothing had been tried.
    fn load(&mut self, from: &mut dyn Read) -> Result<()> {
        let _ = from;
        Err(Error::broken(format!("the machine of '{}' cannot be restored: it lives in real time", self.host())))
    }

    /// Takes a [`load`](Machine::load) back.
    fn unload(&mut self) {}

    /// Presses the reset button. Memory, CPU and devices start afresh; the disk keeps what it was told.
    ///
    /// # Errors
    /// The machine is off, or the hypervisor refuses or does not answer.
    fn reset(&mut self) -> Result<()>;

    /// Plugs (`true`) or unplugs a link's cable at this machine. It alone sees the carrier change, and it stays so
    /// until the cable is plugged again, powered on or not.
    ///
    /// # Errors
    /// There is no such link, or the hypervisor refuses or does not answer.
    fn set_carrier(&mut self, link: usize, up: bool) -> Result<()>;

    /// Where the guest's SSH is reached, on 127.0.0.1. It may change with each power-on.
    ///
    /// # Errors
    /// The machine is off, or its provider cannot tell.
    fn control_address(&self) -> Result<SocketAddr>;

    /// The files that are its flight recorder's memory, one for each power-on, first to last: what the guest's witness recorded
    /// (`deadpeer_guest::recorder`). The last one is being written while power is on; a reset continues it. None, if the machine
    /// has no flight recorder.
    fn recordings(&self) -> &[PathBuf];

    /// The file that is its program disk: what is written to it while the machine stands still, the guest can read. None, if the machine
    /// has no such disk.
    fn program_disk(&self) -> Option<&Path> {
        None
    }

    /// The last lines on the console, fit for a terminal; an unfinished line counts.
    fn console_tail(&self, lines: usize) -> String;

    /// What a person needs to see when this machine went wrong: the state of its process, the hypervisor's own
    /// words. Several lines at most, without the console.
    fn evidence(&self) -> String;

    /// The hypervisor's process, while it lives.
    fn pid(&self) -> Option<u32>;

    /// Power is on, and the guest has not shut down.
    fn is_on(&self) -> bool;
}
