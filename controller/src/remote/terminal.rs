//! The terminal of a program.

use ssh2::{PtyModeOpcode as Mode, PtyModes};

/// The longest line, in bytes without its newline, that can be typed: a terminal keeps 4096 with the newline and
/// drops what comes beyond (termios(3), "Canonical and noncanonical mode").
pub const MAX_TYPED: usize = 4095;

/// Columns and rows, and the same in pixels. Wide, so that tools which fit their lines to it cut nothing off.
pub(super) const SIZE: (u32, u32, u32, u32) = (1000, 50, 0, 0);

/// Lines are handed to it when they are whole (ICANON), ^D is the end of its input, and
/// nothing else has a meaning: no echo, no signal keys, no flow control, no editing, output as it was written.
/// A C program sees a terminal all the same, and flushes its stdout at each line.
pub(super) fn modes() -> PtyModes {
    let mut modes = PtyModes::new();
    for on in [Mode::ICANON, Mode::CS8] {
        modes.set_boolean(on, true);
    }
    for off in [
        Mode::ECHO,
        Mode::ECHONL,
        Mode::ISIG,
        Mode::IEXTEN,
        Mode::ICRNL,
        Mode::INLCR,
        Mode::IGNCR,
        Mode::ISTRIP,
        Mode::IXON,
        Mode::IXANY,
        Mode::IMAXBEL,
        Mode::OPOST,
        Mode::ONLCR,
    ] {
        modes.set_boolean(off, false);
    }
    for none in [Mode::VERASE, Mode::VKILL, Mode::VEOL, Mode::VEOL2, Mode::VWERASE, Mode::VLNEXT, Mode::VREPRINT] {
        modes.set_character(none, None);
    }
    modes.set_character(Mode::VEOF, Some(END_OF_FILE as char));
    modes
}

/// What is typed for end of file: ^D.
pub(super) const END_OF_FILE: u8 = 4;
