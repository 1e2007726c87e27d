//! What the options of the two programs change, on the loopback of this machine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::process::ExitStatusExt;
use support::{LONG, Program, child_of, reset};

const READ_TIMED_OUT: &str = "str_cli: read error: Resource temporarily unavailable (EAGAIN)";

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// The letter that stands for a process's state in `/proc` (proc_pid_stat(5)); `Z`: a zombie.
fn state_of(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()
}

/// A server with these options, one client of which has come and gone; also the server's port and the child's process id.
fn served(options: &[&str]) -> (Program, u16, u32) {
    let (server, port) = Program::server(options);
    let mut client = Program::client(port, &[]);
    let child = child_of(&server.line());
    client.end_input();
    assert_eq!(client.end().1.code(), Some(0));
    assert_eq!(server.line(), format!("child {child}: client closed the connection"));
    (server, port, child)
}

#[test]
fn without_a_handler_the_child_stays_a_zombie() {
    let (_server, _, child) = served(&["--sigchld", "none"]);
    // Its last words come before its end.
    let start = std::time::Instant::now();
    while state_of(child) != 'Z' {
        assert!(start.elapsed() < LONG, "the child lives on");
        std::thread::yield_now();
    }
}

#[test]
fn with_sigchld_ignored_the_kernel_reaps_the_child() {
    let (_server, _, child) = served(&["--sigchld", "ignore"]);
    let start = std::time::Instant::now();
    while std::fs::exists(format!("/proc/{child}")).unwrap() {
        assert!(start.elapsed() < LONG, "the child is still there");
        std::thread::yield_now();
    }
}

#[test]
fn the_handler_that_calls_wait_reaps_a_single_child() {
    let (server, port, child) = served(&["--sigchld", "wait"]);
    assert_eq!(server.line(), format!("child {child} terminated"));
    Program::client(port, &[]);
}

#[test]
fn an_interrupted_accept_ends_a_server_that_does_not_call_it_again() {
    let (mut server, _, child) = served(&["--sigchld", "wait", "--no-restart", "--no-retry"]);
    assert_eq!(server.line(), format!("child {child} terminated"));
    server.ends_with("accept error: Interrupted system call (EINTR)", 1);
}

#[test]
fn an_interrupted_accept_is_called_again() {
    let (server, port, child) = served(&["--sigchld", "wait", "--no-restart"]);
    assert_eq!(server.line(), format!("child {child} terminated"));
    Program::client(port, &[]);
}

#[test]
fn a_stubborn_server_ignores_sigterm() {
    let (mut server, port) = Program::server(&["--ignore-term"]);
    signal(server.child.id(), Signal::SIGTERM);
    Program::client(port, &[]);
    assert!(server.child.try_wait().unwrap().is_none());
}

#[test]
fn a_client_with_several_connections_uses_one_and_ends_all() {
    let (server, port) = Program::server(&[]);
    let mut client = Program::client(port, &["--connections", "5"]);
    for _ in 1..5 {
        assert_eq!(client.line(), format!("connected to 127.0.0.1 port {port}"));
    }
    let children: std::collections::BTreeSet<_> = (0..5).map(|_| child_of(&server.line())).collect();
    assert_eq!(children.len(), 5);
    client.type_line("one of five");
    assert_eq!(client.line(), "one of five");
    client.end_input();
    assert_eq!(client.end().1.code(), Some(0));
    let last: Vec<_> = (0..10).map(|_| server.line()).collect();
    assert_eq!(last.iter().filter(|line| line.ends_with(" terminated")).count(), 5, "{last:?}");
}

#[test]
fn a_client_that_listens_to_both_echoes_and_sees_the_servers_end_at_once() {
    for option in ["--select", "--poll"] {
        let (server, port) = Program::server(&[]);
        let mut client = Program::client(port, &[option]);
        let child = child_of(&server.line());
        client.type_line("hello, world");
        assert_eq!(client.line(), "hello, world");
        signal(child, Signal::SIGKILL);
        assert_eq!(client.line(), "str_cli: server terminated prematurely");
        assert_eq!(client.end().1.code(), Some(1));
    }
}

#[test]
fn a_client_that_listens_to_both_closes_its_half_and_awaits_the_rest() {
    for option in ["--select", "--poll"] {
        let (mut client, mut connection) = Program::client_of_ours(&[option]);
        client.type_line("late");
        client.end_input();
        let mut read = String::new();
        connection.read_to_string(&mut read).unwrap();
        assert_eq!(read, "late\n");
        connection.write_all(b"late\n").unwrap();
        drop(connection);
        client.ends_with("late", 0);
    }
}

#[test]
fn a_client_that_listens_to_both_is_told_of_a_reset() {
    for option in ["--select", "--poll"] {
        let (mut client, connection) = Program::client_of_ours(&[option]);
        reset(connection);
        assert_eq!(client.line(), "str_cli: read error: Connection reset by peer (ECONNRESET)");
        assert_eq!(client.end().1.code(), Some(1));
    }
}

#[test]
fn each_time_out_has_its_own_error() {
    for (option, words) in [
        ("--rcvtimeo", READ_TIMED_OUT),
        ("--alarm", "str_cli: read error: Interrupted system call (EINTR)"),
        ("--select-timeout", "str_cli: socket timeout"),
    ] {
        let (mut client, mut connection) = Program::client_of_ours(&[option, "1"]);
        client.type_line("answered");
        connection.write_all(b"answered\n").unwrap();
        assert_eq!(client.line(), "answered");
        client.type_line("not answered");
        client.ends_with(words, 1);
    }
}

/// After these options the client's peer has closed, and a line is typed that is answered by RST.
fn after_the_servers_fin(options: &[&str]) -> Program {
    let (mut client, mut connection) = Program::client_of_ours(options);
    client.type_line("hello, world");
    let mut read = [0; 13];
    // In two writes it comes in two parts, the first of which waits for its answer.
    let first = connection.read(&mut read).unwrap();
    connection.write_all(&read[..first]).unwrap();
    connection.read_exact(&mut read[first..]).unwrap();
    connection.write_all(&read[first..]).unwrap();
    assert_eq!(client.line(), "hello, world");
    // Nothing is unread, so this is a FIN; what comes from now on is answered by RST.
    connection.shutdown(Shutdown::Write).unwrap();
    drop(connection);
    client.type_line("another line");
    client
}

#[test]
fn the_second_write_after_the_reset_ends_the_client() {
    let mut client = after_the_servers_fin(&["--two-writes"]);
    let (lines, status) = client.end();
    assert_eq!((lines.len(), status.signal()), (0, Some(Signal::SIGPIPE as i32)), "{lines:?}");
}

#[test]
fn with_sigpipe_ignored_the_second_write_fails() {
    let mut client = after_the_servers_fin(&["--two-writes", "--sigpipe", "ignore"]);
    client.ends_with("str_cli: write error: Broken pipe (EPIPE)", 1);
}

#[test]
fn with_sigpipe_caught_the_second_write_fails_after_the_handler() {
    let mut client = after_the_servers_fin(&["--two-writes", "--sigpipe", "catch"]);
    assert_eq!(client.line(), "SIGPIPE caught");
    client.ends_with("str_cli: write error: Broken pipe (EPIPE)", 1);
}

#[test]
fn a_read_after_the_reset_still_finds_the_end_of_file() {
    after_the_servers_fin(&["--late-read"]).ends_with("str_cli: server terminated prematurely", 1);
}

#[test]
fn a_lingering_client_ends_its_connection_by_reset() {
    let (mut client, mut connection) = Program::client_of_ours(&["--linger-reset"]);
    client.end_input();
    assert_eq!(connection.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(client.end().1.code(), Some(0));
}

#[test]
fn the_kernel_takes_the_socket_options() {
    let (_server, port) = Program::server(&[]);
    let mut client = Program::client(port, &["--keepalive", "1:1:3", "--user-timeout", "3"]);
    client.type_line("still there");
    assert_eq!(client.line(), "still there");
}

#[test]
fn copies_of_a_line_are_written_at_once_and_read_back() {
    let (mut client, mut connection) = Program::client_of_ours(&["--copies", "3"]);
    client.type_line("again");
    let mut read = [0; 18];
    connection.read_exact(&mut read).unwrap();
    assert_eq!(&read, b"again\nagain\nagain\n");
    connection.write_all(&read).unwrap();
    assert_eq!([client.line(), client.line(), client.line()], ["again"; 3]);
    client.end_input();
    assert_eq!(client.end().1.code(), Some(0));
}

#[test]
fn a_client_can_ask_for_its_port_and_have_it_again() {
    let (_server, port) = Program::server(&[]);
    let mut local = None;
    // The first takes any port; those after it the same, though it is in TIME_WAIT.
    for _ in 0..3 {
        let wanted = local.unwrap_or(0).to_string();
        let (mut client, connection) = Program::client_of_ours(&["--local-port", &wanted]);
        let came_from = connection.peer_addr().unwrap().port();
        assert!(local.is_none_or(|local| local == came_from), "{local:?}, but it came from {came_from}");
        local = Some(came_from);
        client.end_input();
        assert_eq!(client.end().1.code(), Some(0));
        drop(connection);
    }
    let mut client = Program::client(port, &["--local-port", &local.unwrap_or(0).to_string()]);
    client.type_line("one");
    assert_eq!(client.line(), "one");
}
