//! One host of a running lab: its machine, its control channel and the programs on it.

use crate::error::{Error, Result};
use crate::machine::{Mac, Machine};
use crate::remote;
use crate::timeline::MachineEvent;
use deadpeer_guest::{WITNESS, shell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One host of a running lab.
pub(super) struct Guest {
    pub(super) name: String,
    /// Its link NICs: the link of each, and its address. In this order they are the machine's links.
    pub(super) nics: Vec<(u8, Mac)>,
    pub(super) machine: Box<dyn Machine>,
    pub(super) keys: Arc<HostKeys>,
    pub(super) session: Option<Arc<remote::Session>>,
    /// True while a step takes the host down: the loss of its control channel is then no news.
    pub(super) going_down: Arc<AtomicBool>,
    /// True while its link cable is pulled out; it stays so over power cycles.
    pub(super) unplugged: bool,
    pub(super) programs: BTreeMap<String, Arc<remote::Program>>,
    /// Ids of its boots, first to last.
    pub(super) boot_ids: Vec<String>,
}

/// What it takes to log in.
#[derive(Debug)]
pub(super) struct HostKeys {
    pub(super) client: Arc<remote::Keys>,
    pub(super) host: remote::HostKey,
}

/// What a guest's kernel says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct KernelWord {
    pub(super) boot_id: String,
    pub(super) carrier: bool,
    pub(super) carrier_down_count: u32,
}

impl Guest {
    /// The control channel.
    ///
    /// # Errors
    /// The host is off, or its channel was lost.
    pub(super) fn session(&self) -> Result<Arc<remote::Session>> {
        self.session
            .clone()
            .ok_or_else(|| Error::broken(format!("host '{}' has no control channel: it is off", self.name)))
    }

    /// From here on the end of the machine and of its control channel is what a step wants.
    pub(super) fn let_go(&mut self) {
        self.going_down.store(true, Ordering::SeqCst);
    }

    /// Drops what was bound to the boot that ended.
    pub(super) fn forget_boot(&mut self) {
        self.session = None;
        self.programs.clear();
        // A fresh flag: the old one stays true for the callback of the old session, however late it comes.
        self.going_down = Arc::new(AtomicBool::new(false));
    }
}

/// Asks the guest's kernel about itself.
///
/// # Errors
/// The control channel fails, or the answer is not what a Linux kernel says.
pub(super) fn ask_kernel(session: &remote::Session, within: Duration) -> Result<KernelWord> {
    let question = shell::command(WITNESS, "tell");
    let output = session.run(&question, within)?;
    parse_kernel_word(&output.stdout).ok_or_else(|| {
        Error::broken("the guest's kernel did not say its boot id and carrier")
            .detail(format!("`{question}` {}:\n{}{}", output.ended, output.stdout, output.stderr))
    })
}

/// Has the guest's kernel draw its random numbers from `chance` from now on.
///
/// # Errors
/// The control channel fails, or the kernel does not take it.
pub(super) fn stir(session: &remote::Session, chance: [u8; 32], within: Duration) -> Result<()> {
    let digits: String = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    session.run(&shell::command(WITNESS, &format!("stir {digits}")), within)?.success("its kernel").map(drop)
}

fn parse_kernel_word(text: &str) -> Option<KernelWord> {
    let mut lines = text.lines().map(str::trim);
    let boot_id = lines.next().filter(|id| id.len() == 36)?.to_owned();
    let carrier = lines.next()? == "1";
    let carrier_down_count = lines.next()?.parse().ok()?;
    Some(KernelWord { boot_id, carrier, carrier_down_count })
}

impl KernelWord {
    /// As an event of the timeline.
    pub(super) fn carrier_event(&self) -> MachineEvent {
        MachineEvent::Carrier { up: self.carrier, down_count: self.carrier_down_count }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_says_and_refuses_less() {
        let word = parse_kernel_word("0d3c6a5e-1f0a-4a53-8d2f-9b0b9f6a1c11\n1\n0\n").unwrap();
        assert_eq!((word.carrier, word.carrier_down_count), (true, 0));
        assert_eq!(parse_kernel_word("0d3c6a5e-1f0a-4a53-8d2f-9b0b9f6a1c11\ncat: No such file\n"), None);
        assert_eq!(parse_kernel_word(""), None);
    }
}
