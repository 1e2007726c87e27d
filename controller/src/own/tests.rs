#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::error::Kind;

const YAML: &str = "name: x\ntitle: X\nstory: Y\nhosts: { client: , server: , other: }\n\
    programs:\n\
    \x20 echo-server: { host: server, run: echo-server --sigchld wait }\n\
    \x20 echo-client: { host: client, run: echo-client --alarm 3 192.0.2.2 9878 }\n\
    \x20 one: { host: other, run: ping -c 3 server }\n\
    \x20 two: { host: other, run: echo-client --poll server }\n\
    steps: [{ start: echo-server }]\n\
    expectations: [{ name: b, host: server, boot-id: kept, held: H, not-held: N }]\n";

fn scenario() -> Scenario {
    crate::scenario::parse("x.yaml", YAML).unwrap()
}

/// A folder with an executable script `srv` in it.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("srv");
    std::fs::write(&path, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The command of the program that `given` takes the place of.
fn command(given: &str) -> Vec<String> {
    let (_folder, path) = folder();
    let own = Own::parse(&given.replace("SRV", &path)).unwrap();
    let mut scenario = scenario();
    let placed = take_part(&mut scenario, &own).unwrap();
    let command = scenario.programs[&placed.program].command.clone();
    assert_eq!(command[0], placed.place);
    command
}

#[test]
fn programs_that_a_host_has_no_room_for_are_refused() {
    let placed = |program: &str, mib: usize| {
        let own = Own {
            name: program.to_owned(),
            path: "srv".into(),
            bytes: vec![0; mib << 20].into(),
            needs: Needs::Nothing,
            arguments: None,
        };
        Placed { program: program.to_owned(), place: String::new(), own }
    };
    let mut all = vec![placed("one", 48), placed("two", 48), placed("echo-client", 64)];
    fit(&scenario(), &all).unwrap();
    all[1] = placed("two", 49);
    let error = fit(&scenario(), &all).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    let fact = "your programs on host other of scenario x are 97 MiB together; a host has room for 96 MiB";
    assert_eq!(error.fact, fact);
}

#[test]
fn arguments_are_the_users_where_there_are_any() {
    let place = format!("{}/echo-client/srv", deadpeer_guest::OWN_DIR);
    assert_eq!(command("echo-client=SRV 'a b' -x"), [place.as_str(), "a b", "-x"]);
}

#[test]
fn else_they_are_those_of_the_scenario_without_the_options_of_our_own_programs() {
    assert_eq!(command("client=SRV")[1..], ["192.0.2.2", "9878"]);
    assert_eq!(command("server=SRV")[1..], [] as [&str; 0]);
    assert_eq!(command("one=SRV")[1..], ["-c", "3", "server"]);
    assert_eq!(command("two=SRV")[1..], ["server"]);
}

#[test]
fn a_name_that_fits_nothing_or_two_is_refused_with_what_would_fit() {
    let (_folder, path) = folder();
    for (name, fact, help) in [
        ("servr", "there is no program \"servr\" in scenario x", "did you mean server?"),
        ("other", "there are several programs on host other of scenario x", "name the one that is meant: one, two"),
        ("xyz", "there is no program \"xyz\" in scenario x", "programs there are: echo-client, echo-server, one, two"),
    ] {
        let own = Own::parse(&format!("{name}={path}")).unwrap();
        assert_eq!(take_part(&mut scenario(), &own), None);
        let error = no_place(&[scenario()], &own);
        assert_eq!((error.kind, error.fact.as_str(), error.help.as_deref()), (Kind::Usage, fact, Some(help)));
    }
}

#[test]
fn what_is_no_program_is_wrong_usage() {
    let (folder, path) = folder();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    let text = folder.path().join("text");
    std::fs::write(&text, "hello").unwrap();
    std::fs::set_permissions(&text, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (given, why) in [
        (path.clone(), "does not say which program"),
        (format!("={path}"), "does not say which program"),
        ("client=".to_owned(), "no first word"),
        (format!("client={path} 'x"), "ends within"),
        (format!("client={path} >x"), "would need a shell"),
        (format!("client={path}x"), "No such file"),
        (format!("client={}", folder.path().display()), "is a folder"),
        ("client=/dev/null".to_owned(), "not a regular file"),
        (format!("client={}", plain.display()), "is not executable"),
        (format!("client={}", text.display()), "is no program"),
    ] {
        let error = Own::parse(&given).unwrap_err();
        assert!(error.kind == Kind::Usage && error.to_string().contains(why), "{given}: {error}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_without_being_read_whole() {
    let (_folder, path) = folder();
    File::options().write(true).open(&path).unwrap().set_len(LARGEST + 1).unwrap();
    assert!(Own::parse(&format!("client={path}")).unwrap_err().fact.contains("larger than 64 MiB"));
}
