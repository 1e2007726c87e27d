//! What guest and controller agree on: names, addresses, and how a guest is told who it is.
//!
//! # The seed
//! A guest's disk image knows nothing of a particular run. What it must know (its name, addresses and keys)
//! comes as a *seed*: a folder `/seed` in a second cpio archive that the controller appends to the initramfs
//! (the kernel unpacks concatenated archives: Documentation/driver-api/early-userspace/buffer-format.rst).
//! The initramfs moves it to [`SEED_DIR`] on the new root's `/run`, and the boot script of the image applies it:
//!
//! | file | holds |
//! |---|---|
//! | `hostname` | the host's name |
//! | `hosts` | `/etc/hosts`, whole: every host of the lab |
//! | `addresses` | a line per address of a link NIC: `eth0 192.0.2.2/24` |
//! | `routes` | lines for `ip -batch`: `route add default via 192.0.2.254` |
//! | `sysctl` | `name = value` lines for `sysctl -p` |
//! | `witness` | an executable of ours: the kernel as [`witness`](mod@witness), the [`attend`]ant of each program, root's [`shell`], the [`agent`] |
//! | `bin` | a folder: the guest programs that scenarios start |
//! | `control` | the channel by which the controller reaches this guest: `ssh`, or `serial` |
//! | `authorized_keys` | with `ssh`: the one public key that may log in as root |
//! | `host_key` | with `ssh`: dropbear's private ed25519 host key, made for this run |
//!
//! With `ssh`, the boot script starts dropbear on the control NIC. With `serial` there is no such NIC, and it starts
//! `witness agent` on [its line](agent::DEVICE) instead. A booted guest prints `deadpeer: up BOOT_ID KERNEL_RELEASE` ([`UP`]) on its serial
//! console once SSH answers, or the agent's line is open.

pub mod agent;
pub mod args;
pub mod attend;
mod behind;
mod bring;
pub mod recorder;
pub mod relay;
mod shared;
pub mod shell;
pub mod signals;
mod stir;
mod tell;
pub mod witness;
pub mod wrap;

pub use bring::bring;
pub use stir::stir;
pub use tell::tell;

/// TCP port of the echo service (W. R. Stevens, UNP vol. 1, figure 5.2: `SERV_PORT`).
pub const ECHO_PORT: u16 = 9877;

/// Where a booted guest finds its seed.
pub const SEED_DIR: &str = "/run/deadpeer";

/// The witness on a booted guest; it comes with the seed.
pub const WITNESS: &str = "/run/deadpeer/witness";

/// Where our guest programs are on a booted guest; they come with the seed. On the guests' `PATH`.
pub const PROGRAM_DIR: &str = "/run/deadpeer/bin";

/// Where programs of the user's own are put, a folder for each; not on the `PATH`.
pub const OWN_DIR: &str = "/usr/local/lib/deadpeer";

/// Where the program disk is on the PCI bus of a machine in lockstep time: memory that the guest can only read. Nothing of it is read
/// before a program was put there, which is then brought to the guest's own disk.
pub const PROGRAM_DISK_SLOT: u8 = 0x10;

/// Each program on the program disk begins at a multiple of this: the size of a page of memory.
pub const PROGRAM_DISK_PAGE: u64 = 4096;

/// What a booted guest's line on the console starts with; boot id and kernel release follow, separated by a space.
pub const UP: &str = "deadpeer: up ";

/// What a guest's line on the console starts with when a step of its boot failed; what failed follows. The machine stays
/// as it is, and will not come up.
pub const FAILED: &str = "deadpeer: failed: ";

/// First five bytes of a link NIC's MAC address without the link's number: `02:de:ad:00:LINK:HOST`.
/// Link `0` is named `eth0` in the guest, link `1` `eth1`.
pub const LINK_MAC_PREFIX: [u8; 4] = [0x02, 0xde, 0xad, 0x00];

/// Fifth byte of the MAC address of the control NIC (`02:de:ad:00:ff:HOST`), named `ctl0` in the guest.
pub const CONTROL_MAC_LINK: u8 = 0xff;

/// Word on the kernel command line that makes the initramfs say [`PROBE_OK`] and power off: it tries an accelerator.
pub const PROBE_WORD: &str = "deadpeer.probe";

/// What the initramfs prints when it was booted with [`PROBE_WORD`].
pub const PROBE_OK: &str = "deadpeer: probe ok";

/// Word on the kernel command line, followed by a number of seconds, that makes the initramfs say [`IDLE`], do nothing for so long, say
/// [`IDLE_OVER`] and power off: it measures what idle time costs.
pub const IDLE_WORD: &str = "deadpeer.idle=";

/// What the initramfs prints when it was booted with [`IDLE_WORD`].
pub const IDLE: &str = "deadpeer: idle";

/// What it prints when it was idle for so long.
pub const IDLE_OVER: &str = "deadpeer: idle over";
