//! Terminals: the line itself, and those of commands.

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{
    ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices as Key, cfmakeraw, tcgetattr,
    tcsetattr,
};
use std::os::fd::{AsFd, OwnedFd};

/// What the controller asks SSH for (its `remote::terminal`): wide, so that tools which fit their lines to it cut nothing off.
const SIZE: Winsize = Winsize { ws_row: 50, ws_col: 1000, ws_xpixel: 0, ws_ypixel: 0 };

/// What no key is: `_POSIX_VDISABLE`.
const NO_KEY: u8 = 0;

/// What is typed for end of file: ^D.
const END_OF_FILE: u8 = 4;

/// Has a terminal pass on all bytes both ways as they are, and heed no modem: so a serial line becomes a pipe. Its speed counts
/// although the machine is none that has a wire: an emulated chip holds back the last bytes of a message for the time that four
/// take.
pub(super) fn make_raw(line: impl AsFd) -> nix::Result<()> {
    let mut modes = tcgetattr(&line)?;
    cfmakeraw(&mut modes);
    modes.input_flags.remove(InputFlags::IXOFF | InputFlags::IXANY | InputFlags::INPCK);
    modes.control_flags.remove(ControlFlags::CRTSCTS);
    modes.control_flags.insert(ControlFlags::CLOCAL | ControlFlags::CREAD);
    modes.control_chars[Key::VMIN as usize] = 1;
    modes.control_chars[Key::VTIME as usize] = 0;
    // Not by cfsetspeed(3): the `libc` crate names that by a version, which a static C library has not.
    modes.control_flags.remove(ControlFlags::CBAUD);
    modes.control_flags.insert(ControlFlags::from_bits_retain(libc::B115200));
    tcsetattr(&line, SetArg::TCSANOW, &modes)
}

/// A new terminal: our end, and the command's. Its modes are those that the controller asks SSH for: lines are handed to who
/// reads when they are whole, ^D is the end of input, and nothing else has a meaning.
pub(super) fn open() -> nix::Result<(OwnedFd, OwnedFd)> {
    let OpenptyResult { master, slave } = openpty(Some(&SIZE), None)?;
    for fd in [&master, &slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let mut modes = tcgetattr(&slave)?;
    modes.input_flags.remove(
        InputFlags::ICRNL
            | InputFlags::INLCR
            | InputFlags::IGNCR
            | InputFlags::ISTRIP
            | InputFlags::IXON
            | InputFlags::IXANY
            | InputFlags::IMAXBEL,
    );
    modes.output_flags.remove(OutputFlags::OPOST | OutputFlags::ONLCR);
    modes.control_flags.insert(ControlFlags::CS8);
    modes.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ISIG | LocalFlags::IEXTEN);
    modes.local_flags.insert(LocalFlags::ICANON);
    for key in [Key::VERASE, Key::VKILL, Key::VEOL, Key::VEOL2, Key::VWERASE, Key::VLNEXT, Key::VREPRINT] {
        modes.control_chars[key as usize] = NO_KEY;
    }
    modes.control_chars[Key::VEOF as usize] = END_OF_FILE;
    tcsetattr(&slave, SetArg::TCSANOW, &modes)?;
    Ok((master, slave))
}
