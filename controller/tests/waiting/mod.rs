//! How long tests on real machines wait.

use std::time::{Duration, Instant};

/// Longer than anything here takes on a slow, busy machine; a test that gets here has failed.
pub const LONG: Duration = Duration::from_secs(180);

/// Waits until something is so.
pub fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
