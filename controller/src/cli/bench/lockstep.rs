//! What lockstep time costs and saves: the same guest under plain emulation, counting its instructions, and bound to a clock by the plugin.
//!
//! The guest boots (a processor that is busy without a pause), then does nothing for half an hour of its own time, and powers off. Under
//! plain emulation its time is the computer's, and it need not be watched doing nothing. The three take turns, so that what changes on this
//! computer meanwhile strikes all alike.
//!
//! What a boundary costs is what the plugins tell of two machines that boot side by side, with a boundary every millisecond: how long both stood
//! still, from when the slower one had come until the first went on.

mod guest;

use super::BenchArgs;
use crate::conductor::Interrupt;
use crate::error::{Context, Error, Result};
use crate::image::{self, Clock};
use crate::machine::qemu::{Info, lockstep::install};
use crate::report::terminal::Progress as Screen;
use guest::{Bench, Booted};
use serde::Serialize;
use std::time::Duration;

/// How long the guest does nothing, in seconds of its own.
const IDLE: u32 = 1800;

/// The links' latency, and so the time between boundaries while a machine is busy.
const LATENCY: Duration = Duration::from_millis(1);

/// One round: times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Round {
    /// Plain emulation: what the boot takes.
    plain_boot: f64,
    /// Instructions are counted (`-icount`), without the plugin.
    counting: Pace,
    /// One machine with the plugin.
    lockstep: Pace,
    /// Two machines with the plugin, boundaries a millisecond apart.
    two_machines: Pace,
    /// For how long both stood still at a boundary, on the average, in microseconds.
    boundary: f64,
    /// The median of the same.
    median_boundary: f64,
}

/// How quickly a machine's time passes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Pace {
    /// What the boot takes, in real time.
    boot: f64,
    /// Virtual seconds in a second, while it boots.
    busy: f64,
    /// The same, while it does nothing.
    idle: f64,
}

impl Pace {
    fn of(booted: &Booted, virtual_boot: Duration) -> Self {
        let [boot, idle] = [booted.boot, booted.idle].map(|it| it.as_secs_f64());
        Self { boot, busy: virtual_boot.as_secs_f64() / boot, idle: f64::from(IDLE) / idle }
    }
}

/// # Errors
/// QEMU cannot do lockstep time, or a guest does not come to its end.
pub(super) fn measure(args: &BenchArgs) -> Result<Vec<Round>> {
    let interrupt = Interrupt::install()?;
    let screen = Screen::on_stderr(false);
    let reporter = screen.reporter();
    let spec = args.kernel.clone().map_or_else(image::Spec::default, |suite| image::Spec { suite });
    let image = image::ensure(&spec, &reporter, &|| interrupt.raised())?;
    let home = tempfile::tempdir().broken(|| "cannot make a folder for the guests".to_owned())?;
    let bench = Bench {
        qemu: Info::qemu()?,
        kernel: image.kernel.clone(),
        initrd: image.initrd.clone(),
        plugin: install(home.path())?,
        folder: home.path().to_owned(),
    };
    let mut rounds = Vec::new();
    for number in 0..=args.runs.get() {
        if interrupt.raised() {
            return Err(Error::interrupted());
        }
        reporter.began("bench", format!("round {number} of {} (0 is not counted)", args.runs));
        let round = round(&bench)?;
        reporter.done("bench", format!("round {number}: a boundary costs {:.0} us", round.boundary));
        if number > 0 {
            rounds.push(round);
        }
    }
    Ok(rounds)
}

fn round(bench: &Bench) -> Result<Round> {
    let words = |clock, seconds| image::idle_parameters(clock, seconds);
    let plain = bench.emulated(&words(Clock::Emulated, 0))?;
    let counting = bench.counting(&words(Clock::Lockstep, IDLE))?;
    let (lockstep, _) = bench.lockstep(1, &words(Clock::Lockstep, IDLE), LATENCY)?;
    let (two, mut stood) = bench.lockstep(2, &words(Clock::Lockstep, IDLE), LATENCY)?;
    stood.sort();
    let microseconds = |it: Duration| it.as_secs_f64() * 1e6;
    let virtual_boot = lockstep.virtual_boot;
    Ok(Round {
        plain_boot: plain.boot.as_secs_f64(),
        // It counts the same instructions, and nobody asks it when it had booted.
        counting: Pace::of(&counting, virtual_boot),
        lockstep: Pace::of(&lockstep, virtual_boot),
        two_machines: Pace::of(&two, two.virtual_boot),
        boundary: microseconds(stood.iter().sum()) / stood.len().max(1) as f64,
        median_boundary: stood.get(stood.len() / 2).copied().map(microseconds).unwrap_or_default(),
    })
}

/// The median of each figure.
pub(super) fn table(rounds: &[Round]) -> String {
    let median = |figure: &dyn Fn(&Round) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    let pace = |name: &str, of: fn(&Round) -> Pace| {
        let [boot, busy, idle] =
            [median(&|round| of(round).boot), median(&|round| of(round).busy), median(&|round| of(round).idle)];
        format!("{name:<34} {boot:>8.2} s {busy:>13.2} {idle:>13.0}\n")
    };
    let plain = median(&|round| round.plain_boot);
    format!("{:<34} {:>10} {:>13} {:>13}\n", "virtual seconds in a second", "a boot", "booting", "idle")
        + &format!("{:<34} {plain:>8.2} s {:>13} {:>13}\n", "emulation, real time", 1, 1)
        + &pace("instructions counted (-icount)", |round| round.counting)
        + &pace("lockstep, one machine", |round| round.lockstep)
        + &pace("lockstep, two machines", |round| round.two_machines)
        + &format!(
            "a boundary of two busy machines: {:.0} us on the average, the median {:.0} us\n",
            median(&|round| round.boundary),
            median(&|round| round.median_boundary)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_shown() {
        let pace = |busy| Pace { boot: 2.0, busy, idle: 50_000.0 };
        let round = |boundary| Round {
            plain_boot: 1.5,
            counting: pace(boundary),
            lockstep: pace(0.5),
            two_machines: pace(0.25),
            boundary,
            median_boundary: boundary / 2.0,
        };
        insta::assert_snapshot!(table(&[round(40.0), round(20.0), round(30.0)]));
    }
}
