//! Machines that Vagrant makes: the same story as on machines of our own, and nothing left behind.
//!
//! Root's libvirt is started here where it is not running, as no ordinary computer needs; it is ended again. What is installed and added
//! (`./lab setup vagrant`, the box) is there already, or these tests fail and say so.

use crate::turn;
use crate::waiting::{LONG, eventually};
use deadpeer::compare::{Comparison, Item, Side};
use deadpeer::judge::Outcome;
use deadpeer::report::read_events;
use deadpeer::timeline::Event;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A libvirt that answers, and Vagrant with the box.
pub struct Libvirt {
    uri: &'static str,
    /// The daemons that we started.
    daemons: Vec<Child>,
    /// Vagrant's home, with the box.
    vagrant: tempfile::TempDir,
}

impl Libvirt {
    pub fn new() -> Self {
        let root = nix::unistd::geteuid().is_root();
        let uri = if root { "qemu:///system" } else { "qemu:///session" };
        let mut libvirt = Self { uri, daemons: Vec::new(), vagrant: vagrant_home() };
        if !libvirt.answers() && root {
            for name in ["virtlogd", "libvirtd"] {
                let daemon =
                    Command::new(name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
                libvirt
                    .daemons
                    .push(daemon.unwrap_or_else(|e| panic!("cannot start {name} (./lab setup vagrant): {e}")));
            }
        }
        let deadline = Instant::now() + LONG;
        while !libvirt.answers() {
            assert!(Instant::now() < deadline, "libvirt at {uri} does not answer (./lab setup vagrant)");
            std::thread::sleep(Duration::from_millis(200));
        }
        libvirt
    }

    fn virsh(&self, words: &[&str]) -> Output {
        Command::new("virsh").args(["--connect", self.uri, "--quiet"]).args(words).output().unwrap()
    }

    fn answers(&self) -> bool {
        self.virsh(&["list"]).status.success()
    }

    /// All domains and storage pools, and the folders of projects: what a run may leave.
    pub fn left(&self) -> Vec<String> {
        let ask = |words: &[&str]| String::from_utf8(self.virsh(words).stdout).unwrap();
        let names = ask(&["list", "--all", "--name"]) + &ask(&["pool-list", "--all", "--name"]);
        let mut all: Vec<String> =
            names.lines().map(str::trim).filter(|name| is_ours(name)).map(str::to_owned).collect();
        let folders = fs::read_dir(machines()).into_iter().flatten().flatten();
        all.extend(folders.map(|entry| entry.path().display().to_string()));
        all
    }

    pub fn vagrant_home(&self) -> &Path {
        self.vagrant.path()
    }

    /// A controller that runs a scenario on Vagrant's machines.
    pub fn controller(&self, name: &str, out: &Path, more: &[&str]) -> Command {
        let mut controller = Command::new(env!("CARGO_BIN_EXE_controller"));
        controller.args(["run", name, "--quiet", "--provider", "vagrant", "--out"]).arg(out).args(more);
        controller.env("VAGRANT_HOME", self.vagrant.path());
        controller
    }

    #[track_caller]
    pub fn run(&self, name: &str, out: &Path, more: &[&str]) -> Vec<Event> {
        passed(name, &self.controller(name, out, more).output().unwrap());
        read_events(&out.join("events.jsonl")).unwrap()
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What a test that fails kept would have all others fail.
            let _ = Command::new(env!("CARGO_BIN_EXE_controller")).args(["machines", "remove"]).output();
        }
        for mut daemon in self.daemons.drain(..).rev() {
            let _ = kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), Signal::SIGTERM);
            let _ = daemon.wait();
        }
    }
}

/// `deadpeer-`, eight hexadecimal digits, and more: as projects are named, and nobody else's machine.
fn is_ours(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("deadpeer-") else { return false };
    rest.starts_with("kept-")
        || rest.split('-').next().is_some_and(|id| id.len() == 8 && id.chars().all(|c| c.is_ascii_hexdigit()))
}

fn machines() -> PathBuf {
    match nix::unistd::geteuid().is_root() {
        true => "/var/lib/deadpeer/machines".into(),
        false => deadpeer::cache::folder("machines").unwrap(),
    }
}

/// A home for Vagrant, with the box.
pub fn vagrant_home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut add = Command::new(env!("CARGO_BIN_EXE_controller"));
    passed("image box", &add.args(["image", "box"]).env("VAGRANT_HOME", home.path()).output().unwrap());
    home
}

#[track_caller]
pub fn passed(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{what}: {said}");
}

/// What is there in some runs of a scenario and not in others, whoever makes the machines. In `server-killed` the client ends before or after
/// the RST that answers its line, as the scenario says.
const RACES: [(&str, &[&str]); 1] =
    [("server-killed", &["CLOSE-WAIT to LAST-ACK", "LAST-ACK to CLOSED", "CLOSE-WAIT to CLOSED", "FIN", "RST"])];

/// What became of hosts and connections is the same on both providers, event by event in kind; but for races, and for how often something
/// was sent again to a host that is off, which depends on how soon it is on again.
#[track_caller]
pub fn agree(name: &str, qemu: &[Event], vagrant: &[Event]) {
    let side = |timeline| Side { outcome: Outcome::Pass, judged: &[], timeline };
    let compared = Comparison::new(&side(qemu), &side(vagrant));
    let races = RACES.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, kinds)| kinds);
    let kind = |item: &Option<Item>| item.as_ref().map_or("-", |it| it.kind.as_str()).to_owned();
    let same = |row: &[Option<Item>; 2]| match row {
        [Some(one), Some(other)] => one.kind == other.kind,
        [Some(alone), None] | [None, Some(alone)] => {
            alone.kind.ends_with("again (nobody there)") || races.contains(&alone.kind.as_str())
        }
        [None, None] => true,
    };
    for strand in &compared.strands {
        let rows: Vec<String> = strand.rows.iter().map(|[a, b]| format!("  {:<40} {}", kind(a), kind(b))).collect();
        let hosts_or_connections = strand.name.starts_with("connection") || strand.name.starts_with("host");
        let all = strand.rows.iter().all(same);
        assert!(all || !hosts_or_connections, "{name}, {}:\n{}", strand.name, rows.join("\n"));
    }
}

/// What happened on a QEMU of our own, in the run that is kept with the tests.
pub fn on_qemu(name: &str) -> Vec<Event> {
    crate::recorded_runs::read(name).unwrap()
}

#[test]
fn the_same_happens_on_machines_that_vagrant_made() {
    let _turn = turn();
    let libvirt = Libvirt::new();
    let home = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    // All of machines that are the same: the first run has Vagrant make them, the others take them, with fresh disks and keys.
    for name in ["crash-reboot", "server-killed", "host-crash-rcvtimeo", "black-hole", "cable-flap"] {
        let began = Instant::now();
        let out = home.path().join(name);
        let events = libvirt.run(name, &out, &["--keep"]);
        println!("{name}: {:.1} s", began.elapsed().as_secs_f64());
        agree(name, &on_qemu(name), &events);
        // They are there, and off.
        let left = libvirt.left();
        if kept.is_empty() {
            kept = left.clone();
        }
        assert_eq!(kept.iter().filter(|it| it.ends_with("client") || it.ends_with("server")).count(), 2, "{kept:?}");
        assert_eq!(left, kept, "{name}");
        let result: serde_json::Value = serde_json::from_slice(&fs::read(out.join("result.json")).unwrap()).unwrap();
        assert_eq!(result["provider"]["name"], "vagrant");
        assert_eq!(result["provider"]["uri"], libvirt.uri);
    }
    passed("remove", &Command::new(env!("CARGO_BIN_EXE_controller")).args(["machines", "remove"]).output().unwrap());
    assert_eq!(libvirt.left(), Vec::<String>::new());
}

/// Hosts with an init each, side by side.
#[test]
fn the_same_happens_when_inits_of_machines_that_vagrant_made_shut_down() {
    let _turn = turn();
    let libvirt = Libvirt::new();
    let home = tempfile::tempdir().unwrap();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for name in ["shutdown-sysvinit", "shutdown-systemd"] {
            let (libvirt, out) = (&libvirt, home.path().join(name));
            scope.spawn(move || agree(name, &on_qemu(name), &libvirt.run(name, &out, &[])));
        }
    });
    println!("both: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(libvirt.left(), Vec::<String>::new());
}

/// SIGKILL while the machines run: the guard removes them.
#[test]
fn a_controller_that_is_killed_leaves_no_machine_of_vagrants() {
    let _turn = turn();
    let libvirt = Libvirt::new();
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let mut child =
        libvirt.controller("crash-reboot", &out, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + LONG;
    while !["client", "server"].iter().all(|host| out.join(format!("{host}.pid")).exists()) {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "the machines never run");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!libvirt.left().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("an end of the machines", || libvirt.left().is_empty());
}

/// One of two machines that are made side by side cannot start, as somebody took its port meanwhile: Vagrant leaves both behind, we do not.
#[test]
fn a_machine_that_cannot_start_is_named_and_nothing_of_the_other_is_left() {
    let _turn = turn();
    let libvirt = Libvirt::new();
    let home = tempfile::tempdir().unwrap();
    let said = home.path().join("said");
    let mut controller = libvirt.controller("crash-reboot", &home.path().join("run"), &[]);
    let mut child = controller.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    let deadline = Instant::now() + LONG;
    // Written when all ports were seen to be free, and long before QEMU starts.
    let plan = loop {
        let folders = fs::read_dir(machines()).into_iter().flatten().flatten();
        let plan = folders
            .filter_map(|it| fs::read_to_string(it.path().join("Vagrantfile")).ok())
            .find(|it| it.ends_with("end\n"));
        if let Some(plan) = plan {
            break plan;
        }
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "no lab is ever planned");
        std::thread::sleep(Duration::from_millis(5));
    };
    let port = plan.lines().filter_map(|line| line.trim().strip_prefix("machine.ssh.port = ")).next_back().unwrap();
    let _taken = std::net::TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let said = fs::read_to_string(&said).unwrap();
    for words in ["a port of 127.0.0.1 that was free when the lab was planned is in use", port, "ss -ltnp"] {
        assert!(said.contains(words), "it does not say {words:?}:\n{said}");
    }
    assert_eq!(libvirt.left(), Vec::<String>::new());
}
