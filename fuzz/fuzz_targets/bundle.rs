//! A bundle is read from bytes that nobody vouches for: it is read or refused, and nothing is written outside its folder.
//!
//! The bytes are the archive before it is compressed: a fuzzer that had to get through gzip's check sums would get nowhere.

#![no_main]

use deadpeer::bundle;
use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use std::io::Write;

fuzz_target!(|bytes: &[u8]| {
    let home = tempfile::tempdir().expect("a folder");
    let place = home.path().join("in/here");
    std::fs::create_dir_all(&place).expect("a folder");
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(bytes).expect("into memory");
    let packed = packed.finish().expect("into memory");
    for input in [&packed[..], bytes] {
        drop(bundle::read(input, &place));
        let left = |path: &std::path::Path| std::fs::read_dir(path).expect("it is there").count();
        assert_eq!((left(home.path()), left(&home.path().join("in")), left(&place)), (1, 1, 0));
    }
});
