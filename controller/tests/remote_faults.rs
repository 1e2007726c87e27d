//! Hosts that are not there, not who they should be, silent, or cut off.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod remote_host;

use deadpeer::error::Result;
use deadpeer::remote::{HostKey, Keys, Session};
use deadpeer::timeline::{Ended, ProgramEvent};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use remote_host::{Events, Host, LONG, Proxy, odd_server, user};
use std::net::SocketAddr;
use std::time::Duration;

/// Connects with keys that nobody knows.
fn connect(address: SocketAddr, within: Duration) -> Result<Session> {
    let (keys, host_key) = (Keys::generate(), HostKey::generate());
    Session::connect(address, &keys, &host_key.public(), within, |_| panic!("never connected, never lost"))
}

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn nobody_listens() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect(address, LONG).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no SSH session with {address}: Connection refused (ECONNREFUSED)\n\nAwaited: a TCP connection.")
    );
}

#[test]
fn a_host_that_accepts_and_says_nothing() {
    let address = odd_server(b"", false);
    let error = connect(address, SHORT).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no SSH session with {address} within 200ms\n\nAwaited: its SSH greeting; not a byte has come.")
    );
}

#[test]
fn a_host_that_greets_and_says_no_more() {
    let error = connect(odd_server(b"SSH-2.0-odd\r\n", false), SHORT).unwrap_err().to_string();
    assert!(error.ends_with("within 200ms\n\nAwaited: the end of the SSH handshake."), "{error}");
}

#[test]
fn a_host_that_closes_instead_of_greeting() {
    let error = connect(odd_server(b"", true), LONG).unwrap_err().to_string();
    let end = ": the connection was closed by the other side\n\nAwaited: its SSH greeting; not a byte has come.";
    assert!(error.ends_with(end), "{error}");
}

#[test]
fn a_host_that_greets_and_closes() {
    let error = connect(odd_server(b"SSH-2.0-odd\r\n", true), LONG).unwrap_err().to_string();
    let end = ": the connection was closed by the other side\n\nAwaited: the end of the SSH handshake.";
    assert!(error.ends_with(end), "{error}");
}

#[test]
fn something_that_is_no_ssh_server() {
    let error = connect(odd_server(b"HTTP/1.1 400 Bad Request\r\n\r\n", true), LONG).unwrap_err().to_string();
    assert!(error.starts_with("no SSH session with 127.0.0.1:"), "{error}");
}

#[test]
fn a_host_with_another_key_is_refused_before_we_log_in() {
    let host = Host::new();
    let wrong = HostKey::generate().public();
    let error = Session::connect_as(&user(), host.address, &host.keys, &wrong, LONG, |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is not the host it should be: it showed a different host key\n\nexpected {}\nshown    {}",
            host.address,
            wrong.fingerprint(),
            host.host_key.public().fingerprint()
        )
    );
}

#[test]
fn a_host_that_does_not_know_our_key_refuses_us() {
    let host = Host::new();
    let keys = Keys::generate();
    let error = Session::connect_as(&user(), host.address, &keys, &host.host_key.public(), LONG, |_| ())
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("Awaited: its acceptance of the run's key."), "{error}");
}

#[test]
fn a_connection_cut_anywhere_in_the_handshake_is_told() {
    let host = Host::new();
    for bytes in [1, 10, 30, 100, 300, 500, 700] {
        let proxy = Proxy::new(host.address, bytes);
        let error = host.connect_at(proxy.address).unwrap_err();
        assert!(error.to_string().contains("Awaited: "), "{bytes}: {error}");
    }
}

#[test]
fn a_cut_ends_everybody_who_waits_and_is_told_once() {
    let host = Host::new();
    let proxy = Proxy::new(host.address, u64::MAX);
    let (session, losses) = host.connect_at(proxy.address).unwrap();
    let (told, events) = Events::new();
    let program = host.start(&session, "sh -c 'printf partial; sleep 1000'", told).unwrap();
    let command = host.endless();
    let error = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| session.run(&command, LONG).unwrap_err());
        session.run("true", LONG).unwrap();
        proxy.cut();
        waiting.join().unwrap()
    });
    let why = losses.recv_timeout(LONG).unwrap();
    assert!(why.starts_with("the connection was c"), "{why}");
    assert_eq!(error.fact, format!("the host was lost before `{command}` was done"));
    let detail = error.detail.unwrap();
    assert!(detail.starts_with(&why), "{detail}");
    let events = events.rest();
    let text = "partial".to_owned();
    let end = [ProgramEvent::Line { text }, ProgramEvent::Ended { how: Ended::Lost(why) }];
    assert_eq!(events[1..], end, "what it had printed is told before the loss");
    for error in [session.run("true", LONG).unwrap_err(), program.type_line("x").unwrap_err()] {
        assert_eq!(error.fact, "the control connection to the host is over");
    }
    drop(session);
    assert!(losses.recv().is_err(), "told once");
}

#[test]
fn what_had_come_before_the_cut_is_heard() {
    let host = Host::new();
    let (session, losses) = host.connect_at(host.address).unwrap();
    let (told, events) = Events::new();
    // The server dies at once after the program's words, by the program's own hand.
    let server = host.server_pids()[0];
    host.start(&session, &format!("sh -c 'seq 1000; kill -KILL {server}'"), told).unwrap();
    losses.recv_timeout(LONG).unwrap();
    let events = events.rest();
    assert!(matches!(events.last(), Some(ProgramEvent::Ended { how: Ended::Lost(_) })), "{events:?}");
}

#[test]
fn a_cut_in_the_middle_of_an_upload_leaves_the_old_file() {
    let host = Host::new();
    let path = host.path("file");
    host.connect().upload(b"old", &path, 0o644, LONG).unwrap();
    let proxy = Proxy::new(host.address, u64::MAX);
    let (session, losses) = host.connect_at(proxy.address).unwrap();
    let error = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| session.upload(&vec![b'x'; 50_000_000], &path, 0o644, LONG).unwrap_err());
        // The temporary file is there: the upload is under way.
        session.run(&format!("until [ -e {path}.part.* ]; do sleep 0.01; done"), LONG).unwrap();
        proxy.cut();
        waiting.join().unwrap()
    });
    losses.recv_timeout(LONG).unwrap();
    assert_eq!(error.fact, format!("the host was lost before the upload of {path} was done"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    // The host's shell cleans up when it finds the end of its input; a new session waits for that.
    let gone = format!("while [ -e {path}.part.* ]; do sleep 0.01; done");
    host.connect().run(&gone, LONG).unwrap().success("waiting").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn an_upload_that_takes_too_long_is_given_up() {
    let host = Host::new();
    let path = host.path("file");
    let session = host.connect();
    let error = session.upload(&vec![b'x'; 200_000_000], &path, 0o644, SHORT).unwrap_err();
    assert_eq!(error.fact, format!("the upload of {path} was not done within 200ms"));
    assert!(!std::fs::exists(&path).unwrap());
}

#[test]
fn a_stopped_host_is_lost_when_a_reply_is_overdue() {
    let host = Host::new();
    let (session, losses) = host.connect_at(host.address).unwrap();
    let (told, events) = Events::new();
    host.start(&session, "sleep 1000", told).unwrap();
    let server = Pid::from_raw(i32::try_from(host.server_pids()[0]).unwrap());
    kill(server, Signal::SIGSTOP).unwrap();
    let error = session.run("true", SHORT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`true` was not done within 200ms\n\nAwaited: the host to open a channel.\nIt had printed nothing."
    );
    let why = losses.recv_timeout(LONG).unwrap();
    assert!(why.starts_with("the host has been silent for "), "{why}");
    assert_eq!(events.rest().last(), Some(&ProgramEvent::Ended { how: Ended::Lost(why) }));
}

#[test]
fn a_host_that_is_only_slow_is_not_lost() {
    let host = Host::new();
    let (session, losses) = host.connect_at(host.address).unwrap();
    let server = Pid::from_raw(i32::try_from(host.server_pids()[0]).unwrap());
    kill(server, Signal::SIGSTOP).unwrap();
    session.run("true", SHORT).unwrap_err();
    kill(server, Signal::SIGCONT).unwrap();
    // Longer than the silence that would make it lost.
    assert_eq!(session.run("sleep 6; echo well", LONG).unwrap().stdout, "well\n");
    assert!(losses.try_recv().is_err());
}
