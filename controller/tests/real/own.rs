//! The user's own programs in the place of a scenario's: compiled here, run there.

use crate::bench::{Bench, Ending};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Both programs talk a line through; nothing is expected of what they print but the echo.
pub const SCENARIO: &str = "\
name: bench
title: Programs of one's own
story: A line goes to the server and back.
hosts: { client: , server: }
programs:
  echo-server: { host: server, run: echo-server }
  echo-client: { host: client, run: echo-client 192.0.2.2 }
steps:
  - start: echo-server
  - run: until ss -Htln sport = 9877 | grep -q .; do sleep 0.1; done
    host: server
  - start: echo-client
  - name: line
    type: hello, own world
    into: echo-client
    until: { prints: \"hello, own world\" }
  - end-input: echo-client
    until: ends
expectations:
  - { name: ends-well, program: echo-client, ended: { exit: 0 }, held: It did., not-held: It did not. }
";

/// A folder with programs in it.
pub struct Workshop(tempfile::TempDir);

impl Workshop {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles a program of `tests/own` with these flags; its path.
    pub fn compile(&self, source: &str, flags: &[&str]) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/own").join(source);
        let program = self.path(source.trim_end_matches(".c"));
        let mut gcc = Command::new("gcc");
        gcc.args(["-O1", "-Wall", "-Werror", "-o"]).arg(&program).arg(file).args(flags);
        assert!(gcc.status().expect("gcc is installed").success());
        program.to_str().unwrap().to_owned()
    }

    /// Compiles a client that needs a function of a library of this name, which is made of these versions (ld(1)) and
    /// stays here; its path.
    pub fn compile_with_library(&self, name: &str, versions: &str) -> String {
        let (source, script, library) = (self.path("library.c"), self.path("versions"), self.path(name));
        fs::write(&source, "int from_the_library(void) { return 0; }\n").unwrap();
        fs::write(&script, versions).unwrap();
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", &format!("-Wl,-soname,{name}"), "-o"]).arg(&library).arg(&source);
        if !versions.is_empty() {
            gcc.arg(format!("-Wl,--version-script={}", script.display()));
        }
        assert!(gcc.status().unwrap().success());
        self.compile("tcpcli.c", &["-DNEEDS_LIBRARY", library.to_str().unwrap()])
    }

    fn script(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn run(programs: &[String]) -> Ending {
    let arguments: Vec<&str> = programs.iter().flat_map(|program| ["--program", program]).collect();
    Bench::start(SCENARIO, &arguments, &[]).end()
}

/// The run ended as wrong usage before its first step, in these words.
pub fn refused(ending: &Ending, words: &[&str]) {
    assert_eq!(ending.status.code(), Some(64), "{}", ending.said);
    for word in words {
        assert!(ending.said.contains(word), "{word:?} is not said: {}", ending.said);
    }
    let events = fs::read_to_string(ending.folder.join("events.jsonl")).unwrap();
    assert!(!events.contains("\"step\""), "no step was begun: {events}");
    ending.left_nothing();
}

#[test]
fn static_programs_run_in_the_place_of_both_and_are_told_in_the_result() {
    let workshop = Workshop::new();
    let (server, client) = (workshop.compile("tcpserv.c", &["-static"]), workshop.compile("tcpcli.c", &["-static"]));
    let ending = run(&[format!("server={server}"), format!("echo-client={client}")]);
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
    let own = &ending.result()["own_programs"];
    assert_eq!(
        own["echo-client"]["command"],
        serde_json::json!(["/usr/local/lib/deadpeer/echo-client/tcpcli", "192.0.2.2"])
    );
    assert_eq!(own["echo-server"]["command"], serde_json::json!(["/usr/local/lib/deadpeer/echo-server/tcpserv"]));
    assert_eq!(own["echo-server"]["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn a_dynamic_program_and_a_script_run_where_what_they_need_is_there() {
    let workshop = Workshop::new();
    let server = workshop.compile("tcpserv.c", &[]);
    let client = workshop.script("talk", "#!/bin/sh\nexec busybox nc \"$1\" \"$2\"\n");
    let ending = run(&[format!("server={server}"), format!("client={client} 192.0.2.2 9877")]);
    if ending.status.code() == Some(64) && ending.said.contains("version `GLIBC_") {
        eprintln!("skipped: this computer's C library is newer than the guest's, which is said as it should be");
        return;
    }
    assert_eq!(ending.status.code(), Some(0), "{}", ending.said);
}

#[test]
fn a_library_that_is_not_there_is_named_before_the_first_step() {
    let workshop = Workshop::new();
    let client = workshop.compile_with_library("libabsent.so.1", "");
    let ending = run(&[format!("client={client}")]);
    refused(&ending, &["cannot be started on host 'client'", "library libabsent.so.1", "gcc -static"]);
}

/// The image holds libm.so.6, as every C library does, but no version of it has symbols of this one.
#[test]
fn a_version_that_a_library_lacks_is_named_before_the_first_step() {
    let workshop = Workshop::new();
    let client = workshop.compile_with_library("libm.so.6", "DEADPEER_1 { from_the_library; };\n");
    let ending = run(&[format!("client={client}")]);
    refused(&ending, &["cannot be started on host 'client'", "version DEADPEER_1 of libm.so.6", "gcc -static"]);
}

#[test]
fn an_interpreter_that_is_not_there_is_named_before_the_first_step() {
    let workshop = Workshop::new();
    let server = workshop.script("srv", "#!/usr/bin/env python2.3\n");
    refused(&run(&[format!("server={server}")]), &["cannot be started on host 'server'", "interpreter python2.3"]);
}
