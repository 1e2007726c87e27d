//! The agent's one loop.

use super::channel::{Channel, Process, unblock};
use super::execute::Shell;
use super::message::{Message, Order, WINDOW, Word};
use super::reader::Reader;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{read, write};
use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

/// How much may wait to be sent before the commands' outputs are left where they are.
const FULL: usize = 16 * 1024;

/// What is to be sent.
#[derive(Default)]
pub(super) struct Words(Vec<u8>);

impl Words {
    /// Whether there is room for what commands print.
    pub(super) fn room(&self) -> bool {
        self.0.len() < FULL
    }

    /// Adds one. Those of the agent are never too long: a piece, a name, a system's error.
    pub(super) fn say(&mut self, word: &Word) {
        let _ = word.encode(&mut self.0);
    }
}

/// How much is read before the host is told so: often enough that it never waits in vain.
const TELL: usize = WINDOW / 4;

/// Carries out what is ordered over `line`, until its other end is closed. Commands that still run then live on, but for those
/// whose terminal hangs up.
///
/// # Errors
/// In a clause: what came is no order, or the line cannot be read, written or waited for.
pub fn serve(line: OwnedFd, shell: Shell) -> Result<(), String> {
    unblock(&line).map_err(|e| format!("the line cannot be waited for: {}", e.desc()))?;
    let mut agent = Agent {
        line,
        shell,
        orders: Reader::default(),
        heard: 0,
        words: Words::default(),
        channels: BTreeMap::new(),
        left: Vec::new(),
    };
    while agent.hear()? {
        agent.advance();
        agent.speak()?;
        agent.wait()?;
    }
    Ok(())
}

struct Agent {
    line: OwnedFd,
    shell: Shell,
    orders: Reader<Order>,
    /// How much was read that the host was not told of.
    heard: usize,
    words: Words,
    channels: BTreeMap<u32, Channel>,
    /// The processes of channels that were closed.
    left: Vec<Process>,
}

impl Agent {
    /// Takes what there is on the line. False: there will be no more.
    fn hear(&mut self) -> Result<bool, String> {
        let mut bytes = [0; 4096];
        loop {
            match read(&self.line, &mut bytes) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    self.heard += length;
                    self.orders.push(&bytes[..length]);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(e) => return Err(format!("the line cannot be read: {}", e.desc())),
            }
        }
        if self.heard >= TELL {
            // The window is no more than that.
            let bytes = u32::try_from(std::mem::take(&mut self.heard)).unwrap_or(u32::MAX);
            self.words.say(&Word::Heard { bytes });
        }
        while let Some(order) = self.orders.next()? {
            self.carry_out(order);
        }
        Ok(true)
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Open { channel, terminal, command } => {
                let opened = match self.channels.contains_key(&channel) {
                    true => Err("its number is another command's".to_owned()),
                    false => Channel::open(channel, &self.shell, &command, terminal),
                };
                match opened {
                    Ok(opened) => drop(self.channels.insert(channel, opened)),
                    Err(why) => self.words.say(&Word::Refused { channel, why }),
                }
            }
            // For a channel that is not there: its command has ended meanwhile.
            Order::Input { channel, bytes } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.input(&bytes);
                }
            }
            Order::EndInput { channel } => {
                if let Some(channel) = self.channels.get_mut(&channel) {
                    channel.end_input();
                }
            }
            Order::Close { channel } => self.left.extend(self.channels.remove(&channel).and_then(Channel::close)),
        }
    }

    /// Carries every channel forward.
    fn advance(&mut self) {
        self.left.retain_mut(|process| process.ended().is_none());
        self.channels.retain(|_, channel| channel.advance(&mut self.words));
    }

    fn speak(&mut self) -> Result<(), String> {
        while !self.words.0.is_empty() {
            match write(&self.line, &self.words.0) {
                Ok(written) => drop(self.words.0.drain(..written)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                // The other end of what stands for the line is closed; reading will tell.
                Err(Errno::EPIPE) => self.words.0.clear(),
                Err(e) => return Err(format!("the line cannot be written: {}", e.desc())),
            }
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), String> {
        let mut on_line = PollFlags::POLLIN;
        on_line.set(PollFlags::POLLOUT, !self.words.0.is_empty());
        let mut fds = vec![PollFd::new(self.line.as_fd(), on_line)];
        fds.extend(self.left.iter().map(Process::awaited));
        fds.extend(self.channels.values().flat_map(|channel| channel.awaited(self.words.room())));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(format!("poll: {}", e.desc())),
        }
    }
}
