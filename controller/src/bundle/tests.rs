#![allow(clippy::unwrap_used)]

use super::manifest::{Manifest, Member, limit};
use super::pack::hex;
use super::unpack::read;
use super::*;
use crate::conductor::{Options, Run};
use crate::error::{Error, Kind};
use crate::report::{OwnProgram, RunResult, to_json};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

const SCENARIO: &str = "name: x\ntitle: X\nstory: Y\nhosts: { server: }\nprograms: { a: { host: server, run: a } }\nsteps: [start: a]\nexpectations: [{ name: e, program: a, ended: { exit: 0 }, held: H, not-held: N }]\n";

fn result(folder: &Path) -> RunResult {
    let scenario = crate::scenario::parse("x.yaml", SCENARIO).unwrap();
    let mut result = Run::not_made(&scenario, &Options::default(), Error::broken("as a test wants it")).result;
    result.folder = folder.to_owned();
    result.files = ["controller.log", "result.json", "scenario.yaml", "wire.pcapng"].map(str::to_owned).to_vec();
    result
}

/// A run's folder, as a run leaves it.
fn run_folder(home: &Path) -> std::path::PathBuf {
    let folder = home.join("a-run");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("result.json"), to_json(&result(&folder))).unwrap();
    fs::write(folder.join("scenario.yaml"), SCENARIO).unwrap();
    fs::write(folder.join("controller.log"), format!("QEMU was started in {}/.private\n", folder.display())).unwrap();
    fs::write(folder.join("wire.pcapng"), [0xff, 0, 1, 2]).unwrap();
    fs::write(folder.join("left-by-somebody-else"), "secret").unwrap();
    folder
}

#[test]
fn a_run_comes_out_as_it_went_in_without_what_is_private() {
    let home = tempfile::tempdir().unwrap();
    let folder = run_folder(home.path());
    let file = home.path().join("b.tar.gz");
    let packed = pack(&folder, Some(&file), false).unwrap();
    assert_eq!(packed.size, fs::metadata(&file).unwrap().len());
    let names: Vec<&str> = packed.manifest.members.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["run/controller.log", "run/result.json", "run/scenario.yaml", "run/wire.pcapng"]);
    let place = tempfile::tempdir().unwrap();
    let unpacked = unpack(&file, place.path()).unwrap();
    assert_eq!(unpacked.manifest, packed.manifest);
    let text = |name: &str| fs::read_to_string(unpacked.run().join(name)).unwrap();
    assert_eq!(text("controller.log"), "QEMU was started in RUN/.private\n");
    assert_eq!(text("scenario.yaml"), SCENARIO);
    assert_eq!(fs::read(unpacked.run().join("wire.pcapng")).unwrap(), [0xff, 0, 1, 2]);
    let read: RunResult = serde_json::from_str(&text("result.json")).unwrap();
    assert_eq!(read.folder, Path::new("a-run"));
    drop(unpacked);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "its folder goes with it");
    // The same run gives the same bytes, and nothing is written over.
    let again = home.path().join("again.tar.gz");
    pack(&folder, Some(&again), false).unwrap();
    assert_eq!(fs::read(&file).unwrap(), fs::read(&again).unwrap());
    let error = pack(&folder, Some(&again), false).unwrap_err();
    assert!(error.help.unwrap().contains("--output"));
}

#[test]
fn programs_go_in_as_they_ran_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let folder = run_folder(home.path());
    let program = home.path().join("my-client");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    let mut result = result(&folder);
    let sha256 = hex(&Sha256::digest(b"#!/bin/sh\n"));
    result
        .own_programs
        .insert("a".to_owned(), OwnProgram { file: program.clone(), sha256, command: vec!["/x".to_owned()] });
    fs::write(folder.join("result.json"), to_json(&result)).unwrap();
    let file = home.path().join("b.tar.gz");
    pack(&folder, Some(&file), false).unwrap();
    let unpacked = unpack(&file, home.path()).unwrap();
    assert_eq!(fs::read(unpacked.member(&unpacked.manifest.programs["a"])).unwrap(), b"#!/bin/sh\n");
    let read: RunResult = serde_json::from_slice(&fs::read(unpacked.run().join("result.json")).unwrap()).unwrap();
    assert_eq!(read.own_programs["a"].file, Path::new("my-client"), "where it was is nobody's business");
    fs::write(&program, "#!/bin/sh\n\n").unwrap();
    let error = pack(&folder, Some(&home.path().join("c.tar.gz")), false).unwrap_err();
    assert_eq!(error.fact, format!("{} is not the program any more that ran as a", program.display()));
    assert!(!home.path().join("c.tar.gz").exists());
}

#[test]
fn a_scenario_that_tells_private_things_is_not_packed() {
    let home = tempfile::tempdir().unwrap();
    let folder = run_folder(home.path());
    fs::write(folder.join("scenario.yaml"), format!("{SCENARIO}# see {}\n", folder.display())).unwrap();
    let error = pack(&folder, Some(&home.path().join("b.tar.gz")), false).unwrap_err();
    assert!(error.detail.unwrap().starts_with("scenario.yaml, line 8: # see /"));
}

/// An archive by hand: name, kind, what the header says of its size, content.
type Entry<'a> = (&'a str, tar::EntryType, u64, &'a [u8]);

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for (name, kind, size, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        // By hand, as the library would not write what leads out of a folder.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(*size);
        if kind.is_symlink() || kind.is_hard_link() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        packed.write_all(header.as_bytes()).unwrap();
        packed.write_all(bytes).unwrap();
        packed.write_all(&vec![0; (512 - bytes.len() % 512) % 512]).unwrap();
    }
    packed.write_all(&[0; 1024]).unwrap();
    packed.finish().unwrap()
}

fn file<'a>(name: &'a str, bytes: &'a [u8]) -> Entry<'a> {
    (name, tar::EntryType::Regular, bytes.len() as u64, bytes)
}

fn manifest(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut manifest = Manifest::new();
    let member = |(name, bytes): &(&str, &[u8])| Member {
        name: (*name).to_owned(),
        size: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    };
    manifest.members = members.iter().map(member).collect();
    serde_json::to_vec(&manifest).unwrap()
}

/// What becomes of it, and that nothing is left of it.
fn refusal(bytes: &[u8]) -> Error {
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join("in/here");
    fs::create_dir_all(&place).unwrap();
    let error = read(bytes, &place).unwrap_err();
    assert_eq!(error.kind, Kind::Usage, "{error}");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "{error}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "{error}");
    error
}

#[test]
fn what_leads_out_of_the_folder_is_refused() {
    for name in
        ["../x", "run/../../x", "/etc/x", "run//x", "run/.x", "run/-x", "run/a/b", "run", "x/y", "run/a\0b", "run/ä"]
    {
        assert_eq!(limit(name), None, "{name:?}");
        let listed = manifest(&[(name, b"")]);
        let error = refusal(&archive(&[file("bundle.json", &listed)]));
        assert!(error.detail.unwrap().starts_with("a member has a name of no form that is known"), "{name:?}");
        // Listed as something else.
        let listed = manifest(&[("run/x", b"")]);
        let error = refusal(&archive(&[file("bundle.json", &listed), file(name, b"")]));
        assert!(error.detail.unwrap().starts_with("run/x should follow, and"), "{name:?}");
    }
}

#[test]
fn only_plain_files_are_members() {
    use tar::EntryType;
    let listed = manifest(&[("run/x", b"")]);
    let kinds = [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Directory,
        EntryType::GNUSparse,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
    ];
    for kind in kinds {
        let error = refusal(&archive(&[file("bundle.json", &listed), ("run/x", kind, 0, b"")]));
        assert!(error.detail.unwrap().starts_with("run/x is no plain file"), "{kind:?}");
        refusal(&archive(&[("bundle.json", kind, listed.len() as u64, &listed)]));
    }
}

#[test]
fn what_is_not_as_it_says_is_refused() {
    let listed = manifest(&[("run/x", b"abc"), ("run/y", b"")]);
    let whole = [file("bundle.json", &listed), file("run/x", b"abc"), file("run/y", b"")];
    let place = tempfile::tempdir().unwrap();
    read(&archive(&whole)[..], place.path()).unwrap();
    let detail = |entries: &[Entry<'_>]| refusal(&archive(entries)).detail.unwrap();
    assert_eq!(detail(&[whole[0], file("run/x", b"abd"), whole[2]]), "run/x is not what its SHA-256 says");
    assert_eq!(detail(&[whole[0], file("run/x", b"abcd"), whole[2]]), "run/x has 4 bytes and should have 3");
    assert_eq!(detail(&whole[..2]), "it ends before run/y");
    assert_eq!(detail(&[whole[0], whole[2], whole[1]]), "run/x should follow, and \"run/y\" does");
    assert_eq!(
        detail(&[whole[0], whole[1], whole[2], file("run/z", b"")]),
        "it has members that it does not list: \"run/z\""
    );
    assert_eq!(detail(&[file("run/x", b"abc")]), "its first member is not bundle.json");
    assert!(detail(&[file("bundle.json", b"{}")]).starts_with("its bundle.json cannot be read"));
    let twice = manifest(&[("run/x", b""), ("run/x", b"")]);
    assert_eq!(detail(&[file("bundle.json", &twice)]), "it has two members run/x");
}

#[test]
fn what_was_cut_short_or_is_something_else_is_refused() {
    let listed = manifest(&[("run/x", b"abc")]);
    let whole = archive(&[file("bundle.json", &listed), file("run/x", b"abc")]);
    for length in (0..whole.len() - 16).step_by(7).chain(whole.len() - 16..whole.len()) {
        refusal(&whole[..length]);
    }
    for other in [&b"PK\x03\x04"[..], b"hello", &[0; 2000], b"\x1f\x8b\x08"] {
        refusal(other);
    }
}

#[test]
fn a_newer_format_is_said_to_be_one() {
    let mut json: serde_json::Value = serde_json::from_slice(&manifest(&[])).unwrap();
    json["version"] = 2.into();
    json["something"] = "new".into();
    let error = refusal(&archive(&[file("bundle.json", json.to_string().as_bytes())]));
    assert_eq!(error.fact, "the bundle is of a newer format than this controller reads");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let zeros = vec![0; 4 << 20];
    // A manifest that is too large; a member that is, by its own word and in truth; a name that is.
    refusal(&archive(&[file("bundle.json", &zeros)]));
    let mut huge = Manifest::new();
    huge.members = vec![Member { name: "run/x".to_owned(), size: 300 << 20, sha256: String::new() }];
    let error = refusal(&archive(&[file("bundle.json", &serde_json::to_vec(&huge).unwrap())]));
    assert_eq!(error.detail.unwrap(), "run/x has 314572800 bytes; 268435456 are the most");
    let member = |n: usize| Member { name: format!("images/x/{n}"), size: 1 << 30, sha256: String::new() };
    huge.members = (0..3).map(member).collect();
    let error = refusal(&archive(&[file("bundle.json", &serde_json::to_vec(&huge).unwrap())]));
    assert!(error.detail.unwrap().starts_with("unpacked it has 3221225472 bytes"));
    huge.members = (0..600).map(|n| Member { size: 0, ..member(n) }).collect();
    let error = refusal(&archive(&[file("bundle.json", &serde_json::to_vec(&huge).unwrap())]));
    assert!(error.detail.unwrap().starts_with("it has 600 members"));
    let listed = manifest(&[("run/x", b"abc")]);
    let error = refusal(&archive(&[file("bundle.json", &listed), file("run/x", &zeros)]));
    assert_eq!(error.detail.unwrap(), "run/x has 4194304 bytes and should have 3");
    refusal(&archive(&[("x", tar::EntryType::GNULongName, 4 << 20, &zeros), file("bundle.json", &listed)]));
}
