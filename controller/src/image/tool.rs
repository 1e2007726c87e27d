//! Runs a foreign tool: its output taken, its complaints kept, ended when the user interrupts or the controller dies.
//!
//! The tool leads a process group of its own. On an interrupt the group gets SIGTERM, and SIGKILL when it has not
//! ended 5 s later. If the controller itself is killed, the kernel sends the tool SIGTERM (setpriv(1), `--pdeathsig`).

use crate::error::{Error, Kind, Result};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// How often the caller is asked whether the user interrupted.
const TICK: Duration = Duration::from_millis(50);

/// How long a tool may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// How many of a tool's last lines are shown when it fails.
const LAST_LINES: usize = 12;

/// Takes a tool's line on its standard error output, and does nothing with it.
pub(super) fn ignore(_: &str) {}

/// A tool about to be run.
pub(super) struct Tool {
    program: String,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    input: Option<Box<dyn Read + Send>>,
    output: Option<File>,
    lock: Option<File>,
}

/// What the threads at a tool's pipes and the one waiting for its end have to say.
enum News {
    Line(String),
    ErrorsEnd,
    Output(std::io::Result<Vec<u8>>),
}

impl Tool {
    /// The tool of that name on `PATH`.
    pub(super) fn new(program: &str) -> Self {
        Self { program: program.to_owned(), args: Vec::new(), env: Vec::new(), input: None, output: None, lock: None }
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(super) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    /// What it reads on its standard input; nothing if not called.
    pub(super) fn input(mut self, bytes: impl Read + Send + 'static) -> Self {
        self.input = Some(Box::new(bytes));
        self
    }

    /// The file that its standard output is written to, instead of being given by [`Tool::run`].
    pub(super) fn output(mut self, file: File) -> Self {
        self.output = Some(file);
        self
    }

    /// Lets it hold a lock (flock(2)) together with us, by having the locked, empty file as its standard input: until it and
    /// all its children are gone, nobody else gets the lock, even if we are killed.
    pub(super) fn holding(mut self, lock: &File) -> Result<Self> {
        self.lock = Some(lock.try_clone().map_err(|e| Error::broken(format!("cannot share a lock: {e}")))?);
        Ok(self)
    }

    /// Runs it to its end and gives its standard output, of which nothing is left if it went to a file. `line` is called for
    /// each line of its standard error output.
    ///
    /// # Errors
    /// When it cannot be started, ends other than with exit status 0 (with its last lines), or the user interrupts.
    pub(super) fn run(mut self, interrupted: &dyn Fn() -> bool, line: &mut dyn FnMut(&str)) -> Result<Vec<u8>> {
        if interrupted() {
            return Err(Error::interrupted());
        }
        let mut child = self.spawn()?;
        let program = self.program.clone();
        let (sender, news) = channel();
        self.attend(&mut child, sender)?;
        let mut last = VecDeque::new();
        let heard = hear(&news, interrupted, &mut |text| {
            line(text);
            last.push_back(text.to_owned());
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        });
        let output = match heard {
            Ok(output) => output,
            Err(error) => {
                end(&mut child);
                return Err(error);
            }
        };
        let status = child.wait().map_err(|e| Error::broken(format!("cannot wait for {program}: {e}")))?;
        if status.success() {
            return Ok(output);
        }
        Err(Error::broken(format!("{program} {}", how_it_ended(status))).detail(last.make_contiguous().join("\n")))
    }

    fn spawn(&mut self) -> Result<Child> {
        let stdin = match (&self.input, self.lock.take()) {
            (Some(_), _) => Stdio::piped(),
            (None, Some(lock)) => Stdio::from(lock),
            (None, None) => Stdio::null(),
        };
        Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(&self.program)
            .args(&self.args)
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", search_path())
            // Settings of this user or host must not shape an image.
            .env_remove("APT_CONFIG")
            .env_remove("DPKG_ROOT")
            .env_remove("MKE2FS_DEVICE_SECTSIZE")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(self.output.take().map_or_else(Stdio::piped, Stdio::from))
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| Error::broken(format!("cannot start {} by setpriv: {e}", self.program)))
    }

    /// Puts a thread at each of the child's pipes: whichever the child uses first, none fills up.
    fn attend(self, child: &mut Child, sender: Sender<News>) -> Result<()> {
        let Some(errors) = child.stderr.take() else {
            return Err(Error::broken("a child without pipes"));
        };
        if let (Some(stdin), Some(input)) = (child.stdin.take(), self.input) {
            thread::spawn(move || feed(stdin, input));
        }
        let output = child.stdout.take();
        let to_output = sender.clone();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = output.map_or(Ok(0), |mut output| output.read_to_end(&mut bytes));
            let _ = to_output.send(News::Output(read.map(|_| bytes)));
        });
        thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(std::io::Result::ok) {
                let _ = sender.send(News::Line(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            let _ = sender.send(News::ErrorsEnd);
        });
        Ok(())
    }
}

/// Writes all; a tool that ends without reading everything, or gets less than everything, says so by its exit status.
fn feed(mut stdin: ChildStdin, mut input: Box<dyn Read + Send>) {
    let _ = std::io::copy(&mut input, &mut stdin);
}

/// Listens until both pipes have ended.
fn hear(news: &Receiver<News>, interrupted: &dyn Fn() -> bool, line: &mut dyn FnMut(&str)) -> Result<Vec<u8>> {
    let mut output = None;
    let mut errors_open = true;
    loop {
        if let (Some(_), false) = (&output, errors_open) {
            return Ok(output.unwrap_or_default());
        }
        match news.recv_timeout(TICK) {
            Ok(News::Line(text)) => line(&text),
            Ok(News::ErrorsEnd) => errors_open = false,
            Ok(News::Output(Ok(bytes))) => output = Some(bytes),
            Ok(News::Output(Err(e))) => return Err(Error::broken(format!("cannot read a tool's output: {e}"))),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Error::broken("a tool's pipes were lost")),
        }
        if interrupted() {
            return Err(Error::interrupted());
        }
    }
}

/// Ends the child and its process group: politely, then not.
fn end(child: &mut Child) {
    let Ok(number) = i32::try_from(child.id()) else { return };
    let pid = Pid::from_raw(number);
    let _ = killpg(pid, Signal::SIGTERM);
    let (sender, ended) = channel();
    thread::spawn(move || {
        // The end is awaited, but left unreaped: until then the number cannot become somebody else's.
        let _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
        let _ = sender.send(());
    });
    let _ = ended.recv_timeout(GRACE);
    let _ = killpg(pid, Signal::SIGKILL);
    let _ = child.wait();
}

fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(number)) => {
            let name = Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| s.as_str().to_owned());
            format!("was ended by {name}")
        }
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

/// Which of these programs are not there.
pub(super) fn missing<'a>(programs: &[&'a str]) -> Vec<&'a str> {
    let path = search_path();
    let found = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    programs.iter().copied().filter(|program| !found(program)).collect()
}

/// `PATH`, and where mke2fs and debugfs live: an ordinary user's `PATH` does not lead there on Debian.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    path.push(":/usr/sbin:/sbin");
    path
}

/// Whether an error is the user's interrupt.
pub(super) fn is_interrupt(error: &Error) -> bool {
    error.kind == Kind::Interrupted
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::io::{Cursor, Seek};

    fn shell(script: &str) -> Tool {
        Tool::new("sh").args(["-c", script])
    }

    #[test]
    fn a_tool_gets_its_input_and_gives_its_output_however_long_they_are() {
        let input = vec![b'x'; 1 << 20];
        let mut lines = 0;
        let output = Tool::new("sh")
            .args(["-c", "seq 100000 >&2; cat"])
            .input(Cursor::new(input.clone()))
            .run(&|| false, &mut |_| lines += 1)
            .unwrap();
        assert!(output == input);
        assert_eq!(lines, 100_000);
    }

    #[test]
    fn output_that_goes_to_a_file_is_not_given() {
        let mut file = tempfile::tempfile().unwrap();
        let tool = shell("cat; echo heard >&2").input(Cursor::new("input")).output(file.try_clone().unwrap());
        let mut said = String::new();
        assert_eq!(tool.run(&|| false, &mut |line| said.push_str(line)).unwrap(), b"");
        file.rewind().unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap(), "input");
        assert_eq!(said, "heard");
    }

    #[test]
    fn a_failure_shows_the_status_and_the_last_lines() {
        let error = shell("seq 100 >&2; exit 3").run(&|| false, &mut ignore).unwrap_err();
        assert_eq!(error.fact, "sh ended with exit status 3");
        assert_eq!(error.detail.unwrap(), "89\n90\n91\n92\n93\n94\n95\n96\n97\n98\n99\n100");
    }

    #[test]
    fn nothing_is_started_after_an_interrupt() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("made");
        let error = Tool::new("touch").arg(&file).run(&|| true, &mut ignore).unwrap_err();
        assert!(is_interrupt(&error));
        assert!(!file.exists());
    }

    #[test]
    fn a_tool_that_does_not_exist_is_missing_and_cannot_run() {
        assert_eq!(missing(&["sh", "deadpeer-no-such-tool"]), ["deadpeer-no-such-tool"]);
        assert!(Tool::new("deadpeer-no-such-tool").run(&|| false, &mut ignore).is_err());
    }
}
