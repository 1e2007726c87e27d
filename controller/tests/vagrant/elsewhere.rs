//! Machines that Vagrant makes at a libvirt elsewhere, over SSH: the same story, and nothing left there.
//!
//! Elsewhere is as far away as one computer allows: network, processes and the folders of the machines are namespaces of their own, so that
//! no path, port or process that was meant to be shared is. The controller, too, is in a network of its own: this computer's is not
//! touched. All of it is root's to make; for an ordinary user there is nothing to be tested with.

use crate::machines::{agree, on_qemu, passed, vagrant_home};
use crate::turn;
use crate::waiting::{LONG, eventually};
use deadpeer::report::read_events;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The network between the two, of those for documentation (RFC 5737); the lab's own is another one.
const HERE: &str = "198.51.100.1";
const THERE: &str = "198.51.100.2";

/// What is the other computer's alone.
const FOLDERS: &str = "/run /tmp /var/tmp /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /var/lib/deadpeer";

/// The other computer, with an SSH server and libvirt.
struct Elsewhere {
    folder: tempfile::TempDir,
    /// Holds the network that the controller is in; all else of it is its child.
    here: Child,
    /// Vagrant's home, with the box.
    vagrant: tempfile::TempDir,
}

impl Elsewhere {
    fn new() -> Self {
        // In no folder that is hidden there: the server reads its keys.
        let folder = tempfile::Builder::new().prefix("deadpeer-elsewhere-").tempdir_in("/srv").unwrap();
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "user"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(key)).output();
            passed("ssh-keygen", &made.unwrap());
        }
        let host_key = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known_hosts"), format!("{THERE} {host_key}")).unwrap();
        let files = folder.path().display();
        let config = format!(
            "ListenAddress {THERE}\nHostKey {files}/host\nAuthorizedKeysFile {files}/user.pub\nPidFile none\nStrictModes no\n\
             PermitRootLogin prohibit-password\nUsePAM no\n"
        );
        fs::write(path("sshd_config"), config).unwrap();
        let there = format!(
            "set -e\nmount --make-rprivate /\n\
             for folder in {FOLDERS} {}; do [ ! -d $folder ] || mount -t tmpfs -o mode=1777 none $folder; done\n\
             mkdir -p /run/sshd /run/lock /var/lib/libvirt/qemu\nchmod 755 /run /run/sshd\n\
             ip link set lo up\nuntil ip link set there up 2>/dev/null; do sleep 0.05; done\n\
             ip address add {THERE}/24 dev there\n\
             virtlogd & libvirtd & \"$(command -v sshd || echo /usr/sbin/sshd)\" -D -f {files}/sshd_config & wait\n",
            deadpeer::cache::folder("").unwrap().display()
        );
        fs::write(path("there"), there).unwrap();
        let here = format!(
            "set -e\nip link set lo up\n\
             unshare --net --mount --pid --fork --kill-child=SIGKILL --mount-proc sh {files}/there &\n\
             echo $! >{files}/pid\n\
             until init=$(cat /proc/$!/task/$!/children) && [ \"$init\" ]; do sleep 0.05; done\n\
             until [ \"$(readlink /proc/${{init%% *}}/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.05; done\n\
             ip link add here type veth peer name there netns ${{init%% *}}\n\
             ip address add {HERE}/24 dev here\nip link set here up\nwait\n"
        );
        let log = fs::File::create(path("log")).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--net", "--kill-child=SIGKILL", "--fork", "sh", "-c", &here]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let here = command.spawn().unwrap();
        let elsewhere = Self { folder, here, vagrant: vagrant_home() };
        let deadline = Instant::now() + LONG;
        while !elsewhere.says("virsh --quiet list").status.success() {
            let log = fs::read_to_string(elsewhere.path("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "libvirt elsewhere does not answer (./lab test installs it):\n{log}");
            std::thread::sleep(Duration::from_millis(200));
        }
        elsewhere
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program in the network of the controller.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.child())).arg(program);
        command
    }

    /// The first process that is in the controller's network.
    fn child(&self) -> u32 {
        let pid = self.here.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split(' ').find_map(|it| it.trim().parse().ok()).unwrap_or(pid)
    }

    /// What the other computer says to this.
    fn says(&self, what: &str) -> Output {
        let mut ssh = self.command("ssh");
        ssh.args(["-o", "BatchMode=yes", "-o", &format!("UserKnownHostsFile={}", self.path("known_hosts").display())]);
        ssh.arg("-i").arg(self.path("user")).arg(format!("root@{THERE}")).arg(what).output().unwrap()
    }

    /// What is there of a lab, or here of the way to it.
    fn left(&self) -> Vec<String> {
        let what = "virsh --quiet list --all --name; virsh --quiet pool-list --all --name; find /var/lib/deadpeer /var/log/libvirt/qemu \
                    -mindepth 1; ps -eo args | grep -E '^qemu|^[^ ]*/qemu-system|relay$'";
        let there = String::from_utf8(self.says(what).stdout).unwrap();
        let mut all: Vec<String> =
            there.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        for folder in [deadpeer::cache::folder("machines").unwrap(), self.path("tmp")] {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            all.extend(entries.map(|entry| entry.path().display().to_string()));
        }
        all
    }

    /// A controller that runs a scenario there.
    fn controller(&self, out: &Path) -> Command {
        let (key, known) = (self.path("user"), self.path("known_hosts"));
        let uri = format!("qemu+ssh://root@{THERE}/system?keyfile={}&known_hosts={}", key.display(), known.display());
        let _ = fs::create_dir(self.path("tmp"));
        let mut controller = self.command(env!("CARGO_BIN_EXE_controller"));
        controller.args(["run", "crash-reboot", "--quiet", "--accel", "tcg", "--provider", "vagrant"]);
        controller.args(["--libvirt-uri", &uri, "--out"]).arg(out);
        controller.env("VAGRANT_HOME", self.vagrant.path()).env("TMPDIR", self.path("tmp"));
        controller
    }

    /// A run that is under way, with a machine that runs.
    fn under_way(&self, out: &Path) -> Child {
        let said = fs::File::create(out.with_extension("said")).unwrap();
        let mut child = self.controller(out).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        let deadline = Instant::now() + LONG;
        while !fs::read_to_string(out.join("events.jsonl")).is_ok_and(|it| it.contains("powered-on")) {
            let said = || fs::read_to_string(out.with_extension("said")).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it has ended: {}", said());
            assert!(Instant::now() < deadline, "no machine ever runs: {}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        child
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // With the first process of its own, all others there are gone.
        for pid in [
            fs::read_to_string(self.path("pid")).ok().and_then(|it| it.trim().parse().ok()),
            i32::try_from(self.here.id()).ok(),
        ] {
            let _ = pid.map(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL));
        }
        let _ = self.here.wait();
    }
}

/// The ssh process by which a controller holds its connection.
fn connection_of(controller: u32) -> Pid {
    let threads = fs::read_dir(format!("/proc/{controller}/task")).unwrap().flatten();
    let children = threads.flat_map(|thread| fs::read_to_string(thread.path().join("children")));
    let pids: Vec<i32> =
        children.flat_map(|it| it.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect();
    let is_it = |pid: &&i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.starts_with(b"ssh\0") && line.windows(4).any(|it| it == b"\0-M\0")
    };
    Pid::from_raw(*pids.iter().find(is_it).expect("the controller has no connection"))
}

#[test]
fn the_same_happens_on_machines_of_a_libvirt_elsewhere_and_nothing_is_left_there() {
    if !nix::unistd::geteuid().is_root() {
        println!("not tested: only root can make a computer elsewhere");
        return;
    }
    let _turn = turn();
    let elsewhere = Elsewhere::new();
    let home = tempfile::tempdir().unwrap();
    let began = Instant::now();
    passed("crash-reboot", &elsewhere.controller(&home.path().join("run")).output().unwrap());
    println!("at a libvirt elsewhere: {:.1} s", began.elapsed().as_secs_f64());
    let there = read_events(&home.path().join("run/events.jsonl")).unwrap();
    agree("crash-reboot", &on_qemu("crash-reboot"), &there);
    let result: serde_json::Value =
        serde_json::from_slice(&fs::read(home.path().join("run/result.json")).unwrap()).unwrap();
    assert_eq!(result["provider"]["uri"], format!("qemu+ssh://{THERE}/system"));
    let inputs = fs::read_to_string(home.path().join("run/inputs.json")).unwrap();
    assert!(inputs.contains("path=RUN/server.qmp") && !inputs.contains("/var/lib/deadpeer"), "{inputs}");
    assert_eq!(elsewhere.left(), Vec::<String>::new());

    // The connection is lost in the middle: nobody knows what happened then. What is left is removed over a new one.
    let lost = home.path().join("lost");
    let mut child = elsewhere.under_way(&lost);
    kill(connection_of(child.id()), Signal::SIGKILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let said = fs::read_to_string(lost.with_extension("said")).unwrap();
    assert!(said.contains(&format!("the connection to root@{THERE} is lost")), "{said}");
    assert_eq!(elsewhere.left(), Vec::<String>::new());

    // The controller is killed: its guard removes all.
    let mut child = elsewhere.under_way(&home.path().join("killed"));
    assert!(!elsewhere.left().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("an end of the machines elsewhere", || elsewhere.left().is_empty());
}
