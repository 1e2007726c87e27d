//! A program that runs while the scenario goes on.

use super::errand::{Ear, Errand, Mouth, Next, Stream};
use super::line::Line;
use super::lines::Lines;
use super::quota::Quota;
use super::run;
use super::shell::quote;
use super::terminal::{END_OF_FILE, MAX_TYPED};
use crate::error::{Error, Result};
use crate::timeline::{Ended, ProgramEvent};
use deadpeer_guest::attend::{self, Mark, Word};
use deadpeer_guest::shell;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// How long a host may take to start a program, or to deliver a signal.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is told what a program does.
type Events = Box<dyn FnMut(ProgramEvent) + Send>;

/// A program to be started.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// The path of the witness on the host, which attends it (`deadpeer_guest::attend`).
    pub witness: &'a str,
    /// Its name: lower-case letters, digits and hyphens.
    pub name: &'a str,
    /// A simple command for a POSIX shell (see [`quote`](super::quote)): its words are taken apart once, and no more.
    pub command: &'a str,
    /// Whether the host's init starts it, as it starts services.
    pub service: bool,
}

/// A started program. Dropping the handle leaves it running. When its session ends its terminal hangs up, which ends a
/// program that does not care to outlive it (SIGHUP); a service it does not concern.
#[derive(Debug)]
pub struct Program {
    line: Line,
    errand: u32,
    pid: u32,
    command: String,
}

impl Program {
    /// Its process id on its host.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Types a line; its newline is added.
    ///
    /// # Errors
    /// The program has ended (or is lost). Or the line cannot be typed: it is longer than [`MAX_TYPED`], or has
    /// characters in it that a terminal takes for an end (newline, ^D, NUL).
    pub fn type_line(&self, line: &str) -> Result<()> {
        if line.len() > MAX_TYPED {
            let help = "A terminal passes on no longer line; let the program read a file instead.";
            return Err(Error::usage(format!("a line of {} bytes is too long to be typed", line.len()))
                .detail(format!("At most {MAX_TYPED} bytes."))
                .help(help));
        }
        if let Some(c) = line.chars().find(|&c| c == '\n' || c == '\0' || c == END_OF_FILE as char) {
            return Err(Error::usage(format!("a line to be typed must not contain {c:?}")));
        }
        self.input(format!("{line}\n").into_bytes())
    }

    /// Types ^D: the program reads end of file, once.
    ///
    /// # Errors
    /// The program has ended (or is lost).
    pub fn end_input(&self) -> Result<()> {
        self.input(vec![END_OF_FILE])
    }

    /// Sends a signal to this one process; `name` is without SIG, as in `KILL`. Returns when it is sent.
    ///
    /// # Errors
    /// There is no such process or signal any more, in the host's own words; or the host was lost.
    pub fn signal(&self, name: &str) -> Result<()> {
        run::kill(&self.line, name, self.pid, PATIENCE)
    }

    /// Has it told what it printed and was not kept, as far as it was not told yet. For the end of a run, where the program goes on.
    ///
    /// # Errors
    /// The session is over.
    pub fn settle(&self) -> Result<()> {
        self.line.settle(self.errand)
    }

    fn input(&self, bytes: Vec<u8>) -> Result<()> {
        if self.line.say(self.errand, bytes)? {
            return Ok(());
        }
        Err(Error::broken(format!("`{}` (process {}) reads no more: it is over", self.command, self.pid)))
    }
}

pub(super) fn start(line: &Line, launch: &Launch<'_>, events: Events) -> Result<Program> {
    let Launch { witness, name, command, service } = *launch;
    if command.trim().is_empty() {
        return Err(Error::usage("an empty command cannot be started"));
    }
    let mark = line.mark();
    let (answer, started) = channel();
    let errand = Errand {
        name: format!("the start of `{command}`"),
        command: shell::command(
            &quote(witness),
            &format!("{} {command}", attend::arguments(&mark, service, &quote(name))),
        ),
        terminal: true,
        limit: PATIENCE,
        mouth: Mouth::default(),
        ear: Box::new(Player {
            command: command.to_owned(),
            mark,
            events,
            lines: Lines::default(),
            quota: Quota::default(),
            stage: Stage::Starting { words: Vec::new(), missing: None, answer },
        }),
    };
    let errand = line.go(errand)?;
    let pid = line.answer(&started)?;
    Ok(Program { line: line.clone(), errand, pid, command: command.to_owned() })
}

/// Hears a program and its attendant, and tells what the program does.
struct Player {
    command: String,
    mark: Mark,
    events: Events,
    lines: Lines,
    quota: Quota,
    stage: Stage,
}

enum Stage {
    /// Nothing has been told yet.
    Starting {
        words: Vec<String>,
        missing: Option<String>,
        answer: Sender<Result<u32>>,
    },
    Running,
    /// The program has ended; what it left may still print.
    Over,
}

impl Player {
    fn line(&mut self, line: String) {
        match self.mark.find(&line) {
            Some((before, word)) => {
                if !before.is_empty() {
                    self.printed(before.to_owned());
                }
                self.word(word);
            }
            None => self.printed(line),
        }
    }

    fn printed(&mut self, line: String) {
        match &mut self.stage {
            Stage::Starting { words, .. } => words.push(line),
            Stage::Running | Stage::Over => {
                if let Some(event) = self.quota.admit(line) {
                    (self.events)(event);
                }
            }
        }
    }

    fn word(&mut self, word: Word) {
        match (&mut self.stage, word) {
            (Stage::Starting { answer, .. }, Word::Started(pid)) => {
                (self.events)(ProgramEvent::Started { pid, command: self.command.clone() });
                // Only a caller that is gone does not take it.
                let _ = answer.send(Ok(pid));
                self.stage = Stage::Running;
            }
            (Stage::Starting { missing, .. }, Word::Missing(what)) => *missing = Some(what),
            (Stage::Starting { words, .. }, Word::Refused(why)) => words.push(why),
            (Stage::Running, Word::Exited(status)) => self.ends(Ended::Exit(status)),
            (Stage::Running, Word::Killed(signal)) => self.ends(Ended::Signal(signal)),
            (Stage::Running, Word::Gone(why) | Word::Refused(why)) => self.ends(Ended::Lost(why)),
            (_, word) => tracing::debug!("the attendant of `{}` says out of turn: {word}", self.command),
        }
    }

    fn ends(&mut self, how: Ended) {
        self.settle();
        (self.events)(ProgramEvent::Ended { how });
        self.stage = Stage::Over;
    }

    /// The channel is over: nothing more can be heard.
    fn over(mut self, why: String, error: impl FnOnce(&str) -> Error) {
        if let Some(rest) = self.lines.finish() {
            self.line(rest);
        }
        if matches!(self.stage, Stage::Running) {
            self.ends(Ended::Lost(why));
        }
        self.settle();
        if let Stage::Starting { words, missing, answer } = self.stage {
            let error = match missing {
                Some(what) => Error::usage(format!("there is no command '{what}' on this host")),
                None => error(&self.command).detail(words.join("\n")),
            };
            // As above.
            let _ = answer.send(Err(error));
        }
    }
}

impl Ear for Player {
    fn heard(&mut self, _: Stream, bytes: &[u8], _: &mut Mouth) -> Next {
        let mut lines = Vec::new();
        self.lines.push(bytes, |line| lines.push(line));
        for line in lines {
            self.line(line);
        }
        Next::Listen
    }

    fn said(&mut self, bytes: &[u8]) {
        (self.events)(match bytes.strip_suffix(b"\n") {
            Some(line) => ProgramEvent::Input { text: String::from_utf8_lossy(line).into_owned() },
            None => ProgramEvent::InputEnded,
        });
    }

    fn reads(&self) -> bool {
        !matches!(self.stage, Stage::Over)
    }

    fn satisfied(&self) -> bool {
        !matches!(self.stage, Stage::Starting { .. })
    }

    fn settle(&mut self) {
        if let Some(event) = self.quota.settle() {
            (self.events)(event);
        }
    }

    fn ended(self: Box<Self>, how: Ended) {
        let why = format!("its attendant on the host {how}");
        self.over(why, |command| Error::broken(format!("`{command}` was not started: what should start it {how}")));
    }

    fn failed(self: Box<Self>, error: Error) {
        let why = error.detail.clone().unwrap_or_else(|| error.fact.clone());
        self.over(why, |_| error);
    }
}
