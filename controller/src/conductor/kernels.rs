//! The hosts' kernels as witnesses of a running lab: one recorder is read for every power-on of a host.

use super::world::World;
use crate::error::Result;
use crate::timeline::{Event, KernelAccount, LabTime, Recorder, What};
use crate::witness::kernel::{KernelWitness, Testimony, testify};
use std::collections::BTreeMap;
use std::path::Path;

/// Who is being listened to, and what was heard.
#[derive(Debug, Default)]
pub(super) struct Kernels {
    listening: BTreeMap<String, KernelWitness>,
    heard: Vec<Testimony>,
}

impl Kernels {
    /// Listens to a machine that was just switched on, by its recorder: at each boundary of the world, if it is one of lockstep time. The
    /// host's last one is off: it is heard to its end. `here`: the machine runs on this computer.
    ///
    /// # Errors
    /// A recorder cannot be read.
    pub(super) fn listen(
        &mut self,
        host: &str,
        file: &Path,
        here: bool,
        recorder: &Recorder,
        world: Option<&World>,
    ) -> Result<()> {
        let witness = match world {
            None => KernelWitness::start(host, file, here, recorder.clone())?,
            Some(world) => {
                let (witness, look) = KernelWitness::by_hand(host, file, recorder.clone())?;
                world.look(host, look);
                witness
            }
        };
        if let Some(before) = self.listening.insert(host.to_owned(), witness) {
            self.heard.push(before.finish()?);
        }
        Ok(())
    }

    /// Those of `hosts` whose kernels are listened to and have not been heard until `now`.
    pub(super) fn behind<'a>(&self, hosts: &[&'a str], now: LabTime) -> Vec<&'a str> {
        let behind = |host: &&str| self.listening.get(*host).is_some_and(|it| it.recorded_until() < now);
        hosts.iter().copied().filter(|host| behind(host)).collect()
    }

    /// All machines are off: puts what the kernels said into `timeline`, in place of what was noted while it came. Beside it, what
    /// their testimony is worth, and why it cannot be vouched for, if it cannot.
    pub(super) fn testify(
        self,
        mut timeline: Vec<Event>,
        watched: LabTime,
    ) -> (Vec<Event>, Vec<(String, KernelAccount)>, Result<()>) {
        timeline.retain(|event| !matches!(event.what, What::Kernel(_)));
        timeline.shrink_to_fit();
        let mut broken = None;
        let mut heard = self.heard;
        for witness in self.listening.into_values() {
            match witness.finish() {
                Ok(testimony) => heard.push(testimony),
                Err(error) => broken = broken.or(Some(error)),
            }
        }
        let testified = testify(heard, &timeline, watched);
        timeline.extend(testified.events);
        timeline.sort_by_key(|event| event.at);
        (timeline, testified.accounts, broken.or(testified.doubt).map_or(Ok(()), Err))
    }
}
