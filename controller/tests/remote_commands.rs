//! Commands and uploads over one session, against a real dropbear.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod remote_host;

use deadpeer::error::Kind;
use deadpeer::timeline::Ended;
use remote_host::{Host, LONG};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

#[test]
fn a_command_gives_its_outputs_and_its_exit_status() {
    let host = Host::new();
    let session = host.connect();
    let output = session.run("echo out; echo err >&2; exit 3", LONG).unwrap();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
    assert_eq!(output.ended, Ended::Exit(3));
    let error = output.success("asking").unwrap_err().to_string();
    assert_eq!(error, "asking failed: the command exited with status 3\n\nstdout:\nout\nstderr:\nerr");
}

#[test]
fn a_command_ended_by_a_signal_says_which() {
    let host = Host::new();
    let session = host.connect();
    assert_eq!(session.run("kill -KILL $$", LONG).unwrap().ended, Ended::Signal("KILL".to_owned()));
    assert_eq!(session.run("kill -TERM $$", LONG).unwrap().ended, Ended::Signal("TERM".to_owned()));
}

#[test]
fn a_command_has_nothing_to_read() {
    let host = Host::new();
    assert_eq!(host.connect().run("cat; echo end", LONG).unwrap().stdout, "end\n");
}

#[test]
fn a_command_longer_than_dropbear_takes_is_run_all_the_same() {
    let host = Host::new();
    let words = "x".repeat(60_000);
    let output = host.connect().run(&format!("printf %s '{words}' | wc -c; cat; exit 7"), LONG).unwrap();
    assert_eq!((output.stdout.trim(), output.ended), ("60000", Ended::Exit(7)));
}

#[test]
fn a_late_command_is_given_up_and_the_error_shows_what_it_had_printed() {
    let host = Host::new();
    let session = host.connect();
    let command = format!("echo early; echo words >&2; {}", host.endless());
    let error = session.run(&command, Duration::from_millis(300)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`{command}` was not done within 300ms\n\n\
             Awaited: its end.\nSo far: stdout:\nearly\nstderr:\nwords"
        )
    );
    assert_eq!(session.run("echo well", LONG).unwrap().stdout, "well\n");
}

#[test]
fn what_a_command_prints_after_it_was_given_up_is_nobody_elses() {
    let host = Host::new();
    let session = host.connect();
    let late = format!("while [ -e {} ]; do echo late; done", host.path("host_key"));
    for _ in 0..5 {
        session.run(&late, Duration::from_millis(100)).unwrap_err();
        // SSH numbers channels: the number of the one given up must not be this one's as well.
        let output = session.run("sleep 0.1; echo mine", LONG).unwrap();
        assert_eq!((output.stdout.as_str(), output.ended), ("mine\n", Ended::Exit(0)));
    }
}

#[test]
fn a_command_that_prints_without_end_is_given_up() {
    let host = Host::new();
    let session = host.connect();
    let error = session.run("yes", LONG).unwrap_err();
    assert_eq!(error.fact, "a command printed more than 16 MiB");
    assert_eq!(session.run("echo well", LONG).unwrap().stdout, "well\n");
}

#[test]
fn a_command_with_a_nul_byte_is_refused_and_the_session_stays_well() {
    let host = Host::new();
    let session = host.connect();
    assert_eq!(session.run("echo \0", LONG).unwrap_err().kind, Kind::Usage);
    assert_eq!(session.run("echo well", LONG).unwrap().stdout, "well\n");
}

#[test]
fn many_commands_run_at_the_same_time() {
    let host = Host::new();
    let session = host.connect();
    let path = |name: &str| host.path(name);
    // Each waits for a file that is made when all are there: one after the other they would never end.
    let (here, go) = (path("here"), path("go"));
    let wait = |file: &str| format!("until [ -e {file} ]; do sleep 0.01; done");
    std::thread::scope(|scope| {
        let session = &session;
        let waiting: Vec<_> = (0..10)
            .map(|i| {
                let command = format!("touch {here}.{i}; {}; echo {i}", wait(&go));
                scope.spawn(move || session.run(&command, LONG).unwrap().stdout)
            })
            .collect();
        let all: Vec<_> = (0..10).map(|i| wait(&format!("{here}.{i}"))).collect();
        session.run(&format!("{}; touch {go}", all.join("; ")), LONG).unwrap();
        for (i, thread) in waiting.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), format!("{i}\n"));
        }
    });
}

#[test]
fn an_upload_arrives_whole_with_its_mode() {
    let host = Host::new();
    let session = host.connect();
    let bytes: Vec<u8> =
        (0..5_000_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).take(5_000_000).collect();
    let path = host.path("it's a program");
    session.upload(&bytes, &path, 0o750, LONG).unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o750);
    assert_no_parts(&host);
}

#[test]
fn a_file_that_is_there_already_is_left_as_it_is() {
    let host = Host::new();
    let session = host.connect();
    let path = host.path("file");
    let inode = || std::fs::metadata(&path).unwrap().ino();
    session.upload(b"one", &path, 0o644, LONG).unwrap();
    let first = inode();
    session.upload(b"one", &path, 0o644, LONG).unwrap();
    assert_eq!(inode(), first);
    session.upload(b"one", &path, 0o755, LONG).unwrap();
    let second = inode();
    assert_ne!(second, first, "another mode is another file");
    session.upload(b"two", &path, 0o755, LONG).unwrap();
    assert_ne!(inode(), second);
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
}

#[test]
fn an_empty_file_can_be_uploaded() {
    let host = Host::new();
    host.connect().upload(b"", &host.path("empty"), 0o600, LONG).unwrap();
    assert_eq!(std::fs::read(host.path("empty")).unwrap(), b"");
}

#[test]
fn an_upload_that_cannot_be_written_says_why_in_the_hosts_words() {
    let host = Host::new();
    let session = host.connect();
    let error = session.upload(b"x", "/proc/deadpeer", 0o644, LONG).unwrap_err().to_string();
    assert!(error.starts_with("/proc/deadpeer cannot be written on the host: its shell exited with status"), "{error}");
    assert!(error.contains("/proc/deadpeer.part."), "{error}");
    let error = session.upload(b"x", &host.path("home"), 0o644, LONG).unwrap_err().to_string();
    assert!(error.trim_end().ends_with("home is a directory"), "{error}");
    assert_eq!(session.upload(b"x", "relative", 0o644, LONG).unwrap_err().kind, Kind::Usage);
}

fn assert_no_parts(host: &Host) {
    let names = std::fs::read_dir(host.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let parts: Vec<_> = names.filter(|name| name.to_str().unwrap().contains(".part.")).collect();
    assert!(parts.is_empty(), "{parts:?}");
}
