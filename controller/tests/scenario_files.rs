//! From an argument of the command line to a scenario: names, files, and what is neither.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use deadpeer::error::{Error, Kind};
use deadpeer::scenario::{Catalogue, load};
use std::fs;
use std::path::Path;

const BASE: &str = include_str!("scenario/base.yaml");
const CATALOGUE: Catalogue = Catalogue::new(&[("base", BASE), ("broken", "name: broken\ntitel: x\n")]);

fn refused(path: &Path) -> Error {
    let error = load(path).unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    error
}

#[test]
fn a_name_is_looked_up_in_the_catalogue() {
    assert_eq!(CATALOGUE.names().collect::<Vec<_>>(), ["base", "broken"]);
    assert_eq!(CATALOGUE.resolve("base").unwrap().source, BASE);
    assert_eq!(CATALOGUE.find("base").unwrap(), ("base", BASE));
}

#[test]
fn an_unknown_name_gets_the_nearest() {
    let error = CATALOGUE.resolve("bsae").unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.to_string(), "there is no scenario \"bsae\"\n\ndid you mean base? All of them: controller list");
    let error = CATALOGUE.resolve("tsunami").unwrap_err();
    assert_eq!(error.to_string(), "there is no scenario \"tsunami\"\n\ncontroller list");
}

#[test]
fn a_scenario_of_the_catalogue_is_checked_as_a_file_is() {
    let error = CATALOGUE.resolve("broken").unwrap_err().to_string();
    assert!(error.contains("broken.yaml:2:1") && error.contains("did you mean `title`?"), "{error}");
}

#[test]
fn a_path_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.yml");
    fs::write(&path, format!("\u{feff}{BASE}")).unwrap();
    let scenario = CATALOGUE.resolve(path.to_str().unwrap()).unwrap();
    assert_eq!(scenario.name, "base");
    assert_eq!(scenario.source.as_bytes(), fs::read(&path).unwrap());
}

#[test]
fn what_is_no_scenario_file_is_refused_by_its_kind() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    assert!(refused(&at("none.yaml")).fact.starts_with("there is no file "));

    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/a.yaml"), BASE).unwrap();
    let error = refused(&at("folder"));
    assert!(error.fact.ends_with("is a folder, not a scenario"), "{error}");
    assert!(error.help.unwrap().ends_with("folder/a.yaml"));

    fs::write(at("empty.yaml"), "").unwrap();
    assert!(refused(&at("empty.yaml")).to_string().contains("the scenario is empty"));

    fs::write(at("latin1.yaml"), b"title: caf\xe9\n").unwrap();
    assert!(refused(&at("latin1.yaml")).fact.ends_with("is no text: byte 10 is not UTF-8"));

    fs::write(at("binary.yaml"), b"\x7fELF\x02\x01\x01\0\0\0").unwrap();
    assert!(refused(&at("binary.yaml")).to_string().contains("binary data"));
}

#[test]
fn a_file_of_ten_megabytes_is_refused_unread() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.yaml");
    // Sparse, and of NULs: read, it would be told to be binary.
    fs::File::create(&path).unwrap().set_len(10 << 20).unwrap();
    assert!(refused(&path).fact.ends_with("is larger than 1 MiB: no scenario is"));
}

#[test]
fn a_fifo_is_refused_without_waiting_for_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo.yaml");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(refused(&path).fact.ends_with("is not a regular file"));
}

#[test]
fn a_name_that_is_also_a_file_here_is_told_how_to_mean_the_file() {
    // Tests run in the package's folder, which holds `src`.
    let error = CATALOGUE.resolve("src").unwrap_err();
    assert_eq!(error.help.unwrap(), "for the file of this name: ./src");
}
