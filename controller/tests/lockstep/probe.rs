//! Whether this host's QEMU can do lockstep time.

use crate::machine_support::SOON;
use deadpeer::machine::qemu::Info;
use deadpeer::machine::qemu::lockstep::probe;
use std::path::Path;

#[test]
fn this_host_s_qemu_can() {
    probe(&Info::qemu().unwrap(), SOON).unwrap();
}

#[test]
fn one_that_does_not_count_instructions_cannot_and_says_so() {
    let version = Info::qemu().unwrap().version;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lockstep/qemu-without-icount");
    let error = probe(&Info { path, version }, SOON).unwrap_err();
    let why = "needs a machine that counts its instructions: -icount shift=2,sleep=off";
    assert_eq!(error.fact, format!("QEMU {version} cannot do lockstep time: {why}"));
}
