//! What host and agent say to each other over the line, and how it is written there.
//!
//! Each message begins with a byte that no text in UTF-8 has, and which is another one for each direction: what does not belong
//! on the line is known for what it is. Then come its kind (a byte) and the length of its body (two, little-endian, as all
//! numbers here). A body begins with the channel's number (four).

use crate::signals;
use nix::libc;

/// The bytes before a body: what it begins with, its kind, its length.
pub(super) const HEAD: usize = 4;

/// The most bytes of a command's input or output in a message, so that none keeps the others waiting for long.
pub const PIECE: usize = 4096;

/// How many bytes the host may have sent that the agent has not [`Heard`](Word::Heard) yet: a serial line has nothing that holds
/// up who sends, and the kernel throws away what exceeds its buffers (64 KiB, `drivers/tty/tty_buffer.c`).
pub const WINDOW: usize = 32 * 1024;

/// What the host asks of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Have root's shell execute this, and call it by this number; on a terminal of its own, or with three pipes.
    Open {
        /// A number that was not used before.
        channel: u32,
        /// Whether on a terminal.
        terminal: bool,
        /// For the shell.
        command: String,
    },
    /// Give this to the command to read.
    Input {
        /// Whose.
        channel: u32,
        /// At most [`PIECE`].
        bytes: Vec<u8>,
    },
    /// There is no more to read. (Not for a terminal: there ^D is typed.)
    EndInput {
        /// Whose.
        channel: u32,
    },
    /// Nobody listens any more. The command may live on.
    Close {
        /// Whose.
        channel: u32,
    },
}

/// What the agent tells the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The command printed this.
    Output {
        /// Whose.
        channel: u32,
        /// Where.
        stream: Stream,
        /// At most [`PIECE`].
        bytes: Vec<u8>,
    },
    /// The command ended, and all that it printed was told. The last word about this channel.
    Ended {
        /// Whose.
        channel: u32,
        /// How it ended.
        how: How,
    },
    /// The command could not be executed. The last word about this channel.
    Refused {
        /// Whose.
        channel: u32,
        /// The reason, in a clause.
        why: String,
    },
    /// So many more bytes were read from the line.
    Heard {
        /// Since this was told last.
        bytes: u32,
    },
}

/// Which of a command's outputs. A terminal has the first alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// It exited with this status.
    Exit(i32),
    /// This signal ended it; the name without SIG, as in `KILL`.
    Signal(String),
}

impl How {
    /// The end that a wait status tells (wait(2)).
    #[must_use]
    pub fn of_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            How::Signal(signals::name(libc::WTERMSIG(status)))
        } else {
            How::Exit(libc::WEXITSTATUS(status))
        }
    }
}

/// A message of one direction.
pub trait Message: Sized {
    /// What each begins with.
    const FIRST: u8;

    /// Its kind; its body is added to `body`.
    fn write(&self, body: &mut Vec<u8>) -> u8;

    /// The message of this kind with this body, if there is one.
    fn read(kind: u8, body: &[u8]) -> Option<Self>;

    /// Adds it to what goes over the line.
    ///
    /// # Errors
    /// It is longer than 64 KiB, and nothing was added. In a clause.
    fn encode(&self, line: &mut Vec<u8>) -> Result<(), String> {
        let begin = line.len();
        line.extend([Self::FIRST, 0, 0, 0]);
        let kind = self.write(line);
        let length = line.len() - begin - HEAD;
        let Ok(size) = u16::try_from(length) else {
            line.truncate(begin);
            return Err(format!("a message of {length} bytes is too long for the agent's line: at most {}", u16::MAX));
        };
        let [low, high] = size.to_le_bytes();
        line[begin + 1..begin + HEAD].copy_from_slice(&[kind, low, high]);
        Ok(())
    }
}

impl Message for Order {
    const FIRST: u8 = 0xf5;

    fn write(&self, body: &mut Vec<u8>) -> u8 {
        match self {
            Order::Open { channel, terminal, command } => {
                body.extend(channel.to_le_bytes());
                body.push(u8::from(*terminal));
                body.extend(command.as_bytes());
                1
            }
            Order::Input { channel, bytes } => {
                body.extend(channel.to_le_bytes());
                body.extend(bytes);
                2
            }
            Order::EndInput { channel } => {
                body.extend(channel.to_le_bytes());
                3
            }
            Order::Close { channel } => {
                body.extend(channel.to_le_bytes());
                4
            }
        }
    }

    fn read(kind: u8, body: &[u8]) -> Option<Self> {
        let (channel, rest) = number(body)?;
        Some(match (kind, rest) {
            (1, [terminal @ (0 | 1), command @ ..]) => {
                Order::Open { channel, terminal: *terminal == 1, command: text(command)? }
            }
            (2, bytes) => Order::Input { channel, bytes: bytes.to_vec() },
            (3, []) => Order::EndInput { channel },
            (4, []) => Order::Close { channel },
            _ => return None,
        })
    }
}

impl Message for Word {
    const FIRST: u8 = 0xfa;

    fn write(&self, body: &mut Vec<u8>) -> u8 {
        match self {
            Word::Output { channel, stream, bytes } => {
                body.extend(channel.to_le_bytes());
                body.extend(bytes);
                if *stream == Stream::Stdout { 1 } else { 2 }
            }
            Word::Ended { channel, how: How::Exit(status) } => {
                body.extend(channel.to_le_bytes());
                body.extend(status.to_le_bytes());
                3
            }
            Word::Ended { channel, how: How::Signal(name) } => {
                body.extend(channel.to_le_bytes());
                body.extend(name.as_bytes());
                4
            }
            Word::Refused { channel, why } => {
                body.extend(channel.to_le_bytes());
                body.extend(why.as_bytes());
                5
            }
            Word::Heard { bytes } => {
                body.extend(bytes.to_le_bytes());
                6
            }
        }
    }

    fn read(kind: u8, body: &[u8]) -> Option<Self> {
        let (channel, rest) = number(body)?;
        Some(match (kind, rest) {
            (1, bytes) => Word::Output { channel, stream: Stream::Stdout, bytes: bytes.to_vec() },
            (2, bytes) => Word::Output { channel, stream: Stream::Stderr, bytes: bytes.to_vec() },
            (3, rest) => Word::Ended { channel, how: How::Exit(i32::from_le_bytes(rest.try_into().ok()?)) },
            (4, name) => Word::Ended { channel, how: How::Signal(text(name)?) },
            (5, why) => Word::Refused { channel, why: text(why)? },
            (6, []) => Word::Heard { bytes: channel },
            _ => return None,
        })
    }
}

fn number(body: &[u8]) -> Option<(u32, &[u8])> {
    body.split_first_chunk().map(|(number, rest)| (u32::from_le_bytes(*number), rest))
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}
