//! The two programs against each other, on the loopback of this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use support::{CLIENT, Program, SERVER, child_of, reset};

#[test]
fn lines_come_back_and_the_child_is_reaped() {
    let (server, port) = Program::server(&[]);
    let mut client = Program::client(port, &[]);
    let serves = server.line();
    let child = child_of(&serves);
    assert!(serves.starts_with(&format!("child {child} serves 127.0.0.1 port ")), "{serves}");
    for text in ["hello, world", "", "gr\u{fc}\u{df}e", &"long ".repeat(3000)] {
        client.type_line(text);
        assert_eq!(client.line(), text);
    }
    client.end_input();
    let (rest, status) = client.end();
    assert_eq!((rest.len(), status.code()), (0, Some(0)));
    assert_eq!(server.line(), format!("child {child}: client closed the connection"));
    assert_eq!(server.line(), format!("child {child} terminated"));
    assert!(!std::fs::exists(format!("/proc/{child}")).unwrap(), "no zombie is left");
}

#[test]
fn a_last_line_without_newline_comes_back_too() {
    let (_server, port) = Program::server(&[]);
    let mut client = Program::client(port, &[]);
    client.child.stdin.as_mut().unwrap().write_all(b"one\ntwo").unwrap();
    client.end_input();
    let (lines, status) = client.end();
    assert_eq!((lines, status.code()), (vec!["one".to_owned(), "two".to_owned()], Some(0)));
}

#[test]
fn five_clients_are_served_side_by_side_and_every_child_is_reaped() {
    let (server, port) = Program::server(&[]);
    let mut clients: Vec<_> = (0..5).map(|_| Program::client(port, &[])).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.type_line(&format!("client {i}"));
        assert_eq!(client.line(), format!("client {i}"));
    }
    let mut children: Vec<_> = (0..5).map(|_| child_of(&server.line())).collect();
    for client in &mut clients {
        client.end_input();
    }
    for client in &mut clients {
        assert_eq!(client.end().1.code(), Some(0));
    }
    // All end at about the same time: one signal may stand for several.
    let last: Vec<_> = (0..10).map(|_| server.line()).collect();
    let mut reaped: Vec<_> = last.iter().filter(|it| it.ends_with(" terminated")).map(|it| child_of(it)).collect();
    children.sort_unstable();
    reaped.sort_unstable();
    assert_eq!(reaped, children);
}

#[test]
fn a_client_whose_servers_child_was_killed_hears_of_it_at_the_next_line() {
    let (server, port) = Program::server(&[]);
    let mut client = Program::client(port, &[]);
    let child = child_of(&server.line());
    client.type_line("one");
    assert_eq!(client.line(), "one");
    kill(Pid::from_raw(child.try_into().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(server.line(), format!("child {child} terminated"));
    // The FIN has come, but the client sits in fgets (UNP section 5.12).
    client.type_line("another line");
    client.ends_with("str_cli: server terminated prematurely", 1);
}

#[test]
fn a_reset_while_the_client_reads_is_told_by_its_name() {
    let (mut client, connection) = Program::client_of_ours(&[]);
    client.type_line("unread");
    assert_eq!(connection.peek(&mut [0]).unwrap(), 1);
    // Closed with data unread, a connection is reset (RFC 2525, section 2.17).
    drop(connection);
    client.ends_with("str_cli: read error: Connection reset by peer (ECONNRESET)", 1);
}

#[test]
fn a_reset_while_the_client_waits_for_its_user_is_told_by_the_next_write() {
    let (mut client, connection) = Program::client_of_ours(&[]);
    reset(connection);
    client.type_line("too late");
    client.ends_with("str_cli: write error: Connection reset by peer (ECONNRESET)", 1);
}

#[test]
fn a_write_to_a_connection_that_was_closed_and_then_reset_ends_the_client_by_sigpipe() {
    let (mut client, connection) = Program::client_of_ours(&[]);
    connection.shutdown(Shutdown::Write).unwrap();
    reset(connection);
    client.type_line("too late");
    let (lines, status) = client.end();
    assert_eq!((lines.len(), status.signal()), (0, Some(Signal::SIGPIPE as i32)), "{lines:?}");
}

#[test]
fn a_reset_of_the_servers_connection_is_told_by_its_child() {
    let (server, port) = Program::server(&[]);
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let child = child_of(&server.line());
    reset(client);
    assert_eq!(server.line(), "str_echo: read error: Connection reset by peer (ECONNRESET)");
    assert_eq!(server.line(), format!("child {child} terminated"));
}

#[test]
fn a_half_closed_connection_is_echoed_to_the_end() {
    let (_server, port) = Program::server(&[]);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(b"one\ntwo").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert_eq!(back, "one\ntwo");
}

#[test]
fn nobody_listens() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut client = Program::start(CLIENT, &["127.0.0.1", &port.to_string()]);
    client.ends_with("connect error: Connection refused (ECONNREFUSED)", 1);
}

#[test]
fn two_servers_cannot_have_one_port() {
    let (_server, port) = Program::server(&[]);
    let mut other = Program::start(SERVER, &["--address", "127.0.0.1", &port.to_string()]);
    other.ends_with("bind error: Address already in use (EADDRINUSE)", 1);
}

#[test]
fn a_new_server_can_have_the_port_while_a_child_of_the_old_one_serves_on() {
    let (mut server, port) = Program::server(&[]);
    let mut client = Program::client(port, &[]);
    let child = child_of(&server.line());
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    client.type_line("still there");
    assert_eq!(client.line(), "still there");
    let again = Program::start(SERVER, &["--address", "127.0.0.1", &port.to_string()]);
    assert_eq!(again.line(), format!("waiting for connections on port {port}"));
    client.end_input();
    assert_eq!(client.end().1.code(), Some(0));
    assert_eq!(server.line(), format!("child {child}: client closed the connection"));
}

#[test]
fn ipv6_is_served_as_well() {
    let server = Program::start(SERVER, &["--address", "::1", "0"]);
    let line = server.line();
    let Some(port) = line.strip_prefix("waiting for connections on port ") else {
        // A machine without IPv6 says so.
        assert!(line.contains("EADDRNOTAVAIL") || line.contains("EAFNOSUPPORT"), "{line}");
        return;
    };
    let mut client = Program::start(CLIENT, &["::1", port]);
    assert_eq!(client.line(), format!("connected to ::1 port {port}"));
    assert!(server.line().contains(" serves ::1 port "));
    client.type_line("six");
    assert_eq!(client.line(), "six");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let cases: [(&str, &[&str], &str); 10] = [
        (CLIENT, &[], "echo-client: which host?"),
        (CLIENT, &["127.0.0.1", "x"], "echo-client: 'x' is no port"),
        (CLIENT, &["127.0.0.1", "1", "2"], "echo-client: unexpected argument '2'"),
        (CLIENT, &["no.such"], "echo-client: 'no.such' is no address, nor a name in /etc/hosts"),
        (CLIENT, &["--fast"], "echo-client: unknown option '--fast'"),
        (SERVER, &["70000"], "echo-server: '70000' is no port"),
        (SERVER, &["1", "2"], "echo-server: unexpected argument '2'"),
        (SERVER, &["--address"], "echo-server: --address needs an address"),
        (SERVER, &["--address", "here"], "echo-server: 'here' is no address"),
        (SERVER, &["--fast"], "echo-server: unknown option '--fast'"),
    ];
    for (path, arguments, words) in cases {
        let (lines, status) = Program::start(path, arguments).end();
        assert_eq!((lines[0].as_str(), status.code()), (words, Some(64)));
        assert!(lines[2].starts_with("usage: "), "{lines:?}");
    }
}

#[test]
fn help_is_shown_on_standard_output() {
    for path in [CLIENT, SERVER] {
        let output = Command::new(path).arg("--help").output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"usage: echo-"));
        assert!(output.stderr.is_empty());
    }
}
