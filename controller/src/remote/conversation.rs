//! One errand on its channel: opened, executed, listened to, closed.

use super::errand::{Errand, Next, Stream, Task};
use super::terminal;
use super::transport::{AGAIN, Link};
use crate::error::Error;
use crate::timeline::Ended;
use ssh2::{Channel, ErrorCode};
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// How much of one stream is read in one turn, so that a flood on one channel leaves the others their turn.
const READS: usize = 2;
const CHUNK: usize = 16 * 1024;

/// How much the host may send on a channel before we have read it. All channels share one connection, so a
/// program that floods delays the others' answers by so much at most. (libssh2's own default is 2 MiB.)
const WINDOW: u32 = 64 * 1024;

/// The largest packet we take; 32 KiB is what every implementation must (RFC 4253, section 6.1).
const PACKET: u32 = 32 * 1024;

/// A command that has gone on for so long is not one of those that end at any moment.
const SHORT: Duration = Duration::from_secs(1);

/// An errand under way.
pub(super) struct Conversation {
    stage: Stage,
    channel: Option<Channel>,
    task: Task,
    command: String,
    terminal: bool,
    asked: Instant,
    opened: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    Terminal,
    Execute,
    Talk,
    /// Nobody listens any more: the channel is to be closed. The command may live on; what it prints from now on
    /// libssh2 throws away, as it gives no channel's number to another one.
    Close,
    Over,
}

/// Why a conversation could not go on.
enum Trouble {
    /// The host refused something; the session is well.
    Refused(Error),
    /// The session is of no more use.
    Session(String),
}

impl AsMut<Task> for Conversation {
    fn as_mut(&mut self) -> &mut Task {
        &mut self.task
    }
}

impl Conversation {
    pub(super) fn new(errand: Errand) -> Self {
        let Errand { name, command, terminal, limit, mouth, ear } = errand;
        let task = Task::new(name, limit, mouth, ear);
        Self { stage: Stage::Open, channel: None, task, command, terminal, asked: Instant::now(), opened: None }
    }

    /// Whether it waits for its channel. libssh2 opens one at a time: only the first such may be advanced.
    pub(super) fn opening(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Until when it is likely that its command ends, or has ended a moment ago; none if it is not. Most commands
    /// are short. The attendant of a program that runs does not end.
    pub(super) fn may_end_until(&self) -> Option<Instant> {
        let stays = self.terminal && self.task.satisfied();
        self.opened.filter(|_| !stays).map(|opened| opened + SHORT)
    }

    /// Whether all is done and the channel is closed.
    pub(super) fn over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// When it was asked for.
    pub(super) fn asked(&self) -> Instant {
        self.asked
    }

    /// When somebody will have waited too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.task.limit().and_then(|limit| self.asked.checked_add(limit))
    }

    /// Goes as far as possible without waiting. True: it got on. An error says why the session is of no more use.
    pub(super) fn advance(&mut self, link: &mut Link) -> Result<bool, String> {
        let mut moved = false;
        loop {
            let before = self.stage;
            let got_on = match self.step(link) {
                Ok(got_on) => got_on,
                Err(Trouble::Session(why)) => return Err(why),
                Err(Trouble::Refused(error)) => {
                    self.give_up(error);
                    true
                }
            };
            moved |= got_on;
            // A stage that was finished may be followed at once; talking leaves the others their turn.
            if self.stage == before || self.over() {
                return Ok(moved);
            }
        }
    }

    /// Tells the ear that the end will never be known, and closes the channel.
    pub(super) fn give_up(&mut self, error: Error) {
        self.task.failed(error);
        // libssh2 cannot take back the opening of a channel: it is closed as soon as it is open.
        if self.stage != Stage::Open {
            self.stage = if self.channel.is_some() { Stage::Close } else { Stage::Over };
        }
    }

    /// What it is doing that takes so long, for the error when its limit has passed.
    pub(super) fn overdue(&self) -> Error {
        let awaited = match self.stage {
            Stage::Open => "the host to open a channel",
            Stage::Terminal => "the host to provide a terminal",
            Stage::Execute => "the host to execute it",
            _ => "its end",
        };
        self.task.overdue(awaited)
    }

    /// The error for everybody who waits when the session is lost.
    pub(super) fn lost(&self, why: &str) -> Error {
        self.task.lost(why)
    }

    fn step(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        match self.stage {
            Stage::Open => self.open(link),
            Stage::Terminal => self.ask_for_terminal(link),
            Stage::Execute => self.execute(link),
            Stage::Talk => self.talk(link),
            Stage::Close => self.close(link),
            Stage::Over => Ok(false),
        }
    }

    fn open(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        let opened = link.call(|ssh| ssh.channel_open("session", WINDOW, PACKET, None));
        let Some(channel) = opened.map_err(|e| trouble("open a channel", &e))? else { return Ok(false) };
        self.channel = Some(channel);
        self.opened = Some(Instant::now());
        self.stage = match (self.task.listens(), self.terminal) {
            (false, _) => Stage::Close,
            (true, true) => Stage::Terminal,
            (true, false) => Stage::Execute,
        };
        Ok(true)
    }

    fn ask_for_terminal(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        let Some(channel) = self.channel.as_mut() else { return Ok(false) };
        let done = link
            .call(|_| channel.request_pty("dumb", Some(terminal::modes()), Some(terminal::SIZE)))
            .map_err(|e| trouble("provide a terminal", &e))?;
        if done.is_some() {
            self.stage = Stage::Execute;
        }
        Ok(done.is_some())
    }

    fn execute(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        let Some(channel) = self.channel.as_mut() else { return Ok(false) };
        let command = &self.command;
        let done = link.call(|_| channel.exec(command)).map_err(|e| trouble("execute a command", &e))?;
        if done.is_some() {
            self.stage = Stage::Talk;
        }
        Ok(done.is_some())
    }

    fn talk(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        let mut moved = self.listen(link, Stream::Stdout)?;
        moved |= self.listen(link, Stream::Stderr)?;
        moved |= self.speak(link)?;
        let Some(channel) = self.channel.as_mut() else { return Ok(moved) };
        if moved || !channel.eof() {
            return Ok(moved);
        }
        if link.call(|_| channel.wait_close()).map_err(|e| trouble("close a channel", &e))?.is_none() {
            return Ok(false);
        }
        let how = how_ended(channel).map_err(|e| trouble("tell how a command ended", &e))?;
        self.task.ended(how);
        self.stage = Stage::Close;
        Ok(true)
    }

    fn listen(&mut self, link: &mut Link, stream: Stream) -> Result<bool, Trouble> {
        let Some(channel) = self.channel.as_ref().filter(|_| self.task.listens()) else { return Ok(false) };
        let mut reader = channel.stream(if stream == Stream::Stdout { 0 } else { ssh2::EXTENDED_DATA_STDERR });
        let mut chunk = [0; CHUNK];
        for turn in 0..READS {
            let read = link
                .call(|ssh| reader.read(&mut chunk).map_err(|e| ssh_error(ssh, &e)))
                .map_err(|e| trouble("read", &e))?;
            let Some(n @ 1..) = read else { return Ok(turn > 0) };
            if let Next::GiveUp(error) = self.task.heard(stream, &chunk[..n]) {
                return Err(Trouble::Refused(error));
            }
        }
        Ok(true)
    }

    fn speak(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        let Some(channel) = self.channel.as_mut() else { return Ok(false) };
        let mouth = &mut self.task.mouth;
        let mut moved = false;
        while !mouth.bytes.is_empty() && !link.transport.congested() {
            let (bytes, _) = mouth.bytes.as_slices();
            let written = match link.call(|ssh| channel.write(bytes).map_err(|e| ssh_error(ssh, &e))) {
                Ok(Some(n @ 1..)) => n,
                Ok(_) => return Ok(moved),
                // The host has closed the channel: nobody reads any more, and the end is about to be told.
                Err(e) if CHANNEL_CLOSED.contains(&e.code()) => mouth.bytes.len(),
                Err(e) => return Err(trouble("write", &e)),
            };
            mouth.bytes.drain(..written);
            moved = true;
            // Out of libssh2's socket, so that congestion shows.
            link.transport.collect().map_err(|e| Trouble::Session(e.to_string()))?;
        }
        if !(mouth.bytes.is_empty() && mouth.end) {
            return Ok(moved);
        }
        if link.call(|_| channel.send_eof()).map_err(|e| trouble("end the input", &e))?.is_some() {
            mouth.end = false;
            moved = true;
        }
        Ok(moved)
    }

    fn close(&mut self, link: &mut Link) -> Result<bool, Trouble> {
        let Some(channel) = self.channel.as_mut() else { return Ok(false) };
        // Sent by the first call. It is dropped when libssh2 holds it for closed: before, that would do nothing.
        if link.call(|_| channel.close()).map_err(|e| trouble("close a channel", &e))?.is_none() {
            return Ok(false);
        }
        self.channel = None;
        self.stage = Stage::Over;
        Ok(true)
    }
}

/// Exit status or signal. A host that tells neither looks like exit status 0 to libssh2's binding.
fn how_ended(channel: &Channel) -> Result<Ended, ssh2::Error> {
    Ok(match channel.exit_signal()?.exit_signal {
        // RFC 4254, section 6.10: names without SIG; others carry an @domain.
        Some(name) => Ended::Signal(name.split('@').next().unwrap_or_default().trim_start_matches("SIG").to_owned()),
        None => Ended::Exit(channel.exit_status()?),
    })
}

/// Codes of libssh2.h: `LIBSSH2_ERROR_CHANNEL_CLOSED` and `..._CHANNEL_EOF_SENT`.
const CHANNEL_CLOSED: [ErrorCode; 2] = [ErrorCode::Session(-26), ErrorCode::Session(-27)];

/// Those that leave the session well: `LIBSSH2_ERROR_CHANNEL_FAILURE`, `..._CHANNEL_REQUEST_DENIED`.
const REFUSED: [ErrorCode; 2] = [ErrorCode::Session(-21), ErrorCode::Session(-22)];

fn trouble(doing: &str, e: &ssh2::Error) -> Trouble {
    if REFUSED.contains(&e.code()) || CHANNEL_CLOSED.contains(&e.code()) {
        Trouble::Refused(Error::broken(format!("the host refused to {doing}")).detail(e.message()))
    } else {
        Trouble::Session(format!("SSH could not {doing}: {}", e.message()))
    }
}

/// The error behind an I/O error of the binding's `Read` and `Write`, which keep only "try again" and the words.
fn ssh_error(ssh: &ssh2::Session, e: &io::Error) -> ssh2::Error {
    match e.kind() {
        ErrorKind::WouldBlock => ssh2::Error::from_errno(AGAIN),
        _ => ssh2::Error::last_session_error(ssh).unwrap_or_else(ssh2::Error::unknown),
    }
}
