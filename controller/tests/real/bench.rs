//! The test bench: a controller process on a scenario, watched from outside as a user would.

pub use crate::waiting::{LONG, eventually};

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Labs take turns: of two at once, one boots while the other waits.
const LABS: usize = 2;

/// How many labs there are.
static AT_WORK: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// So many labs' turn, until it is dropped.
pub struct Turn(usize);

/// A turn for one lab.
pub fn turn() -> Turn {
    Turn::of(1)
}

/// A turn for what starts several labs by itself.
pub fn turn_of_all() -> Turn {
    Turn::of(LABS)
}

impl Turn {
    fn of(labs: usize) -> Self {
        let (at_work, changed) = &AT_WORK;
        let all = at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = changed.wait_while(all, |all| *all + labs > LABS).unwrap_or_else(PoisonError::into_inner);
        *all += labs;
        Self(labs)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *AT_WORK.0.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        AT_WORK.1.notify_all();
    }
}

/// A scenario whose two hosts boot and then do `steps`.
pub fn scenario(steps: &str) -> String {
    format!(
        "name: bench\n\
         title: A lab to break\n\
         story: Two hosts boot, and then something happens to them.\n\
         hosts:\n  client: {{}}\n  server: {{}}\n\
         programs:\n  echo-server: {{ host: server, run: echo-server }}\n  echo-client: {{ host: client, run: echo-client 192.0.2.2 }}\n\
         steps:\n{steps}\n\
         expectations:\n  - name: booted-once\n    host: client\n    boot-id: kept\n    held: It did.\n    not-held: It did not.\n"
    )
}

/// A controller at work in a folder of its own.
pub struct Bench {
    _turn: Option<Turn>,
    home: tempfile::TempDir,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Bench {
    /// Starts `controller run` on this scenario text, with these arguments and environment beside it.
    pub fn start(scenario: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        Self::start_under(&[], scenario, arguments, environment)
    }

    /// As [`Bench::start`], by another program: these words come before the controller's, and that one must become it (execve).
    pub fn start_under(words: &[&str], scenario: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        Self { _turn: Some(turn()), ..Self::launch(words, scenario, arguments, environment) }
    }

    /// Starts another one while `_first` runs.
    pub fn start_beside(_first: &Bench, scenario: &str) -> Self {
        Self::launch(&[], scenario, &[], &[])
    }

    fn launch(words: &[&str], scenario: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("bench.yaml"), scenario).unwrap();
        let mut words = words.iter().chain([&env!("CARGO_BIN_EXE_controller")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(["run", "bench.yaml", "--out", "run"]).args(arguments).current_dir(home.path());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { _turn: None, home, child, lines, seen: Vec::new() }
    }

    /// Waits until the controller says something that contains `text`.
    pub fn await_line(&mut self, text: &str) {
        let deadline = Instant::now() + LONG;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.seen.push(line);
            if self.seen.last().unwrap().contains(text) {
                return;
            }
        }
        panic!("the controller never said {text:?}; it said:\n{}", self.seen.join("\n"));
    }

    /// The controller's process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// The most memory that the controller has held by the time it ends, in MiB, as far as seen (proc(5), `RssAnon`): not the
    /// pages of its own file, which an unoptimised build has 150 MB of.
    pub fn peak_memory_at_the_end(&mut self) -> u64 {
        let deadline = Instant::now() + LONG;
        let mut peak = 0;
        while self.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kib: Option<u64> = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok());
            peak = peak.max(kib.unwrap_or(0) / 1024);
            std::thread::sleep(Duration::from_millis(20));
        }
        peak
    }

    /// The process id of a host's QEMU, as the run's folder tells.
    pub fn machine_pid(&self, host: &str) -> i32 {
        fs::read_to_string(self.folder().join(format!("{host}.pid"))).unwrap().trim().parse().unwrap()
    }

    /// The run's folder.
    pub fn folder(&self) -> PathBuf {
        self.home.path().join("run")
    }

    /// Waits for the controller's end.
    pub fn end(mut self) -> Ending {
        let deadline = Instant::now() + LONG;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the controller does not end; it said:\n{}", self.seen.join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        };
        self.seen.extend(self.lines.iter());
        Ending { status, said: self.seen.join("\n"), folder: self.folder(), _home: self.home, _turn: self._turn }
    }
}

/// What a controller left.
pub struct Ending {
    pub status: ExitStatus,
    /// Its standard error.
    pub said: String,
    pub folder: PathBuf,
    _home: tempfile::TempDir,
    _turn: Option<Turn>,
}

impl Ending {
    /// `result.json`.
    pub fn result(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join("result.json")).unwrap()).unwrap()
    }

    /// The run ended as unknown, says why in these words, and left nothing behind.
    pub fn is_unknown_because(&self, words: &[&str]) {
        assert_eq!(self.status.code(), Some(2), "{}", self.said);
        let result = self.result();
        assert_eq!(result["outcome"], "unknown", "{result}");
        let error = result["error"].to_string();
        for word in words {
            assert!(error.contains(word), "the error does not say {word:?}: {error}");
            assert!(self.said.contains(word), "the terminal does not say {word:?}: {}", self.said);
        }
        self.left_nothing();
    }

    /// No process, no private folder, no key.
    pub fn left_nothing(&self) {
        assert!(!self.folder.join(".private").exists(), "the private folder is gone");
        assert_eq!(alive_with(&self.folder), Vec::<String>::new(), "no machine lives on");
        let pids: Vec<_> = fs::read_dir(&self.folder)
            .unwrap()
            .flatten()
            .map(|e| e.file_name())
            .filter(|n| n.to_string_lossy().ends_with(".pid"))
            .collect();
        assert!(pids.is_empty(), "{pids:?}");
    }
}

/// Command lines of the living processes that mention this folder: its QEMUs.
pub fn alive_with(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|e| fs::read(e.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| line.contains(&folder) && line.contains("qemu"))
        .collect()
}

/// Runs tshark on a capture; it must be installed.
pub fn tshark(capture: &Path, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } =
        Command::new("tshark").arg("-r").arg(capture).args(arguments).output().expect("tshark is installed");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
