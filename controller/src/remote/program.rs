//! A program that runs while the scenario goes on.

use super::errand::{Ear, Errand, Mouth, Next, Stream};
use super::lines::Lines;
use super::pump::gone;
use super::run;
use super::session::Line;
use super::terminal::{END_OF_FILE, MAX_TYPED};
use crate::error::{Error, Result};
use crate::timeline::{Ended, ProgramEvent};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// How long a host may take to start a program, or to deliver a signal.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the shell prints before it becomes the program; its process id follows.
const MARK: &str = "deadpeer: this is process ";

/// What the shell prints if there is no such command; what it was follows.
const MISSING: &str = "deadpeer: no such command: ";

/// Who is told what a program does.
type Events = Box<dyn FnMut(ProgramEvent) + Send>;

/// A started program. Dropping the handle leaves it running; it ends with its session.
///
/// # Limits
/// It leads its terminal's session: when it ends, the kernel sends SIGHUP to the children that it leaves behind, as
/// on any terminal (setsid(2)). And dropbear tells the signals of RFC 4254, section 6.10, only: a program ended by
/// another one (SIGBUS, SIGSYS) is told as exited with status 0.
#[derive(Debug)]
pub struct Program {
    line: Line,
    errand: u64,
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

    fn input(&self, bytes: Vec<u8>) -> Result<()> {
        if self.line.say(self.errand, bytes)? {
            return Ok(());
        }
        Err(Error::broken(format!("`{}` (process {}) reads no more: it is over", self.command, self.pid)))
    }
}

pub(super) fn start(line: &Line, launcher: &str, command: &str, events: Events) -> Result<Program> {
    if command.trim().is_empty() {
        return Err(Error::usage("an empty command cannot be started"));
    }
    let (answer, started) = channel();
    let errand = Errand {
        name: format!("the start of `{command}`"),
        command: script(launcher, command),
        terminal: true,
        limit: PATIENCE,
        mouth: Mouth::default(),
        ear: Box::new(Player {
            command: command.to_owned(),
            events,
            lines: Lines::default(),
            stage: Stage::Starting { words: Vec::new(), missing: None, answer },
        }),
    };
    let errand = line.go(errand)?;
    let pid = started.recv().map_err(|_| gone())??;
    Ok(Program { line: line.clone(), errand, pid, command: command.to_owned() })
}

/// For the shell: says who it is, then becomes the program, or the launcher that becomes it. The words are taken apart once only.
fn script(launcher: &str, command: &str) -> String {
    format!(
        "set -- {command}\n\
         command -v -- \"$1\" >/dev/null || {{ printf '{MISSING}%s\\n' \"$1\"; exit 127; }}\n\
         printf '{MARK}%s\\n' $$\n\
         exec {launcher} \"$@\"\n"
    )
}

/// Hears a program, and tells what it does.
struct Player {
    command: String,
    events: Events,
    lines: Lines,
    stage: Stage,
}

enum Stage {
    /// The shell has not yet said who it is.
    Starting {
        words: Vec<String>,
        missing: Option<String>,
        answer: Sender<Result<u32>>,
    },
    Running,
}

impl Player {
    fn line(&mut self, line: String) {
        let Stage::Starting { words, missing, answer } = &mut self.stage else {
            return (self.events)(ProgramEvent::Line { text: line });
        };
        if let Some(pid) = line.strip_prefix(MARK).and_then(|pid| pid.parse().ok()) {
            (self.events)(ProgramEvent::Started { pid, command: self.command.clone() });
            // Only a caller that is gone does not take it.
            let _ = answer.send(Ok(pid));
            self.stage = Stage::Running;
        } else if let Some(what) = line.strip_prefix(MISSING) {
            *missing = Some(what.to_owned());
        } else {
            words.push(line);
        }
    }

    fn over(mut self, how: Ended, error: impl FnOnce(&str) -> Error) {
        if let Some(rest) = self.lines.finish() {
            self.line(rest);
        }
        match self.stage {
            Stage::Running => (self.events)(ProgramEvent::Ended { how }),
            Stage::Starting { words, missing, answer } => {
                let error = match missing {
                    Some(what) => Error::usage(format!("there is no command '{what}' on this host")),
                    None => error(&self.command).detail(words.join("\n")),
                };
                // As above.
                let _ = answer.send(Err(error));
            }
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

    fn satisfied(&self) -> bool {
        matches!(self.stage, Stage::Running)
    }

    fn ended(self: Box<Self>, how: Ended) {
        let words = how.to_string();
        self.over(how, |command| Error::broken(format!("`{command}` was not started: the shell {words}")));
    }

    fn failed(self: Box<Self>, error: Error) {
        let why = error.detail.clone().unwrap_or_else(|| error.fact.clone());
        self.over(Ended::Lost(why), |_| error);
    }
}
