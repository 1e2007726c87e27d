//! Figures, for whoever asks: `cargo test --release --test cable -- --ignored --nocapture figures`.

use crate::lab::{Lab, segment};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::time::Instant;

/// Microseconds of processor time that this process has used, the guests that the test plays included.
fn processor() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    (used.user_time() + used.system_time()).num_microseconds() as f64
}

#[test]
#[ignore = "prints figures"]
fn figures_of_frames_per_second_through_two_socket_pairs() {
    const FRAMES: u32 = 200_000;
    const IN_FLIGHT: u32 = 32;
    for data in [0, 1446] {
        let lab = Lab::new();
        let data = vec![b'x'; data];
        let mut one = segment("client", "server", &data, |header| header.ack = true);
        let (began, used) = (Instant::now(), processor());
        let mut received = 0;
        for n in 0..FRAMES {
            one[38..42].copy_from_slice(&(1000 + n * data.len() as u32).to_be_bytes());
            lab.guest("client").send(&one);
            if n - received == IN_FLIGHT {
                lab.guest("server").receive();
                received += 1;
            }
        }
        while received < FRAMES {
            lab.guest("server").receive();
            received += 1;
        }
        let took = began.elapsed();
        let used = (processor() - used) / f64::from(FRAMES);
        let rate = f64::from(FRAMES) / took.as_secs_f64();
        println!("{} bytes: {rate:.0} frames/s, {used:.1} us of processor time each, guests included", one.len());

        let began = Instant::now();
        const TURNS: u32 = 20_000;
        for _ in 0..TURNS {
            lab.guest("client").send(&one);
            lab.guest("server").receive();
        }
        println!(
            "{} bytes: {:.1} us from guest to guest, one at a time",
            one.len(),
            began.elapsed().as_secs_f64() / f64::from(TURNS) * 1e6
        );
    }
}
