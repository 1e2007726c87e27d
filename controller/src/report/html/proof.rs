//! What happened to a host, and how that is known.

use super::super::style::Paint;
use crate::timeline::{Ended, MachineEvent};

/// The event in a few words, the proof of it, and whether it is good or bad news; none for what is no event but an answer.
pub(super) fn told(host: &str, event: &MachineEvent, qemu: Option<u32>) -> Option<(String, String, Paint)> {
    let process = qemu.map_or_else(|| "its QEMU process".to_owned(), |pid| format!("its QEMU process, pid {pid},"));
    let (head, proof, paint) = match event {
        MachineEvent::PoweredOn { pid } => {
            let pid = pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
            (format!("{host} is powered on"), format!("a new QEMU process{pid}"), Paint::Plain)
        }
        MachineEvent::Booted { boot_id, kernel } => {
            (format!("{host} is up: Linux {kernel}"), format!("the kernel says its boot id: {boot_id}"), Paint::Good)
        }
        MachineEvent::PoweredOff { how, domain: Some(domain) } => {
            (format!("{host} loses power"), format!("libvirt: {domain}; {process} {how}"), Paint::Bad)
        }
        MachineEvent::PoweredOff { how: Ended::Signal(signal), domain: None } => (
            format!("{host} loses power"),
            format!("SIG{signal} ended {process} at once: no flush, no goodbye"),
            Paint::Bad,
        ),
        MachineEvent::PoweredOff { how, domain: None } => {
            (format!("{host} loses power"), format!("{process} {how}"), Paint::Bad)
        }
        MachineEvent::Reset { reason } => {
            (format!("{host} is reset"), format!("QMP RESET, reason {reason}"), Paint::Bad)
        }
        MachineEvent::ShutDown { reason } => {
            (format!("{host} has shut down"), format!("QMP SHUTDOWN, reason {reason}"), Paint::Warn)
        }
        MachineEvent::Died { how, words } => {
            let words = words.lines().last().unwrap_or_default();
            (format!("{host} died, and nobody had asked for it"), format!("{process} {how} {words}"), Paint::Bad)
        }
        MachineEvent::Stopped => {
            (format!("{host} was stopped by somebody"), format!("SIGSTOP to {process}"), Paint::Bad)
        }
        MachineEvent::Panicked { line } => {
            (format!("{host}'s kernel panicked"), format!("its console: {line}"), Paint::Bad)
        }
        MachineEvent::BootFailed { what } => {
            (format!("{host} cannot boot"), format!("its boot script: {what}"), Paint::Bad)
        }
        MachineEvent::CarrierSet { up: true } => {
            (format!("{host}'s cable is plugged in"), "QMP set_link up".to_owned(), Paint::Good)
        }
        MachineEvent::CarrierSet { up: false } => {
            (format!("{host}'s cable is unplugged"), "QMP set_link down".to_owned(), Paint::Bad)
        }
        MachineEvent::ControlLost { why } => {
            (format!("the control channel to {host} was lost"), why.clone(), Paint::Bad)
        }
        MachineEvent::Carrier { .. } => return None,
    };
    Some((head, proof.trim_end_matches([',', ' ']).to_owned(), paint))
}
