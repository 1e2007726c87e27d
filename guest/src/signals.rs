//! Signals, as the textbook handles them: W. R. Stevens, *UNIX Network Programming*, vol. 1, 3rd ed., sections 5.8 to
//! 5.10 (its `Signal` is [`catch`]), and what a handler may print.

use crate::wrap::failed;
use nix::errno::Errno;
use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};
use std::os::fd::BorrowedFd;

/// What a handler is.
pub type Handler = extern "C" fn(c_int);

/// Has `handler` called for `signal`. With `restart`, a slow system call that the signal interrupts begins anew by
/// itself (`SA_RESTART`); without, it fails with `EINTR`.
///
/// # Errors
/// In words; there is none for a signal that can be caught.
#[allow(unsafe_code)] // A handler may do anything; see the promise below.
pub fn catch(signal: Signal, handler: Handler, restart: bool) -> Result<(), String> {
    let flags = if restart { SaFlags::SA_RESTART } else { SaFlags::empty() };
    let action = SigAction::new(SigHandler::Handler(handler), flags, SigSet::empty());
    // SAFETY: the handlers of these programs make async-signal-safe calls only (signal-safety(7)), do not allocate,
    // and leave errno as it was.
    unsafe { sigaction(signal, &action) }.map(drop).map_err(|e| failed("sigaction", e))
}

/// Has the kernel throw `signal` away. For SIGCHLD this means also that ended children leave no zombie (wait(2)).
#[allow(unsafe_code)] // nix marks it so, as a handler may do anything.
pub fn ignore(which: Signal) {
    // SAFETY: no code of ours runs. It cannot fail for a signal that can be ignored.
    let _ = unsafe { signal(which, SigHandler::SigIgn) };
}

/// Lets a write to a connection that was reset end the program by SIGPIPE, as it ends a C program: Rust's run time
/// ignores the signal.
#[allow(unsafe_code)] // As above.
pub fn restore_sigpipe() {
    // SAFETY: the default disposition runs no code of ours. It cannot fail for a signal that exists.
    let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
}

/// A signal's name without SIG, as in `KILL`; of a real-time signal, which has none, the number.
#[must_use]
pub fn name(number: c_int) -> String {
    Signal::try_from(number).map_or(number.to_string(), |it| it.as_str().replacen("SIG", "", 1))
}

/// A handler that does nothing: the signal's only effect is to interrupt a system call.
pub extern "C" fn only_interrupt(_: c_int) {}

/// A short line that a handler may print: put together without allocating.
#[derive(Debug)]
pub struct Line {
    bytes: [u8; 64],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Self { bytes: [0; 64], length: 0 }
    }
}

impl Line {
    /// With `text` added; what does not fit is left out.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        for &byte in text.as_bytes().iter().take(self.bytes.len() - self.length) {
            self.bytes[self.length] = byte;
            self.length += 1;
        }
        self
    }

    /// With `number` added, in decimal.
    #[must_use]
    pub fn number(self, number: u32) -> Self {
        let (mut digits, mut rest, mut first) = ([0; 10], number, 10);
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            if rest == 0 {
                return self.text(std::str::from_utf8(&digits[first..]).unwrap_or(""));
            }
        }
    }

    /// Writes the line and a newline to standard output, and leaves errno as it was.
    #[allow(unsafe_code)] // std's own handle for standard output has a lock, which a handler must not wait for.
    pub fn print(self) {
        let errno = Errno::last_raw();
        let line = self.text("\n");
        // SAFETY: descriptor 1 is standard output for as long as this process lives.
        let stdout = unsafe { BorrowedFd::borrow_raw(1) };
        // A handler has nobody to tell that this failed.
        let _ = nix::unistd::write(stdout, &line.bytes[..line.length]);
        Errno::set_raw(errno);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(line: &Line) -> &[u8] {
        &line.bytes[..line.length]
    }

    #[test]
    fn a_line_holds_words_and_numbers() {
        assert_eq!(
            bytes(&Line::default().text("child ").number(4_294_967_295).text(" terminated")),
            b"child 4294967295 terminated"
        );
        assert_eq!(bytes(&Line::default().number(0).number(70)), b"070");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        assert_eq!(bytes(&Line::default().text(&"x".repeat(63)).number(12)), [&[b'x'; 63][..], b"1"].concat());
    }
}
