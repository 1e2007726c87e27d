//! Reads a flight recorder: while its guest lives, on a thread of its own, and to its end when that is over.

use super::boot::Boot;
use super::recording::Recording;
use crate::error::{Context, Error, Result};
use crate::timeline::{Call, Event, KernelEvent, KernelFact, LabTime, Recorder, What};
use deadpeer_guest::recorder::{Reader, tell};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    clock: Clock,
}

/// What the clock of a machine goes by, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// The lab's own clock.
    Labs,
    /// This computer's clock, if its guest uses one that does.
    Here,
    /// Another computer's.
    Elsewhere,
}

impl Testimony {
    /// Why nobody can vouch for it, if something in the recorder was damaged.
    pub(super) fn damage(&self) -> Option<Error> {
        let fact = || format!("the flight recorder of host '{}' is damaged", self.host);
        (!self.damage.is_empty()).then(|| Error::broken(fact()).detail(self.damage.join("\n")))
    }

    /// The host, its boots, and what its clock goes by.
    pub(super) fn into_boots(self) -> (String, Vec<Boot>, Clock) {
        (self.host, self.boots, self.clock)
    }
}

/// Reads one recorder: on a thread of its own, or whenever it is told to ([`Look`]). Dropped, it stops.
#[derive(Debug)]
pub struct KernelWitness {
    host: String,
    recorded: Arc<AtomicU64>,
    reading: Option<Reading>,
}

#[derive(Debug)]
enum Reading {
    Thread { thread: JoinHandle<Result<Testimony>>, stop: Arc<AtomicBool> },
    ByHand(Look),
}

/// Has a recorder be looked into, now: where time does not pass by itself.
#[derive(Debug, Clone)]
pub struct Look(Arc<Mutex<Option<Live>>>);

impl Look {
    /// Notes what is new, if the witness has not been ended. How many records were read until now.
    ///
    /// # Errors
    /// The recorder cannot be read.
    pub fn look(&self) -> Result<u64> {
        self.look_until(u64::MAX)
    }

    /// As [`Look::look`], of the first so many records alone.
    ///
    /// # Errors
    /// As there.
    pub fn look_until(&self, records: u64) -> Result<u64> {
        self.live().as_mut().map_or(Ok(0), |live| live.look(records))
    }

    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KernelWitness {
    /// Begins to read the recorder in `file`, that of `host`'s machine, on a thread. Events are noted as they come, at provisional times.
    /// `here`: the machine runs on this computer, else what is read is a copy.
    ///
    /// # Errors
    /// There is no such file, or no thread to be had.
    pub fn start(host: &str, file: &Path, here: bool, recorder: Recorder) -> Result<Self> {
        let live = Live::open(host, file, if here { Clock::Here } else { Clock::Elsewhere }, recorder)?;
        let told = OpenOptions::new().write(true).open(file).broken(|| cannot_open(file))?;
        let (stop, recorded) = (Arc::new(AtomicBool::new(false)), Arc::clone(&live.recorded));
        let over = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(format!("kernel-{host}"))
            .spawn(move || live.read_on(&told, &over))
            .broken(|| format!("no thread for the kernel witness of host '{host}'"))?;
        Ok(Self { host: host.to_owned(), recorded, reading: Some(Reading::Thread { thread, stop }) })
    }

    /// As [`KernelWitness::start`], but it reads when it is told to. The guest is told no time.
    ///
    /// # Errors
    /// There is no such file.
    pub fn by_hand(host: &str, file: &Path, recorder: Recorder) -> Result<(Self, Look)> {
        let live = Live::open(host, file, Clock::Labs, recorder)?;
        let recorded = Arc::clone(&live.recorded);
        let look = Look(Arc::new(Mutex::new(Some(live))));
        let reading = Some(Reading::ByHand(look.clone()));
        Ok((Self { host: host.to_owned(), recorded, reading }, look))
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
        match self.reading.take() {
            Some(Reading::Thread { thread, stop }) => {
                stop.store(true, Ordering::Release);
                thread
                    .join()
                    .map_err(|_| Error::broken(format!("the kernel witness of host '{}' panicked", self.host)))?
            }
            Some(Reading::ByHand(look)) => {
                look.look()?;
                let live = look.live().take();
                live.map(Live::end).ok_or_else(|| Error::broken("a kernel witness was ended twice"))
            }
            None => Err(Error::broken("a kernel witness was ended twice")),
        }
    }
}

impl Drop for KernelWitness {
    fn drop(&mut self) {
        if let Some(Reading::Thread { thread, stop }) = self.reading.take() {
            stop.store(true, Ordering::Release);
            // Whoever drops it does not want to know.
            let _ = thread.join();
        }
    }
}

/// A recorder that is being read while its guest lives.
#[derive(Debug)]
struct Live {
    host: String,
    clock: Clock,
    reader: Reader<File>,
    recording: Recording,
    recorder: Recorder,
    recorded: Arc<AtomicU64>,
}

impl Live {
    fn open(host: &str, file: &Path, clock: Clock, recorder: Recorder) -> Result<Self> {
        let (reader, recording) = (Reader::new(open(file)?), Recording::new(host));
        Ok(Self { host: host.to_owned(), clock, reader, recording, recorder, recorded: Arc::default() })
    }

    /// Notes what is new.
    fn look(&mut self, records: u64) -> Result<u64> {
        let (clock, recorder) = (self.recorder.clock(), &self.recorder);
        let note = |event: &KernelEvent, ahead| note(recorder, event, ahead);
        read_new(&self.host, (&mut self.reader, records), &mut self.recording, || clock.now(), note)?;
        self.recorded.store(self.recording.recorded_until().0, Ordering::Release);
        Ok(self.reader.sequence())
    }

    /// Looks again and again, and tells the guest the time, until `stop`.
    fn read_on(mut self, told: &File, stop: &AtomicBool) -> Result<Testimony> {
        let mut looks = 0_u32;
        loop {
            // Looked at first: what was recorded before the end was asked for is read.
            let over = stop.load(Ordering::Acquire);
            self.look(u64::MAX)?;
            if over {
                return Ok(self.end());
            }
            // Two computers' clocks drift: there are never frames enough then.
            let suffice = self.clock != Clock::Elsewhere && self.recording.frames_suffice();
            tell(told, self.recorder.clock().now().0, suffice)
                .broken(|| format!("cannot tell host '{}' the time", self.host))?;
            looks = if self.recording.recorded_until() > LabTime(0) { looks.saturating_add(1) } else { 0 };
            std::thread::sleep(if looks < FIRST_LOOKS { PAUSE } else { PAUSE_LATER });
        }
    }

    fn end(self) -> Testimony {
        let (boots, damage) = self.recording.end();
        Testimony { host: self.host, boots, damage, clock: self.clock }
    }
}

fn open(file: &Path) -> Result<File> {
    File::open(file).broken(|| cannot_open(file))
}

fn cannot_open(file: &Path) -> String {
    format!("cannot open the flight recorder {}", file.display())
}

/// Reads a recorder that nobody writes any more. When it was read says nothing then: as late as can be.
pub(super) fn read_whole(host: &str, file: &Path) -> Result<Testimony> {
    let mut recording = Recording::new(host);
    let mut reader = Reader::new(open(file)?);
    let last = || LabTime(i64::MAX.cast_unsigned());
    read_new(host, (&mut reader, u64::MAX), &mut recording, last, |_, _| {})?;
    let (boots, damage) = recording.end();
    Ok(Testimony { host: host.to_owned(), boots, damage, clock: Clock::Here })
}

/// Reads on, until so many records were read in all.
fn read_new(
    host: &str,
    (reader, records): (&mut Reader<File>, u64),
    recording: &mut Recording,
    now: impl Fn() -> LabTime,
    mut note: impl FnMut(&KernelEvent, i64),
) -> Result<()> {
    let cannot = || format!("cannot read the flight recorder of host '{host}'");
    while reader.sequence() < records
        && let Some(found) = reader.next().broken(cannot)?
    {
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
