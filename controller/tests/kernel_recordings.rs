//! Flight recorders of genuine runs, on several kernels: what is read from them, and what is noticed when they do not fit the wire.
//!
//! `tests/kernel/NAME` holds a run's recorders, one for each power-on, and its timeline. To take over another run's:
//! `DEADPEER_RECORDERS=FOLDER DEADPEER_RUN=FOLDER cargo test --test kernel_recordings -- --ignored take_over` with
//! `DEADPEER_AS=NAME`, the recorders having been linked out of the run's folder while it ran.
#![allow(clippy::unwrap_used, clippy::panic)]

use deadpeer::report::read_events;
use deadpeer::timeline::{Event, FrameKind, LabTime, What};
use deadpeer::witness::kernel::{Testified, Testimony, read_recording, testify};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Every run that is kept.
const RUNS: [&str; 3] = ["trixie-crash-reboot", "trixie-normal-exit", "bookworm-crash-reboot"];

fn folder(run: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel").join(run)
}

fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A run's recorders by name, `client.1.recorder`, in order.
fn recorders(run: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(run)).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let name =
        |path: &Path| path.file_name().unwrap().to_str().unwrap().strip_suffix(".recorder.gz").map(str::to_owned);
    files.iter().filter_map(|path| Some((name(path)?, unpacked(path)))).collect()
}

/// What the other witnesses saw.
fn timeline(run: &str) -> Vec<Event> {
    let text = String::from_utf8(unpacked(&folder(run).join("events.jsonl.gz"))).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    events.filter(|event| !matches!(event.what, What::Kernel(_))).collect()
}

fn read(name: &str, bytes: &[u8]) -> deadpeer::error::Result<Testimony> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    read_recording(name.split('.').next().unwrap(), file.path())
}

fn heard(run: &str, timeline: &[Event]) -> Testified {
    let testimonies = recorders(run).iter().map(|(name, bytes)| read(name, bytes).unwrap()).collect();
    testify(testimonies, timeline, timeline.last().map_or(LabTime(0), |event| event.at))
}

/// An event in a line, without what is the same in all.
fn line(event: &Event) -> String {
    let mut json = serde_json::to_value(event).unwrap();
    let fields = json.as_object_mut().unwrap();
    ["at", "witness", "guest_time"].iter().for_each(|field| drop(fields.remove(*field)));
    format!("{:>12.6} {json}\n", event.at.0 as f64 / 1e9)
}

#[test]
fn what_the_kernels_said_is_read_as_ever() {
    for run in RUNS {
        let heard = heard(run, &timeline(run));
        assert!(heard.doubt.is_none(), "{run}: {:?}", heard.doubt);
        let told: String = heard.events.iter().map(line).collect();
        insta::assert_snapshot!(run, told);
    }
}

#[test]
fn times_are_right_to_a_millisecond_under_emulation_and_nothing_is_lost() {
    for run in RUNS {
        for (host, account) in heard(run, &timeline(run)).accounts {
            assert!(account.clock_error.unwrap() < 1_000_000, "{run}, {host}: {account:?}");
            assert_eq!((account.lost, account.problems.len()), (0, 0), "{run}, {host}: {account:?}");
        }
    }
}

/// The doubt about a run from whose timeline these frames are gone.
fn doubt_without(run: &str, gone: impl Fn(&FrameKind, &str) -> bool) -> String {
    let mut timeline = timeline(run);
    timeline.retain(|event| !matches!(&event.what, What::Wire(frame) if gone(&frame.kind, &frame.from)));
    heard(run, &timeline).doubt.map(|doubt| doubt.to_string()).unwrap_or_default()
}

#[test]
fn a_kernel_that_contradicts_the_wire_is_not_believed() {
    let reset = doubt_without(RUNS[0], |kind, _| matches!(kind, FrameKind::Tcp(it) if it.flags.rst));
    assert!(reset.contains("was reset, and no RST ever came"), "{reset}");
    let data =
        doubt_without(RUNS[0], |kind, from| matches!(kind, FrameKind::Tcp(it) if it.length > 0) && from == "server");
    assert!(data.contains("gave 13 bytes, and only 0 had come"), "{data}");
    let handshake =
        doubt_without(RUNS[1], |kind, _| matches!(kind, FrameKind::Tcp(it) if it.flags.syn && it.flags.ack));
    assert!(handshake.contains("was established, and no SYN ever came"), "{handshake}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A recorder in which anything may stand is read to its end, or refused.
    #[test]
    fn a_damaged_recorder_does_no_harm(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)) {
        let (name, mut bytes) = recorders(RUNS[1]).remove(0);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(testimony) = read(&name, &bytes) {
            let _ = testify(vec![testimony], &[], LabTime(1));
        }
    }
}

/// Keeps a run; see above.
#[test]
#[ignore = "changes the recordings that the tests above read"]
fn take_over() {
    let from = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let to = folder(from("DEADPEER_AS").to_str().unwrap());
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to).unwrap();
    let pack = |file: &Path, bytes: &[u8]| {
        let name = format!("{}.gz", file.file_name().unwrap().to_str().unwrap());
        let mut packed = GzEncoder::new(File::create(to.join(name)).unwrap(), Compression::best());
        std::io::copy(&mut &bytes[..], &mut packed).unwrap();
        packed.finish().unwrap();
    };
    let events = from("DEADPEER_RUN").join("events.jsonl");
    read_events(&events).unwrap();
    pack(&events, &fs::read(&events).unwrap());
    for entry in fs::read_dir(from("DEADPEER_RECORDERS")).unwrap() {
        let file = entry.unwrap().path();
        let bytes = fs::read(&file).unwrap();
        // Behind the last byte that is not nought, nothing was ever stored.
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        pack(&file, &bytes[..end.next_multiple_of(4096)]);
    }
}
