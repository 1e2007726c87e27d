//! The main job on real machines, as a user does it; tshark, who knows nothing of us, reads the proof.
//!
//! Tests in targets named `*_on_machines` boot real guests. `./lab test` runs them last, one at a time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use assert_cmd::Command;
use predicates::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn controller() -> Command {
    Command::cargo_bin("controller").unwrap()
}

/// What tshark prints of these fields of the frames that pass the filter, a line per frame.
fn tshark(capture: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let output = std::process::Command::new("tshark")
        .args(["-n", "-o", "tcp.relative_sequence_numbers:FALSE", "-Y", filter, "-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(capture)
        .output()
        .expect("tshark, which ./lab test installs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
#[ignore = "boots real machines"]
fn crash_reboot_passes_and_others_can_read_the_proof() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let output = controller().args(["run", "crash-reboot", "--format", "json", "--out"]).arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));

    // Standard output is result.json, and nothing else.
    assert_eq!(output.stdout, fs::read(out.join("result.json")).unwrap());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["outcome"], "pass");
    let boots = result["hosts"]["server"]["boot_ids"].as_array().unwrap();
    assert!(boots.len() == 2 && boots[0] != boots[1], "{boots:?}");
    assert_eq!(result["hosts"]["client"]["boot_ids"].as_array().unwrap().len(), 1);

    // The last data of the client is answered by a RST with the sequence number that it acknowledged.
    let capture = out.join("wire.pcapng");
    let data = tshark(&capture, "ip.src == 192.0.2.1 && tcp.len > 0", &["frame.number", "tcp.ack"]);
    let resets = tshark(&capture, "ip.src == 192.0.2.2 && tcp.flags.reset == 1", &["frame.number", "tcp.seq"]);
    let (sent, reset) = (data.last().unwrap(), resets.first().unwrap());
    let number = |frame: &[String]| frame[0].parse::<u32>().unwrap();
    assert!(number(reset) > number(sent), "{sent:?} {reset:?}");
    assert_eq!(reset[1], sent[1]);
    assert!(tshark(&capture, "ip.src == 192.0.2.2 && tcp.flags.fin == 1", &["frame.number"]).is_empty());
    assert!(tshark(&capture, "_ws.malformed", &["frame.number"]).is_empty());
}

#[test]
#[ignore = "boots real machines"]
fn a_wrong_expectation_fails_and_says_what_came_instead() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = controller().args(["show", "--yaml", "crash-reboot"]).output().unwrap().stdout;
    let (right, wrong) = ("Connection reset by peer (ECONNRESET)", "Connection timed out (ETIMEDOUT)");
    let yaml = String::from_utf8(yaml).unwrap();
    assert!(yaml.contains(right));
    let file = folder.path().join("timed-out.yaml");
    fs::write(&file, yaml.replace(right, wrong).replace("name: crash-reboot", "name: timed-out")).unwrap();
    let says = |text| predicate::str::contains(text);
    controller()
        .arg("run")
        .arg(&file)
        .arg("--out")
        .arg(folder.path().join("run"))
        .assert()
        .code(1)
        .stdout(says("ETIMEDOUT").and(says("ECONNRESET")));
}

#[test]
#[ignore = "boots real machines"]
fn an_out_folder_that_exists_is_refused_before_anything_boots() {
    let folder = tempfile::tempdir().unwrap();
    controller().args(["run", "crash-reboot", "--out"]).arg(folder.path()).assert().code(64).stdout("");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
