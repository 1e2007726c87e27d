//! Gives a guest the chance that its host has for it.
//!
//! In lockstep time all chance is the host's, and a machine may have been booted long ago, for many runs. What its kernel draws by lot from
//! here on (ports, sequence numbers, timers that are spread at random) is drawn anew.

use crate::wrap::{EX_USAGE, complain};
use nix::errno::Errno;
use nix::libc;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// `_IOW('R', 0x03, int[2])` and `_IO('R', 0x07)` of linux/random.h.
const RNDADDENTROPY: u32 = 0x4008_5203;
const RNDRESEEDCRNG: u32 = 0x5207;

/// How many bytes of chance there are to be.
const BYTES: usize = 32;

/// The argument of [`RNDADDENTROPY`]: `struct rand_pool_info`.
#[repr(C)]
struct Pool {
    bits: libc::c_int,
    size: libc::c_int,
    bytes: [u8; BYTES],
}

/// Has the kernel draw from the argument, 64 hexadecimal digits. Returns an exit status.
pub fn stir(mut arguments: impl Iterator<Item = String>) -> i32 {
    let (Some(bytes), None) = (arguments.next().and_then(|text| bytes(&text)), arguments.next()) else {
        complain(format_args!("witness stir: {} hexadecimal digits, no more and no less", 2 * BYTES));
        return EX_USAGE;
    };
    match seed(bytes).and_then(|()| spread_anew(Path::new("/proc/sys/net"))) {
        Ok(()) => 0,
        Err(error) => {
            complain(format_args!("the kernel takes no chance: {error}"));
            1
        }
    }
}

fn bytes(text: &str) -> Option<[u8; BYTES]> {
    let digit = |n: usize| u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..BYTES).map(digit).collect();
    bytes.filter(|_| text.len() == 2 * BYTES)?.try_into().ok()
}

/// Into the kernel's pool, and from there to where it draws from.
fn seed(bytes: [u8; BYTES]) -> io::Result<()> {
    let pool = Pool { bits: 8 * BYTES as libc::c_int, size: BYTES as libc::c_int, bytes };
    let random = OpenOptions::new().write(true).open("/dev/urandom")?;
    #[allow(unsafe_code)] // nix has no such call.
    // SAFETY: the file is open, the first argument is what random(4) wants and lives as long as the call, and the second call has none.
    let done = unsafe {
        Errno::result(libc::ioctl(random.as_raw_fd(), RNDADDENTROPY as _, &raw const pool))
            .and_then(|_| Errno::result(libc::ioctl(random.as_raw_fd(), RNDRESEEDCRNG as _)))
    };
    Ok(done.map(drop)?)
}

/// How long a neighbour is taken for reachable was drawn by lot when its network card came, and is when this setting is
/// written (kernel: net/core/neighbour.c, `neigh_proc_base_reachable_time`); else not before five minutes are over.
fn spread_anew(net: &Path) -> io::Result<()> {
    let mut files: Vec<PathBuf> = Vec::new();
    for family in ["ipv4", "ipv6"] {
        let Ok(cards) = fs::read_dir(net.join(family).join("neigh")) else { continue };
        files.extend(cards.flatten().map(|card| card.path().join("base_reachable_time_ms")));
    }
    files.sort();
    files.iter().try_for_each(|file| fs::write(file, fs::read_to_string(file)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_thirty_two_bytes_in_hexadecimal() {
        assert_eq!(bytes(&"0f".repeat(32)), Some([15; 32]));
        for wrong in ["", "0f", &"0f".repeat(33), &"xy".repeat(32), &"é".repeat(32)] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
        assert_eq!(stir(["7".to_owned()].into_iter()), EX_USAGE);
    }

    #[test]
    fn what_is_spread_is_written_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let card = root.path().join("ipv4/neigh/eth0");
        fs::create_dir_all(&card).unwrap();
        let file = card.join("base_reachable_time_ms");
        fs::write(&file, "30000\n").unwrap();
        spread_anew(root.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "30000\n");
    }
}
