#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use std::io::Read;
use std::process::Stdio;
use std::sync::mpsc::channel;

const SOON: Duration = Duration::from_secs(20);

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn an_exit_status_is_told() {
    let (tell, told) = channel();
    let child = spawn(sh("exit 7"), move |change| tell.send(change).unwrap()).unwrap();
    assert_eq!(told.recv_timeout(SOON).unwrap(), Change::Ended(Ended::Exit(7)));
    assert_eq!(child.wait(SOON), Some(Ended::Exit(7)));
    assert_eq!(child.ended(), Some(Ended::Exit(7)));
}

#[test]
fn a_process_is_stopped_continued_and_killed_in_this_order() {
    let (tell, told) = channel();
    let child = spawn(sh("exec sleep 1000"), move |change| tell.send(change).unwrap()).unwrap();
    assert_eq!(child.ended(), None);
    for (signal, change) in [
        (Signal::SIGSTOP, Change::Stopped),
        (Signal::SIGCONT, Change::Continued),
        (Signal::SIGKILL, Change::Ended(Ended::Signal("KILL".to_owned()))),
    ] {
        assert!(child.kill(signal).unwrap());
        assert_eq!(told.recv_timeout(SOON).unwrap(), change);
    }
    assert!(!child.kill(Signal::SIGKILL).unwrap(), "a reaped process gets no signal");
}

#[test]
fn a_dropped_child_is_reaped_even_if_it_ignores_sigterm() {
    let mut command = sh("trap '' TERM; echo ready; exec sleep 1000");
    command.stdout(Stdio::piped());
    let mut child = spawn(command, |_| ()).unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 6]).unwrap();
    child.kill(Signal::SIGTERM).unwrap();
    let pid = child.pid();
    drop(child);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "not even a zombie is left");
}

#[test]
fn a_child_leads_its_own_process_group() {
    let out = output(sh("cut -d' ' -f1,5 /proc/$$/stat"), SOON).unwrap();
    let ids: Vec<&str> = out.stdout.split_whitespace().collect();
    assert_eq!(ids[0], ids[1], "pid and process group of {out:?}");
}

#[test]
fn a_child_dies_with_the_thread_that_lives_as_long_as_we_do() {
    // The forking thread must not be the asking one: that ends here, and the child with it if it had forked it.
    let child = std::thread::spawn(|| spawn(sh("exec sleep 1000"), |_| ()).unwrap()).join().unwrap();
    assert_eq!(child.wait(Duration::from_millis(200)), None);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let error = spawn(Command::new("/no/such/program"), |_| ()).unwrap_err();
    assert!(error.fact.contains("/no/such/program"), "{error}");
    assert!(error.fact.contains("No such file"), "{error}");
}

#[test]
fn output_is_kept_apart_and_whole() {
    let out = output(sh("echo fact; echo words >&2; exit 3"), SOON).unwrap();
    assert_eq!(out, Output { how: Ended::Exit(3), stdout: "fact\n".into(), stderr: "words\n".into() });
}

#[test]
fn output_of_a_tool_that_hangs_is_evidence() {
    let error = output(sh("echo so far; exec sleep 1000"), Duration::from_millis(300)).unwrap_err();
    assert!(error.fact.contains("did not end within 300ms"), "{error}");
    assert_eq!(error.detail.as_deref(), Some("it was ended by SIGKILL\nso far"));
}
