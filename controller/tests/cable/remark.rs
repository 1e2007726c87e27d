//! Comments on a capture that is finished.

use crate::capture::{packets, tshark};
use deadpeer::cable::remark;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use std::collections::BTreeMap;
use std::path::Path;

fn recorded() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cable/recorded.pcapng"))
}

#[test]
fn a_capture_without_comments_stays_as_it_is_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.pcapng");
    remark(recorded(), &copy, &BTreeMap::new()).unwrap();
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(recorded()).unwrap());
}

#[test]
fn comments_are_added_to_their_frames_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.pcapng");
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let comments = BTreeMap::from([(1, texts(&["one"])), (7, texts(&["größe", "two"])), (100_000, texts(&["nobody"]))]);
    remark(recorded(), &copy, &comments).unwrap();
    let (before, after) = (packets(recorded()), packets(&copy));
    assert_eq!(before.len(), after.len());
    for (index, (before, after)) in before.iter().zip(&after).enumerate() {
        assert_eq!(
            (before.interface_id, before.timestamp, before.original_len),
            (after.interface_id, after.timestamp, after.original_len)
        );
        assert_eq!(before.data, after.data);
        let added: Vec<&EnhancedPacketOption<'_>> = after.options.iter().skip(before.options.len()).collect();
        assert_eq!(after.options[..before.options.len()], before.options);
        let told: Vec<&str> = added
            .iter()
            .map(|option| match option {
                EnhancedPacketOption::Comment(text) => text.as_ref(),
                other => panic!("{other:?}"),
            })
            .collect();
        let wanted =
            comments.get(&(index as u64 + 1)).map(|texts: &Vec<String>| texts.iter().map(String::as_str).collect());
        assert_eq!(told, wanted.unwrap_or_else(Vec::new));
    }
    let shown = tshark(&copy, &["-Y", "frame.number == 7", "-T", "fields", "-e", "frame.comment"]);
    assert!(shown[0].contains("größe") && shown[0].contains("two"), "{shown:?}");
}

#[test]
fn what_is_no_capture_is_refused_and_nothing_is_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("file"), folder.path().join("copy"));
    std::fs::write(&file, "no capture").unwrap();
    let error = remark(&file, &copy, &BTreeMap::new()).unwrap_err();
    assert!(error.fact.starts_with("cannot read the capture "), "{error}");
    assert!(!copy.exists());
}
