//! A run as one file, and once more from that alone.

use deadpeer::bundle;
use std::path::Path;
use std::process::{Command, Output};

fn controller(arguments: &[&str], here: &Path) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_controller")).args(arguments).current_dir(here).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, said)
}

#[test]
fn a_run_is_reproduced_from_its_bundle_alone() {
    let _turn = crate::bench::turn();
    let home = tempfile::tempdir().unwrap();
    let (output, said) = controller(&["run", "normal-exit", "--quiet", "--out", "here"], home.path());
    assert_eq!(output.status.code(), Some(0), "{said}");
    let (output, said) = controller(&["bundle", "here"], home.path());
    assert_eq!(output.status.code(), Some(0), "{said}");
    let file = home.path().join("here.deadpeer.tar.gz");
    assert!(file.metadata().unwrap().len() < 2_000_000, "{said}");

    let unpacked = bundle::unpack(&file, home.path()).unwrap();
    let secrets = [home.path().to_str().unwrap().to_owned(), std::env::var("HOME").unwrap(), "PRIVATE KEY".to_owned()];
    for member in &unpacked.manifest.members {
        let text = String::from_utf8_lossy(&std::fs::read(unpacked.member(&member.name)).unwrap()).into_owned();
        let told = secrets
            .iter()
            .find(|secret| text.contains(&format!("{secret}/")) || text.contains(&format!("{secret}-----")));
        assert_eq!(told, None, "{}", member.name);
    }
    drop(unpacked);

    std::fs::remove_dir_all(home.path().join("here")).unwrap();
    let (output, said) = controller(&["reproduce", "here.deadpeer.tar.gz", "--quiet", "--out", "again"], home.path());
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.starts_with("Everything that the run was made with is the same here.") && said.contains("\nreproduced: "),
        "{said}"
    );
    let (output, said) = controller(&["diff", "again", "again", "--format", "json"], home.path());
    assert_eq!(output.status.code(), Some(0), "{said}");
    let compared: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(compared["strands"].as_array().is_some_and(|strands| !strands.is_empty()), "{compared}");
}
