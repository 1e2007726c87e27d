//! Reads a flight recorder: while its guest lives, on a thread of its own, and to its end when that is over.

use super::boot::Boot;
use super::recording::Recording;
use crate::error::{Context, Error, Result};
use crate::timeline::{Call, Event, KernelEvent, KernelFact, LabTime, Recorder, What};
use deadpeer_guest::recorder::{Reader, tell};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the recorder is looked at, and its guest told the time: while the guest boots and the clocks come to be
/// known, and afterwards. A look that finds nothing new costs some microseconds, but on a computer whose processors are all busy it is
/// the guests that pay for each.
const PAUSE: Duration = Duration::from_millis(3);
const PAUSE_LATER: Duration = Duration::from_millis(15);

/// So many looks after the first that found something are at [`PAUSE`].
const FIRST_LOOKS: u32 = 300;

/// What one recorder held: everything that its host's kernels traced from one power-on to the end of that machine.
#[derive(Debug)]
pub struct Testimony {
    host: String,
    boots: Vec<Boot>,
    damage: Vec<String>,
}

impl Testimony {
    /// Why nobody can vouch for it, if something in the recorder was damaged.
    pub(super) fn damage(&self) -> Option<Error> {
        let fact = || format!("the flight recorder of host '{}' is damaged", self.host);
        (!self.damage.is_empty()).then(|| Error::broken(fact()).detail(self.damage.join("\n")))
    }

    /// The host and its boots.
    pub(super) fn into_boots(self) -> (String, Vec<Boot>) {
        (self.host, self.boots)
    }
}

/// Reads one recorder on a thread of its own. Dropped, it stops.
#[derive(Debug)]
pub struct KernelWitness {
    host: String,
    stop: Arc<AtomicBool>,
    recorded: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<Testimony>>>,
}

impl KernelWitness {
    /// Begins to read the recorder in `file`, that of `host`'s machine. Events are noted as they come, at provisional times.
    ///
    /// # Errors
    /// There is no such file, or no thread to be had.
    pub fn start(host: &str, file: &Path, recorder: Recorder) -> Result<Self> {
        let memory = open(file)?;
        let told = OpenOptions::new().write(true).open(file).broken(|| cannot_open(file))?;
        let (stop, recorded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (name, over, until) = (host.to_owned(), Arc::clone(&stop), Arc::clone(&recorded));
        let thread = std::thread::Builder::new()
            .name(format!("kernel-{host}"))
            .spawn(move || read_live(&name, (Reader::new(memory), &told), &recorder, &over, &until))
            .broken(|| format!("no thread for the kernel witness of host '{host}'"))?;
        Ok(Self { host: host.to_owned(), stop, recorded, thread: Some(thread) })
    }

    /// Until when, on the lab's clock, everything that its kernel traced has been noted. Provisional, as the times of those events.
    #[must_use]
    pub fn recorded_until(&self) -> LabTime {
        LabTime(self.recorded.load(Ordering::Acquire))
    }

    /// Reads what is left, and ends. The machine should be dead, or its testimony of no more interest.
    ///
    /// # Errors
    /// The recorder could not be read, or the thread panicked.
    pub fn finish(mut self) -> Result<Testimony> {
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.take().ok_or_else(|| Error::broken("a kernel witness was ended twice"))?;
        thread.join().map_err(|_| Error::broken(format!("the kernel witness of host '{}' panicked", self.host)))?
    }
}

impl Drop for KernelWitness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // Whoever drops it does not want to know.
            let _ = thread.join();
        }
    }
}

fn open(file: &Path) -> Result<File> {
    File::open(file).broken(|| cannot_open(file))
}

fn cannot_open(file: &Path) -> String {
    format!("cannot open the flight recorder {}", file.display())
}

fn read_live(
    host: &str,
    (mut reader, told): (Reader<File>, &File),
    recorder: &Recorder,
    stop: &AtomicBool,
    recorded: &AtomicU64,
) -> Result<Testimony> {
    let mut recording = Recording::new(host);
    let mut looks = 0_u32;
    loop {
        // Looked at first: what was recorded before the end was asked for is read.
        let over = stop.load(Ordering::Acquire);
        let clock = recorder.clock();
        read_new(host, &mut reader, &mut recording, || clock.now(), |event, ahead| note(recorder, event, ahead))?;
        recorded.store(recording.recorded_until().0, Ordering::Release);
        if over {
            break;
        }
        tell(told, clock.now().0, recording.frames_suffice())
            .broken(|| format!("cannot tell host '{host}' the time"))?;
        looks = if recording.recorded_until() > LabTime(0) { looks.saturating_add(1) } else { 0 };
        std::thread::sleep(if looks < FIRST_LOOKS { PAUSE } else { PAUSE_LATER });
    }
    let (boots, damage) = recording.end();
    Ok(Testimony { host: host.to_owned(), boots, damage })
}

/// Reads a recorder that nobody writes any more. When it was read says nothing then: as late as can be.
pub(super) fn read_whole(host: &str, file: &Path) -> Result<Testimony> {
    let mut recording = Recording::new(host);
    read_new(host, &mut Reader::new(open(file)?), &mut recording, || LabTime(i64::MAX.cast_unsigned()), |_, _| {})?;
    let (boots, damage) = recording.end();
    Ok(Testimony { host: host.to_owned(), boots, damage })
}

fn read_new(
    host: &str,
    reader: &mut Reader<File>,
    recording: &mut Recording,
    now: impl Fn() -> LabTime,
    mut note: impl FnMut(&KernelEvent, i64),
) -> Result<()> {
    while let Some(found) = reader.next().broken(|| format!("cannot read the flight recorder of host '{host}'"))? {
        recording.take(found, now());
        let (events, ahead) = recording.fresh();
        events.iter().for_each(|event| note(event, ahead));
    }
    Ok(())
}

/// Notes an event at the latest time at which it can have been.
fn note(recorder: &Recorder, event: &KernelEvent, ahead: i64) {
    let lab = |guest: u64| LabTime(guest.saturating_add_signed(ahead));
    let mut event = event.clone();
    if let KernelFact::Call(Call { began, .. }) = &mut event.fact {
        *began = lab(began.0);
    }
    let noted = Event { at: lab(event.guest_time), what: What::Kernel(Box::new(event)) };
    recorder.note_at(noted.at, noted.what);
}
