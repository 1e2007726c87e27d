//! An SSH connection to another computer, by OpenSSH's own program: one connection (`ControlMaster` of ssh_config(5)), over which commands are
//! run, files sent, and sockets forwarded. Whoever ends it, or the controller's end, ends all of that.

use super::address::Address;
use crate::error::{Context, Error, Result};
use crate::process::{self, Child, Output};
use crate::timeline::Ended;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long it may take to connect and log in.
const CONNECT: Duration = Duration::from_secs(40);

/// How long a short command there may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a file may take: a kernel of 50 MB at 1 Mbit/s.
const SEND: Duration = Duration::from_secs(420);

/// How often a wait looks.
const LOOK: Duration = Duration::from_millis(10);

/// What holds for the connection, whatever the user's own ssh_config(5) says: nobody is asked anything, and a computer that has not answered for
/// 15 s is lost.
const OPTIONS: [&str; 8] = [
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
];

/// A connection. Dropped, it is closed.
#[derive(Debug)]
pub(in super::super) struct Ssh {
    program: PathBuf,
    pub(super) address: Address,
    /// Who we are there: user and group, once that was asked.
    pub(in super::super) user: Option<(u32, u32)>,
    /// Sockets of this connection: the one by which it is used, and what is forwarded.
    folder: TempDir,
    master: Child,
    said: File,
}

impl Ssh {
    /// Connects, and logs in.
    ///
    /// # Errors
    /// ssh is missing, the computer does not answer, is not who it should be, or does not let us in.
    pub(super) fn open(address: Address) -> Result<Self> {
        let named = std::env::var_os("DEADPEER_SSH").filter(|it| !it.is_empty()).map(PathBuf::from);
        let program = address.command.clone().or(named).unwrap_or_else(|| "ssh".into());
        let cannot = || format!("cannot keep the sockets of the connection to {}", address.place());
        let folder = tempfile::Builder::new().prefix("deadpeer-").tempdir().broken(cannot)?;
        let said = tempfile::tempfile().broken(cannot)?;
        let mut command = Command::new(&program);
        command.args(["-M", "-N", "-T", "-S"]).arg(folder.path().join("c"));
        for option in OPTIONS.into_iter().chain(["ControlPersist=no", "ClearAllForwardings=yes"]) {
            command.args(["-o", option]);
        }
        command.args(arguments(&address));
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.try_clone().broken(cannot)?);
        let master = process::spawn(command, |_| ()).map_err(|error| {
            error
                .detail("A libvirt elsewhere is reached by OpenSSH's program.")
                .help("sudo apt-get install openssh-client")
        })?;
        let ssh = Self { program, address, user: None, folder, master, said };
        let until = Instant::now() + CONNECT;
        while !ssh.control().exists() {
            if let Some(how) = ssh.master.ended() {
                return Err(refused(&ssh.address, &how, &ssh.words()));
            }
            if Instant::now() > until {
                return Err(Error::broken(format!("no connection to {} within {CONNECT:?}", ssh.address.place()))
                    .detail(ssh.words()));
            }
            std::thread::sleep(LOOK);
        }
        Ok(ssh)
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("c")
    }

    /// Where a socket that is forwarded may be.
    pub(super) fn socket(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the sockets: it is of no more use when the connection is closed.
    pub(in super::super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// ssh, over this connection and no other.
    fn over(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-T").arg("-S").arg(self.control());
        // If the connection is lost, ssh would make another by itself.
        for option in ["ControlMaster=no", "BatchMode=yes", "ProxyCommand=false", "RemoteCommand=none"] {
            command.args(["-o", option]);
        }
        command.args(options).args(arguments(&self.address));
        command.env("LC_ALL", "C");
        command
    }

    /// The command that has a shell there carry out `script`, in which there is no `'`.
    pub(super) fn command(&self, script: &str) -> Command {
        let mut command = self.over(&[]);
        // Whatever the user's shell there is.
        command.arg(format!("exec sh -c '{script}'"));
        command
    }

    /// What a script prints there.
    ///
    /// # Errors
    /// It fails; its words are the detail.
    pub(in super::super) fn run(&self, script: &str) -> Result<String> {
        self.done(script, process::output(self.command(script), PATIENCE)?).map(|out| out.stdout)
    }

    /// Writes a file there, which only its owner can read.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn send(&self, parts: &[&[u8]], path: &Path) -> Result<()> {
        let fact = || format!("cannot send {} to {}", path.display(), self.address.place());
        let mut content = tempfile::tempfile().broken(fact)?;
        parts.iter().try_for_each(|part| content.write_all(part)).broken(fact)?;
        content.rewind().broken(fact)?;
        self.send_file(content, path)
    }

    /// As [`Ssh::send`], of a file that is open.
    pub(super) fn send_file(&self, content: File, path: &Path) -> Result<()> {
        let script = format!("umask 077; cat >\"{0}.new\" && mv \"{0}.new\" \"{0}\"", path.display());
        self.done(&script, process::output_from(self.command(&script), content, SEND)?).map(drop)
    }

    /// What connects to the socket `here` comes to `there`. Either is a path or an address with a port.
    pub(super) fn forward(&self, here: &str, there: &str) -> Result<()> {
        self.set_up("-L", &format!("{here}:{there}"))
    }

    /// What connects there to the socket `there` comes to `here`.
    pub(super) fn forward_back(&self, there: &str, here: &str) -> Result<()> {
        self.set_up("-R", &format!("{there}:{here}"))
    }

    fn set_up(&self, option: &str, what: &str) -> Result<()> {
        let out = process::output(self.over(&["-O", "forward", option, what]), PATIENCE)?;
        if out.how == Ended::Exit(0) {
            return Ok(());
        }
        Err(Error::broken(format!("the SSH server of {} does not forward a socket", self.address.place()))
            .detail(format!("`ssh -O forward {option} {what}` {}: {}", out.how, out.stderr.trim_end()))
            .detail(self.words())
            .help("There, in /etc/ssh/sshd_config: AllowTcpForwarding yes and AllowStreamLocalForwarding yes"))
    }

    fn done(&self, script: &str, out: Output) -> Result<Output> {
        if out.how == Ended::Exit(0) {
            return Ok(out);
        }
        if let Some(lost) = self.lost() {
            return Err(lost);
        }
        let first = script.split([';', '\n']).next().unwrap_or_default();
        Err(Error::broken(format!("{} did not do what it was asked over SSH", self.address.place())).detail(format!(
            "`{first} ...` {}:\n{}",
            out.how,
            out.stderr.trim_end()
        )))
    }

    /// That the connection is lost, if it is.
    pub(in super::super) fn lost(&self) -> Option<Error> {
        let how = self.master.ended()?;
        Some(
            Error::broken(format!("the connection to {} is lost", self.address.place()))
                .detail(format!("ssh {how} {}", self.words()).trim_end()),
        )
    }

    /// What ssh said.
    fn words(&self) -> String {
        let mut text = String::new();
        if let Ok(mut said) = self.said.try_clone() {
            let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
        }
        text.trim_end().to_owned()
    }
}

/// Whom to connect to, and by which keys.
fn arguments(address: &Address) -> Vec<String> {
    let mut all = Vec::new();
    let mut option = |words: String| all.extend(["-o".to_owned(), words]);
    if let Some(key) = &address.keyfile {
        option(format!("IdentityFile={}", quoted(key)));
    }
    if let Some(hosts) = &address.known_hosts {
        option(format!("UserKnownHostsFile={}", quoted(hosts)));
    }
    if address.no_verify {
        option("StrictHostKeyChecking=no".to_owned());
    }
    if let Some(port) = address.port {
        option(format!("Port={port}"));
    }
    if let Some(user) = &address.user {
        option(format!("User={user}"));
    }
    all.extend(["--".to_owned(), address.host.clone()]);
    all
}

/// As ssh_config(5) wants names with spaces.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}

/// Why ssh did not connect, by its own words, and what helps.
fn refused(address: &Address, how: &Ended, said: &str) -> Error {
    let place = address.place();
    let by_hand = format!("ssh {place}");
    let (fact, help) = if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        (
            format!("{place} shows another host key than before"),
            format!("Find out why. Then: ssh-keygen -R {}", address.host),
        )
    } else if said.contains("Host key verification failed") {
        (
            format!("the host key of {place} is not known"),
            format!(
                "Connect once by hand, and compare the key: {by_hand}\nor name a file that has it: ?known_hosts=FILE"
            ),
        )
    } else if said.contains("Permission denied") {
        (
            format!("{place} does not let us log in"),
            format!(
                "It must do so by a key, without asking (try: ssh -o BatchMode=yes {place}); name one by ?keyfile=FILE, or load it: ssh-add FILE"
            ),
        )
    } else if said.contains("Could not resolve") {
        (format!("there is no computer {}", address.host), by_hand)
    } else {
        (format!("{place} does not answer by SSH"), by_hand)
    };
    Error::broken(fact).detail(format!("ssh {how}: {said}")).help(help)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn address(uri: &str) -> Address {
        Address::parse(uri).unwrap()
    }

    #[test]
    fn an_address_is_arguments_for_ssh() {
        let uri = "qemu+ssh://me@lab:2222/system?keyfile=/my keys/id&known_hosts=/k&no_verify=1";
        assert_eq!(
            arguments(&address(uri)).join(" "),
            "-o IdentityFile=\"/my keys/id\" -o UserKnownHostsFile=\"/k\" -o StrictHostKeyChecking=no -o Port=2222 -o User=me -- lab"
        );
        assert_eq!(arguments(&address("qemu+ssh://lab/session")), ["--", "lab"]);
    }

    #[test]
    fn why_ssh_did_not_connect_is_named_with_what_helps() {
        let address = address("qemu+ssh://me@lab/system");
        for (said, fact, help) in [
            ("Host key verification failed.", "the host key of me@lab is not known", "?known_hosts=FILE"),
            (
                "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
                "another host key",
                "ssh-keygen -R lab",
            ),
            ("me@lab: Permission denied (publickey).", "me@lab does not let us log in", "?keyfile=FILE"),
            (
                "ssh: Could not resolve hostname lab: Name or service not known",
                "there is no computer lab",
                "ssh me@lab",
            ),
            ("ssh: connect to host lab port 22: Connection refused", "me@lab does not answer by SSH", "ssh me@lab"),
        ] {
            let error = refused(&address, &Ended::Exit(255), said);
            assert!(error.fact.contains(fact), "{error}");
            assert!(error.help.is_some_and(|it| it.contains(help)), "{said}");
            assert!(error.detail.is_some_and(|it| it.contains(said)));
        }
    }
}
