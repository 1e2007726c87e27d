//! How a machine must be started for the image to work: kernel parameters and the commands that its inits know.

use crate::scenario::Init;
use deadpeer_guest::PROBE_WORD;

/// What executes a guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Hardware virtualisation: the guest finds kvm-clock and needs no advice.
    Kvm,
    /// Emulation (TCG). The guest's time stamp counter counts the real processor's cycles, at a rate that the guest
    /// would have to measure while the host may be busy. It measures wrongly then (1.2 % off was seen), and its TCP timers
    /// with it; the HPET ticks in real nanoseconds, and needs no measuring. Likewise `no_timer_check`: the kernel would try
    /// whether timer interrupts arrive, and on a busy host conclude that they do not.
    Emulated,
    /// Emulation in lockstep time. The time stamp counter counts the nanoseconds of the machine's virtual clock: 1 GHz exactly, which
    /// the guest is told. It would measure 999.914 MHz, and measure again three seconds later, by the power management timer; hence
    /// `pmtmr=0`: with nothing to measure by, it keeps what it was told.
    Lockstep,
}

/// The kernel command line of a host.
///
/// - `mitigations=off`, `cryptomgr.notests`: nobody attacks a guest; self-tests take 0.45 s of an emulated boot.
/// - `TERM=dumb`: the console is a log; an init that thinks it a terminal would write control sequences into it.
/// - `panic=0`: a kernel that panicked stays dead and visible.
/// - `root=/dev/pmem0`, in lockstep: a virtio disk answers when the host is ready, an NVDIMM is memory.
#[must_use]
pub fn kernel_parameters(init: Init, clock: Clock) -> String {
    let init = match init {
        Init::Sysvinit => "/sbin/init",
        Init::Systemd => "/lib/systemd/systemd",
    };
    with_init(init, clock)
}

/// Likewise, with whatever is to be the first program on the root disk.
pub(super) fn with_init(init: &str, clock: Clock) -> String {
    let root = if clock == Clock::Lockstep { " root=/dev/pmem0" } else { "" };
    format!("{}{root} init={init}", common(clock))
}

/// The kernel command line that makes the initramfs say `deadpeer: probe ok` and power off: it needs neither
/// disk nor NIC nor seed.
#[must_use]
pub fn probe_parameters(clock: Clock) -> String {
    format!("{} {PROBE_WORD}", common(clock))
}

fn common(clock: Clock) -> String {
    let clock = match clock {
        Clock::Kvm => "",
        Clock::Emulated => " tsc=unstable clocksource=hpet nolapic_timer no_timer_check",
        Clock::Lockstep => " tsc=reliable tsc_early_khz=1000000 pmtmr=0",
    };
    format!("console=ttyS0 TERM=dumb quiet panic=0 mitigations=off cryptomgr.notests{clock}")
}

/// The command that shuts a host down in order and switches the machine off, as that init's administrator types it. System V
/// init's `shutdown` does the same after it has written a warning on every terminal (shutdown(8)), into what programs print.
#[must_use]
pub fn shutdown_command(init: Init) -> &'static str {
    match init {
        Init::Sysvinit => "init 0",
        Init::Systemd => "systemctl poweroff",
    }
}

/// The command that shuts a host down in order and boots it again.
#[must_use]
pub fn reboot_command(init: Init) -> &'static str {
    match init {
        Init::Sysvinit => "init 6",
        Init::Systemd => "systemctl reboot",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_emulated_guest_is_told_which_clock_to_use() {
        assert_eq!(
            kernel_parameters(Init::Sysvinit, Clock::Kvm),
            "console=ttyS0 TERM=dumb quiet panic=0 mitigations=off cryptomgr.notests init=/sbin/init"
        );
        assert_eq!(
            kernel_parameters(Init::Systemd, Clock::Emulated),
            "console=ttyS0 TERM=dumb quiet panic=0 mitigations=off cryptomgr.notests \
             tsc=unstable clocksource=hpet nolapic_timer no_timer_check init=/lib/systemd/systemd"
        );
        assert_eq!(
            kernel_parameters(Init::Sysvinit, Clock::Lockstep),
            "console=ttyS0 TERM=dumb quiet panic=0 mitigations=off cryptomgr.notests \
             tsc=reliable tsc_early_khz=1000000 pmtmr=0 root=/dev/pmem0 init=/sbin/init"
        );
    }

    #[test]
    fn a_probe_names_no_init() {
        let line = probe_parameters(Clock::Kvm);
        assert!(line.ends_with(" deadpeer.probe") && !line.contains("init="), "{line}");
    }
}
