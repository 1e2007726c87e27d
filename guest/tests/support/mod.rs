//! The two programs, run on this machine and listened to.
#![allow(dead_code)] // Each test file uses its part.

use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::pipe;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The server's file.
pub const SERVER: &str = env!("CARGO_BIN_EXE_echo-server");
/// The client's file.
pub const CLIENT: &str = env!("CARGO_BIN_EXE_echo-client");

/// Longer than anything takes that does not hang.
pub const LONG: Duration = Duration::from_secs(60);

/// A running program. The lines of both its outputs are awaited one by one.
pub struct Program {
    pub child: Child,
    lines: Receiver<String>,
}

impl Program {
    pub fn start(path: &str, arguments: &[&str]) -> Self {
        let (reader, writer) = pipe().unwrap();
        let child = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer)
            .spawn()
            .unwrap();
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(std::fs::File::from(reader)).lines() {
                if told.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The server on a free port of the loopback; also the port.
    pub fn server(options: &[&str]) -> (Self, u16) {
        let server = Self::start(SERVER, &[&["--address", "127.0.0.1", "0"], options].concat());
        let line = server.line();
        let port = line.strip_prefix("waiting for connections on port ").unwrap().parse().unwrap();
        (server, port)
    }

    /// A client of `port` that is connected.
    pub fn client(port: u16, options: &[&str]) -> Self {
        let client = Self::start(CLIENT, &[options, &["127.0.0.1", &port.to_string()]].concat());
        assert_eq!(client.line(), format!("connected to 127.0.0.1 port {port}"));
        client
    }

    /// A client and this test in the server's place.
    pub fn client_of_ours(options: &[&str]) -> (Self, TcpStream) {
        let listening = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = Self::client(listening.local_addr().unwrap().port(), options);
        (client, listening.accept().unwrap().0)
    }

    pub fn line(&self) -> String {
        self.lines.recv_timeout(LONG).expect("the program's next line")
    }

    pub fn type_line(&mut self, line: &str) {
        self.child.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub fn end_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// What it still printed, and how it ended.
    pub fn end(&mut self) -> (Vec<String>, ExitStatus) {
        let status = self.child.wait().unwrap();
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(LONG) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return (lines, status),
                Err(e) => panic!("its outputs stay open: {e}"),
            }
        }
    }

    /// Its only words and its exit status must be these.
    pub fn ends_with(&mut self, words: &str, exit: i32) {
        let (lines, status) = self.end();
        assert_eq!((lines, status.code()), (vec![words.to_owned()], Some(exit)), "{status}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A server's children end when their clients do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process id in "child 123 ...".
pub fn child_of(line: &str) -> u32 {
    line.strip_prefix("child ").unwrap().split([' ', ':']).next().unwrap().parse().unwrap()
}

/// Closes a connection with a RST instead of a FIN (socket(7), `SO_LINGER`).
pub fn reset(connection: TcpStream) {
    setsockopt(&connection, sockopt::Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
}
