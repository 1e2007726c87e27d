//! A headless Chromium, and as much of the DevTools protocol as these tests need: JSON messages over two pipes, each ended by a
//! zero byte (`--remote-debugging-pipe`).

use command_fds::{CommandFdExt, FdMapping};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Debian calls it chromium; others have it by its other names.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// No page takes that long to follow a link, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    last: u64,
    /// What the page complained of.
    pub(crate) complaints: Vec<String>,
    /// The page's `load` events that nobody waited for yet.
    loaded: usize,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one, or says that there is none: these tests need it.
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let (mut process, to, from) = NAMES
            .iter()
            .find_map(|name| launch(name, profile.path()))
            .expect("chromium, which these tests need: ./lab setup, or apt-get install chromium");
        assert!(process.try_wait().unwrap().is_none());
        let (from, complaints) = (BufReader::new(from), Vec::new());
        let mut browser = Self { process, to, from, session: None, last: 0, complaints, loaded: 0, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// Calls a method of the protocol, and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.message();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended: {:?}", self.process.try_wait());
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Keeps what an event tells of errors.
    fn note(&mut self, event: &Value) {
        match event["method"].as_str() {
            Some("Page.loadEventFired") => self.loaded += 1,
            Some("Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded") => {
                self.complaints.push(event["params"].to_string());
            }
            _ => {}
        }
    }

    /// A window of this width, with its preferred colours.
    pub(crate) fn window(&mut self, width: u32, colours: &str) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let feature = json!({ "name": "prefers-color-scheme", "value": colours });
        self.call("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Opens a file and waits until it is loaded and was painted once; how long that took.
    pub(crate) fn open(&mut self, file: &Path) -> Duration {
        self.loaded = 0;
        let start = Instant::now();
        self.call("Page.navigate", &json!({ "url": format!("file://{}", file.display()) }));
        while self.loaded == 0 {
            let event = self.message();
            self.note(&event);
        }
        self.eval("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
        start.elapsed()
    }

    /// The value of a JavaScript expression.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let start = Instant::now();
        while self.eval(expression) != true {
            assert!(start.elapsed() < PATIENCE, "it never became so: {expression}");
            self.eval("new Promise(done => requestAnimationFrame(() => done(1)))");
        }
    }

    /// Moves the mouse to the middle of an element that is brought into view, and clicks there if asked to.
    pub(crate) fn mouse(&mut self, selector: &str, click: bool) {
        let middle = format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{ block: 'center' }}); \
             const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let place = self.eval(&middle);
        let mut kinds = vec![("mouseMoved", "none")];
        if click {
            kinds.extend([("mousePressed", "left"), ("mouseReleased", "left")]);
        }
        for (kind, button) in kinds {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Presses a key, by its name and its Windows code (as the protocol wants it).
    pub(crate) fn key(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// The window's picture, as PNG in base64.
    pub(crate) fn picture(&mut self) -> String {
        let picture = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        picture["data"].as_str().unwrap().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its own children when its pipe is closed by its end; this one is reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts `name` if it is there; its process, and the pipes to it and from it.
fn launch(name: &str, profile: &Path) -> Option<(Child, File, File)> {
    let (theirs_in, ours_out) = nix::unistd::pipe().unwrap();
    let (ours_in, theirs_out) = nix::unistd::pipe().unwrap();
    let mut command = Command::new(name);
    command
        .args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--no-first-run",
        ])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("about:blank")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Descriptors 3 and 4 are where it reads and writes.
    command
        .fd_mappings(vec![
            FdMapping { parent_fd: theirs_in, child_fd: 3 },
            FdMapping { parent_fd: theirs_out, child_fd: 4 },
        ])
        .unwrap();
    let child = command.spawn().ok()?;
    Some((child, ours_out.into(), ours_in.into()))
}
