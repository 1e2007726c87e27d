//! The lab by hand: what `vagrant/README.md` promises, with real Vagrant, libvirt and guests.
//!
//! Everything is this test's own: Vagrant's home, the lab's folder, ports, and libvirt's daemon where root has none running.

use sha2::{Digest, Sha256};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

const FILES: [&str; 5] = ["Vagrantfile", "lab.rb", "own_pool.rb", "provision", "user_network.rb"];

/// A lab in a folder of its own. Dropped, it is gone, whatever happened.
struct Lab {
    folder: tempfile::TempDir,
    box_name: &'static str,
    first_port: u16,
    daemons: Vec<Child>,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    fn new() -> Self {
        Self::of("deadpeer/trixie")
    }

    fn of(box_name: &'static str) -> Self {
        let turn = crate::turn();
        let folder = tempfile::Builder::new().prefix("deadpeer-vagrant-").tempdir_in("/var/tmp").unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vagrant");
        std::fs::create_dir(folder.path().join("lab")).unwrap();
        for file in FILES {
            std::fs::copy(sources.join(file), folder.path().join("lab").join(file)).unwrap();
        }
        Self { folder, box_name, first_port: ports(), daemons: daemons(), _turn: turn }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the lab's domains and its pool are called.
    fn name(&self) -> String {
        let hash = Sha256::digest(self.path("lab").to_string_lossy().as_bytes());
        format!("deadpeer-{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2])
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path("lab"))
            .env("VAGRANT_HOME", self.path("home"))
            .env("DEADPEER_PORTS", self.first_port.to_string())
            .env("LIBVIRT_DEFAULT_URI", uri())
            .env("DEADPEER_BOX", self.box_name)
            .env_remove("DEADPEER_ROUTER")
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
        text(&output)
    }

    /// What a host prints, by SSH as Vagrant says it is reached. Tried until it succeeds, for a host that boots.
    #[track_caller]
    fn on(&self, host: &str, command: &str) -> String {
        let config = self.path("ssh");
        if !config.exists() {
            std::fs::write(&config, self.run("vagrant", &["ssh-config"])).unwrap();
        }
        let until = Instant::now() + Duration::from_secs(240);
        loop {
            let mut ssh = self.command("ssh");
            ssh.arg("-F").arg(&config).args(["-o", "ConnectTimeout=5", host, command]);
            let output = ssh.output().unwrap();
            if output.status.success() {
                return text(&output);
            }
            assert!(Instant::now() < until, "{host}: {command}: {}", text(&output));
        }
    }

    /// The domains, pools and folders that bear the lab's name.
    fn remains(&self) -> Vec<String> {
        let mut listed = self.run("virsh", &["list", "--all", "--name"]);
        listed.push_str(&self.run("virsh", &["pool-list", "--all", "--name"]));
        let ours = |line: &&str| line.starts_with(&self.name());
        let mut remains: Vec<String> = listed.lines().map(str::trim).filter(ours).map(str::to_owned).collect();
        let folders = [PathBuf::from("/var/lib/libvirt").join(self.name()), self.path("lab/.vagrant/libvirt")];
        remains.extend(folders.iter().filter(|folder| folder.exists()).map(|folder| folder.display().to_string()));
        remains
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.command("vagrant").args(["destroy", "-f"]).output();
        // The one that was started last is ended first.
        for daemon in self.daemons.iter_mut().rev() {
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

fn uri() -> &'static str {
    if is_root() { "qemu:///system" } else { "qemu:///session" }
}

fn libvirt_answers() -> bool {
    Command::new("virsh").args(["--connect", uri(), "uri"]).output().unwrap().status.success()
}

/// Root's daemons, where none answers; an ordinary user's start by themselves, and end by themselves.
fn daemons() -> Vec<Child> {
    if libvirt_answers() {
        return Vec::new();
    }
    let start = |name: &str| {
        let mut daemon = Command::new(Path::new("/usr/sbin").join(name));
        daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // libvirtd starts no virtlogd for root: systemd would.
    let daemons = ["virtlogd", "libvirtd"].map(start).into();
    let until = Instant::now() + Duration::from_secs(30);
    while !libvirt_answers() {
        assert!(Instant::now() < until, "libvirtd does not answer");
        std::thread::sleep(Duration::from_millis(200));
    }
    daemons
}

/// The first of twenty ports in a row that are free now.
fn ports() -> u16 {
    let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok() && UdpSocket::bind(("127.0.0.1", port)).is_ok();
    (14_000..30_000).step_by(20).find(|first| (*first..first + 20).all(free)).unwrap()
}

/// Whether Vagrant is here. In continuous integration it must be.
fn vagrant_is_here() -> bool {
    let here = Command::new("vagrant").arg("--version").output().is_ok();
    assert!(here || std::env::var_os("CI").is_none(), "vagrant is missing: ./lab setup vagrant");
    if !here {
        eprintln!("NOT RUN: vagrant is missing (./lab setup vagrant)");
    }
    here
}

#[test]
fn two_machines_reach_each_other_by_name_survive_a_power_cut_and_leave_nothing() {
    if !vagrant_is_here() {
        return;
    }
    let lab = Lab::new();
    let refused = lab.command("vagrant").arg("up").output().unwrap();
    assert!(text(&refused).contains("../lab image box --kernel trixie"), "{}", text(&refused));

    let added = lab.run(env!("CARGO_BIN_EXE_controller"), &["image", "box"]);
    assert!(added.contains("added to Vagrant"), "{added}");
    let again = lab.run(env!("CARGO_BIN_EXE_controller"), &["image", "box"]);
    assert!(again.contains("was packed before") && again.contains("Vagrant has it already"), "{again}");

    let start = Instant::now();
    lab.run("vagrant", &["up"]);
    eprintln!("vagrant up: {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(lab.on("client", "hostname"), "client\n");
    assert!(lab.on("client", "ping -c 1 server").contains("64 bytes from server (192.0.2.2)"));
    assert!(lab.on("server", "ping -c 1 client").contains("64 bytes from client (192.0.2.1)"));

    let boot = |host| lab.on(host, "witness tell").lines().next().unwrap().to_owned();
    let before = boot("server");
    let domain = format!("{}_server", lab.name());
    lab.run("virsh", &["destroy", &domain]);
    lab.run("virsh", &["start", &domain]);
    // The key that Vagrant made opens it again, and it is who it was.
    assert_eq!(lab.on("server", "hostname"), "server\n");
    assert_ne!(boot("server"), before);

    lab.on("server", "setsid echo-server >/dev/null 2>&1 &");
    assert!(lab.on("client", "echo hello | echo-client server").contains("hello"));

    // Of a parallel `up` that fails, Vagrant forgets a machine: so here.
    std::fs::remove_file(lab.path("lab/.vagrant/machines/client/libvirt/id")).unwrap();
    assert_eq!(lab.remains().len(), 4, "{:?}", lab.remains());
    lab.run("vagrant", &["destroy", "-f"]);
    assert_eq!(lab.remains(), [""; 0]);
}

#[test]
fn a_domain_of_somebody_else_is_not_touched_whatever_its_name() {
    if !vagrant_is_here() {
        return;
    }
    let lab = Lab::new();
    let name = format!("{}_server", lab.name());
    let domain = format!(
        "<domain type='qemu'><name>{name}</name><description>Source: /home/somebody/Vagrantfile</description>\
         <memory>16384</memory><os><type arch='x86_64'>hvm</type></os></domain>"
    );
    std::fs::write(lab.path("domain.xml"), domain).unwrap();
    lab.run("virsh", &["define", &lab.path("domain.xml").to_string_lossy()]);
    let destroyed = lab.command("vagrant").args(["destroy", "-f"]).output().unwrap();
    let there = lab.remains().contains(&name);
    lab.run("virsh", &["undefine", &name]);
    assert!(there, "{}", text(&destroyed));
}

#[test]
fn a_port_that_somebody_has_is_named() {
    if !vagrant_is_here() {
        return;
    }
    let lab = Lab::new();
    lab.run(env!("CARGO_BIN_EXE_controller"), &["image", "box"]);
    let _taken = TcpListener::bind(("127.0.0.1", lab.first_port + 1)).unwrap();
    let output = lab.command("vagrant").args(["up", "server"]).output().unwrap();
    let said = text(&output);
    let port = format!("TCP port {} of 127.0.0.1 cannot be had: Address already in use", lab.first_port + 1);
    assert!(!output.status.success() && said.contains(&port) && said.contains("DEADPEER_PORTS="), "{said}");
    assert_eq!(lab.remains(), [""; 0]);
}

#[test]
fn a_debian_of_somebody_elses_making_is_set_up_over_ssh_by_the_same_vagrantfile() {
    if !vagrant_is_here() {
        return;
    }
    let Some(packed) = crate::boxed::packed() else { return };
    let lab = Lab::of("debian/as-others-pack-it");
    lab.run("vagrant", &["box", "add", "--name", lab.box_name, &packed.to_string_lossy()]);
    let refused = lab.command("vagrant").arg("up").output().unwrap();
    assert!(text(&refused).contains("../lab image programs programs"), "{}", text(&refused));

    lab.run(env!("CARGO_BIN_EXE_controller"), &["image", "programs", "programs"]);
    lab.run("vagrant", &["up"]);
    assert_eq!(lab.on("client", "hostname; id -un"), "client\nvagrant\n");
    assert!(lab.on("client", "sudo ping -c 1 server").contains("64 bytes from server (192.0.2.2)"));
    let domain = format!("{}_server", lab.name());
    lab.run("virsh", &["destroy", &domain]);
    lab.run("virsh", &["start", &domain]);
    assert_eq!(lab.on("server", "hostname"), "server\n");
    lab.on("server", "setsid echo-server >/dev/null 2>&1 &");
    assert!(lab.on("client", "echo hello | echo-client server").contains("hello"));
    lab.run("vagrant", &["destroy", "-f"]);
    assert_eq!(lab.remains(), [""; 0]);
}
