#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use std::fs;
use std::os::unix::fs::FileExt;

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_folder(folder.path().join("checkpoints")).unwrap();
    (folder, store)
}

const STATE: &[u8] = b"all of a machine";

fn save(store: &Store, key: &str) {
    let mut draft = store.draft(key, "7.2.22").unwrap().unwrap();
    draft.state("server", |into| into.write_all(STATE).broken(String::new)).unwrap();
    draft.finish(b"{}").unwrap();
}

fn found(store: &Store, key: &str) -> Checkpoint {
    match store.find(key).unwrap() {
        Found::Whole(checkpoint) => *checkpoint,
        other => panic!("{other:?}"),
    }
}

fn read(checkpoint: &Checkpoint) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    checkpoint.state("server").unwrap().read_to_end(&mut bytes).map(|_| bytes)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_saved_is_found_and_read() {
    let (_folder, store) = store();
    assert!(matches!(store.find("k").unwrap(), Found::Absent));
    save(&store, "k");
    let checkpoint = found(&store, "k");
    assert_eq!(read(&checkpoint).unwrap(), STATE);
    assert_eq!(checkpoint.lab().unwrap(), b"{}");
    assert_eq!((checkpoint.manifest.qemu.as_str(), checkpoint.manifest.hosts().collect()), ("7.2.22", vec!["server"]));
    assert!(store.draft("k", "").unwrap().is_none(), "it is in use");
    assert!(!store.remove("k").unwrap());
    drop(checkpoint);
    assert!(store.remove("k").unwrap());
    assert!(matches!(store.find("k").unwrap(), Found::Absent));
}

#[test]
fn one_that_is_cut_short_or_is_another_key_s_is_damaged() {
    let (folder, store) = store();
    for (name, length) in [("server.state", 5), ("lab.json", 1), ("manifest.json", 20)] {
        save(&store, "k");
        let file = folder.path().join("checkpoints/k").join(name);
        File::options().write(true).open(&file).unwrap().set_len(length).unwrap();
        let Found::Damaged(what) = store.find("k").unwrap() else { panic!("{name}") };
        assert!(what.contains(name), "{what}");
    }
    save(&store, "k");
    fs::rename(folder.path().join("checkpoints/k"), folder.path().join("checkpoints/other")).unwrap();
    let Found::Damaged(what) = store.find("other").unwrap() else { panic!() };
    assert_eq!(what, "it is that of the key k");
    assert_eq!(store.list().unwrap()[0].damage.as_deref(), Some("it is that of the key k"));
}

#[test]
fn one_that_was_altered_fails_when_it_is_read_to_its_end() {
    let (folder, store) = store();
    save(&store, "k");
    let file = |name: &str| File::options().read(true).write(true).open(folder.path().join("checkpoints/k").join(name));
    // In the midst of what is packed, which may be unpacked to something else, or not at all.
    file("server.state").unwrap().write_all_at(b"A", 16).unwrap();
    file("lab.json").unwrap().write_all_at(b"[]", 0).unwrap();
    let checkpoint = found(&store, "k");
    assert!(read(&checkpoint).is_err());
    assert!(checkpoint.lab().unwrap_err().fact.contains("it was altered"));
}

#[test]
fn a_draft_that_is_dropped_leaves_nothing_and_one_that_fails_tells_why() {
    let (folder, store) = store();
    save(&store, "k");
    let mut draft = store.draft("k", "").unwrap().unwrap();
    let error = draft.state("server", |_| Err(Error::broken("the disk is full"))).unwrap_err();
    assert!(error.fact.ends_with("server.state: the disk is full"), "{error}");
    assert!(matches!(store.find("k").unwrap(), Found::Absent), "whoever saves holds it");
    drop(draft);
    assert_eq!(read(&found(&store, "k")).unwrap(), STATE, "the one before is still there");
    assert_eq!(names(&folder.path().join("checkpoints")), ["k", "k.lock"]);
}

#[test]
fn what_a_controller_left_that_was_killed_is_removed() {
    let (folder, store) = store();
    fs::create_dir(folder.path().join("checkpoints/.building-dead")).unwrap();
    assert!(matches!(store.find("k").unwrap(), Found::Absent));
    let left = names(&folder.path().join("checkpoints"));
    assert!(!left.contains(&".building-dead".to_owned()), "{left:?}");
}

#[test]
fn the_one_that_was_used_longest_ago_makes_room() {
    let (folder, store) = store();
    for n in 0..MOST {
        save(&store, &format!("k{n}"));
        let used = SystemTime::now() - Duration::from_secs(1000 - n as u64);
        File::open(folder.path().join(format!("checkpoints/k{n}"))).unwrap().set_modified(used).unwrap();
    }
    drop(found(&store, "k0"));
    save(&store, "new");
    let left = names(&folder.path().join("checkpoints"));
    assert!(left.contains(&"k0".to_owned()) && !left.contains(&"k1".to_owned()), "{left:?}");
    assert!(!left.contains(&"k1.lock".to_owned()));
    assert_eq!(store.list().unwrap().len(), MOST);
    assert_eq!(store.list().unwrap()[0].key, "new");
}
