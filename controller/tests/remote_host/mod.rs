//! A host to talk to without a machine: a real dropbear, started for each connection as inetd would start it.
//!
//! It runs as the current user, in a mount namespace in which a temporary folder covers the home folder, so that its
//! `authorized_keys` can be ours and nobody's own are touched.
//!
//! Programs are started by the witness that the guests get, as there.
#![allow(dead_code, unreachable_pub)] // Each test file uses its own part.

use deadpeer::error::Result;
use deadpeer::remote::{HostKey, Keys, Launch, Program, Session};
use deadpeer::timeline::ProgramEvent;
use nix::unistd::{Uid, User};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than anything takes that does not hang.
pub const LONG: Duration = Duration::from_secs(60);

pub struct Host {
    pub keys: Keys,
    pub host_key: HostKey,
    pub folder: tempfile::TempDir,
    pub address: SocketAddr,
    servers: Arc<Mutex<Vec<Child>>>,
}

impl Host {
    pub fn new() -> Self {
        let (keys, host_key) = (Keys::generate(), HostKey::generate());
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir_all(home.join(".ssh")).unwrap();
        std::fs::write(home.join(".ssh/authorized_keys"), keys.authorized_line() + "\n").unwrap();
        std::fs::write(folder.path().join("host_key"), host_key.dropbear_file()).unwrap();
        let witness = folder.path().join("witness");
        std::fs::write(&witness, deadpeer::embedded::guest_program("witness").unwrap()).unwrap();
        std::fs::set_permissions(&witness, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let servers = Arc::new(Mutex::new(Vec::new()));
        let (started, path) = (Arc::clone(&servers), folder.path().to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                started.lock().unwrap().push(serve(&path, stream));
            }
        });
        Self { keys, host_key, folder, address, servers }
    }

    pub fn connect(&self) -> Session {
        self.connect_at(self.address).unwrap().0
    }

    /// Connects by way of `address`; also gives what `on_lost` says.
    pub fn connect_at(&self, address: SocketAddr) -> Result<(Session, Receiver<String>)> {
        let (lost, losses) = channel();
        let on_lost = move |why| lost.send(why).unwrap();
        let session = Session::connect_as(&user(), address, &self.keys, &self.host_key.public(), LONG, on_lost)?;
        Ok((session, losses))
    }

    /// Starts a program.
    pub fn start(
        &self,
        session: &Session,
        command: &str,
        told: impl FnMut(ProgramEvent) + Send + 'static,
    ) -> Result<Program> {
        let witness = self.path("witness");
        session.start(&Launch { witness: &witness, name: "program", command, service: false }, told)
    }

    /// A path in the host's (and our) temporary folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A command that ends by itself when the test is over, but not before: nothing ends it with its session.
    pub fn endless(&self) -> String {
        format!("while [ -e {} ]; do sleep 0.1; done", self.path("host_key"))
    }

    /// The process ids of the servers started so far.
    pub fn server_pids(&self) -> Vec<u32> {
        self.servers.lock().unwrap().iter().map(Child::id).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for server in self.servers.lock().unwrap().iter_mut() {
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }
}

/// The current user's name.
pub fn user() -> String {
    User::from_uid(Uid::current()).unwrap().unwrap().name
}

fn serve(folder: &std::path::Path, stream: TcpStream) -> Child {
    let home = User::from_uid(Uid::current()).unwrap().unwrap().dir;
    let namespace: &[&str] = if Uid::current().is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-current-user", "--keep-caps", "--mount"]
    };
    let script = r#"mount --bind "$1/home" "$2" && cd / && exec dropbear -i -r "$1/host_key""#;
    Command::new("unshare")
        .args(namespace)
        .args(["sh", "-c", script, "sh"])
        .args([folder, &home])
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::from(OwnedFd::from(stream.try_clone().unwrap())))
        .stdout(Stdio::from(OwnedFd::from(stream)))
        .stderr(std::fs::File::options().create(true).append(true).open(folder.join("dropbear.log")).unwrap())
        .spawn()
        .expect("the tests need dropbear (package dropbear-bin) and unshare (util-linux)")
}

/// Something between controller and host that can cut the connection.
pub struct Proxy {
    pub address: SocketAddr,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    /// Passes on everything; from the host at most `bytes`, then cuts.
    pub fn new(to: SocketAddr, bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&streams);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(to).unwrap();
                kept.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                let (mut up_from, mut up_to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut up_from, &mut up_to);
                    let _ = up_to.shutdown(Shutdown::Both);
                });
                std::thread::spawn(move || {
                    let (mut near, far) = (near, far);
                    let _ = std::io::copy(&mut far.take(bytes), &mut near);
                    let _ = near.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, streams }
    }

    /// Cuts what is connected.
    pub fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A server that accepts, says `greeting`, and then does nothing; or ends the connection (with a FIN, not a reset).
pub fn odd_server(greeting: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(greeting);
            if closes {
                let _ = stream.shutdown(Shutdown::Write);
            }
            kept.push(stream);
        }
    });
    address
}

/// Where a program's events go, and how to wait for them.
pub struct Events(pub Receiver<ProgramEvent>);

impl Events {
    pub fn new() -> (impl FnMut(ProgramEvent) + Send + 'static, Self) {
        let (told, events) = channel();
        (move |event| drop(told.send(event)), Self(events))
    }

    pub fn next(&self) -> ProgramEvent {
        self.0.recv_timeout(LONG).expect("the program's next event")
    }

    /// The next line that it prints, other events skipped.
    pub fn line(&self) -> String {
        loop {
            match self.next() {
                ProgramEvent::Line { text } => return text,
                ProgramEvent::Ended { how } => panic!("a line was awaited, but the program {how}"),
                _ => {}
            }
        }
    }

    /// All that comes, to the end.
    pub fn rest(&self) -> Vec<ProgramEvent> {
        let mut all = Vec::new();
        loop {
            let event = self.next();
            let last = matches!(event, ProgramEvent::Ended { .. });
            all.push(event);
            if last {
                return all;
            }
        }
    }
}

/// The lines among events.
pub fn lines(events: &[ProgramEvent]) -> Vec<&str> {
    let mut lines = Vec::new();
    for event in events {
        if let ProgramEvent::Line { text } = event {
            lines.push(text.as_str());
        }
    }
    lines
}
