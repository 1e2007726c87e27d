//! What controller and relay say to each other: the length of what follows (four bytes, little-endian, as all numbers here), a byte that
//! says what it is, and the rest.

use crate::recorder::Piece;
use std::io::{self, ErrorKind, Read, Write};

/// The longest frame that is handed on; no link NIC sends one that is longer.
pub(super) const LONGEST_FRAME: usize = 65_550;

/// No message is longer: a recorder that was never read, and more.
pub const LONGEST: usize = 64 << 20;

/// What the controller wants. Frames and times are not answered, all else is, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// A frame for the machine at this cable.
    Frame {
        /// Which.
        card: u8,
        /// The frame.
        frame: Vec<u8>,
    },
    /// What the guest that records there is told of the lab's clock ([`tell`](crate::recorder::tell)).
    Told {
        /// Which.
        recorder: u8,
        /// The lab's time, in nanoseconds.
        now: u64,
        /// Whether frames enough were seen.
        frames_suffice: bool,
    },
    /// Find so many free ports of 127.0.0.1.
    FreePorts {
        /// TCP ports.
        tcp: u8,
        /// UDP ports.
        udp: u8,
    },
    /// Open a cable.
    Card {
        /// Its number.
        card: u8,
        /// The relay's UDP port of 127.0.0.1.
        ours: u16,
        /// The machine's.
        machines: u16,
    },
    /// Hand on what is recorded in this file, from now on.
    Record {
        /// Its number.
        recorder: u8,
        /// The file.
        file: String,
    },
    /// Find the process that has this argument.
    Find {
        /// The argument, whole.
        word: String,
    },
    /// Say how a process fares.
    Look {
        /// Which.
        pid: u32,
    },
}

/// What the relay says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A frame came from a machine.
    Frame {
        /// By this cable.
        card: u8,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Something was recorded.
    Recorded {
        /// Where.
        recorder: u8,
        /// What.
        piece: Piece,
    },
    /// These ports are free.
    Ports(Vec<u16>),
    /// That is done.
    Done,
    /// That cannot be done, for this reason.
    Failed(String),
    /// The process that was to be found.
    Process {
        /// Zero: there is none.
        pid: u32,
    },
    /// How the process fares, as a letter of proc_pid_stat(5); none: it is gone.
    State(Option<char>),
}

impl Order {
    /// As it is sent, without its length.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Frame { card, frame } => self::frame(*card, frame),
            Self::Told { recorder, now, frames_suffice } => {
                [&[b't', *recorder, u8::from(*frames_suffice)][..], &now.to_le_bytes()].concat()
            }
            Self::FreePorts { tcp, udp } => vec![b'p', *tcp, *udp],
            Self::Card { card, ours, machines } => {
                [&[b'c', *card][..], &ours.to_le_bytes(), &machines.to_le_bytes()].concat()
            }
            Self::Record { recorder, file } => [&[b'r', *recorder], file.as_bytes()].concat(),
            Self::Find { word } => [b"f", word.as_bytes()].concat(),
            Self::Look { pid } => [&b"l"[..], &pid.to_le_bytes()].concat(),
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [b'F', card, frame @ ..] => Self::Frame { card: *card, frame: frame.to_vec() },
            [b't', recorder, suffice, now @ ..] => Self::Told {
                recorder: *recorder,
                now: u64::from_le_bytes(now.try_into().ok()?),
                frames_suffice: *suffice != 0,
            },
            [b'p', tcp, udp] => Self::FreePorts { tcp: *tcp, udp: *udp },
            [b'c', card, a, b, c, d] => {
                Self::Card { card: *card, ours: u16::from_le_bytes([*a, *b]), machines: u16::from_le_bytes([*c, *d]) }
            }
            [b'r', recorder, file @ ..] => Self::Record { recorder: *recorder, file: text(file)? },
            [b'f', word @ ..] => Self::Find { word: text(word)? },
            [b'l', pid @ ..] => Self::Look { pid: u32::from_le_bytes(pid.try_into().ok()?) },
            _ => return None,
        })
    }
}

impl Word {
    /// As it is sent, without its length.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Frame { card, frame } => self::frame(*card, frame),
            Self::Recorded { recorder, piece } => {
                let mut bytes = vec![b'R', *recorder];
                let numbers = piece.words.iter().chain([&piece.start]);
                bytes.extend(numbers.flat_map(|number| number.to_le_bytes()));
                bytes.extend_from_slice(&piece.bytes);
                bytes
            }
            Self::Ports(ports) => {
                std::iter::once(b'P').chain(ports.iter().flat_map(|port| port.to_le_bytes())).collect()
            }
            Self::Done => vec![b'D'],
            Self::Failed(why) => [b"E", why.as_bytes()].concat(),
            Self::Process { pid } => [&b"I"[..], &pid.to_le_bytes()].concat(),
            Self::State(state) => [b"S", state.map(String::from).unwrap_or_default().as_bytes()].concat(),
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [b'F', card, frame @ ..] => Self::Frame { card: *card, frame: frame.to_vec() },
            [b'R', recorder, rest @ ..] => {
                let (numbers, bytes) = rest.split_at_checked(6 * 8)?;
                let number = |n: usize| u64::from_le_bytes(numbers.as_chunks::<8>().0[n]);
                let piece = Piece { words: [0, 1, 2, 3, 4].map(number), start: number(5), bytes: bytes.to_vec() };
                Self::Recorded { recorder: *recorder, piece }
            }
            [b'P', ports @ ..] => {
                let (ports, rest) = ports.as_chunks::<2>();
                rest.is_empty().then(|| Self::Ports(ports.iter().map(|it| u16::from_le_bytes(*it)).collect()))?
            }
            [b'D'] => Self::Done,
            [b'E', why @ ..] => Self::Failed(text(why)?),
            [b'I', pid @ ..] => Self::Process { pid: u32::from_le_bytes(pid.try_into().ok()?) },
            [b'S', state @ ..] => Self::State(text(state)?.chars().next()),
            _ => return None,
        })
    }
}

/// A frame, either way.
pub(super) fn frame(card: u8, frame: &[u8]) -> Vec<u8> {
    [&[b'F', card], frame].concat()
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

/// Sends a message.
///
/// # Errors
/// Nobody takes it.
pub fn send(to: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(message)
}

/// Waits for what the relay says next; none if it says no more.
///
/// # Errors
/// The line cannot be read, or what came is nothing that a relay says.
pub fn receive(from: &mut impl Read) -> io::Result<Option<Word>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut message = vec![0; sane(u32::from_le_bytes(length))?];
    from.read_exact(&mut message)?;
    Word::of(&message).map(Some).ok_or_else(nonsense)
}

/// The order at the beginning of what was heard, and how long it is; none if it is not whole yet.
pub(super) fn order(heard: &[u8]) -> io::Result<Option<(Order, usize)>> {
    let Some((length, rest)) = heard.split_first_chunk::<4>() else { return Ok(None) };
    let length = sane(u32::from_le_bytes(*length))?;
    let Some(message) = rest.get(..length) else { return Ok(None) };
    Order::of(message).map(|order| Some((order, 4 + length))).ok_or_else(nonsense)
}

fn sane(length: u32) -> io::Result<usize> {
    usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or_else(nonsense)
}

fn nonsense() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "what came on the line is no message")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_message_comes_back_as_it_was() {
        let orders = [
            Order::Frame { card: 1, frame: vec![1, 2, 3] },
            Order::Told { recorder: 2, now: 0x0102_0304_0506_0708, frames_suffice: true },
            Order::FreePorts { tcp: 2, udp: 5 },
            Order::Card { card: 7, ours: 40_001, machines: 40_002 },
            Order::Record { recorder: 0, file: "/x/client.1.recorder".into() },
            Order::Find { word: "socket,id=deadpeer".into() },
            Order::Look { pid: 4711 },
        ];
        for wanted in orders {
            let mut line = Vec::new();
            send(&mut line, &wanted.bytes()).unwrap();
            assert_eq!(order(&line[..line.len() - 1]).unwrap(), None);
            assert_eq!(order(&line).unwrap(), Some((wanted, line.len())));
        }
        let piece = Piece { words: [1, 2, 3, 4, 5], start: 6, bytes: vec![7; 8] };
        let words = [
            Word::Frame { card: 0, frame: vec![9] },
            Word::Recorded { recorder: 3, piece },
            Word::Ports(vec![1, 65_535]),
            Word::Done,
            Word::Failed("no".into()),
            Word::Process { pid: 1 },
            Word::State(Some('S')),
            Word::State(None),
        ];
        let mut line = Vec::new();
        words.iter().for_each(|word| send(&mut line, &word.bytes()).unwrap());
        let mut line = &line[..];
        for word in words {
            assert_eq!(receive(&mut line).unwrap(), Some(word));
        }
        assert_eq!(receive(&mut line).unwrap(), None);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_is_more_than_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = order(&bytes);
            let _ = receive(&mut &bytes[..]);
        }
    }
}
